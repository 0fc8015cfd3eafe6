"""What the runs of a benchmark have left so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activeseg.benchmark.arms import HEADLINE
from activeseg.benchmark.curves import PatientDice, SeedCurve
from activeseg.benchmark.folders import Folders
from activeseg.errors import ProjectError
from activeseg.files import read_json
from activeseg.loop.answers import LoggedAnswer
from activeseg.loop.ledger import ArmLedger
from activeseg.project.damaged import damaged

__all__ = ["Ended", "EndedRun", "collect"]


@dataclass(frozen=True)
class EndedRun:
    """One arm and seed.

    Attributes:
        record: What ``record.json`` holds.
        curve: The points, those of patients included.
        answered: Every answer, in order.
    """

    record: Mapping[str, Any]
    curve: tuple[Mapping[str, Any], ...]
    answered: tuple[LoggedAnswer, ...]


@dataclass(frozen=True)
class Ended:
    """Everything that has ended.

    Attributes:
        arms: The runs by arm and seed; the arms of the headline first, then by name.
        full: The models from the whole pools, by seed.
        minutes: Full minutes of each labelled volume.
    """

    arms: Mapping[str, Mapping[int, EndedRun]]
    full: Mapping[int, Mapping[str, Any]]
    minutes: Mapping[str, float]

    def curves(self) -> dict[str, dict[int, SeedCurve]]:
        """The arms as the statistics take them."""
        return {
            name: {seed: SeedCurve.of(run.curve) for seed, run in runs.items()}
            for name, runs in self.arms.items()
        }

    def full_dice(self) -> dict[int, PatientDice]:
        """The full models as the statistics take them."""
        return {seed: PatientDice.of([full["patients"]]) for seed, full in self.full.items()}

    def full_minutes(self, seed: int) -> float:
        """Minutes of drawing every slice of a seed's pool."""
        return sum(self.minutes[volume] for volume in self.full[seed]["pool"])


def collect(out: Path, batches: int) -> Ended:
    """Read what has ended.

    Args:
        out: The benchmark's folder.
        batches: How many each run has.

    Raises:
        ProjectError: If a file is damaged or missing.
    """
    folders = Folders(out)
    seeds = folders.ended()
    first = [name for name in HEADLINE if name in seeds]
    order = [*first, *sorted(set(seeds) - set(first))]
    arms = {
        name: {seed: _run(folders, name, seed, batches) for seed in seeds[name]} for name in order
    }
    full = {seed: _read(folders.full(seed)) for seed in folders.full_seeds()}
    return Ended(arms, full, _read(folders.volumes))


def _run(folders: Folders, name: str, seed: int, batches: int) -> EndedRun:
    ledger = ArmLedger(folders.run(name, seed) / "records")
    curve: list[Mapping[str, Any]] = []
    answered: list[LoggedAnswer] = []
    for number in range(batches):
        point, answers = ledger.point(number), ledger.answers(number)
        if point is None or answers is None:
            raise ProjectError(
                f"has ended, but round {number} of its records is missing; remove the folder to "
                "run it again",
                str(folders.run(name, seed)),
            )
        curve.append(point)
        answered += answers
    return EndedRun(_read(folders.record(name, seed)), tuple(curve), tuple(answered))


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_json(file)
    except (OSError, ValueError) as error:
        raise damaged(file, error, "remove it to have it made again") from error
