"""What scoring a cohort costs, in plain passes over it, and whether it still finds the same slices.

    python benchmarks/speed.py --quick
    python benchmarks/speed.py --cohort DIR --structures A,B --volumes 20

Same network, same volumes, one thread, one run; each figure is the median over the repeats of the
processor's seconds (the clock's say more about what else the machine does). A network is trained
for the cohort first, from the reference labels of some slices, or read (`--model`). Every way reads
the images from the disk. Beside ours: the same number of passes one after the other, each over the
whole volume; and the rule of MONAI Label 0.8.5's epistemic scoring as METHODS describe it, which
reads the image again for each of its 10 passes and keeps all of them.

The ranking is held against 20 passes with dropout in every layer: Spearman's rank correlation over
all slices of what the default ranks by (expected gain per second), of the entropy in the band, and
the share of the value, as those 20 passes see it, that is in the batch of some minutes; means of
several seeds, of the value the least and the most, too.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
import SimpleITK
import torch
from scipy.stats import spearmanr
from torch import nn

from activeseg.cohort import Cohort, open_cohort
from activeseg.keys import SliceKey
from activeseg.loop.references import reference_slices
from activeseg.model.inference import SliceModel, dropout_only
from activeseg.model.scan import Scan, axis_of
from activeseg.model.training import Recipe, train
from activeseg.phantom import write_phantom
from activeseg.progress import Silent
from activeseg.project.judged import DiceLedger
from activeseg.project.one_volume import Scoring, score_scan
from activeseg.project.predictions import Scores
from activeseg.project.scans import cohort_network, scan_for
from activeseg.quality import EVIDENCE, expected_gain, sizes_over

Floats = npt.NDArray[np.float64]

FULL = Scoring(samples="full-dropout", passes=20)
MONAI_LABEL_PASSES = 10
LEARNED_SLICES = 60

SEEDS = 5
"""Of each way of scoring, for the ranking: what is in a batch changes with the passes' chance."""


