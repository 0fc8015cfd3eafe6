"""From a map of uncertainty to one number a slice, and from those to one a volume.

The mean over a whole slice grows with the organ and asks for big slices that are segmented well
already, so the default is the mean over a band round the predicted foreground; the others are
there by name, as baselines and for who wants them. All arrays are canonical, `[S, P, L]`, and
`axis` is the one that is cut: 0 axial, 1 coronal, 2 sagittal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "AGGREGATIONS",
    "Aggregation",
    "band_mean",
    "band_sum",
    "class_entropy",
    "per_area",
    "presence",
    "slice_mean",
    "top_patches",
    "volume_rank",
]

Aggregation: TypeAlias = Callable[
    [npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.integer], int],
    npt.NDArray[np.float64],
]
"""From map, band and proposal, each `[S, P, L]`, and the axis to `[n_slices]`."""

HALF_PRESENT = 0.1

LEAST_AREA = 0.25
"""Share of a slice's band that its predicted area counts for at least, in `per_area`."""

PATCHES = 4
PATCH_PIXELS = 8


def band_sum(
    map3d: npt.NDArray[np.float32], band3d: npt.NDArray[np.bool_], axis: int
) -> npt.NDArray[np.float64]:
    """Sum of the map over the band, slice by slice.

    Args:
        map3d: `[S, P, L]`.
        band3d: `[S, P, L]`.
        axis: The axis that is cut: 0 axial, 1 coronal, 2 sagittal.

    Returns:
        `[n_slices]`.
    """
    total: npt.NDArray[np.float64] = np.sum(
        map3d, axis=_others(axis), where=band3d, dtype=np.float64
    )
    return total


def band_mean(
    map3d: npt.NDArray[np.float32], band3d: npt.NDArray[np.bool_], axis: int
) -> npt.NDArray[np.float64]:
    """Mean of the map over the band, slice by slice; 0 where a slice has no band.

    Args and returns are those of `band_sum`.
    """
    voxels = np.count_nonzero(band3d, axis=_others(axis))
    mean: npt.NDArray[np.float64] = band_sum(map3d, band3d, axis) / np.maximum(voxels, 1)
    return mean


def per_area(
    map3d: npt.NDArray[np.float32],
    band3d: npt.NDArray[np.bool_],
    proposal3d: npt.NDArray[np.integer],
    axis: int,
) -> npt.NDArray[np.float64]:
    """Sum over the band divided by the slice's predicted area in pixels.

    The area counts for at least a quarter of the band, so that a slice on which the model sees
    nothing or next to nothing does not become infinite: its value is at most 4 times the band's
    mean. A band of reach R round a disc of radius r holds (1 + R / r)^2 times the disc's area,
    which is 4 at r = R: only what is smaller than the band's own reach meets the floor.

    Args:
        map3d: `[S, P, L]`.
        band3d: `[S, P, L]`.
        proposal3d: `[S, P, L]` label values, 0 is background.
        axis: The axis that is cut.

    Returns:
        `[n_slices]`; 0 where a slice has no band.
    """
    others = _others(axis)
    area = np.count_nonzero(proposal3d, axis=others)
    least = LEAST_AREA * np.count_nonzero(band3d, axis=others)
    # A band of one voxel is the least there is; without a band the sum is 0.
    floor = np.maximum(np.maximum(area, least), LEAST_AREA)
    value: npt.NDArray[np.float64] = band_sum(map3d, band3d, axis) / floor
    return value


def slice_mean(map3d: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float64]:
    """Mean of the map over each whole slice: the baseline `entropy-mean`.

    Args:
        map3d: `[S, P, L]`.
        axis: The axis that is cut.

    Returns:
        `[n_slices]`.
    """
    mean: npt.NDArray[np.float64] = map3d.mean(axis=_others(axis), dtype=np.float64)
    return mean


