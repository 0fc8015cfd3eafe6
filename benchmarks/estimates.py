"""How true the estimates are, after the third batch, on volumes that nobody annotated.

Runs one arm of the loop for each seed (a one-shot batch and two more), trains on all of it, and
compares on the test volumes what was expected with what is true: Dice of slices and volumes,
their intervals, and the minutes of an author who is twice as slow as the prior. For example

    python benchmarks/estimates.py --cohort msd_hippocampus --structures anterior,posterior
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from activeseg.cohort import Cohort, open_cohort
from activeseg.keys import SliceKey
from activeseg.loop.arm import ArmPlan, ArmRun, run_arm
from activeseg.loop.split import only, split
from activeseg.minutes import MinutesModel, Work
from activeseg.model.scan import axis_of
from activeseg.model.training import Recipe
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.project.estimating import estimate_slices, estimate_volumes
from activeseg.project.judged import DiceLedger
from activeseg.project.one_volume import Scoring, score_scan
from activeseg.project.predicting import latest_model
from activeseg.project.predictions import Scores
from activeseg.project.scans import scan_of
from activeseg.project.score_table import ScoreTable
from activeseg.quality import dice
from activeseg.sampling import DEFAULT_STRATEGY

LOGGED = 30
"""Logged slices after which the minutes are judged."""


@dataclass(frozen=True)
class Task:
    """One seed; its project stays in `out`, and a finished one is not run again."""

    cohort: Path
    structures: tuple[str, ...]
    seed: int
    pool: int | None
    test: int | None
    minutes: float
    steps: int
    strategy: str
    out: Path


def main() -> None:
    """Run every seed, two at a time, and print a line each and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--structures", default="")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--pool", type=int)
    parser.add_argument("--test", type=int)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--strategy", default=DEFAULT_STRATEGY)
    parser.add_argument("--out", type=Path, default=Path("estimates"))
    parser.add_argument("--processes", type=int, default=2)
    a = parser.parse_args()
    names = tuple(name for name in a.structures.split(",") if name)
    tasks = [
        Task(a.cohort, names, s, a.pool, a.test, a.minutes, a.steps, a.strategy, a.out / str(s))
        for s in range(a.seeds)
    ]
    with ProcessPoolExecutor(a.processes, get_context("spawn")) as pool:
        found = list(pool.map(run, tasks))
    for name in found[0]:
        values = [each[name] for each in found]
        print(f"{name:<28}" + "".join(f"{v:8.3f}" for v in [*values, float(np.mean(values))]))


def run(task: Task) -> dict[str, float]:
    """The figures of one seed."""
    result = task.out / "figures.json"
    if result.is_file():
        kept: dict[str, float] = json.loads(result.read_text())
        return kept
    cohort = open_cohort(task.cohort, task.structures)
    pool, test = split(cohort, task.seed, task.pool, task.test)
    plan = ArmPlan(
        folder=task.out / "project",
        records=task.out / "records",
        cohort=cohort,
        pool=pool,
        test=test,
        strategy=task.strategy,
        minutes=(task.minutes,) * 3,
        plane_policy="auto",
        seed=task.seed,
        recipe=Recipe(steps=task.steps),
        scoring=Scoring(),
    )
    task.out.mkdir(parents=True, exist_ok=True)
    arm = run_arm(plan, Silent())
    project = Project.open(plan.folder)
    figures = {
        "minutes spent": arm.curve[-1]["minutes"],
        "slices annotated": arm.curve[-1]["slices"],
        "true Dice": arm.curve[-1]["dice"],
        **judge_dice(project, only(cohort, test), Scoring()),
        **judge_minutes(project, arm, task.seed),
    }
    result.write_text(json.dumps(figures, indent=1))
    return figures


def judge_dice(project: Project, test: Cohort, scoring: Scoring) -> dict[str, float]:
    """Expected against true Dice on test volumes, under the latest model."""
    model, files = latest_model(project), project.rounds()[-1]
    names = [structure.name for structure in project.structures]
    parts: dict[str, Scores] = {}
    slices: list[float] = []
    volumes: list[float] = []
    for number, volume in enumerate(sorted(test.volumes, key=lambda each: each.id)):
        scan = scan_of(test, volume.id, project.plane_policy)
        found = score_scan(model, model.config.pixel_mm, scan, names, scoring, number)
        parts[volume.id] = found.scores
        label = volume.geometry.to_canonical(test.read_label(volume.id))
        truth = np.zeros_like(label)
        for channel, structure in enumerate(project.structures, start=1):
            truth[label == structure.value] = channel
        volumes.append(mean_dice(found.labels, truth, len(names)))
        for plane in scan.planes:
            axis = axis_of(plane)
            for index in range(scan.shape[axis]):
                ours, theirs = np.take(found.labels, index, axis), np.take(truth, index, axis)
                slices.append(mean_dice(ours, theirs, len(names)))
    ids = list(parts)
    table = ScoreTable.join(parts)
    each = estimate_slices(project, files, table)
    whole = estimate_volumes(DiceLedger(project), files, table, ids)
    true_slices, true_volumes = np.array(slices), np.array(volumes)
    seen = ~np.isnan(true_slices) & table.scores.shows.any(axis=1)
    known = ~np.isnan(true_volumes)
    error = whole.volumes.dice[known] - true_volumes[known]
    inside = np.abs(error) <= whole.volumes.reach[known]
    in_slices = (each.low[seen] <= true_slices[seen]) & (true_slices[seen] <= each.high[seen])
    entropy = table.scores.band_entropy[seen]
    return {
        "estimated Dice": float(whole.cohort.dice[0]),
        "volume MAE": float(np.abs(error).mean()),
        "volume Spearman": spearman(whole.volumes.dice[known], true_volumes[known]),
        "volume 90 % coverage": float(inside.mean()),
        "slice Spearman": spearman(each.dice[seen], true_slices[seen]),
        "slice Spearman, entropy": spearman(-entropy, true_slices[seen]),
        "slice 90 % coverage": float(in_slices.mean()),
    }


def judge_minutes(project: Project, arm: ArmRun, seed: int) -> dict[str, float]:
    """Median error of the minutes of a slow author before and after 30 logged slices."""
    shown: dict[SliceKey, Any] = {each.key: each.shown for each in project.all_annotations()}
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(arm.answered))
    answered = [arm.answered[k] for k in order]
    rows = [shown[each.key]["work"] for each in answered]
    seconds = np.array([each.seconds["slow"] for each in answered])
    later = Work.from_rows(rows[LOGGED:])
    errors = []
    for count in (0, LOGGED):
        model = MinutesModel.fit(
            Work.from_rows(rows[:count]), seconds[:count], ["slow"] * count, "slow"
        )
        off = np.abs(model.predict(later).seconds / seconds[LOGGED:] - 1)
        errors.append(float(np.median(off)))
    found = model.predict(later)
    inside = (found.low <= seconds[LOGGED:]) & (seconds[LOGGED:] <= found.high)
    return {
        "slow author, before": errors[0],
        "slow author, after 30": errors[1],
        "its 90 % coverage": float(inside.mean()),
    }


def mean_dice(ours: np.ndarray, theirs: np.ndarray, structures: int) -> float:
    """Mean Dice over the structures that either mask has; NaN if there is none."""
    scores = [dice(ours, theirs, channel) for channel in range(1, structures + 1)]
    known = [score for score in scores if not np.isnan(score)]
    return float(np.mean(known)) if known else float("nan")


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation."""
    return float(stats.spearmanr(a, b).statistic)


if __name__ == "__main__":
    main()
