"""The demonstration: ActiveSeg and random slices side by side on one cohort."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from activeseg.cohort import Cohort
from activeseg.errors import ProjectError
from activeseg.files import make_folder, write_json
from activeseg.loop.arm import ArmPlan, ArmRun, arm_stages, run_arm
from activeseg.loop.full import FULL_STAGES, full_minutes, run_full
from activeseg.loop.measures import seed_record
from activeseg.loop.processes import Job, side_by_side
from activeseg.loop.split import split
from activeseg.model.training import Recipe
from activeseg.progress import Progress
from activeseg.project import Project
from activeseg.project.scoring import Scoring
from activeseg.report import write_report
from activeseg.sampling import DEFAULT_STRATEGY

__all__ = ["ARMS", "OURS", "DemoPlan", "prepare_folder", "run_demo"]

OURS = "activeseg"
"""The arm of the default strategy, and its project's folder."""

ARMS = {OURS: DEFAULT_STRATEGY, "random": "random"}
"""The arms by name, with their strategies."""

_FULL = "all slices"
_MARK = "demo.json"


@dataclass(frozen=True)
class DemoPlan:
    """What the demonstration does.

    Attributes:
        out: Where everything goes.
        rounds: Batches after the one-shot batch.
        minutes: Budget of each batch.
        pool: Volumes to choose from; None for 60 %.
        test: Volumes held out; None for the rest.
        seed: Seed of split, projects and clinicians.
        recipe: How models are trained.
        plane_policy: In which planes slices are asked for.
    """

    out: Path
    rounds: int
    minutes: float
    pool: int | None
    test: int | None
    seed: int
    recipe: Recipe
    plane_policy: str = "auto"


def prepare_folder(out: Path) -> None:
    """Make the output folder; a former demonstration in it is replaced.

    Raises:
        ProjectError: If the folder holds anything else.
    """
    if out.is_dir() and any(out.iterdir()):
        if not (out / _MARK).is_file():
            raise ProjectError(
                "not empty and not a former demo; choose another folder with --out", str(out)
            )
        shutil.rmtree(out)
    make_folder(out)
    write_json(out / _MARK, {"made_by": "activeseg demo"})


def run_demo(cohort: Cohort, plan: DemoPlan, progress: Progress) -> dict[str, Any]:
    """Run both arms, and a model from the whole labelled pool, in processes side by side.

    Args:
        cohort: A labelled cohort.
        plan: What to do; ``plan.out`` was prepared.
        progress: Told about everything.

    Returns:
        What ``result.json`` holds. ``report.html`` lies beside it.

    Raises:
        ActiveSegError: Whatever the verbs raise.
    """
    pool, test = split(cohort, plan.seed, plan.pool, plan.test)
    plans = {
        name: ArmPlan(
            folder=plan.out / name,
            records=plan.out / "records" / name,
            cohort=cohort,
            pool=pool,
            test=test,
            strategy=strategy,
            minutes=(plan.minutes,) * (plan.rounds + 1),
            plane_policy=plan.plane_policy,
            seed=plan.seed,
            recipe=plan.recipe,
            scoring=Scoring(),
        )
        for name, strategy in ARMS.items()
    }
    any_plan = next(iter(plans.values()))
    stages = arm_stages(plan.rounds + 1)
    jobs = {name: Job(partial(run_arm, each), stages) for name, each in plans.items()}
    jobs[_FULL] = Job(partial(run_full, any_plan), FULL_STAGES)
    cores = max(1, os.cpu_count() or 1)
    minutes = full_minutes(cohort, pool, progress)
    found = side_by_side(jobs, cores, "Running the arms", progress)
    projects = {name: Project.open(each.folder) for name, each in plans.items()}
    runs: dict[str, ArmRun] = {name: found[name] for name in ARMS}
    result = {
        "cohort": cohort.where,
        "modality": cohort.volumes[0].modality,
        "structures": [structure.name for structure in cohort.structures],
        "pool": len(pool),
        "test": len(test),
        "seed": plan.seed,
        "batch_minutes": plan.minutes,
        "steps": plan.recipe.steps,
        "full_minutes": minutes,
        "full_dice": found[_FULL].dice,
        "full_structures": found[_FULL].structures,
        "arms": {
            name: {"seeds": [seed_record(plan.seed, run, projects[name], found[_FULL].dice)]}
            for name, run in runs.items()
        },
    }
    write_json(plan.out / "result.json", result)
    write_report(plan.out / "report.html", result, projects, progress)
    return result
