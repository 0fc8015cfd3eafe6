"""``demo``: the whole loop with a simulated clinician; then a table, a report, the workbench."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activeseg.cli import values
from activeseg.cli.output import progress_of
from activeseg.cli.places import add_cohort
from activeseg.progress import Progress

if TYPE_CHECKING:
    from activeseg.loop.demo import DemoPlan

__all__ = ["add_arguments", "demo"]

# The phantom cohort is small enough that the whole demonstration takes a few minutes.
PHANTOMS = 18
PHANTOM_STEPS = 200
PHANTOM_MINUTES = 8.0
COHORT_MINUTES = 30.0


def add_arguments(parser: ArgumentParser) -> None:
    """The words of ``demo`` that no other command has."""
    add_cohort(parser, "images with labels: {}; default: a phantom cohort", required=False)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("activeseg-demo"),
        metavar="DIR",
        help="default: ./activeseg-demo",
    )
    parser.add_argument("--rounds", type=values.count, default=3, metavar="N", help="default: 3")
    parser.add_argument(
        "--minutes",
        type=values.minutes,
        metavar="M",
        help=f"budget of each batch; default: {COHORT_MINUTES:g}, "
        f"{PHANTOM_MINUTES:g} with the phantom cohort",
    )
    parser.add_argument(
        "--pool",
        type=values.positive,
        metavar="N",
        help="volumes to choose from; default: 60 %% of those with a label",
    )
    parser.add_argument(
        "--test",
        type=values.positive,
        metavar="N",
        help="volumes that are held out; default: the rest of those with a label",
    )
    parser.add_argument("--seed", type=values.count, default=0, metavar="N", help="default: 0")
    parser.add_argument("--no-serve", action="store_true", help="end without opening the workbench")


def demo(arguments: Namespace) -> int:
    """Run it, print the table, and open the workbench on it unless told not to."""
    from activeseg.loop.demo import DemoPlan, prepare_folder, run_demo
    from activeseg.model.training import Recipe

    progress = progress_of(arguments)
    prepare_folder(arguments.out)
    cohort = _cohort(arguments, progress)
    phantoms = arguments.cohort is None
    steps = arguments.steps or (PHANTOM_STEPS if phantoms else Recipe().steps)
    plan = DemoPlan(
        out=arguments.out,
        rounds=arguments.rounds,
        minutes=arguments.minutes or (PHANTOM_MINUTES if phantoms else COHORT_MINUTES),
        pool=arguments.pool,
        test=arguments.test,
        seed=arguments.seed,
        recipe=Recipe(steps=steps),
    )
    _print_table(run_demo(cohort, plan, progress))
    print(f"report: {arguments.out / 'report.html'}")
    return 0 if arguments.no_serve else _open(plan, arguments.author, progress)


def _open(plan: DemoPlan, author: str, progress: Progress) -> int:
    """Serve the workbench on ActiveSeg's own arm, with a new batch in it, until Ctrl-C.

    Without the extra that the workbench needs, the report is served instead.
    """
    report = plan.out.absolute() / "report.html"
    if find_spec("trame_slicer") is None:
        from activeseg.cli.serving import serve

        print('for the workbench: pip install "activeseg[workbench]"')
        serve(report)
        return 0
    from activeseg.cli.workbench import serve_workbench
    from activeseg.loop.demo import OURS
    from activeseg.project import Project
    from activeseg.project.verbs import run_suggest

    project = Project.open(report.parent / OURS)
    run_suggest(project, plan.minutes, None, progress)
    return serve_workbench(project.folder, author, [f"--report={report}"])


def _cohort(arguments: Namespace, progress: Progress) -> Any:
    """The cohort that was named, or a phantom cohort made for the occasion."""
    from activeseg.cohort import open_cohort

    if arguments.cohort is not None:
        return open_cohort(arguments.cohort, arguments.structures, progress)
    from activeseg.phantom import write_phantom

    folder = arguments.out / "phantom"
    write_phantom(folder, volumes=PHANTOMS, seed=arguments.seed, progress=progress)
    return open_cohort(folder, arguments.structures, progress)


def _print_table(result: dict[str, Any]) -> None:
    """One row a round and arm."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Dice on whole test volumes against minutes of annotation")
    for name in ("round", "arm", "minutes", "slices", "estimated Dice", "true Dice"):
        table.add_column(name, justify="left" if name == "arm" else "right")
    curves = {name: arm["seeds"][0]["curve"] for name, arm in result["arms"].items()}
    for points in zip(*curves.values(), strict=True):
        for name, point in zip(curves, points, strict=True):
            estimate = point["estimated_dice"]
            table.add_row(
                str(point["round"]),
                name,
                f"{point['minutes']:.1f}",
                str(point["slices"]),
                "-" if estimate is None else f"{estimate:.3f}",
                f"{point['dice']:.3f}",
            )
        table.add_section()
    Console().print(table)
    print(
        f"all slices of the pool: Dice {result['full_dice']:.3f} after "
        f"{result['full_minutes']:.0f} minutes"
    )
