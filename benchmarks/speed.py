"""How fast the engine's heavy parts are here, as ratios measured in one run.

    python benchmarks/speed.py --quick

Absolute times say more about the machine than about the code; each row therefore names what it
is measured against. A row with another number of threads runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

CHILD = "--child"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="speed table of the engine")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument(CHILD, action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    repeat = 2 if arguments.quick else 5
    if arguments.child:
        print(json.dumps(measure(repeat)))
        return
    one, two = (run_child(threads, arguments.quick) for threads in (1, 2))
    rows = [
        ("training step, 2 threads", "training step, 1 thread", two["step"], one["step"]),
        ("plain pass, 2 threads", "plain pass, 1 thread", two["plain"], one["plain"]),
        ("one MC sample of the box", "plain pass of the volume", one["sample"], one["plain"]),
        ("scoring a volume, 6 samples", "plain pass of the volume", one["score"], one["plain"]),
    ]
    print(f"{'what':<30} {'against':<28} {'seconds':>9} {'ratio':>7}")
    for what, against, seconds, reference in rows:
        print(f"{what:<30} {against:<28} {seconds:>9.3f} {seconds / reference:>7.2f}")


def run_child(threads: int, quick: bool) -> dict[str, float]:
    """The times with some number of threads."""
    command = [sys.executable, __file__, CHILD, *(["--quick"] if quick else [])]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(repeat: int) -> dict[str, float]:
    """Median seconds of each part, on one phantom volume."""
    import numpy as np

    from activeseg.model.inference import SliceModel
    from activeseg.model.network import NetworkConfig
    from activeseg.model.scan import make_scan
    from activeseg.model.slices import labelled_slice
    from activeseg.model.training import Recipe, train
    from activeseg.phantom import make_volume
    from activeseg.progress import Silent
    from activeseg.project.one_volume import Scoring, score_scan

    volume = make_volume(0, seed=0)
    geometry = volume.geometry
    scan = make_scan(volume.image.astype("float32"), geometry, "ct", geometry.planes("auto"))
    label = geometry.to_canonical(volume.label)
    plane = geometry.acquisition_plane
    pixel_mm = min(geometry.slice_spacing(plane))
    axis = {"axial": 0, "coronal": 1, "sagittal": 2}[plane.value]
    slices = [
        labelled_slice(scan, plane, index, np.take(label, index, axis), pixel_mm)
        for index in range(geometry.slice_count(plane))
    ]
    config = NetworkConfig(2, (1, 2, 3), pixel_mm, "ct")
    names = ("organ", "vessel", "gland")
    steps = 10
    trained = train(slices, config, Recipe(steps=100), 0, Silent())
    model = SliceModel(trained.network, config)
    box = tuple(slice(n // 4, n - n // 4) for n in scan.shape)
    return {
        "step": median(lambda: train(slices, config, Recipe(steps=steps), 0, Silent()), repeat)
        / steps,
        "plain": median(lambda: model.probabilities(scan), repeat),
        "sample": median(lambda: list(model.samples(scan, 1, 0, (box[0], box[1], box[2]))), repeat),
        "score": median(lambda: score_scan(model, pixel_mm, scan, names, Scoring(), 0), repeat),
    }


def median(work: Callable[[], object], repeat: int) -> float:
    """Median seconds of some work, after a run that does not count."""
    work()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]


if __name__ == "__main__":
    main()
