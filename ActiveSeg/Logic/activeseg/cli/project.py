"""``init``, ``next``, ``annotate``, ``status``: verbs that need no model."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from activeseg.cli.offline import annotate_folder
from activeseg.cli.output import print_json, progress_of
from activeseg.errors import AnnotationError, ProjectError
from activeseg.keys import SliceKey

if TYPE_CHECKING:
    from activeseg.project import Annotation

__all__ = ["annotate", "following", "init", "status"]


def init(arguments: Namespace) -> int:
    """Check the cohort and make the project folder."""
    from activeseg.cohort import open_cohort
    from activeseg.errors import ModelError
    from activeseg.project import Project
    from activeseg.project.model_name import BUILT_IN, check_model
    from activeseg.sampling import DEFAULT_STRATEGY, strategy

    name = strategy(arguments.strategy or DEFAULT_STRATEGY).name
    model = check_model(arguments.model)
    if model == BUILT_IN and (arguments.map or arguments.trust_code):
        raise ModelError("--map and --trust-code are for a --model of somebody else's")
    cohort = open_cohort(arguments.cohort, arguments.structures, progress_of(arguments))
    start = None
    if model != BUILT_IN:
        from activeseg.project.beginning import begin  # loads torch

        start = begin(model, cohort, arguments.plane, arguments.map, arguments.trust_code)
    project = Project.create(
        arguments.project, cohort, arguments.plane, name, arguments.seed, model, start
    )
    if arguments.json:
        from activeseg.project import project_status

        print_json(project_status(project))
        return 0
    names = ", ".join(f"{s.name} ({s.value})" for s in project.structures)
    print(f"{project.folder}: {len(cohort.volumes)} volumes, structures {names}")
    if start is not None:
        outputs = ", ".join(f"{name} is output {n}" for name, n in start.channels.items())
        print(f"starts from {start.path}" + (f": {outputs}" if start.foreign else ""))
    print(f"Next: activeseg suggest {arguments.project} --minutes 30")
    return 0


def following(arguments: Namespace) -> int:
    """Print the next open suggestion and claim it for the author."""
    from activeseg.project import Project, skip

    if arguments.reason is not None and arguments.skip is None:
        raise ProjectError("--reason says why a slice is put aside; give --skip KEY with it")
    project = Project.open(arguments.project)
    if arguments.skip is not None:
        key = SliceKey.parse(arguments.skip)
        skip(project, key, arguments.author, arguments.reason or "")
    suggestion = project.next_suggestion(arguments.author)
    if arguments.json:
        print_json(None if suggestion is None else suggestion.to_json())
    elif suggestion is None:
        print(_nothing_open(project.open_suggestions(), arguments))
    else:
        print(f"{suggestion.key}  {suggestion.reason}")
    return 0


def annotate(arguments: Namespace) -> int:
    """Accept a mask or a folder of masks, or withdraw the newest mask."""
    if arguments.source is not None:
        return annotate_folder(arguments)
    from activeseg.project import Project, undo
    from activeseg.project import annotate as accept

    if arguments.key is None:
        raise AnnotationError("KEY is missing; --mask and --undo are for one slice, name it")
    if arguments.undo and arguments.seconds:
        raise AnnotationError("--seconds belongs to --mask; an undo takes none", arguments.key)
    key = SliceKey.parse(arguments.key)
    project = Project.open(arguments.project)
    if arguments.undo:
        answer = undo(project, key, arguments.author)
    else:
        seconds = arguments.seconds or 0.0
        answer = accept(project, key, arguments.mask, seconds, arguments.author)
    if arguments.json:
        print_json(
            {
                "key": str(answer.key),
                "author": answer.author,
                "seconds": answer.seconds,
                "time": answer.time,
                "file": str(answer.image),
                "shown": answer.shown,
                "withdrawn": answer.withdrawn,
            }
        )
    elif answer.withdrawn:
        print(f"withdrew {key}{_counts_again(project.history(key))}")
    else:
        print(f"accepted {key}")
    return 0


def _counts_again(left: list[Annotation]) -> str:
    """What an undo brings back: the newest of the masks that are left, if there is one."""
    if not left:
        return ""
    moment = left[-1].time[: len("2026-01-31T23:59")].replace("T", " ")
    return f"; {left[-1].author}'s mask of {moment} UTC counts again"


def status(arguments: Namespace) -> int:
    """Print where the project stands."""
    from activeseg.project import Project, project_status

    found = project_status(Project.open(arguments.project))
    if arguments.json:
        print_json(found)
        return 0
    for name, text in _status_lines(found).items():
        print(f"{name:<12} {text}")
    return 0


def _status_lines(found: dict[str, Any]) -> dict[str, str]:
    """What a person reads of `project_status`."""
    lines = {
        "project": found["project"],
        "cohort": f"{len(found['volumes'])} volumes, {found['slices']} slices",
        "structures": ", ".join(s["name"] for s in found["structures"]),
        "annotated": f"{found['annotated_slices']} slices in {found['minutes_spent']:.1f} minutes",
        "open": f"{len(found['open'])} suggestions",
        "model": _model_line(found),
        "Dice": _dice_line(found),
        "10 minutes": _worth_line(found["next_gain"]),
        "choice": _choice_line(found["trust"]),
        "next": found["next"],
    }
    if found["authors"]:
        lines["authors"] = ", ".join(found["authors"])
    return lines


def _model_line(found: dict[str, Any]) -> str:
    """Where the model comes from."""
    if found["last_trained_round"] is not None:
        return f"trained in round {found['last_trained_round']}"
    return "none yet" if found["start"] is None else f"{found['model']}, as it came"


def _dice_line(found: dict[str, Any]) -> str:
    """The estimate with its interval."""
    if found["estimated_dice"] is None:
        return "no estimate yet"
    low, high = found["estimated_dice_interval"]
    line = f"{found['estimated_dice']:.2f} estimated ({low:.2f} to {high:.2f} in 9 of 10 cases)"
    of, trained = found["estimated_round"], found["last_trained_round"]
    return line if trained is None or of >= trained else f"{line}, of the model of round {of}"


def _worth_line(gain: dict[str, float] | None) -> str:
    """Whether to go on."""
    if gain is None:
        return "what more annotation brings is not known yet"
    return (
        f"more are expected to bring {gain['dice']:.3f} ({gain['low']:.3f} to {gain['high']:.3f})"
    )


def _choice_line(trust: float | None) -> str:
    """What decides what is asked for next."""
    if trust is None:
        return "by what is typical of the cohort, as no model has scored it yet"
    if trust == 0:
        return "by how much slices show; the expected Dice has not proven itself yet"
    return (
        f"by how much slices show and by what the model gets wrong; the expected Dice is trusted "
        f"to {100 * trust:.0f} %"
    )


def _nothing_open(waiting: list[Any], arguments: Namespace) -> str:
    if waiting:
        return f"others work on the {len(waiting)} open suggestions; try again later"
    return f"nothing is open; 'activeseg status {arguments.project}' says what to do next"
