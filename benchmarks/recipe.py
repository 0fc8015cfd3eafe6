"""What a training recipe reaches with some random slices of a cohort: the recipe's experiments.

    python benchmarks/recipe.py --cohort DIR --slices 80 --steps 300 --norm batch

Trains on random slices of the pool's volumes (their reference labels, no simulated clinician)
and prints the mean Dice on whole test volumes. docs/experiments.md names the runs.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
from torch import nn

from activeseg.cohort import open_cohort
from activeseg.loop.evaluation import evaluate
from activeseg.loop.full import pool_slices
from activeseg.loop.split import only, split
from activeseg.model.inference import SliceModel
from activeseg.model.network import NetworkConfig, build
from activeseg.model.training import Recipe, train
from activeseg.progress import Silent
from activeseg.project.scans import cohort_network


def main() -> None:
    """Train once and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=80)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=Recipe().batch)
    parser.add_argument("--norm", choices=("batch", "instance"), default="batch")
    parser.add_argument("--pool", type=int, default=30)
    parser.add_argument("--test", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    def with_norm(config: NetworkConfig) -> nn.Module:
        network = build(config)
        if arguments.norm == "instance":
            for module in list(network.modules()):
                for name, child in list(module.named_children()):
                    if isinstance(child, nn.BatchNorm2d):
                        setattr(module, name, nn.InstanceNorm2d(child.num_features))
        return network

    cohort = open_cohort(arguments.cohort)
    pool_ids, test_ids = split(cohort, arguments.seed, arguments.pool, arguments.test)
    pool, test = only(cohort, pool_ids), only(cohort, test_ids)
    config = cohort_network(pool, "auto")
    everything = pool_slices(pool, config, "auto", Silent())
    chosen = np.random.default_rng(arguments.seed).permutation(len(everything))[: arguments.slices]
    slices = [everything[number] for number in chosen]
    start = time.process_time()
    with patch("activeseg.model.training.build", with_norm):
        trained = train(
            slices,
            [],
            config,
            Recipe(steps=arguments.steps, batch=arguments.batch),
            arguments.seed,
            Silent(),
        )
    seconds = time.process_time() - start
    quality = evaluate(SliceModel(trained.network, config), test, "auto", Silent())
    structures = " ".join(f"{n} {v:.3f}" for n, v in quality.structures.items() if v is not None)
    print(
        f"slices {len(slices)} steps {arguments.steps} batch {arguments.batch} "
        f"norm {arguments.norm} seed {arguments.seed}: {seconds:.0f} s, "
        f"Dice {quality.dice:.3f} ({structures})"
    )


if __name__ == "__main__":
    main()