def top_patches(
    map3d: npt.NDArray[np.float32],
    axis: int,
    count: int = PATCHES,
    side: int = PATCH_PIXELS,
) -> npt.NDArray[np.float64]:
    """Sum of the means of the most uncertain patches of each slice.

    Kuo et al., Cost-Sensitive Active Learning for Intracranial Hemorrhage Detection, MICCAI 2018:
    a few uncertain places count, and the certain rest of the slice does not dilute them. The
    patches tile the slice, as few as are no longer than `side`, equal to within one pixel: no
    sliver is left at an edge, whose mean would be that of a few pixels.

    Args:
        map3d: `[S, P, L]`.
        axis: The axis that is cut.
        count: How many patches are summed up, at least 1; all of them where a slice has fewer.
        side: Longest side of a patch in pixels.

    Returns:
        `[n_slices]`, from 0 to `count` times the map's largest value.
    """
    slices = np.moveaxis(map3d, axis, 0)
    rows, columns = (_cuts(pixels, side) for pixels in slices.shape[1:])
    total = np.add.reduceat(slices, rows[:-1], axis=1, dtype=np.float64)
    total = np.add.reduceat(total, columns[:-1], axis=2)
    mean = (total / np.outer(np.diff(rows), np.diff(columns))).reshape(len(slices), -1)
    mean.sort(axis=1)
    value: npt.NDArray[np.float64] = mean[:, -count:].sum(axis=1)
    return value


AGGREGATIONS: dict[str, Aggregation] = {
    "slice-mean": lambda map3d, band3d, proposal3d, axis: slice_mean(map3d, axis),
    "band-mean": lambda map3d, band3d, proposal3d, axis: band_mean(map3d, band3d, axis),
    "band-sum": lambda map3d, band3d, proposal3d, axis: band_sum(map3d, band3d, axis),
    "per-area": per_area,
    "top-patches": lambda map3d, band3d, proposal3d, axis: top_patches(map3d, axis),
}
"""Every aggregation by name, all called alike; what one has no use for, it does not look at."""


def class_entropy(
    entropy3d: npt.NDArray[np.float32], mean_p: npt.NDArray[np.float32], axis: int
) -> npt.NDArray[np.float64]:
    """ClaSP PE: entropy weighted by each class's probability, mean over the slice.

    Lüth et al., TMLR 2026 (arXiv 2601.13677): U_c(v) = H(mean p)(v) * mean p_c(v).

    Args:
        entropy3d: `[S, P, L]`, entropy of the mean softmax.
        mean_p: `[C, S, P, L]`, the mean softmax, class 0 the background.
        axis: The axis that is cut.

    Returns:
        `[C - 1, n_slices]`, a row for each foreground class.
    """
    value = np.empty((len(mean_p) - 1, entropy3d.shape[axis]), dtype=np.float64)
    for row, p in zip(value, mean_p[1:], strict=True):
        row[:] = slice_mean(entropy3d * p, axis)
    return value


def presence(
    foreground: npt.NDArray[np.float64], half: float = HALF_PRESENT
) -> npt.NDArray[np.float64]:
    """How much of the structures a slice shows, 0 to 1: m / (m + half * largest m).

    A mean over the band is as high at the last pixels of an organ, and on stray pixels of a model
    that has learned little, as in the organ's middle; those slices are cheap and teach little.

    Args:
        foreground: `[n_slices]` expected foreground of the slices of one volume and plane (sum
            of the foreground probability over the band).
        half: Share of the fullest slice's foreground at which half of the value counts.

    Returns:
        `[n_slices]`; all 0 where nothing is expected anywhere.
    """
    most = float(foreground.max(initial=0.0))
    if most <= 0:
        return np.zeros_like(foreground)
    share: npt.NDArray[np.float64] = foreground / (foreground + half * most)
    return share


def volume_rank(slice_scores: npt.NDArray[np.float64], top: int = 5) -> float:
    """A volume's score: the mean of its highest slice scores.

    Derived from the slices, so that a list of volumes and a list of slices never contradict each
    other; of the highest alone, so that a long scan is not diluted by its empty slices.

    Args:
        slice_scores: `[n]`, the slices that may still be asked for, in any order.
        top: How many count, at least 1; all of them where there are fewer.

    Returns:
        The score; 0 where no slice is left.
    """
    if not len(slice_scores):
        return 0.0
    return float(np.sort(slice_scores)[-top:].mean())


def _cuts(pixels: int, side: int) -> npt.NDArray[np.intp]:
    """Where tiles of nearly the same length begin, and where the last one ends."""
    tiles = -(-pixels // side)
    return np.arange(tiles + 1) * pixels // tiles


def _others(axis: int) -> tuple[int, int]:
    first, second = (each for each in range(3) if each != axis)
    return first, second
