"""One arm: a strategy, a project of its own, a simulated clinician, a curve."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activeseg.cohort import Cohort
from activeseg.loop.evaluation import evaluate
from activeseg.loop.split import only
from activeseg.model.training import Recipe
from activeseg.oracle import Answered, Oracle
from activeseg.progress import Progress
from activeseg.project import Project, RoundFiles
from activeseg.project.predicting import latest_model
from activeseg.project.scoring import Scoring
from activeseg.project.verbs import run_round, run_score, run_suggest, run_train

__all__ = ["ArmPlan", "ArmRun", "run_arm"]


@dataclass(frozen=True)
class ArmPlan:
    """What an arm does.

    Attributes:
        folder: Folder of its project, to be made.
        cohort: The whole cohort, labelled.
        pool: Ids of the volumes to choose from.
        test: Ids of the volumes that measure it.
        strategy: Who chooses; its first batch is made before any model.
        rounds: Batches after the first.
        minutes: Budget of each batch.
        plane_policy: In which planes slices are asked for.
        seed: Seed of project and clinician.
        recipe: How the model is trained, the same for every arm.
        scoring: How slices are scored, the same for every arm.
    """

    folder: Path
    cohort: Cohort
    pool: tuple[str, ...]
    test: tuple[str, ...]
    strategy: str
    rounds: int
    minutes: float
    plane_policy: str
    seed: int
    recipe: Recipe
    scoring: Scoring


@dataclass
class ArmRun:
    """What came of it.

    Attributes:
        curve: One point a trained model: round, minutes, slices, dice, estimated_dice, hd95,
            structures, minutes_slow, minutes_fast.
        answered: Every answered suggestion, in order.
    """

    curve: list[dict[str, Any]] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)


def run_arm(plan: ArmPlan, progress: Progress) -> ArmRun:
    """Run an arm from the empty project to the last model.

    Raises:
        ActiveSegError: Whatever the verbs raise.
    """
    project = Project.create(
        plan.folder,
        only(plan.cohort, plan.pool),
        plan.plane_policy,
        plan.strategy,
        plan.seed,
        "unet25d",
    )
    oracle = Oracle(project, plan.seed)
    run = ArmRun()
    run_suggest(project, plan.minutes, None, progress)
    run.answered += oracle.answer_batch(progress)
    for _ in range(plan.rounds):
        before = list(run.answered)
        batch = run_round(project, plan.minutes, None, plan.recipe, plan.scoring, progress)
        run.curve.append(_point(plan, project, project.round(batch.round), before, progress))
        run.answered += oracle.answer_batch(progress)
    run_train(project, plan.recipe, progress)
    files = run_score(project, plan.scoring, progress)
    run.curve.append(_point(plan, project, files, run.answered, progress))
    return run


def _point(
    plan: ArmPlan,
    project: Project,
    files: RoundFiles,
    answered: list[Answered],
    progress: Progress,
) -> dict[str, Any]:
    """One point of the curve: what was spent before the latest model, and how good it is."""
    test = only(plan.cohort, plan.test)
    quality = evaluate(latest_model(project), test, plan.plane_policy, progress)
    spent = {
        name: sum(each.seconds[name] for each in answered) / 60
        for name in ("standard", "slow", "fast")
    }
    return {
        "round": files.number - 1,
        "minutes": spent["standard"],
        "slices": len(answered),
        "dice": quality.dice,
        "estimated_dice": files.read_estimate()["estimated_dice"],
        "hd95": quality.hd95_mm,
        "structures": quality.structures,
        "minutes_slow": spent["slow"],
        "minutes_fast": spent["fast"],
    }
