"""``suggest``, ``train``, ``score``, ``round``, ``predict``: verbs that need the model's floor."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from activeseg.cli.offline import check_target, hand_out
from activeseg.cli.output import print_json, progress_of, slices_in_words
from activeseg.cli.places import of_project

if TYPE_CHECKING:
    from activeseg.model.training import Recipe
    from activeseg.model.tuning import Tuning
    from activeseg.project import Batch

__all__ = ["predict", "recipe_of", "score", "suggest", "train", "whole_round"]


def suggest(arguments: Namespace) -> int:
    """Choose the next batch."""
    from activeseg.project import Project

    project = Project.open(arguments.project)
    _check_strategy(arguments.strategy)
    check_target(arguments)
    from activeseg.project.verbs import run_suggest  # loads torch

    with of_project(arguments, project):
        batch = run_suggest(
            project,
            arguments.minutes,
            arguments.strategy,
            progress_of(arguments),
            arguments.author,
            arguments.device,
        )
    hand_out(project, batch, arguments)
    return _print_batch(batch, arguments)


def train(arguments: Namespace) -> int:
    """Train the next round's model."""
    from activeseg.project import Project
    from activeseg.project.verbs import run_train

    project = Project.open(arguments.project)
    with of_project(arguments, project):
        files = run_train(
            project,
            recipe_of(arguments),
            progress_of(arguments),
            _tuning_of(arguments),
            arguments.device,
        )
    print(f"trained {files.model}")
    return 0


def score(arguments: Namespace) -> int:
    """Score the cohort with the latest model."""
    from activeseg.project import Project
    from activeseg.project.scoring import Scoring
    from activeseg.project.verbs import run_score

    project = Project.open(arguments.project)
    scoring = Scoring(samples=arguments.samples)
    with of_project(arguments, project):
        files = run_score(project, scoring, progress_of(arguments), arguments.device)
    found = files.read_estimate()
    known = "no structure is predicted yet"
    if found["estimated_dice"] is not None:
        known = (
            f"estimated Dice {found['estimated_dice']:.2f} "
            f"({found['low']:.2f} to {found['high']:.2f})"
        )
    print("; ".join(part for part in (f"scored {files.scores}", known, found["note"]) if part))
    return 0


def whole_round(arguments: Namespace) -> int:
    """Train, score and choose."""
    from activeseg.project import Project

    project = Project.open(arguments.project)
    _check_strategy(arguments.strategy)
    check_target(arguments)
    from activeseg.project.scoring import Scoring
    from activeseg.project.verbs import run_round  # loads torch

    with of_project(arguments, project):
        batch = run_round(
            project,
            arguments.minutes,
            arguments.strategy,
            recipe_of(arguments),
            Scoring(samples=arguments.samples),
            progress_of(arguments),
            arguments.author,
            _tuning_of(arguments),
            arguments.device,
        )
    hand_out(project, batch, arguments)
    return _print_batch(batch, arguments)


def predict(arguments: Namespace) -> int:
    """Write the latest model's mask of one volume."""
    from activeseg.cohort.images import check_output
    from activeseg.project import Project

    project = Project.open(arguments.project)
    project.cohort.volume(arguments.volume)  # refuses an unknown one
    check_output(arguments.output)
    from activeseg.project.predicting import predict as write_prediction  # loads torch

    with of_project(arguments, project):
        write_prediction(project, arguments.volume, arguments.output, arguments.device)
    print(f"wrote {arguments.output}")
    return 0


def _check_strategy(name: str | None) -> None:
    """Refuse a name that nobody has before torch is loaded, which takes seconds.

    Raises:
        ProjectError: If there is no such strategy.
    """
    if name is not None:
        from activeseg.sampling import strategy

        strategy(name)


def recipe_of(arguments: Namespace) -> Recipe:
    """The default recipe, with the number of steps that was asked for."""
    from activeseg.model.training import Recipe

    return Recipe() if arguments.steps is None else Recipe(steps=arguments.steps)


def _tuning_of(arguments: Namespace) -> Tuning:
    """How a model that the project starts from is trained on."""
    from activeseg.model.tuning import Tuning

    if arguments.steps is None:
        return Tuning(part=arguments.tune)
    return Tuning(steps=arguments.steps, part=arguments.tune)


def _print_batch(batch: Batch, arguments: Namespace) -> int:
    """Print a batch for a program or a person."""
    if arguments.json:
        found = batch.to_json()
        names = ("budget_minutes", "strategy", "seed", "round", "author", "note")
        suggestions = [suggestion.to_json() for suggestion in batch.suggestions]
        print_json({"suggestions": suggestions} | {name: found[name] for name in names})
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("rank", "slice", "minutes", "why"):
        table.add_column(name, justify="right" if name in ("rank", "minutes") else "left")
    for each in batch.suggestions:
        table.add_row(str(each.rank), str(each.key), f"{each.minutes:.1f}", each.reason)
    Console().print(table)
    total = sum(each.minutes for each in batch.suggestions)
    print(
        f"{slices_in_words(len(batch.suggestions))}, about {total:.1f} of "
        f"{batch.budget_minutes:g} minutes ({batch.strategy})"
    )
    if batch.note:
        print(batch.note)
    if arguments.to is not None:
        back = f"activeseg annotate {arguments.project} --from {arguments.to}"
        print(f"written to {arguments.to}; once it is answered: {back}")
    return 0
