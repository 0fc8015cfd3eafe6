"""How long a choice takes among millions of slices, and how much memory.

    python benchmarks/scale.py --slices 1e6 1e7 --strategies auto random

A made-up project: volumes of 1000 slices in three planes, two structures, a third of the slices
show one, 200 slices are answered; the score table is written as `score` writes it, and no image
exists. Each choice is `choose` in a process of its own: from opening the project to the batch on
the disk. The memory is the most that the process ever held. A process that has imported the same
and does nothing is the row `nothing`.

`answer` is the time from an accepted mask to the next suggestion, both on the disk, in a process
that runs on; `next` is the command as a process of its own, to be held against starting Python.
On a busy machine the seconds of the processor say more than those of the clock.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

VOLUME = {"axial": 200, "coronal": 400, "sagittal": 400}
SLICES = sum(VOLUME.values())
SHOWN = 0.33
ANSWERED = 200
ASKED = 40


def main() -> None:
    """Print one row a measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=float, nargs="+", default=[1e6])
    parser.add_argument("--strategies", nargs="+", default=["auto"])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.child:
        what, folder = a.child
        print(json.dumps(measured(what, Path(folder), a.minutes)))
        return
    print("| slices | what | seconds | CPU seconds | most memory, MB |\n|---:|---|---:|---:|---:|")
    for count in map(int, a.slices):
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder) / "project"
            begun, worked = time.perf_counter(), time.process_time()
            make(project, count // SLICES)
            took = time.perf_counter() - begun, time.process_time() - worked
            row(count, "making up and writing the table", *took)
            for what in ("nothing", "estimate", *a.strategies, "answer"):
                found = child(what, project, a.minutes)
                row(count, what, found["seconds"], found["cpu_s"], found["peak_mb"])
            for what, words in {
                "next": ["-m", "activeseg", "next", str(project), "--author", "ada"],
                "python": ["-c", "pass"],
            }.items():
                row(count, f"`{what}` as a process", *of_process(words))


def row(slices: int, what: str, seconds: float, cpu_s: float, peak_mb: float | None = None) -> None:
    """One line of the table."""
    memory = "" if peak_mb is None else f"{peak_mb:.0f}"
    print(f"| {slices:,} | {what} | {seconds:.2g} | {cpu_s:.2g} | {memory} |", flush=True)


def child(what: str, project: Path, minutes: float) -> dict[str, Any]:
    """Measure something in a process of its own."""
    words = [sys.executable, __file__, "--child", what, str(project), "--minutes", str(minutes)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def of_process(words: list[str]) -> tuple[float, float]:
    """Median seconds of a command, and of the processor that it had."""
    found = []
    for _ in range(7):
        begun, worked = time.perf_counter(), cpu_s(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], capture_output=True, check=True)
        took = time.perf_counter() - begun
        found.append((took, cpu_s(resource.RUSAGE_CHILDREN) - worked))
    seconds, worked_s = zip(*found, strict=True)
    return statistics.median(seconds), statistics.median(worked_s)


def cpu_s(who: int) -> float:
    """Seconds of the processor so far."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def measured(what: str, folder: Path, minutes: float) -> dict[str, float]:
    """Do it, in this process."""
    from activeseg.progress import Silent
    from activeseg.project import Project
    from activeseg.project.choosing import choose
    from activeseg.project.estimating import write_estimate
    from activeseg.project.score_file import open_scores

    def estimate() -> None:
        project = Project.open(folder)
        write_estimate(project, project.round(1), open_scores(project.round(1)))

    def batch() -> None:
        choose(Project.open(folder), minutes, what, Silent())

    acts: dict[str, Callable[[], None]] = {"nothing": lambda: None, "estimate": estimate}
    begun, worked = time.perf_counter(), time.process_time()
    if what == "answer":
        of = answers(folder)
        seconds, used = statistics.median(of), (time.process_time() - worked) / len(of)
    else:
        acts.get(what, batch)()
        seconds, used = time.perf_counter() - begun, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": seconds,
        "cpu_s": used,
        "peak_mb": peak / (2**20 if sys.platform == "darwin" else 1024),
    }


def answers(folder: Path) -> list[float]:
    """Seconds from a mask to the next suggestion, again and again."""
    from activeseg.project import Project
    from activeseg.project.accept import what_was_shown

    project = Project.open(folder)
    suggestion = project.next_suggestion("ada")
    found = []
    for _ in range(ASKED):
        if suggestion is None:
            break
        key = suggestion.key
        mask = blank(project, key)
        begun = time.perf_counter()
        project.accept(key, mask, "ada", 30.0, what_was_shown(project, key, mask))
        suggestion = project.next_suggestion("ada")
        found.append(time.perf_counter() - begun)
    return found


def make(folder: Path, volumes: int) -> None:
    """A project whose first round is scored."""
    from activeseg.cohort import Cohort, CohortVolume, Geometry, Structure
    from activeseg.keys import Plane, SliceKey
    from activeseg.project import Project
    from activeseg.project.score_file import score_writer

    axial, coronal, sagittal = VOLUME.values()
    geometry = Geometry(
        (sagittal, coronal, axial), (0.8, 0.8, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)
    )
    names = [f"case_{number:05d}" for number in range(volumes)]
    cohort = Cohort(
        folder,
        tuple(CohortVolume(n, folder / f"{n}.nii.gz", None, geometry, "ct") for n in names),
        (Structure("liver", 1), Structure("spleen", 2)),
    )
    project = Project.create(folder, cohort, "all", "auto", 0, "unet25d")
    rng = np.random.default_rng(0)
    for number in rng.choice(volumes, min(ANSWERED, volumes), replace=False).tolist():
        key = SliceKey(names[number], Plane.AXIAL, int(rng.integers(axial)))
        project.accept(key, blank(project, key), "ada", 30.0)
    files = project.round(1).make()
    files.model.write_bytes(b"none")
    with score_writer(files) as table:
        for name in rng.permutation(names).tolist():
            table.add(name, made_up(rng))


def blank(project: Any, key: Any) -> np.ndarray:
    """An empty mask of a slice."""
    from activeseg.annotations import slice_geometry

    geometry = slice_geometry(project.cohort.volume(key.volume).geometry, key)
    shape = [count for count in reversed(geometry.size) if count != 1]
    return np.zeros(shape, dtype=np.uint8)


def made_up(rng: np.random.Generator) -> Any:
    """Scores of one volume; what shows nothing is as sure as a model is of such slices."""
    from activeseg.project.predictions import Scores
    from activeseg.quality import EVIDENCE

    shows = rng.random((SLICES, 2)) < SHOWN / 2
    some = shows.any(axis=1)
    evidence = rng.random((SLICES, 2, len(EVIDENCE) - 1))
    evidence[~shows] = np.nan
    unsure = rng.random(SLICES) * np.where(some, 1.0, 0.01)
    doubts = rng.choice(["liver: back border is uncertain", "spleen: is it there?"])
    words = np.where(some, doubts, "")
    return Scores(
        plane=np.repeat(list(VOLUME), list(VOLUME.values())),
        index=np.concatenate([np.arange(count) for count in VOLUME.values()]),
        size=rng.random((SLICES, 2)) * 5000 * shows,
        shows=shows,
        evidence=evidence,
        class_entropy=unsure[:, None] * rng.random((SLICES, 2)),
        uncertainty=unsure,
        band_entropy=unsure,
        whole_entropy=0.1 * unsure,
        epistemic=0.05 * unsure,
        seconds=10 + 60 * rng.random(SLICES) * some,
        blank_seconds=10 + 120 * rng.random(SLICES) * some,
        contour_mm=400 * rng.random(SLICES) * some,
        drawn=some & (rng.random(SLICES) < 0.3),
        how=np.where(some, "correct", "confirm"),
        doubt=words,
        energy=unsure,
        foreground_entropy=0.1 * unsure,
        top_patches=unsure,
        gradient=rng.random((SLICES, 9)) * unsure[:, None],
    )


if __name__ == "__main__":
    main()
