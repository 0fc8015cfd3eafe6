"""``result.json``: every figure that a report needs, without the results of each patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from activeseg.benchmark.arms import REFERENCE, RIVALS
from activeseg.benchmark.bootstrap import Bootstrap
from activeseg.benchmark.collect import Ended, EndedRun
from activeseg.benchmark.curves import CLOCKS
from activeseg.benchmark.plan import BenchmarkPlan
from activeseg.benchmark.resampling import Resampled
from activeseg.benchmark.statistics import compare_all, mean_curves, minutes_to_goals, primary
from activeseg.loop.measures import (
    SHARES,
    JudgedVolume,
    area_under_curve,
    coverage,
    minutes_mape,
    minutes_to,
    volume_mae,
    without_patients,
)

__all__ = ["result_of"]


def result_of(plan: BenchmarkPlan, ended: Ended, draws: int) -> dict[str, Any]:
    """The results so far.

    Args:
        plan: What is done.
        ended: What has ended; an arm and seed counts once its full model has too.
        draws: How many the bootstrap makes.

    Returns:
        The contract's fields (`cohort`, `full_minutes`, `full_dice`, `arms`), both means over the
        seeds, and: `quick`, what was run, `mean_curves`, `minutes_to_goals`, `comparisons` and
        `primary` (`activeseg.benchmark.statistics`), and the `code` that made it, in which
        `precision`.
    """
    field = Resampled(ended.curves(), ended.full_dice(), Bootstrap(draws))
    runs = {
        name: {seed: ended.arms[name][seed] for seed in field.seeds(name)} for name in field.names
    }
    seeds = sorted(ended.full)
    makers = _makers([run for each in runs.values() for run in each.values()])
    return {
        "cohort": plan.cohort.where,
        "modality": plan.cohort.volumes[0].modality,
        "structures": [structure.name for structure in plan.cohort.structures],
        "quick": plan.quick,
        "pool": plan.pool,
        "test": plan.test,
        "batch_minutes": list(plan.minutes),
        "recipe": plan.settings()["recipe"],
        "code": sorted(makers["code"] | {full["code"] for full in ended.full.values()}),
        "precision": sorted(makers["precision"]),
        "full_minutes": float(np.mean([ended.full_minutes(seed) for seed in seeds])),
        "full_dice": float(np.mean([ended.full[seed]["dice"] for seed in seeds])),
        "reference": REFERENCE,
        "draws": draws,
        "primary": primary(field, REFERENCE, RIVALS),
        "comparisons": compare_all(field, REFERENCE),
        "minutes_to_goals": minutes_to_goals(field),
        "mean_curves": mean_curves(field),
        "arms": {
            name: {"seeds": [_seed(run, ended, seed) for seed, run in each.items()]}
            for name, each in runs.items()
        },
    }


def _makers(runs: Sequence[EndedRun]) -> dict[str, set[str]]:
    """What made some runs; of those that an earlier version kept, the version alone."""
    found = {"code": {run.record["code"] for run in runs}, "precision": set()}
    for run in runs:
        for maker in (each for point in run.curve for each in point.get("made_by", ())):
            for name, value in maker.items():
                found[name].add(value)
    return found


def _seed(run: EndedRun, ended: Ended, seed: int) -> dict[str, Any]:
    """One entry of ``seeds``; what cannot be said is None."""
    full, last = ended.full[seed], run.curve[-1]
    return {
        "seed": seed,
        "curve": without_patients(run.curve),
        "full_dice": full["dice"],
        "full_minutes": ended.full_minutes(seed),
        **_goals(run.curve, full["dice"]),
        "aubc": area_under_curve(run.curve),
        "dice_p5": last["dice_p5"],
        "hd95": last["hd95"],
        **_estimates(run),
        "minutes_mape": minutes_mape(run.answered),
        "computing_s": sum(sum(point["computing_s"].values()) for point in run.curve),
    }


def _goals(curve: Sequence[Mapping[str, Any]], full_dice: float) -> dict[str, float | None]:
    """Minutes to each goal under each time model: ``m95``, ``m95_slow``, ``m95_fast`` ..."""
    return {
        goal if clock == "standard" else f"{goal}_{clock}": minutes_to(
            curve, share * full_dice, key
        )
        for goal, share in SHARES.items()
        for clock, key in CLOCKS.items()
    }


def _estimates(run: EndedRun) -> dict[str, float | None]:
    """How true the expected Dice is: of the pool's volumes at the end, of the judged slices."""
    volumes = [JudgedVolume(**each) for each in run.record["volumes"]]
    expected, true = [each.estimate for each in volumes], [each.true for each in volumes]
    slices = [
        abs(each.expected_dice - each.dice)
        for each in run.answered
        if each.expected_dice is not None and each.dice is not None
    ]
    ranked = len(set(expected)) > 1 and len(set(true)) > 1
    return {
        "volume_mae": volume_mae(volumes),
        "volume_spearman": float(stats.spearmanr(expected, true).statistic) if ranked else None,
        "slice_mae": float(np.mean(slices)) if slices else None,
        "slice_spearman": run.record["slice_spearman"],
        "coverage90": coverage(volumes),
    }
