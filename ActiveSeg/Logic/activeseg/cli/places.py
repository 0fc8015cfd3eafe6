"""Where the images of a command lie, and who does its work: ``--processes``, ``--scheduler``."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from activeseg.cli import values
from activeseg.errors import WorkerError

if TYPE_CHECKING:
    from activeseg.cohort import Cohort
    from activeseg.project import Project

__all__ = [
    "COHORT",
    "add_cohort",
    "add_places",
    "add_scheduler",
    "first_image",
    "of_project",
    "workers",
]

COHORT = "a folder, a list, or an address such as s3://bucket/folder"
"""What names a cohort."""


def add_cohort(parser: ArgumentParser, text: str, required: bool) -> None:
    """The option that names the cohort.

    Args:
        parser: Of a command.
        text: Its help, with ``{}`` where `COHORT` belongs.
        required: Whether the command needs one.
    """
    parser.add_argument(
        "--cohort",
        type=values.cohort,
        required=required,
        metavar="DIR",
        help=text.format(COHORT),
    )


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
        metavar="N",
        help="look at volumes in N processes of this machine; default: 1",
    )


@contextmanager
def of_project(arguments: Namespace, project: Project) -> Iterator[None]:
    """Have those who were asked for do the work of this block on a project.

    Raises:
        WorkerError: If they are not there or do not see the project and its images.
    """
    with workers(arguments, project.folder, first_image(project.cohort)):
        yield


def first_image(cohort: Cohort) -> Path | None:
    """What every machine has to see of a cohort; nothing of one at an address, which it fetches."""
    return None if cohort.source else cohort.volumes[0].image


@contextmanager
def workers(
    arguments: Namespace, folder: Path | None, file: Path | None, spread: bool = True
) -> Iterator[None]:
    """Have those who were asked for do the work of this block.

    Args:
        arguments: With ``scheduler``, and ``processes`` where the command has it.
        folder: Where they write, if they write anything; it exists.
        file: What they read, or a part of it; None if it lies on no disk.
        spread: Whether ``--processes`` is meant for volumes; a benchmark's is for whole runs.

    Raises:
        WorkerError: If they are not there or do not see what they must.
    """
    count = getattr(arguments, "processes", None)
    if arguments.scheduler is not None:
        if count is not None:
            raise WorkerError(
                "--processes is for this machine, and --scheduler has workers of its own; leave "
                "one of them out"
            )
        from activeseg.executors import Shared
        from activeseg.executors.cluster import cluster

        files = () if file is None else (file.absolute(),)
        with cluster(arguments.scheduler, Shared(folder, files)):
            yield
    elif spread and count is not None and count > 1:
        from activeseg.executors import local_processes

        with local_processes(count):
            yield
    else:
        yield
