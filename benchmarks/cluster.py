"""How much faster two workers score than one: ratios measured in one run.

    python benchmarks/cluster.py --cohort DIR --model my-project/rounds/003/model.pt

Workers are processes of this machine on a real Dask scheduler, which have loaded torch before the
clock runs, as those of a cluster have. Where something else keeps the cores busy the ratio says
less: the load before and after is printed with it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # this process, too, as Dask gives its workers one


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="scoring by one and by two workers")
    parser.add_argument("--cohort", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="a model.pt")
    parser.add_argument("--structures", default="", metavar="A,B")
    parser.add_argument("--volumes", type=int, default=32, metavar="N", help="default: 32")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="default: 3")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder), arguments)
        print(f"{arguments.volumes} volumes, {os.cpu_count()} cores, load {load()}")
        table = measure(project, arguments.repeat)
    one = table["one worker"]
    print(f"{'who':<40} {'seconds':>9} {'against one worker':>20}")
    for who, seconds in table.items():
        print(f"{who:<40} {seconds:>9.2f} {one / seconds:>20.2f}")
    print(f"load {load()}")


def make_project(folder: Path, arguments: argparse.Namespace) -> Any:
    """A project of the first volumes of a cohort that starts from a model."""
    from dataclasses import replace

    from activeseg.cohort import open_cohort
    from activeseg.progress import Silent
    from activeseg.project import Project
    from activeseg.project.beginning import begin

    names = tuple(name for name in arguments.structures.split(",") if name)
    whole = open_cohort(arguments.cohort, names, Silent())
    cohort = replace(whole, volumes=whole.volumes[: arguments.volumes])
    model = str(arguments.model.absolute())
    start = begin(model, cohort, "auto", {}, trusted=False)
    return Project.create(folder / "project", cohort, "auto", "activeseg", 0, model, start)


def measure(project: Any, repeat: int) -> dict[str, float]:
    """Seconds of scoring at best, by who does it; they take turns, as the load comes and goes."""
    from activeseg.executors import local_processes

    seconds: dict[str, list[float]] = {}
    with workers(1) as one, workers(2) as two:
        who: dict[str, AbstractContextManager[Any]] = {}
        for turn in range(repeat + 1):
            who = {
                "this process": nullcontext(),
                "one worker": reach(one, project),
                "two workers": reach(two, project),
                "two processes, their start included": local_processes(2),
            }
            for name, crew in who.items():
                taken = score_with(crew, project)
                if turn:  # in the first, workers load torch
                    seconds.setdefault(name, []).append(taken)
    return {name: min(each) for name, each in seconds.items()}


def score_with(crew: AbstractContextManager[Any], project: Any) -> float:
    """Seconds of scoring all volumes anew."""
    from activeseg.progress import Silent
    from activeseg.project.scoring import Scoring
    from activeseg.project.verbs import run_score

    shutil.rmtree(project.round(0).folder, ignore_errors=True)
    with crew:
        begun = time.perf_counter()
        run_score(project, Scoring(), Silent(), "cpu")
        return time.perf_counter() - begun


@contextmanager
def workers(count: int) -> Iterator[str]:
    """The address of a scheduler with so many workers."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


def reach(address: str, project: Any) -> AbstractContextManager[Any]:
    """The crew of a scheduler."""
    from activeseg.executors import Shared
    from activeseg.executors.cluster import cluster

    return cluster(address, Shared(project.folder))


def load() -> str:
    """How busy the machine is, where it says so."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
