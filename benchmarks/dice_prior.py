"""Which evidence says how much of a proposal's Dice: fits the prior of the estimate.

Trains on slices by chance, each model going on from the one before, scores the other volumes with
each, and regresses the true Dice of each structure of each slice on its evidence, weighed as
`activeseg.quality.DiceEstimator` weighs it. What the prior in `activeseg/quality/estimator.py`
says of each model is printed beside the truth.

    python benchmarks/dice_prior.py --cohort msd_hippocampus --slices 12,30,65
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from recipe import drawn, numbers
from scipy import stats

from activeseg.cohort import Cohort, open_cohort
from activeseg.loop.references import reference_slices
from activeseg.loop.split import only, split
from activeseg.model.inference import SliceModel
from activeseg.model.network import NetworkConfig, Weights
from activeseg.model.scan import axis_of
from activeseg.model.training import Recipe, train
from activeseg.progress import Silent
from activeseg.project.judged import DiceLedger
from activeseg.project.one_volume import Scoring, score_scan
from activeseg.project.scans import channel_table, cohort_network, scan_of
from activeseg.quality import EVIDENCE, dice, sizes_over

Floats = npt.NDArray[np.float64]


def main() -> None:
    """Fit once and print the weights, how each column ranks, and how far off the prior is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--slices", type=numbers, default=(12, 30, 65), help="ascending")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--volumes", type=int, default=20, help="scored volumes of the test set")
    parser.add_argument("--planes", default="auto", help="`axial` for the prior of one plane")
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    cohort = open_cohort(a.cohort)
    pool_ids, test_ids = split(cohort, a.seed, None, None)
    pool, test = only(cohort, pool_ids), only(cohort, test_ids[: a.volumes])
    config = cohort_network(pool, a.planes)
    order = drawn(pool, a.seed, a.planes)
    weights: Weights | None = None
    found = []
    for number, count in enumerate(a.slices):
        slices = reference_slices(pool, order[:count], config, a.planes, True, Silent())
        recipe = Recipe(steps=a.steps) if weights is None else Recipe(steps=a.steps).going_on()
        trained = train(slices, config, recipe, a.seed + 7919 * number, Silent(), weights)
        weights = trained.network.state_dict()
        found.append(_judged(SliceModel(trained.network, config), test, config, a.planes))
        _print_prior(count, a.planes == "auto", *found[-1])
    report(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _judged(
    model: SliceModel, test: Cohort, config: NetworkConfig, planes: str
) -> tuple[Floats, Floats, Floats]:
    """Evidence `[n, structures, evidence]`, size and true Dice `[n, structures]` of all slices."""
    names = [structure.name for structure in test.structures]
    channel_of = channel_table(config.structures)
    evidence, size, true = [], [], []
    for number, volume in enumerate(test.volumes):
        scan = scan_of(test, volume.id, planes)
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
    return np.concatenate(evidence), np.concatenate(size), np.array(true, dtype=float)


def _known(evidence: Floats, true: Floats) -> npt.NDArray[np.bool_]:
    """Where a structure is proposed and has a Dice."""
    known: npt.NDArray[np.bool_] = ~np.isnan(true)
    return known & ~np.isnan(evidence[..., EVIDENCE.index("fill")])


def _weight(size: Floats) -> Floats:
    return np.square(np.clip(size, 0.5, 2.5))


def _print_prior(
    count: int, several_views: bool, evidence: Floats, size: Floats, true: Floats
) -> None:
    """What the prior expects, and what is true."""
    rows = _known(evidence, true)
    missing = len(EVIDENCE) - evidence.shape[-1]  # what earlier rounds would say
    x = np.pad(evidence[rows], ((0, 0), (0, missing)), constant_values=np.nan)
    said, weight = DiceLedger.prior(several_views).slices(x, size[rows]).dice, _weight(size[rows])
    print(
        f"{count} slices: the prior expects {np.average(said, weights=weight):.3f}, true is "
        f"{np.average(true[rows], weights=weight):.3f}; mean error "
        f"{np.abs(said - true[rows]).mean():.3f}, Spearman "
        f"{stats.spearmanr(said, true[rows]).statistic:.3f}"
    )


def report(evidence: Floats, size: Floats, true: Floats) -> None:
    """Weighted ridge regression of the Dice on the evidence."""
    columns = EVIDENCE[: evidence.shape[-1]]
    rows = _known(evidence, true)
    x, y = np.nan_to_num(evidence[rows]), true[rows]
    weight = _weight(size[rows])
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
