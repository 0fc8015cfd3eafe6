"""Numbers that sum up one arm and seed (METHODS.md is the protocol they follow)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from activeseg.loop.answers import LoggedAnswer
from activeseg.loop.arm import ArmRun
from activeseg.project import Project
from activeseg.project.judged import DiceLedger
from activeseg.project.predictions import read_proposal
from activeseg.quality import dice

__all__ = [
    "SHARES",
    "JudgedVolume",
    "area_under_curve",
    "coverage",
    "judged_volumes",
    "minutes_mape",
    "minutes_to",
    "seed_record",
    "slice_spearman",
    "volume_mae",
    "without_patients",
]

SHARES = {"m90": 0.90, "m95": 0.95, "m98": 0.98}
"""The goals: shares of the Dice that the whole labelled pool gives."""


def seed_record(
    seed: int, run: ArmRun, project: Project, full_dice: float | None
) -> dict[str, Any]:
    """One entry of ``result.json``'s seeds; what cannot be said is None."""
    judged = judged_volumes(project)
    return {
        "seed": seed,
        "curve": without_patients(run.curve),
        **{
            name: None if full_dice is None else minutes_to(run.curve, share * full_dice)
            for name, share in SHARES.items()
        },
        "aubc": area_under_curve(run.curve),
        "volume_mae": volume_mae(judged),
        "slice_spearman": slice_spearman(project),
        "coverage90": coverage(judged),
        "minutes_mape": minutes_mape(run.answered),
    }


def without_patients(curve: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The curve without the results of each test volume, which would swell a summary."""
    return [{k: v for k, v in point.items() if k != "patients"} for point in curve]


def minutes_to(
    curve: Sequence[Mapping[str, Any]], goal: float, clock: str = "minutes"
) -> float | None:
    """Minutes to a Dice, on the straight lines between the points; None if it is not reached.

    The first point has no line to it: reaching the goal there takes that point's minutes.

    Args:
        curve: Points with ``dice`` and minutes.
        goal: The Dice.
        clock: Which minutes: ``minutes`` (standard), ``minutes_slow`` or ``minutes_fast``.
    """
    before: Mapping[str, Any] | None = None
    for point in curve:
        if point["dice"] >= goal:
            if before is None:
                return float(point[clock])
            part = (goal - before["dice"]) / (point["dice"] - before["dice"])
            return float(before[clock] + part * (point[clock] - before[clock]))
        before = point
    return None


def area_under_curve(curve: Sequence[Mapping[str, Any]]) -> float | None:
    """Mean Dice over log minutes between the first and the last point; None for one point."""
    log_minutes = np.log([point["minutes"] for point in curve])
    if len(curve) < 2 or log_minutes[-1] <= log_minutes[0]:
        return None
    area = np.trapezoid([point["dice"] for point in curve], log_minutes)
    return float(area / (log_minutes[-1] - log_minutes[0]))


@dataclass(frozen=True)
class JudgedVolume:
    """A volume's estimated Dice, its 90 % interval, and the true one."""

    estimate: float
    low: float
    high: float
    true: float


def volume_mae(judged: Sequence[JudgedVolume]) -> float | None:
    """Mean absolute error of the estimated Dice of volumes."""
    errors = [abs(each.estimate - each.true) for each in judged]
    return float(np.mean(errors)) if errors else None


def coverage(judged: Sequence[JudgedVolume]) -> float | None:
    """Share of the volumes whose true Dice lies in its 90 % interval."""
    inside = [each.low <= each.true <= each.high for each in judged]
    return float(np.mean(inside)) if inside else None


def judged_volumes(project: Project) -> list[JudgedVolume]:
    """The pool's volumes under the latest model; those without any structure are left out."""
    files = [each for each in project.rounds() if each.estimate.is_file()]
    if not files:
        return []
    kept = files[-1].read_estimate()
    found = []
    for volume, estimate in kept["volumes"].items():
        labels = read_proposal(files[-1], volume)
        if labels is None or estimate is None:
            continue
        label = project.cohort.read_label(volume)
        scores = [dice(labels, label, s.value) for s in project.structures]
        known = [score for score in scores if not math.isnan(score)]
        if known:
            low, high = kept["intervals"][volume]
            found.append(JudgedVolume(estimate, low, high, float(np.mean(known))))
    return found


def slice_spearman(project: Project) -> float | None:
    """Rank correlation of expected and true Dice over the proposals that were judged."""
    pairs = [(s.expected, s.mean) for s in DiceLedger(project).slices]
    known = [(e, t) for e, t in pairs if e is not None and t is not None]
    if len({e for e, _ in known}) < 2 or len({t for _, t in known}) < 2:
        return None
    return float(stats.spearmanr(*zip(*known, strict=True)).statistic)


def minutes_mape(answered: Sequence[LoggedAnswer]) -> float | None:
    """Mean absolute error of the expected minutes, as a share of the true ones."""
    errors = [abs(each.expected_minutes * 60 / each.seconds["standard"] - 1) for each in answered]
    return float(np.mean(errors)) if errors else None