def main() -> None:
    """Measure and print the tables."""
    a = _arguments()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = a.cohort or _phantom(Path(folder), 4 if a.quick else 8, a.grid)
        cohort = open_cohort(root, a.structures)
        model = SliceModel.from_checkpoint(a.model) if a.model else _trained(cohort, a.quick)
        ids = [volume.id for volume in cohort.volumes[: a.volumes]]
        bench = Bench(cohort, ids, model, 2 if a.quick else a.repeats)
        print(f"{len(ids)} volumes, median {_median_shape(bench)} voxels\n")
        _print_times(bench)
        print()
        _print_ranking(bench, a.minutes)
        print()
        _print_floor(bench)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="speed table of scoring")
    parser.add_argument("--quick", action="store_true", help="phantom volumes, fewer repeats")
    parser.add_argument("--cohort", type=Path, help="default: the built-in phantom")
    parser.add_argument(
        "--grid",
        type=lambda text: tuple(map(int, text.split(","))),
        default=(),
        help="the phantom's",
    )
    parser.add_argument("--structures", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--model", type=Path, help="a model.pt instead of training one")
    parser.add_argument("--volumes", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=30.0, help="of the batch that is compared")
    return parser.parse_args()


@dataclass(frozen=True)
class Bench:
    """What is measured on."""

    cohort: Cohort
    ids: list[str]
    model: SliceModel
    repeats: int

    def scan(self, volume: str) -> Scan:
        """One volume, from the disk."""
        return scan_for(self.model, self.cohort, volume, "auto")

    def seconds(self, ways: dict[str, Callable[[str], object]]) -> dict[str, float]:
        """Median of the processor's seconds for a volume, once over all of them each time.

        The ways take turns, after one volume each that does not count: what comes first in a
        process pays for memory that the others find there.
        """
        for work in ways.values():
            work(self.ids[0])
        found: dict[str, list[float]] = {what: [] for what in ways}
        for _ in range(self.repeats):
            for what, work in ways.items():
                begun = time.process_time()
                for volume in self.ids:
                    work(volume)
                found[what].append((time.process_time() - begun) / len(self.ids))
        return {what: statistics.median(each) for what, each in found.items()}

    def scored(self, volume: str, scoring: Scoring, seed: int = 0) -> Scores:
        """The scores of a volume."""
        names = [structure.name for structure in self.cohort.structures]
        pixel_mm = self.model.config.pixel_mm
        return score_scan(self.model, pixel_mm, self.scan(volume), names, scoring, seed).scores

    def table(self, scoring: Scoring, seed: int = 0) -> tuple[Scores, list[str]]:
        """The scores of all volumes, and the volume of each row."""
        parts = [self.scored(each, scoring, seed + n) for n, each in enumerate(self.ids)]
        rows = [name for name, part in zip(self.ids, parts, strict=True) for _ in part.index]
        return Scores.join(parts), rows


def _print_times(bench: Bench) -> None:
    model = bench.model
    ways: dict[str, Callable[[str], object]] = {
        "a plain pass over the whole volume": lambda v: model.probabilities(bench.scan(v)),
        "scoring, 6 passes (the default)": lambda v: bench.scored(v, Scoring()),
        "scoring, 20 passes": lambda v: bench.scored(v, Scoring(passes=20)),
        "scoring, 20 passes with dropout in every layer": lambda v: bench.scored(v, FULL),
        "20 passes over the whole volume, nothing else": lambda v: _loop(bench, v, 20),
        "MONAI Label's rule, 10 passes": lambda v: _monai_label(bench, v),
    }
    print("| what | seconds a volume | plain passes |\n|---|---:|---:|")
    found = bench.seconds(ways)
    plain = next(iter(found.values()))
    for what, took in found.items():
        print(f"| {what} | {took:.3f} | {took / plain:.2f} |", flush=True)


def _loop(bench: Bench, volume: str, passes: int) -> float:
    """Passes over the whole volume in all its planes, summed up."""
    scan, model = bench.scan(volume), bench.model
    total = 0.0
    for _ in range(passes):
        total += float(_stochastic(model, scan)[0].mean())
    return total


def _monai_label(bench: Bench, volume: str) -> float:
    """Entropy of the mean of passes that each read the image again, all of them kept."""
    found = [_stochastic(bench.model, bench.scan(volume)) for _ in range(MONAI_LABEL_PASSES)]
    mean = np.array(found).mean(axis=0)
    return float(-(mean * np.log(mean + 1e-6)).sum(axis=0).mean())


def _stochastic(model: SliceModel, scan: Scan) -> npt.NDArray[np.float32]:
    """One pass of MC dropout in all planes, as torch does it."""
    try:
        dropout_only(model._network)
        return model._fused(scan, scan.box)
    finally:
        model._network.eval()


def _print_ranking(bench: Bench, minutes: float) -> None:
    full, rows = bench.table(FULL)
    value, seconds = _value(full), full.seconds
    best = _batch(value / seconds, seconds, minutes)
    print("| against 20 passes with dropout in every layer | gain per second | entropy | value |")
    print("|---|---:|---:|---:|")
    ways = {
        "the same again, another seed": FULL,
        "20 passes": Scoring(passes=20),
        "6 passes (the default)": Scoring(),
    }
    for what, scoring in ways.items():
        found = []
        for seed in range(SEEDS):
            other, _ = bench.table(scoring, seed=1000 * (1 + seed))
            rank = spearmanr(value / seconds, _value(other) / other.seconds).statistic
            entropy = spearmanr(full.uncertainty, other.uncertainty).statistic
            chosen = _batch(_value(other) / other.seconds, seconds, minutes)
            found.append((rank, entropy, value[chosen].sum() / value[best].sum()))
        rank, entropy, share = np.mean(found, axis=0)
        least, most = (of(each[2] for each in found) for of in (min, max))
        shown = f"{share:.1%} ({least:.1%} to {most:.1%})"
        print(f"| {what} | {rank:.3f} | {entropy:.3f} | {shown} |", flush=True)
    print(f"\n{len(rows)} slices; value: expected gain in the best batch of {minutes:g} minutes.")


def _value(scores: Scores) -> Floats:
    """Expected gain of each slice, as before any answer."""
    estimator = DiceLedger.prior(len(np.unique(scores.plane)) > 1)
    trend = np.full((*scores.evidence.shape[:2], 1), np.nan)
    evidence = np.concatenate([scores.evidence, trend], axis=2).reshape(-1, len(EVIDENCE))
    counted = np.where(scores.shows, scores.size, np.nan)
    mean = np.nan_to_num(np.nanmean(np.vstack([counted, np.zeros(counted.shape[1])]), axis=0))
    shown = sizes_over(scores.size, mean)
    dice = estimator.slices(evidence, shown.ravel()).dice.reshape(shown.shape)
    return expected_gain(np.where(scores.shows, dice, np.nan), shown)


def _batch(rate: Floats, seconds: Floats, minutes: float) -> npt.NDArray[np.intp]:
    """The best slices by value per second, as many as the minutes pay for."""
    order = np.argsort(-rate, kind="stable")
    return order[: max(1, int(np.searchsorted(np.cumsum(seconds[order]), 60 * minutes)))]


def _print_floor(bench: Bench) -> None:
    """What the machine could do at best: operations and bytes of a plain pass."""
    scan = bench.scan(bench.ids[0])
    operations = _operations(bench.model, scan)
    largest = torch.rand(1024, 1024).bfloat16()
    rate = 2 * 1024**3 / _best(lambda: largest @ largest)
    block = np.zeros(1 << 25, dtype=np.float32)
    moved = 2 * block.nbytes / _best(lambda: block.copy())
    image = scan.channels.nbytes * len(scan.planes) * 3
    answers = 4 * math.prod(scan.shape) * (1 + len(bench.cohort.structures)) * len(scan.planes)
    print("| floor of a plain pass over the first volume | amount | at | seconds |")
    print("|---|---:|---:|---:|")
    print(
        f"| convolutions | {operations / 1e9:.2f} GFLOP | {rate / 1e9:.0f} GFLOP/s (bfloat16 "
        f"matrix product) | {operations / rate:.4f} |"
    )
    print(
        f"| images in, probabilities out | {(image + answers) / 1e6:.1f} MB | {moved / 1e9:.1f} "
        f"GB/s (copy) | {(image + answers) / moved:.4f} |"
    )


def _operations(model: SliceModel, scan: Scan) -> float:
    """Floating-point operations of all convolutions of a plain pass."""
    found = 0.0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal found
        over = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        found += 2.0 * layer.weight.numel() * len(over) * math.prod(over.shape[2:])

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    layers = [each for each in model._network.modules() if isinstance(each, kinds)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    model.probabilities(scan)
    for hook in hooks:
        hook.remove()
    return found


def _best(work: Callable[[], object]) -> float:
    """The least of the clock's seconds of a few runs."""
    found = []
    for _ in range(7):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def _median_shape(bench: Bench) -> str:
    shapes = [bench.cohort.volume(each).geometry.shape for each in bench.ids]
    return " x ".join(f"{n:g}" for n in np.median(shapes, axis=0))


def _phantom(folder: Path, volumes: int, grid: tuple[int, ...]) -> Path:
    """The built-in cohort, on another grid of voxels if one is given."""
    write_phantom(folder / "phantom", volumes, 0)
    for file in (folder / "phantom").glob("*/*.nii.gz") if grid else ():
        image = SimpleITK.ReadImage(str(file))
        mm = [
            n * step / to
            for n, step, to in zip(image.GetSize(), image.GetSpacing(), grid, strict=True)
        ]
        kind = (
            SimpleITK.sitkNearestNeighbor if file.parent.name == "labels" else SimpleITK.sitkLinear
        )
        frame = (image.GetOrigin(), mm, image.GetDirection())
        larger = SimpleITK.Resample(image, grid, SimpleITK.Transform(), kind, *frame)
        SimpleITK.WriteImage(larger, str(file))
    return folder / "phantom"


def _trained(cohort: Cohort, quick: bool) -> SliceModel:
    """A network that has learned from some slices of the cohort."""
    config = cohort_network(cohort, "auto")
    rng, keys = np.random.default_rng(0), []
    values = [structure.value for structure in cohort.structures]
    for volume in rng.permutation([each.id for each in cohort.volumes])[: LEARNED_SLICES // 2]:
        geometry = cohort.volume(volume).geometry
        label = np.isin(geometry.to_canonical(cohort.read_label(volume)), values)
        plane = geometry.acquisition_plane
        shown = np.flatnonzero(np.moveaxis(label, axis_of(plane), 0).any(axis=(1, 2)))
        for index in rng.choice(shown, min(2, len(shown)), replace=False).tolist():
            keys.append(SliceKey(volume, plane, index))
    slices = reference_slices(cohort, keys, config, "auto", False, Silent())
    recipe = replace(Recipe(), steps=100) if quick else Recipe()
    return SliceModel(train(slices, config, recipe, 0, Silent()).network, config)


if __name__ == "__main__":
    main()
