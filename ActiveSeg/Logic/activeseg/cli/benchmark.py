"""``benchmark``: arms against each other with a simulated clinician, over many seeds."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from activeseg.cli import values
from activeseg.cli.output import progress_of
from activeseg.cli.places import add_cohort, add_scheduler, first_image, workers
from activeseg.keys import PLANE_POLICIES
from activeseg.progress import LineProgress

__all__ = ["add_arguments", "benchmark"]


def add_arguments(parser: ArgumentParser) -> None:
    """The words of ``benchmark`` that no other command has."""
    add_cohort(parser, "images with labels: {}", required=True)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="new, or a former one, to go on with it or to add seeds and arms to it",
    )
    parser.add_argument(
        "--arms",
        type=values.names,
        metavar="A,B",
        help="strategies by name; default: activeseg,strided,foreground-random,clasp-pe,"
        "volume-epistemic",
    )
    parser.add_argument("--seeds", type=values.positive, metavar="N", help="default: 3")
    parser.add_argument(
        "--rounds", type=values.positive, metavar="N", help="batches after the first; default: 5"
    )
    parser.add_argument(
        "--minutes",
        type=values.minutes_list,
        metavar="M[,M]",
        help="budget of every batch, or of each, the first one before any model; default: 0.4, "
        "0.8, 1.3, 2, 3.5 and 5.5 %% of what drawing the whole pool takes, 2 minutes at the least",
    )
    parser.add_argument(
        "--pool", type=values.positive, metavar="N", help="volumes to choose from; default: 60 %%"
    )
    parser.add_argument(
        "--test", type=values.positive, metavar="N", help="volumes held out; default: the rest"
    )
    parser.add_argument("--plane", choices=PLANE_POLICIES, default="auto", help="default: auto")
    parser.add_argument(
        "--processes", type=values.positive, metavar="N", help="runs at once; default: the cores"
    )
    add_scheduler(parser)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a first look, not evidence; where nothing else is said: activeseg,foreground-random,"
        "strided, 1 seed, pool 30, test 15, half of the training steps, batches of 2, 2, 4 and 8 "
        "%% of the pool's minutes",
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep models, scores and predictions of ended runs"
    )


def benchmark(arguments: Namespace) -> int:
    """Run it and print the table."""
    from activeseg.benchmark.request import Request, plan_of
    from activeseg.benchmark.run import run_benchmark
    from activeseg.benchmark.tidy import table_text
    from activeseg.cohort import open_cohort
    from activeseg.files import make_folder

    progress = progress_of(arguments)
    request = Request(
        out=arguments.out.absolute(),  # workers have another working folder
        arms=arguments.arms,
        seeds=arguments.seeds,
        rounds=arguments.rounds,
        minutes=arguments.minutes,
        pool=arguments.pool,
        test=arguments.test,
        plane_policy=arguments.plane,
        steps=arguments.steps,
        processes=arguments.processes,
        keep=arguments.keep,
        quick=arguments.quick,
    )
    request.check()
    cohort = open_cohort(arguments.cohort, arguments.structures, progress)
    # A log gets a line for each run that ends; bars and programs see the progress of all.
    say = _tell if isinstance(progress, LineProgress) else _keep_quiet
    make_folder(request.out)
    with workers(arguments, request.out, first_image(cohort), spread=False):
        result = run_benchmark(plan_of(request, cohort, progress), progress, say)
    print(table_text(result), end="")
    print(f"report: {arguments.out / 'report.html'}")
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _keep_quiet(line: str) -> None:
    """Nobody reads it."""
