"""How long the choice of a batch takes, and how much of the best possible it is proven to be.

    python benchmarks/choice.py --quick

Each case runs in a process of its own, on one thread: seconds are those of the choice alone, the
memory is the most that the process ever held, the made-up pool included. `proven` is the value as
a share of a bound that no choice can exceed; 100 % is a proven optimum.

In a `random` pool value and time of a slice know nothing of each other or of their volume. In a
`smooth` one both vary slowly along the volume, and volumes differ: what a model's scores are like.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FIRST_S = 15.0
FEATURES = 64
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A pool and a budget."""

    method: str
    pool: str
    volumes: int
    slices: int
    first_s: float
    budget_s: float

    @property
    def name(self) -> str:
        """How the table calls it."""
        charge = f"+{self.first_s:.0f} s a volume" if self.first_s else "plain"
        return f"{self.method}, {self.pool}, {charge}"


def cases(quick: bool) -> list[Case]:
    """What is measured; the budgets of a million slices are worth about 500 of them."""
    many = 100 if quick else 1000
    found = [
        Case("knapsack", "random", many, 1000, 0.0, 5_200.0),
        Case("knapsack", "smooth", many, 1000, 0.0, 10_800.0),
        Case("coverage", "random", many, 1000, 0.0, 5_500.0),
        Case("coverage", "smooth", many, 1000, 0.0, 10_800.0),
        Case("coverage", "random", many, 1000, FIRST_S, 7_000.0),
    ]
    for volumes in (100,) if quick else (100, 1000):
        for pool in ("random", "smooth"):
            for budget_s in (600.0, 1_800.0, 10_800.0):
                found.append(Case("knapsack", pool, volumes, 300, FIRST_S, budget_s))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="speed and proof of the choice of a batch")
    parser.add_argument("--quick", action="store_true", help="100,000 slices instead of 1,000,000")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    every = cases(arguments.quick)
    if arguments.child is not None:
        print(json.dumps(measure(every[arguments.child])))
        return
    print(
        f"{'what':<34} {'pool':>11} {'budget s':>8} {'chosen':>6} {'seconds':>8} {'MB':>6} proven"
    )
    for number, case in enumerate(every):
        row = run_child(number, arguments.quick)
        pool = f"{case.volumes} x {case.slices}"
        print(
            f"{case.name:<34} {pool:>11} {case.budget_s:>8.0f} {row['chosen']:>6.0f} "
            f"{row['seconds']:>8.2f} {row['mb']:>6.0f} {100 * row['proven']:.4g} %",
            flush=True,
        )


def run_child(number: int, quick: bool) -> dict[str, float]:
    """One case in a process of its own."""
    command = [sys.executable, __file__, "--child", str(number), *(["--quick"] if quick else [])]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        command, env=os.environ | single, check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(case: Case) -> dict[str, float]:
    """Seconds, memory and proof of one case."""
    from activeseg.sampling.optimise import cover, solve_knapsack

    rng = np.random.default_rng(0)
    values, seconds = {"random": random_pool, "smooth": smooth_pool}[case.pool](case, rng)
    groups = np.repeat(np.arange(case.volumes, dtype=np.int32), case.slices)
    if case.method == "knapsack":
        start = time.perf_counter()
        packed = solve_knapsack(values, seconds, groups, case.first_s, case.budget_s)
        took, chosen, proven = time.perf_counter() - start, packed.rows.size, 1 - packed.gap
    else:
        features = clustered(case, rng)
        start = time.perf_counter()
        covered = cover(0.002 * values, seconds, groups, case.first_s, case.budget_s, features, rng)
        took, chosen, proven = time.perf_counter() - start, covered.rows.size, covered.share
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    mb = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"seconds": took, "mb": mb, "chosen": float(chosen), "proven": proven}


def random_pool(case: Case, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Values and seconds without any order."""
    count = case.volumes * case.slices
    return rng.random(count), rng.uniform(10, 120, count)


def smooth_pool(case: Case, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Values and seconds that follow an organ through each volume."""
    along = np.linspace(0, 1, case.slices)
    area = np.sin(np.pi * np.clip((along - 0.15) / 0.7, 0, 1))
    level = np.exp(0.5 * rng.normal(size=(case.volumes, 1)))
    values = level * np.exp(0.5 * waves(case, rng, along)) * area
    seconds = 10 + 110 * area * np.clip(0.5 + 0.3 * waves(case, rng, along), 0.05, 1)
    return values.ravel(), seconds.ravel()


def waves(case: Case, rng: np.random.Generator, along: Floats) -> Floats:
    """A smooth random curve for each volume, `[volumes, slices]`."""
    found = np.zeros((case.volumes, along.size))
    for order in range(1, 8):
        height = rng.normal(size=(case.volumes, 1)) / order
        phase = rng.uniform(0, 2 * np.pi, (case.volumes, 1))
        found += height * np.sin(np.pi * order * along + phase)
    return found


def clustered(case: Case, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Features that are alike within a volume."""
    centres = rng.standard_normal((case.volumes, FEATURES), np.float32)
    spread = rng.standard_normal((case.volumes * case.slices, FEATURES), np.float32)
    spread *= np.float32(0.7)
    spread += np.repeat(centres, case.slices, axis=0)
    return spread


if __name__ == "__main__":
    main()
