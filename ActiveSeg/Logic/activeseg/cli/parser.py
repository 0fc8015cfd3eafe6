"""The words of the command line; scripts and the faces rely on these names."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from activeseg import __version__
from activeseg.cli import (
    benchmark,
    demo,
    phantom,
    places,
    project,
    rounds,
    select,
    system,
    values,
    workbench,
)
from activeseg.keys import PLANE_POLICIES

__all__ = ["build_parser"]


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, as every command does; the usage is a ``--help`` away."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit 2."""
        self.exit(2, f"{self.prog}: {message}; see '{self.prog} --help'\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets ``run`` to what carries it out."""
    parser: argparse.ArgumentParser = _Parser(
        prog="activeseg",
        description="Which slices of a CT or MR cohort to annotate next, "
        "under a budget of minutes.",
    )
    parser.add_argument("--version", action="version", version=f"activeseg {__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_project_verbs(verbs)
    _add_work_verbs(verbs)
    _add_workbench(verbs)
    _add_demo(verbs)
    _add_other_verbs(verbs)
    return parser


def _add_project_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    init = verbs.add_parser("init", help="make a project for a cohort")
    init.set_defaults(run=project.init)
    _project(init)
    places.add_cohort(init, "the images: {}", required=True)
    _structures(init)
    init.add_argument("--plane", choices=PLANE_POLICIES, default="auto", help="default: auto")
    _model(init)
    _strategy(init, "default: auto")
    init.add_argument("--seed", type=values.count, default=0, metavar="N", help="default: 0")
    _json(init)
    _progress(init)

    following = verbs.add_parser("next", help="the next open suggestion; it is yours for an hour")
    following.add_argument("--skip", metavar="KEY", help="put this slice aside first, for good")
    following.add_argument("--reason", metavar="TEXT", help="why it is put aside")
    following.set_defaults(run=project.following)
    _project(following)
    _author(following)
    _json(following)

    _add_annotate(verbs)

    status = verbs.add_parser("status", help="where the project stands, and what to do next")
    status.set_defaults(run=project.status)
    _project(status)
    _json(status)


def _add_annotate(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    annotate = verbs.add_parser("annotate", help="accept masks, or undo one")
    annotate.set_defaults(run=project.annotate)
    _project(annotate)
    key = annotate.add_argument(
        "key", metavar="KEY", help="VOLUME/PLANE/INDEX, e.g. case_003/axial/057; not with --from"
    )
    # Not nargs="?": before Python 3.12.7 that takes no KEY that comes after an option.
    key.required = False
    answer = annotate.add_mutually_exclusive_group(required=True)
    answer.add_argument("--mask", type=Path, metavar="FILE", help="label image of volume or slice")
    answer.add_argument(
        "--undo", action="store_true", help="withdraw your newest mask of it; its time stays spent"
    )
    answer.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="DIR",
        help="all that was answered in a folder of 'suggest --to'",
    )
    annotate.add_argument("--seconds", type=float, metavar="S", help="time it took; default: 0")
    _author(annotate)
    _json(annotate)


def _add_work_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    suggest = verbs.add_parser("suggest", help="choose the next batch under a budget")
    suggest.set_defaults(run=rounds.suggest)
    _project(suggest)
    _minutes(suggest)
    _strategy(suggest, "default: the project's")
    _whom(suggest)
    _target(suggest)
    _device(suggest, places.add_places)
    _json(suggest)
    _progress(suggest)

    train = verbs.add_parser("train", help="train on everything that is annotated")
    train.set_defaults(run=rounds.train)
    _project(train)
    _steps(train)
    _tune(train)
    _device(train)
    _progress(train)

    score = verbs.add_parser("score", help="score every slice with the latest model")
    score.set_defaults(run=rounds.score)
    _project(score)
    _samples(score)
    _device(score, places.add_places)
    _progress(score)

    whole = verbs.add_parser("round", help="train, score and suggest")
    whole.set_defaults(run=rounds.whole_round)
    _project(whole)
    _minutes(whole)
    _strategy(whole, "default: the project's")
    _whom(whole)
    _target(whole)
    _samples(whole)
    _steps(whole)
    _tune(whole)
    _device(whole, places.add_places)
    _json(whole)
    _progress(whole)

    predict = verbs.add_parser("predict", help="the latest model's mask of one volume")
    predict.set_defaults(run=rounds.predict)
    _project(predict)
    predict.add_argument("volume", metavar="VOLUME", help="id of a volume of the cohort")
    predict.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="label image to write"
    )
    _device(predict)


def _add_workbench(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    face = verbs.add_parser("workbench", help="annotate in a browser; needs activeseg[workbench]")
    face.set_defaults(run=workbench.workbench)
    _project(face)
    face.add_argument(
        "--port",
        type=values.port,
        metavar="P",
        help="0 for any; default: 8765, or any if that is used",
    )
    face.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="H",
        help="where to listen; default: 127.0.0.1, this machine alone; anywhere else every "
        "visitor needs the token of the address that is printed",
    )
    face.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    _author(face)


def _add_demo(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    loop = verbs.add_parser("demo", help="the whole loop with a simulated clinician")
    loop.set_defaults(run=demo.demo)
    demo.add_arguments(loop)
    _author(loop)
    _structures(loop)
    _steps(loop, f"the recipe's, {demo.PHANTOM_STEPS} with the phantom cohort")
    _progress(loop)


def _add_other_verbs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    phantoms = verbs.add_parser("phantom", help="write a synthetic cohort with reference labels")
    phantoms.set_defaults(run=phantom.phantom)
    phantoms.add_argument("folder", type=Path, metavar="DIR", help="a new or empty folder")
    phantoms.add_argument(
        "--volumes", type=values.positive, default=24, metavar="N", help="default: 24"
    )
    phantoms.add_argument("--seed", type=values.count, default=0, metavar="S", help="default: 0")
    phantoms.add_argument("--modality", choices=("ct", "mr"), default="ct", help="default: ct")
    _progress(phantoms)

    chooser = verbs.add_parser("select", help="the slices of a new cohort to annotate first")
    chooser.set_defaults(run=select.select)
    select.add_arguments(chooser)
    _minutes(chooser)
    chooser.add_argument(
        "--strategy", default="one-shot", metavar="NAME", help="who chooses; default: one-shot"
    )
    _structures(chooser)
    _json(chooser)
    _progress(chooser)

    bench = verbs.add_parser("benchmark", help="arms against each other over many seeds")
    bench.set_defaults(run=benchmark.benchmark)
    benchmark.add_arguments(bench)
    _structures(bench)
    _steps(bench)
    _progress(bench)

    doctor = verbs.add_parser("doctor", help="what this installation has and what it lacks")
    doctor.set_defaults(run=system.doctor)
    _json(doctor)


def _project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, metavar="PROJECT", help="the project folder")


def _minutes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--minutes", type=values.minutes, required=True, metavar="M", help="budget of the batch"
    )


