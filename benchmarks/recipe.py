"""What a training recipe reaches with some random slices of a cohort: the recipe's experiments.

    python benchmarks/recipe.py --cohort DIR --slices 12,26,45,75,120 --steps 600
    python benchmarks/recipe.py --cohort DIR --slices 80 --steps 600 --norm instance
    python benchmarks/recipe.py --cohort DIR --slices 12,26,61,129 --last-steps 1200,6000

Trains on random slices of the pool's volumes that show a structure (their reference labels, no
simulated clinician), a slice of every volume before a second of any, and prints the mean Dice on
whole test volumes. Of several numbers of slices each model goes on from the one before, as in the
rounds of a project, unless `--fresh`. docs/experiments.md names the runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
from torch import nn

from activeseg.cohort import Cohort, open_cohort
from activeseg.keys import Plane, SliceKey
from activeseg.loop.evaluation import Quality, evaluate
from activeseg.loop.references import reference_slices
from activeseg.loop.split import only, split
from activeseg.model.inference import SliceModel
from activeseg.model.network import NetworkConfig, Weights, build
from activeseg.model.scan import axis_of
from activeseg.model.training import Recipe, train
from activeseg.progress import Silent
from activeseg.project.scans import cohort_network


def main() -> None:
    """Train and print a line for each number of slices."""
    a = _arguments()
    cohort = open_cohort(a.cohort)
    pool_ids, test_ids = split(cohort, a.seed, a.pool, a.test)
    pool, test = only(cohort, pool_ids), only(cohort, test_ids)
    config = cohort_network(pool, "auto")
    order = drawn(pool, a.seed, "auto")
    weights: Weights | None = None
    with patch("activeseg.model.training.build", _with_norm(a.norm)):
        for number, count in enumerate(a.slices):
            slices = reference_slices(pool, order[:count], config, "auto", not a.alone, Silent())
            last = number == len(a.slices) - 1
            before = weights
            for steps in a.last_steps if last and a.last_steps else (a.steps,):
                recipe = Recipe(steps=steps, batch=a.batch, learning_rate=a.rate)
                recipe = recipe if before is None else recipe.going_on()
                start = time.process_time()
                trained = train(slices, config, recipe, a.seed + 7919 * number, Silent(), before)
                seconds = time.process_time() - start
                if not a.fresh:
                    weights = trained.network.state_dict()
                quality = evaluate(SliceModel(trained.network, config), test, "auto", Silent())
                told = f"{len(slices)} slices, {steps} steps, {seconds:.0f} s: {_told(quality)}"
                print(told, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--slices", type=numbers, default=(80,), help="one or several, ascending")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument(
        "--last-steps", type=numbers, help="the last model, with each of these from the one before"
    )
    parser.add_argument("--batch", type=int, default=Recipe().batch)
    parser.add_argument("--rate", type=float, default=Recipe().learning_rate)
    parser.add_argument("--norm", choices=("batch", "instance"), default="batch")
    parser.add_argument("--alone", action="store_true", help="without propagation")
    parser.add_argument("--fresh", action="store_true", help="each from fresh weights")
    parser.add_argument("--pool", type=int, default=30)
    parser.add_argument("--test", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers, between commas."""
    return tuple(int(each) for each in text.split(","))


def _told(quality: Quality) -> str:
    """Mean Dice, and that of each structure."""
    known = [f"{name} {v:.4f}" for name, v in quality.structures.items() if v is not None]
    return f"Dice {quality.dice:.4f} ({' '.join(known)})"


def drawn(pool: Cohort, seed: int, planes: str) -> list[SliceKey]:
    """All slices of the pool that show a structure, in the order in which they are taken."""
    rng = np.random.default_rng(100 + seed)
    values = [structure.value for structure in pool.structures]
    turns: list[tuple[int, int, SliceKey]] = []
    for number, volume in enumerate(pool.volumes):
        geometry = volume.geometry
        there = np.isin(geometry.to_canonical(pool.read_label(volume.id)), values)
        shown = [
            SliceKey(volume.id, plane, int(index))
            for plane in geometry.planes(planes)
            for index in np.flatnonzero(there.any(axis=_others(plane)))
        ]
        turns += [
            (turn, number, shown[k]) for turn, k in enumerate(rng.permutation(len(shown)).tolist())
        ]
    places = rng.permutation(len(pool.volumes))
    turns.sort(key=lambda each: (each[0], places[each[1]]))
    return [each for _, _, each in turns]


def _others(plane: Plane) -> tuple[int, ...]:
    """The axes within a slice of a canonical array."""
    return tuple(axis for axis in range(3) if axis != axis_of(plane))


def _with_norm(norm: str) -> Callable[[NetworkConfig], nn.Module]:
    """The built-in network, with instance norm in place of batch norm where that is asked for."""

    def with_norm(config: NetworkConfig) -> nn.Module:
        network = build(config)
        if norm == "instance":
            for module in list(network.modules()):
                for name, child in list(module.named_children()):
                    if isinstance(child, nn.BatchNorm2d):
                        setattr(module, name, nn.InstanceNorm2d(child.num_features))
        return network

    return with_norm


if __name__ == "__main__":
    main()
