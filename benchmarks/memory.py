"""The most memory that each step of a round holds, for volumes of any size.

    python benchmarks/memory.py --grid 512,512,600

Two volumes of the built-in phantom, enlarged to that many columns, rows and slices (0.8 x 0.8 x
1 mm), as a project of their own: the first batch, the answers of a simulated clinician, training,
scoring, the next batch, and a whole prediction. Each step is a process of its own, and its memory
the most that it ever held; `nothing` is a process that loads what scoring loads. Reading and
writing of images through SimpleITK is part of it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPACING_MM = (0.8, 0.8, 1.0)
LIMIT_MB = 2500

NOTHING = "import torch, monai.networks.nets, SimpleITK, activeseg.project.scoring"
ANSWERS = """
import sys
from pathlib import Path
from activeseg.oracle import Oracle
from activeseg.progress import Silent
from activeseg.project import Project
Oracle(Project.open(Path(sys.argv[1])), 0).answer_batch(Silent())
"""


def main() -> None:
    """Print one row a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grid", default="512,512,600", help="columns, rows, slices")
    parser.add_argument("--minutes", type=float, default=15.0, help="of each batch")
    parser.add_argument("--steps", type=int, default=600, help="of training")
    a = parser.parse_args()
    grid = tuple(map(int, a.grid.split(",")))
    with tempfile.TemporaryDirectory() as folder:
        cohort, project = Path(folder) / "cohort", str(Path(folder) / "project")
        write_cohort(cohort, grid)
        verb = ["-m", "activeseg"]
        minutes = ["--minutes", str(a.minutes)]
        steps = {
            "nothing": ["-c", NOTHING],
            "init": [*verb, "init", project, "--cohort", str(cohort)],
            "suggest, before any model": [*verb, "suggest", project, *minutes],
            "answers": ["-c", ANSWERS, project],
            "train": [*verb, "train", project, "--steps", str(a.steps)],
            "score": [*verb, "score", project],
            "suggest": [*verb, "suggest", project, *minutes],
            "predict": [*verb, "predict", project, "large0", "-o", f"{folder}/out.nii.gz"],
        }
        print(f"two volumes of {' x '.join(map(str, grid))} voxels\n")
        print("| step | most memory, MB | seconds |\n|---|---:|---:|")
        worst = 0.0
        for name, command in steps.items():
            megabytes, seconds = most_memory(command)
            worst = max(worst, megabytes)
            print(f"| {name} | {megabytes:.0f} | {seconds:.0f} |", flush=True)
    print(f"\nmost of all: {worst:.0f} MB; aimed at: {LIMIT_MB} MB or less")


def most_memory(command: list[str]) -> tuple[float, float]:
    """Run Python and give the most megabytes that it held at once, and the seconds it took."""
    begun = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    child = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {child.returncode}")
    return usage.ru_maxrss / 1024, time.perf_counter() - begun


def write_cohort(folder: Path, grid: tuple[int, ...]) -> None:
    """Two phantoms, enlarged."""
    import SimpleITK as sitk

    from activeseg.phantom import make_volume

    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    for number in range(2):
        made = make_volume(number, 0)
        for kind, array, how in (
            ("images", made.image, sitk.sitkLinear),
            ("labels", made.label, sitk.sitkNearestNeighbor),
        ):
            small = sitk.GetImageFromArray(array)
            small.SetSpacing(
                [n * mm / m for n, mm, m in zip(grid, SPACING_MM, small.GetSize(), strict=True)]
            )
            large = sitk.Resample(small, grid, sitk.Transform(), how, (0, 0, 0), SPACING_MM)
            sitk.WriteImage(large, str(folder / kind / f"large{number}.nii.gz"), True)


if __name__ == "__main__":
    main()
