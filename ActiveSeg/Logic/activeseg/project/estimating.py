"""Expected Dice of slices, volumes and cohort under a round's model, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.files import write_json
from activeseg.project.folder import Project
from activeseg.project.judged import DiceLedger, with_trend
from activeseg.project.rounds import RoundFiles
from activeseg.project.score_table import ScorePart, ScoreRows, mean_sizes
from activeseg.quality import (
    EVIDENCE,
    DiceEstimator,
    Estimate,
    Trend,
    Volumes,
    expected_gain,
    proposed,
    sizes_over,
)

__all__ = [
    "SliceEstimates",
    "VolumeEstimates",
    "estimate_slices",
    "estimate_volumes",
    "write_estimate",
]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

NEXT_MINUTES = 10.0


@dataclass(frozen=True)
class SliceEstimates:
    """What is expected of the rows of a score table, in single precision.

    Attributes:
        dice: `[n]` mean expected Dice over the structures that are predicted; 0 where some are
            merely probable, and 1 where nothing is, as there is nothing to get wrong.
        low, high: `[n]` its 90 % interval.
        gain: `[n]` expected gain of an answer.
        shown: `[n, structures]` how much of each structure is shown, 1 for its mean slice.
        trust: How far the expected Dice may decide, 0 to 1 (`activeseg.quality.trust_in`).
        islands: False islands of a proposal, at the least (`activeseg.quality.islands_at_least`).
    """

    dice: Singles
    low: Singles
    high: Singles
    gain: Singles
    shown: Singles
    trust: float
    islands: float

    @classmethod
    def empty(cls, count: int, structures: int, ledger: DiceLedger) -> SliceEstimates:
        """Of slices that show nothing, so that there is nothing to get wrong."""
        dice, low, high, gain = np.ones((4, count), dtype=np.float32)
        gain[:] = 0.0
        shown = np.zeros((count, structures), np.float32)
        return cls(dice, low, high, gain, shown, ledger.trust, ledger.islands)


def estimate_slices(
    project: Project, files: RoundFiles, table: ScoreRows, calibrated: bool = True
) -> SliceEstimates:
    """Judge every slice of a round by what is known now.

    Args:
        project: The project.
        files: The round.
        table: Its scores; read part by part.
        calibrated: Whether what earlier proposals turned out to be counts; otherwise the slices
            are judged by the prior, as in the first round.

    Raises:
        ProjectError: If a file of the project is damaged.
    """
    ledger = DiceLedger(project)
    several = _several_views(table)
    estimator = ledger.learn(several) if calibrated else ledger.prior(several)
    mean = mean_sizes(table)
    found = SliceEstimates.empty(len(table), len(mean), ledger)
    for part in table.parts("size", "shows", "evidence"):
        shows, evidence = part.numbers("shows"), part.floats("evidence")
        shown = sizes_over(part.floats("size"), mean)
        found.shown[part.rows] = shown
        # What is probable without being predicted is really there once in six times (hippocampus,
        # docs/experiments.md): beside a predicted structure it would count as a failure far too
        # often.
        predicted = proposed(evidence)
        counts = np.where(predicted.any(axis=1, keepdims=True), predicted, shows)
        some = np.flatnonzero((counts | shows).any(axis=1))  # of the others all is known
        each = _structures(estimator, with_trend(evidence[some], ledger, files.number), shown[some])
        over = Estimate(each.dice.T, each.reach.T).over_structures(counts[some].T)
        gain = expected_gain(np.where(shows[some], each.dice, np.nan), shown[some])
        judged = ~np.isnan(over.dice)
        rows, some = some + part.first, some[judged] + part.first
        found.gain[rows] = gain
        found.dice[some] = over.dice[judged]
        found.low[some], found.high[some] = over.low[judged], over.high[judged]
    return found


@dataclass(frozen=True)
class VolumeEstimates:
    """What is expected of whole volumes.

    Attributes:
        ids: The volumes.
        volumes: Their Dice, mean over the structures; NaN where nothing is predicted or probable.
        structures: Dice of each structure, mean over the volumes; NaN likewise.
        cohort: Mean over all of it, an array of one.
    """

    ids: list[str]
    volumes: Estimate
    structures: Estimate
    cohort: Estimate


def estimate_volumes(
    ledger: DiceLedger, files: RoundFiles, table: ScoreRows, ids: list[str]
) -> VolumeEstimates:
    """Judge whole volumes by what is known now.

    A structure that the model neither predicts nor holds for probable in a volume counts for
    nothing there, as its Dice would.

    Args:
        ledger: What is known of the project that the estimate is learned in.
        files: The round whose model scored the volumes.
        table: The scores; read part by part.
        ids: The volumes, ascending; others are not in the table.
    """
    estimator = ledger.learn(_several_views(table))
    mean = mean_sizes(table)
    stacks: dict[tuple[int, str], list[tuple[tuple[str, ...], Volumes]]] = defaultdict(list)
    for part in table.parts("volume", "plane", "size", "shows", "evidence"):
        shown = sizes_over(part.floats("size"), mean)
        evidence = with_trend(part.floats("evidence"), ledger, files.number)
        for (structure, plane), rows in _stacks(part):
            volume = part.words("volume")
            there, group = np.unique(volume.codes[rows], return_inverse=True)
            of = evidence[rows, structure], shown[rows, structure], group
            names = tuple(volume.words[code] for code in there)
            stacks[structure, plane].append((names, estimator.volumes(*of)))
    whole = np.full((len(mean), len(ids), 2), np.nan)
    cohort = np.full((len(mean), 2), np.nan)
    for number in range(len(mean)):
        planes = [stacks[key] for key in sorted(stacks) if key[0] == number]
        if planes:
            whole[number], cohort[number] = _over_planes(estimator, planes, ids)
    volumes = Estimate(whole[:, :, 0], whole[:, :, 1])
    structures = Estimate(cohort[:, :1], cohort[:, 1:])
    return VolumeEstimates(
        ids=ids,
        volumes=volumes.over_structures(~np.isnan(volumes.dice)),
        structures=Estimate(cohort[:, 0], cohort[:, 1]),
        cohort=structures.over_structures(~np.isnan(structures.dice)),
    )


def write_estimate(project: Project, files: RoundFiles, table: ScoreRows, note: str = "") -> None:
    """Keep the expected Dice of volumes, structures and cohort as ``estimate.json``.

    Args:
        project: The project.
        files: The round.
        table: Its scores.
        note: What there is to say of how the slices were scored; may be empty.

    Raises:
        ProjectError: If a file of the project is damaged.
    """
    ids = sorted(volume.id for volume in project.cohort.volumes)
    ledger = DiceLedger(project)
    found = estimate_volumes(ledger, files, table, ids)
    names = [structure.name for structure in project.structures]
    judged = ledger.slices
    write_json(
        files.estimate,
        {
            "round": files.number,
            "estimated_dice": _known(found.cohort.dice[0]),
            "low": _known(found.cohort.low[0]),
            "high": _known(found.cohort.high[0]),
            "structures": {
                name: _known(value)
                for name, value in zip(names, found.structures.dice, strict=True)
            },
            "volumes": {v: _known(d) for v, d in zip(ids, found.volumes.dice, strict=True)},
            "intervals": {
                v: None if np.isnan(low) else [float(low), float(high)]
                for v, low, high in zip(ids, found.volumes.low, found.volumes.high, strict=True)
            },
            "judged": len(judged),
            "audited": sum(each.audit for each in judged),
            "trust": ledger.trust,
            "note": note,
            **_outlook(project, files, _known(found.cohort.dice[0])),
        },
    )


def _structures(estimator: DiceEstimator, evidence: Floats, shown: Floats) -> Estimate:
    """Expected Dice of every structure of every slice, `[n, structures]`."""
    flat = estimator.slices(evidence.reshape(-1, len(EVIDENCE)), shown.ravel())
    return Estimate(flat.dice.reshape(shown.shape), flat.reach.reshape(shown.shape))


def _stacks(part: ScorePart) -> Iterator[tuple[tuple[int, str], npt.NDArray[np.intp]]]:
    """The rows of each structure in each plane, where there are any."""
    plane = part.words("plane")
    for code, name in enumerate(plane.words):
        for structure, shows in enumerate(part.numbers("shows").T):
            rows = np.flatnonzero(shows & (plane.codes == code))
            if rows.size:
                yield (structure, name), rows


def _over_planes(
    estimator: DiceEstimator,
    planes: Sequence[Sequence[tuple[tuple[str, ...], Volumes]]],
    ids: list[str],
) -> tuple[Floats, Floats]:
    """Dice and reach of one structure in each volume and in the cohort, mean over the planes."""
    volumes, cohorts = [], []
    for parts in planes:
        there = np.array([name for names, _ in parts for name in names])
        every = Volumes.join([known for _, known in parts], np.argsort(there))
        found, all_of = estimator.whole(every), estimator.cohort(every)
        one_plane = np.full((len(ids), 2), np.nan)
        one_plane[np.searchsorted(ids, np.sort(there))] = np.stack(
            [found.dice, found.reach], axis=1
        )
        volumes.append(one_plane)
        cohorts.append([all_of.dice[0], all_of.reach[0]])
    stacked = np.array(volumes)
    seen = (~np.isnan(stacked)).sum(axis=0)
    mean = np.nansum(stacked, axis=0) / np.maximum(seen, 1)
    return np.where(seen > 0, mean, np.nan), np.mean(cohorts, axis=0)


def _outlook(project: Project, files: RoundFiles, dice: float | None) -> dict[str, Any]:
    """Minutes spent, and what ten more are expected to bring."""
    minutes = sum(annotation.seconds for annotation in project.acceptances()) / 60
    found: dict[str, Any] = {"minutes": minutes, "next_minutes": NEXT_MINUTES, "next_gain": None}
    points = []
    for earlier in project.rounds():
        if earlier.number < files.number and earlier.estimate.is_file():
            old = earlier.read_estimate()
            points.append((old["minutes"], old["estimated_dice"]))
    points.append((minutes, dice))
    known = [(m, d) for m, d in points if m > 0 and d is not None]
    if known and minutes > 0:
        worth = Trend.fit(*zip(*known, strict=True)).worth(minutes, NEXT_MINUTES)
        found["next_gain"] = {"dice": worth.gain, "low": worth.low, "high": worth.high}
    return found


def _several_views(table: ScoreRows) -> bool:
    """Whether the model looked in several planes; one that sees the volume at once did not."""
    planes = {name for part in table.parts("plane") for name in part.words("plane").words}
    views = EVIDENCE.index("views")
    return len(planes) > 1 and any(
        not np.isnan(part.numbers("evidence")[:, :, views]).all()
        for part in table.parts("evidence")
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
