"""The heavy verbs, each alone in the project while it runs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from activeseg.errors import ProjectError
from activeseg.executors import as_they_come, far_away, gpu_far_away, until_seen
from activeseg.model.network import pick_device
from activeseg.model.training import Recipe
from activeseg.model.tuning import Tuning
from activeseg.progress import Progress, Silent
from activeseg.project.choosing import choose
from activeseg.project.early import EarlyChoice, scoring_order, unfinished
from activeseg.project.folder import Project
from activeseg.project.learning import learn
from activeseg.project.rounds import Batch, RoundFiles
from activeseg.project.scoring import Scoring, score
from activeseg.sampling import strategy as strategy_named

__all__ = ["run_round", "run_score", "run_suggest", "run_train"]


def run_train(
    project: Project,
    recipe: Recipe,
    progress: Progress,
    tuning: Tuning | None = None,
    device: str = "auto",
) -> RoundFiles:
    """Train the next round's model (`learn`)."""
    with project.working("train"):
        return _learn(project, recipe, progress, tuning, device)


def run_score(
    project: Project, scoring: Scoring, progress: Progress, device: str = "auto"
) -> RoundFiles:
    """Score the cohort with the latest model (`score`)."""
    with project.working("score"):
        return score(project, scoring, progress, device)


def run_suggest(
    project: Project,
    minutes: float,
    strategy: str | None,
    progress: Progress,
    author: str | None = None,
    device: str = "auto",
) -> Batch:
    """Choose the next batch (`choose`).

    A project that starts from a model that exists is scored with it first, so that its first
    batch shows proposals; `device` says where.

    Raises:
        ProjectError: If there is no such strategy (before the work begins). ModelError: If there
            is no such device. ActiveSegError: Whatever `score` and `choose` raise.
    """
    strategy_named(strategy or project.strategy)
    if not far_away():
        pick_device(device)
    with project.working("suggest"):
        if _unseen(project):
            score(project, Scoring(), progress, device)
        return choose(project, minutes, strategy, progress, author)


def run_round(
    project: Project,
    minutes: float,
    strategy: str | None,
    recipe: Recipe,
    scoring: Scoring,
    progress: Progress,
    author: str | None = None,
    tuning: Tuning | None = None,
    device: str = "auto",
) -> Batch:
    """Train, score and choose; `tuning` and `device` as in `learn`, `author` as in `choose`.

    What can win is scored first (`scoring_order`), and there is an early batch before the rest is
    scored (`EarlyChoice`). A round that was interrupted after that goes on with its model.

    Raises:
        ProjectError: If there is no such strategy (before the work begins). ActiveSegError:
            Whatever `learn`, `score` and `choose` raise.
    """
    strategy_named(strategy or project.strategy)
    with project.working("round"):
        files = unfinished(project) or _learn(project, recipe, progress, tuning, device)
        early = EarlyChoice(project, files, minutes, strategy, author)
        score(project, scoring, progress, device, scoring_order(project, files), early)
        return choose(project, minutes, strategy, progress, author)


def _learn(
    project: Project, recipe: Recipe, progress: Progress, tuning: Tuning | None, device: str
) -> RoundFiles:
    """`learn`, on another machine if there is one with a GPU."""
    if device == "cpu" or not gpu_far_away():
        return learn(project, recipe, progress, tuning, device)
    work = partial(_learn_there, recipe, tuning, device)
    with progress.stage("Training elsewhere", 1) as stage:
        ((_, files),) = as_they_come(work, [project.folder], gpu=True)
        if until_seen(lambda: files.model.is_file() or None) is None:
            raise ProjectError(
                "was written by another machine and is not seen from here", str(files.model)
            )
        stage.advance()
    return files


def _learn_there(recipe: Recipe, tuning: Tuning | None, device: str, folder: Path) -> RoundFiles:
    """On a worker; whoever waits for it holds `Project.working`."""
    return learn(Project.open(folder), recipe, Silent(), tuning, device)


def _unseen(project: Project) -> bool:
    """Whether nothing was trained or scored and there is a model to score with all the same."""
    done = any(files.model.is_file() or files.scores.is_file() for files in project.rounds())
    return project.start is not None and not done
