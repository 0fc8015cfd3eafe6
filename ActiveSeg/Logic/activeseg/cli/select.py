"""``select``: the slices of a new cohort to annotate first, without a project."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from activeseg.cli import values
from activeseg.cli.output import print_json, progress_of, slices_in_words
from activeseg.cli.places import COHORT, add_places, workers
from activeseg.keys import PLANE_POLICIES

__all__ = ["add_arguments", "select"]


def add_arguments(parser: ArgumentParser) -> None:
    """The words of ``select`` that no other command has."""
    parser.add_argument(
        "cohort",
        type=values.cohort,
        metavar="COHORT",
        help=f"the images: {COHORT}",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="worklist.csv or worklist.json; a page and pictures are written beside it",
    )
    parser.add_argument(
        "--sizes",
        type=values.sizes,
        default={},
        metavar="A=MM,B=MM",
        help="typical diameter of structures, for truer minutes",
    )
    parser.add_argument(
        "--features",
        metavar="MODEL",
        help="a network whose features tell slices apart: a MONAI bundle's folder, a TorchScript "
        "file, or a model.pt of activeseg; default: frozen ones",
    )
    parser.add_argument(
        "--trust-code",
        action="store_true",
        help="let the code that the network's author put into it run",
    )
    parser.add_argument("--plane", choices=PLANE_POLICIES, default="auto", help="default: auto")
    parser.add_argument("--seed", type=values.count, default=0, metavar="N", help="default: 0")
    add_places(parser)


def select(arguments: Namespace) -> int:
    """Choose the slices and write the list, its page and its pictures."""
    from activeseg.worklist.files import check_worklist_output, worklist_json, write_worklist

    check_worklist_output(arguments.output)
    from activeseg.worklist.choice import WorklistRequest, choose_worklist  # loads torch
    from activeseg.worklist.sheet import covered_line

    request = WorklistRequest(
        cohort=arguments.cohort,
        minutes=arguments.minutes,
        strategy=arguments.strategy,
        structures=arguments.structures,
        sizes_mm=arguments.sizes,
        plane_policy=arguments.plane,
        seed=arguments.seed,
        features=arguments.features,
        trusted=arguments.trust_code,
    )
    progress = progress_of(arguments)
    images = arguments.cohort
    with workers(arguments, None, images if isinstance(images, Path) else None):
        worklist = choose_worklist(request, progress)
    files = write_worklist(worklist, arguments.output, progress)
    if arguments.json:
        print_json(worklist_json(worklist))
        return 0
    print(
        f"{slices_in_words(len(worklist.suggestions))}, about {worklist.minutes:.1f} of "
        f"{request.minutes:g} minutes ({request.strategy})"
    )
    if request.features is not None:
        print(f"features from {request.features}")
    print(covered_line(worklist))
    if worklist.note:
        print(worklist.note)
    print(f"wrote {', '.join(str(file) for file in files)}")
    return 0
