"""Which evidence says how much of a proposal's Dice: fits the prior of the estimate.

Trains on slices drawn by chance, scores the other volumes, and regresses the true Dice of each
structure of each slice on its evidence, weighed as `activeseg.quality.DiceEstimator` weighs it.
The numbers in `activeseg/quality/estimator.py` are those of

    python benchmarks/dice_prior.py --cohort msd_hippocampus --slices 240

and its like with 80 slices and other seeds, rounded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import stats

from activeseg.cohort import open_cohort
from activeseg.loop.references import every_slice, reference_slices
from activeseg.loop.split import only, split
from activeseg.model.inference import SliceModel
from activeseg.model.scan import axis_of
from activeseg.model.training import Recipe, train
from activeseg.progress import Silent
from activeseg.project.one_volume import Scoring, score_scan
from activeseg.project.scans import channel_table, cohort_network, scan_of
from activeseg.quality import EVIDENCE, dice, sizes_over


def main() -> None:
    """Fit once and print the weights and how each column ranks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=240)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--volumes", type=int, default=60, help="scored volumes of the test set")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    cohort = open_cohort(a.cohort)
    pool_ids, test_ids = split(cohort, a.seed, None, None)
    pool, test = only(cohort, pool_ids), only(cohort, test_ids[: a.volumes])
    config = cohort_network(pool, "auto")
    keys = every_slice(pool, "auto")
    chosen = np.random.default_rng(a.seed).permutation(len(keys))[: a.slices]
    slices = reference_slices(
        pool, [keys[number] for number in chosen], config, "auto", False, Silent()
    )
    trained = train(slices, config, Recipe(steps=a.steps), a.seed, Silent())
    model = SliceModel(trained.network, config, trained.members)

    names = [structure.name for structure in cohort.structures]
    channel_of = channel_table(config.structures)
    evidence, size, true = [], [], []
    for number, volume in enumerate(test.volumes):
        scan = scan_of(test, volume.id, "auto")
        found = score_scan(model, config.pixel_mm, scan, names, Scoring(), number)
        truth = channel_of[volume.geometry.to_canonical(test.read_label(volume.id))]
        evidence.append(found.scores.evidence)
        shows = found.scores.shows
        mean = found.scores.size.sum(axis=0, where=shows) / np.maximum(shows.sum(axis=0), 1)
        size.append(sizes_over(found.scores.size, mean))
        for plane in scan.planes:
            axis = axis_of(plane)
            for index in range(scan.shape[axis]):
                ours, theirs = np.take(found.labels, index, axis), np.take(truth, index, axis)
                true.append([dice(ours, theirs, c + 1) for c in range(len(names))])
    report(np.concatenate(evidence), np.concatenate(size), np.array(true))


def report(evidence: np.ndarray, size: np.ndarray, true: np.ndarray) -> None:
    """Weighted ridge regression of the Dice on the evidence."""
    columns = EVIDENCE[: evidence.shape[-1]]
    rows = ~np.isnan(true) & ~np.isnan(evidence[..., columns.index("fill")])
    x, y = np.nan_to_num(evidence[rows]), true[rows]
    weight = np.square(np.clip(size[rows], 0.5, 2.5))
    typical = np.average(x, axis=0, weights=weight)
    centred = x - typical
    gram = (centred.T * weight) @ centred + 50 * np.eye(len(columns))
    weights = np.linalg.solve(gram, (centred.T * weight) @ (y - np.average(y, weights=weight)))
    print(f"{len(y)} structures of slices, mean Dice {np.average(y, weights=weight):.3f}")
    print(f"{'evidence':<12}{'typical':>9}{'weight':>9}{'Spearman':>10}")
    for k, name in enumerate(columns):
        rank = stats.spearmanr(x[:, k], y).statistic
        print(f"{name:<12}{typical[k]:9.2f}{weights[k]:9.2f}{rank:10.3f}")
    fitted = centred @ weights
    print(f"{'together':<12}{'':9}{'':9}{stats.spearmanr(fitted, y).statistic:10.3f}")


if __name__ == "__main__":
    main()
