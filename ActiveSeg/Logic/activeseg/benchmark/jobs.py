"""The runs of a benchmark, each in a process of its own, seed by seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from activeseg.benchmark.arms import Arm
from activeseg.benchmark.folders import Folders, remove_bulk
from activeseg.benchmark.plan import BenchmarkPlan
from activeseg.errors import ActiveSegError, Cancelled
from activeseg.files import make_folder, write_json
from activeseg.loop.arm import ArmPlan, arm_stages, run_arm
from activeseg.loop.evaluation import Quality
from activeseg.loop.full import FULL_STAGES, run_full
from activeseg.loop.measures import judged_volumes, slice_spearman
from activeseg.loop.processes import Job
from activeseg.loop.split import split
from activeseg.progress import Progress
from activeseg.project import Project
from activeseg.sources import code_version

__all__ = ["FULL", "waiting_jobs"]

FULL = "full"
"""The job that trains on the whole pool of a seed."""


def waiting_jobs(plan: BenchmarkPlan) -> dict[str, Job]:
    """What has not ended yet by ``<arm>, seed <n>``, seed by seed, so that early results compare.

    Each job's result is None, or the line that refused it: one run that cannot go on ends no
    other.
    """
    folders, code = Folders(plan.out), code_version()
    batches = len(plan.minutes)
    jobs: dict[str, Job] = {}
    for seed in range(plan.seeds):
        if not folders.full(seed).is_file():
            whole = _arm_plan(plan, folders, plan.arms[0], seed)  # any will do
            work = partial(_full, whole, folders.full(seed), code)
            jobs[f"{FULL}, seed {seed}"] = Job(partial(_attempt, work), FULL_STAGES)
        for arm in plan.arms:
            record = folders.record(arm.name, seed)
            if not record.is_file():
                work = partial(
                    _arm, _arm_plan(plan, folders, arm, seed), arm, record, code, plan.keep
                )
                job = Job(partial(_attempt, work), arm_stages(batches), size=batches)
                jobs[f"{arm.name}, seed {seed}"] = job
    return jobs


def _arm_plan(plan: BenchmarkPlan, folders: Folders, arm: Arm, seed: int) -> ArmPlan:
    pool, test = split(plan.cohort, seed, plan.pool, plan.test)
    folder = folders.run(arm.name, seed)
    return ArmPlan(
        folder=folder / "project",
        records=folder / "records",
        cohort=plan.cohort,
        pool=pool,
        test=test,
        strategy=arm.strategy,
        minutes=plan.minutes,
        plane_policy=plan.plane_policy,
        seed=seed,
        recipe=replace(plan.recipe, propagation=arm.propagation),
        scoring=arm.scoring,
        proposals=arm.proposals,
        first_models=folders.first_models,
    )


def _attempt(work: Callable[[Progress], None], progress: Progress) -> str | None:
    """Do the work; the line that refused it, if one did."""
    try:
        work(progress)
    except Cancelled:
        raise
    except ActiveSegError as error:
        return str(error)
    return None


def _arm(plan: ArmPlan, arm: Arm, record: Path, code: str, keep: bool, progress: Progress) -> None:
    """Run one arm and seed, and keep what its project says before it is made small."""
    run_arm(plan, progress)
    project = Project.open(plan.folder)
    write_json(
        record,
        {
            "arm": arm.name,
            "seed": plan.seed,
            "strategy": arm.strategy,
            "code": code,
            "slice_spearman": slice_spearman(project),
            "volumes": [vars(each) for each in judged_volumes(project)],
        },
    )
    if not keep:
        remove_bulk(project)


def _full(plan: ArmPlan, file: Path, code: str, progress: Progress) -> None:
    """Train on the whole pool of a seed and keep how good that is."""
    begun = perf_counter()
    quality = run_full(plan, progress)
    make_folder(file.parent)
    write_json(file, _full_record(plan, quality, code) | {"computing_s": perf_counter() - begun})


def _full_record(plan: ArmPlan, quality: Quality, code: str) -> dict[str, Any]:
    return {
        "seed": plan.seed,
        "code": code,
        "pool": list(plan.pool),
        "dice": quality.dice,
        "dice_p5": quality.dice_p5,
        "hd95": quality.hd95_mm,
        "structures": quality.structures,
        "patients": quality.patients_json(),
    }