def _strategy(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--strategy", metavar="NAME", help=f"who chooses; {default}")


def _structures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--structures",
        type=values.names,
        default=(),
        metavar="A,B",
        help="names of label values 1, 2, …; default: those the cohort declares or holds",
    )


def _steps(parser: argparse.ArgumentParser, default: str = "the recipe's") -> None:
    parser.add_argument(
        "--steps",
        type=values.positive,
        metavar="N",
        help=f"training steps; default: {default}",
    )


def _model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="unet25d",
        metavar="NAME_OR_PATH",
        help="what to start from: unet25d, a model.pt of activeseg, a MONAI bundle's folder, or a "
        "TorchScript file; default: unet25d",
    )
    parser.add_argument(
        "--map",
        type=values.channels,
        default={},
        metavar="A=N,B=N",
        help="which output channel of a bundle or TorchScript file each structure is",
    )
    parser.add_argument(
        "--trust-code",
        action="store_true",
        help="let the code that the model's author put into it run",
    )


def _tune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tune",
        choices=("all", "decoder"),
        default="all",
        help="what of a model that the project starts from is trained; default: all",
    )


def _device(
    parser: argparse.ArgumentParser,
    add_who: Callable[[argparse.ArgumentParser], None] = places.add_scheduler,
) -> None:
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where the model runs; auto: a CUDA device where there is one",
    )
    add_who(parser)


def _author(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--author", default=_user(), metavar="A", help="default: your user name")


def _samples(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--samples",
        choices=("dropout", "augmented", "snapshots"),
        default="dropout",
        help="where the samples come from: MC dropout, test-time augmentation, or the members "
        "kept from the training run; default: dropout",
    )


def _whom(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--author", metavar="A", help="whose minutes to expect; default: who answered last"
    )


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help="a new or empty folder to write the batch to, to be answered in another tool",
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def _progress(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--progress",
        choices=("auto", "bar", "json", "none"),
        default="auto",
        help="json: one object a line; auto: a bar on a terminal",
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user in this container
        return "annotator"
