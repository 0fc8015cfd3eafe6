"""One arm: a strategy, a project of its own, a simulated clinician, a curve.

Each step leaves its outcome in a file and is passed over where that file is: a run that was
killed goes on where it was and ends with the figures of an unbroken one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activeseg.cohort import Cohort
from activeseg.loop.answers import PARTS, LoggedAnswer, logged_answers
from activeseg.loop.evaluation import Quality, evaluate
from activeseg.loop.first_models import FirstModels
from activeseg.loop.ledger import ArmLedger
from activeseg.loop.split import only
from activeseg.model.network import pick_device
from activeseg.model.precision import learning_precision
from activeseg.model.training import Recipe
from activeseg.oracle import Oracle
from activeseg.progress import Progress
from activeseg.project import Batch, Project, RoundFiles
from activeseg.project.predicting import latest_model
from activeseg.project.scoring import Scoring
from activeseg.project.verbs import run_score, run_suggest, run_train
from activeseg.sources import code_version

__all__ = ["ArmPlan", "ArmRun", "arm_stages", "run_arm"]


@dataclass(frozen=True)
class ArmPlan:
    """What an arm does.

    Attributes:
        folder: Folder of its project, to be made or gone on with.
        records: Folder of its answers and points (`activeseg.loop.ledger`).
        cohort: The whole cohort, labelled.
        pool: Ids of the volumes to choose from.
        test: Ids of the volumes that measure it.
        strategy: Who chooses; its first batch is made before any model.
        minutes: Budget of each batch, the first one before any model.
        plane_policy: In which planes slices are asked for.
        seed: Seed of project and clinician.
        recipe: How the model is trained, the same for every arm.
        scoring: How slices are scored.
        proposals: Whether the clinician is shown what the model proposes; without, everything is
            drawn from nothing.
        first_models: First models that arms of this seed share; None: each trains its own.
    """

    folder: Path
    records: Path
    cohort: Cohort
    pool: tuple[str, ...]
    test: tuple[str, ...]
    strategy: str
    minutes: tuple[float, ...]
    plane_policy: str
    seed: int
    recipe: Recipe
    scoring: Scoring
    proposals: bool = True
    first_models: FirstModels | None = None


@dataclass
class ArmRun:
    """What came of it.

    Attributes:
        curve: One point a trained model: `round`, `minutes` (`minutes_slow`, `minutes_fast`)
            and `slices` spent so far, `foreground_voxels` annotated, `parts` (minutes by what
            they went into), `dice`, `dice_p5`, `hd95` and `structures` on the test volumes,
            `estimated_dice`, `patients` (the same of each test volume), `computing_s`
            (seconds of each step) and `made_by` (by which version, in which precision).
        answered: Every answered suggestion, in order.
    """

    curve: list[dict[str, Any]] = field(default_factory=list)
    answered: list[LoggedAnswer] = field(default_factory=list)


def arm_stages(batches: int) -> dict[str, tuple[int, float]]:
    """How often each stage of an arm comes, and about which share of a round it takes."""
    return {
        "Reading annotated slices": (batches, 2),
        "Training": (batches, 60),
        "Scoring volumes": (batches, 20),
        "Testing": (batches, 15),
        "Answering": (batches, 3),
    }


def run_arm(plan: ArmPlan, progress: Progress) -> ArmRun:
    """Run an arm from the empty project, or from where it was, to the last model.

    Raises:
        ActiveSegError: Whatever the verbs raise.
    """
    project, ledger = _project(plan), ArmLedger(plan.records, _maker())
    run = ArmRun()
    for number, minutes in enumerate(plan.minutes):
        batch = _batch(project, ledger, number, minutes, progress)
        run.answered += _answers(plan, project, ledger, batch, progress)
        point = ledger.point(number)
        if point is None:
            files = _model(plan, project, ledger, number, progress)
            point = _point(plan, project, ledger, files, run.answered, progress)
            ledger.keep_point(number, point)
        run.curve.append(point)
    return run


def _maker() -> dict[str, str]:
    """What can make the figures of one run differ from those of another."""
    return {"code": code_version(), "precision": learning_precision(pick_device())}


def _project(plan: ArmPlan) -> Project:
    """The arm's project, made anew where there is none."""
    if (plan.folder / "project.json").is_file():
        return Project.open(plan.folder)
    pool = only(plan.cohort, plan.pool)
    return Project.create(plan.folder, pool, plan.plane_policy, plan.strategy, plan.seed, "unet25d")


def _batch(
    project: Project, ledger: ArmLedger, number: int, minutes: float, progress: Progress
) -> Batch:
    """A round's batch; the model before it has scored the pool by now."""
    batch = project.round(number).read_batch()
    if batch is not None:
        return batch
    with ledger.timed(number, "choose"):
        return run_suggest(project, minutes, None, progress)


def _answers(
    plan: ArmPlan, project: Project, ledger: ArmLedger, batch: Batch, progress: Progress
) -> list[LoggedAnswer]:
    """The answers to a batch."""
    kept = ledger.answers(batch.round)
    if kept is not None:
        return kept
    with ledger.timed(batch.round, "answer"):
        Oracle(project, plan.seed, proposals=plan.proposals).answer_batch(progress)
        answers = logged_answers(project, batch, plan.proposals)
    ledger.keep_answers(batch.round, answers)
    return answers


def _model(
    plan: ArmPlan, project: Project, ledger: ArmLedger, number: int, progress: Progress
) -> RoundFiles:
    """The round of the model that learned from everything up to a round's answers."""
    files = project.round(number + 1)
    if not files.model.is_file():
        _train(plan, project, ledger, files, progress)
    if not files.estimate.is_file():
        with ledger.timed(number, "score"):
            run_score(project, plan.scoring, progress)
    return files


def _train(
    plan: ArmPlan, project: Project, ledger: ArmLedger, files: RoundFiles, progress: Progress
) -> None:
    """Train the round's model, or take over that of an arm with the same first slices."""
    number = files.number - 1
    first = plan.first_models if number == 0 else None
    if first is not None and first.take(project, plan.recipe, files):
        return
    with ledger.timed(number, "train"):
        run_train(project, plan.recipe, progress)
    if first is not None:
        first.keep(project, plan.recipe, files)


def _point(
    plan: ArmPlan,
    project: Project,
    ledger: ArmLedger,
    files: RoundFiles,
    answered: Sequence[LoggedAnswer],
    progress: Progress,
) -> dict[str, Any]:
    """One point of the curve: what was spent before the latest model, and how good it is."""
    number = files.number - 1
    with ledger.timed(number, "test"):
        test = only(plan.cohort, plan.test)
        quality = evaluate(latest_model(project), test, plan.plane_policy, progress)
    spent = {
        name: sum(each.seconds[name] for each in answered) / 60
        for name in ("standard", "slow", "fast")
    }
    return {
        "round": number,
        "minutes": spent["standard"],
        "slices": len(answered),
        **_quality(quality),
        "estimated_dice": files.read_estimate()["estimated_dice"],
        "minutes_slow": spent["slow"],
        "minutes_fast": spent["fast"],
        "parts": {part: sum(each.parts[part] for each in answered) / 60 for part in PARTS},
        "foreground_voxels": sum(each.foreground for each in answered),
        "computing_s": ledger.computing(number),
        "made_by": ledger.made_by(number),
    }


def _quality(quality: Quality) -> Mapping[str, Any]:
    """How good a model is, as a point says it."""
    return {
        "dice": quality.dice,
        "dice_p5": quality.dice_p5,
        "hd95": quality.hd95_mm,
        "structures": quality.structures,
        "patients": quality.patients_json(),
    }
