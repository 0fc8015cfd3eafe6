"""The heavy verbs, each alone in the project while it runs."""

from __future__ import annotations

from activeseg.model.training import Recipe
from activeseg.progress import Progress
from activeseg.project.choosing import choose
from activeseg.project.folder import Project
from activeseg.project.learning import learn
from activeseg.project.rounds import Batch, RoundFiles
from activeseg.project.scoring import Scoring, score
from activeseg.sampling import strategy as strategy_named

__all__ = ["run_round", "run_score", "run_suggest", "run_train"]


def run_train(project: Project, recipe: Recipe, progress: Progress) -> RoundFiles:
    """Train the next round's model (`learn`)."""
    with project.working("train"):
        return learn(project, recipe, progress)


def run_score(project: Project, scoring: Scoring, progress: Progress) -> RoundFiles:
    """Score the cohort with the latest model (`score`)."""
    with project.working("score"):
        return score(project, scoring, progress)


def run_suggest(
    project: Project,
    minutes: float,
    strategy: str | None,
    progress: Progress,
    author: str | None = None,
) -> Batch:
    """Choose the next batch (`choose`)."""
    with project.working("suggest"):
        return choose(project, minutes, strategy, progress, author)


def run_round(
    project: Project,
    minutes: float,
    strategy: str | None,
    recipe: Recipe,
    scoring: Scoring,
    progress: Progress,
    author: str | None = None,
) -> Batch:
    """Train, score and choose; `author` as in `choose`.

    Raises:
        ProjectError: If there is no such strategy (before the work begins). ActiveSegError:
            Whatever `learn`, `score` and `choose` raise.
    """
    strategy_named(strategy or project.strategy)
    with project.working("round"):
        learn(project, recipe, progress)
        score(project, scoring, progress)
        return choose(project, minutes, strategy, progress, author)
