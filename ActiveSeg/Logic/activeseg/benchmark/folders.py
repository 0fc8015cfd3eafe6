"""Where a benchmark keeps what.

::

    plan.json                       its settings
    volumes.json                    full minutes of each labelled volume
    full/<NNN>.json                 the model from the whole pool of that seed, on its test volumes
    first/                          first models, shared by arms; only while the benchmark runs
    arms/<name>/<NNN>/project/      the run's project folder
    arms/<name>/<NNN>/records/      its answers and points (`activeseg.loop.ledger`)
    arms/<name>/<NNN>/record.json   its last figures; its presence says that the run has ended
    result.json report.html table.md figure.png points.csv answers.csv
    points.parquet answers.parquet
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from activeseg.loop.first_models import FirstModels
from activeseg.project import Project

__all__ = ["Folders", "remove_bulk"]


@dataclass(frozen=True)
class Folders:
    """The paths below a benchmark's folder.

    Attributes:
        out: That folder.
    """

    out: Path

    @property
    def volumes(self) -> Path:
        """Full minutes by volume."""
        return self.out / "volumes.json"

    @property
    def first_models(self) -> FirstModels:
        """Models of the first batch that arms share."""
        return FirstModels(self.out / "first")

    def full(self, seed: int) -> Path:
        """The record of a seed's model from the whole pool."""
        return self.out / "full" / f"{seed:03d}.json"

    def run(self, arm: str, seed: int) -> Path:
        """The folder of one arm and seed."""
        return self.out / "arms" / arm / f"{seed:03d}"

    def record(self, arm: str, seed: int) -> Path:
        """Its last figures."""
        return self.run(arm, seed) / "record.json"

    def ended(self) -> dict[str, list[int]]:
        """The seeds of each arm that have ended, whichever run of the benchmark ran them."""
        found: dict[str, list[int]] = {}
        for file in sorted((self.out / "arms").glob("*/*/record.json")):
            found.setdefault(file.parent.parent.name, []).append(int(file.parent.name))
        return found

    def full_seeds(self) -> list[int]:
        """The seeds whose model from the whole pool was measured."""
        return sorted(int(file.stem) for file in (self.out / "full").glob("[0-9]*.json"))


def remove_bulk(project: Project) -> None:
    """Remove what a finished run is large by: models, scores, predictions, proposals, features.

    Batches, estimates, answers and the logs of the trainings stay.
    """
    shutil.rmtree(project.folder / "cache", ignore_errors=True)
    for files in project.rounds():
        shutil.rmtree(files.folder / "predictions", ignore_errors=True)
        for file in (files.model, files.scores, files.proposals):
            file.unlink(missing_ok=True)
