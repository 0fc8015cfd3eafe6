"""``--processes`` and ``--scheduler``: who does the work of a command."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from activeseg.cli import values

if TYPE_CHECKING:
    from activeseg.cohort import Cohort
    from activeseg.project import Project

__all__ = ["add_places", "add_scheduler", "nearest", "of_cohort", "of_project"]


def add_scheduler(parser: ArgumentParser) -> None:
    """The option that hands work to a cluster."""
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have the workers of a Dask scheduler do the work: tcp://host:8786; needs "
        "activeseg[cluster]",
    )


def add_places(parser: ArgumentParser) -> None:
    """The same, and the option that spreads it over this machine."""
    add_scheduler(parser)
    parser.add_argument(
        "--processes",
        type=values.positive,
        default=1,
        metavar="N",
        help="look at volumes in N processes of this machine; default: 1",
    )


@contextmanager
def of_project(arguments: Namespace, project: Project) -> Iterator[None]:
    """Have those do the work of this block on a project who were asked for.

    Raises:
        WorkerError: If they are not there or do not see the project and its images.
    """
    with _workers(arguments, project.folder, (project.cohort.volumes[0].image,)):
        yield


@contextmanager
def of_cohort(arguments: Namespace, cohort: Path | Cohort, out: Path | None = None) -> Iterator[None]:
    """The same for work that has no project; results go to `out`, if to any folder.

    Raises:
        WorkerError: As `of_project`.
    """
    with _workers(arguments, out, (cohort if isinstance(cohort, Path) else cohort.root,)):
        yield


@contextmanager
def _workers(arguments: Namespace, folder: Path | None, files: tuple[Path, ...]) -> Iterator[None]:
    if arguments.scheduler is not None:
        from activeseg.executors import Shared
        from activeseg.executors.cluster import cluster

        with cluster(arguments.scheduler, Shared(folder, files)):
            yield
    elif getattr(arguments, "processes", 1) > 1:
        from activeseg.executors import local_processes

        with local_processes(arguments.processes):
            yield
    else:
        yield
