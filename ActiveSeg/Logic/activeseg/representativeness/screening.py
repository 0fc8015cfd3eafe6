"""What a choice before any label must not choose: copies, noise, broken slices.

Pure functions on measurements of single volumes; who reads the volumes keeps only what these
functions need. The thresholds and what they were measured on: docs/method.md, docs/experiments.md.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "autocorrelation",
    "broken_slices",
    "duplicates",
    "fingerprint",
    "noise_like",
    "thumbnail",
]

Floats: TypeAlias = npt.NDArray[np.float64]
Single: TypeAlias = npt.NDArray[np.float32]
Bools: TypeAlias = npt.NDArray[np.bool_]

SIDE = 16
"""Voxels along each side of the thumbnail that a fingerprint is taken of."""

SAME_IMAGE = 0.99
"""Fingerprints that correlate more are of one image; of two real patients 0.84 was the most."""

_LOCAL = 0.3
"""Part of the thumbnail's whole deviation that is added to the local one, against division by 0."""

PURE_NOISE = 0.2
"""An autocorrelation below this is noise in any cohort; white noise has 0."""

LITTLE_STRUCTURE = 0.5
LITTLE_OF_MEDIAN = 0.6
"""Below both, the second times the cohort's median, it is noise as well; real scans had 0.85."""

_SLABS = 16
"""Pairs of neighbouring slices along each axis that an autocorrelation is taken of."""

_NEAR = 3
"""Slices to each side that a slice is compared with; a run of so many broken ones is found."""

_SEEN = 32
"""Pixels along each side of a slice that are compared, evenly spread."""

_JUDGED = 200
"""About so many of these pixels say whether a slice is mostly one value."""


def thumbnail(volume: npt.NDArray[Any], sides: tuple[int, int, int]) -> Single:
    """Means over blocks; along an axis with fewer voxels than asked for these are repeated.

    Args:
        volume: `[S, P, L]`.
        sides: Voxels of the result along each axis, at least 1.
    """
    found = volume
    for axis in (2, 1, 0):  # from the axis that lies densest in memory
        side = sides[axis]
        starts = np.linspace(0, found.shape[axis], side + 1).astype(np.intp)
        counts = np.maximum(np.diff(starts), 1).astype(np.float32)
        # Where two blocks start at one voxel, reduceat gives that voxel itself.
        sums = np.add.reduceat(found, starts[:-1], axis=axis, dtype=np.float32)
        found = sums / counts.reshape([-1 if other == axis else 1 for other in range(3)])
    return found.astype(np.float32)


def fingerprint(volume: npt.NDArray[Any]) -> Single:
    """What is the same for two copies of one image, whatever their files, scale or offset.

    Of a thumbnail what differs from its neighbourhood, in units of that neighbourhood's
    deviation: body against air is alike in all patients and would outweigh what is not.

    Args:
        volume: Grey values `[S, P, L]` in canonical axes, or a `thumbnail` of them, made alike
            for all volumes and with more than `SIDE` voxels along each axis where there are more.

    Returns:
        `[SIDE ** 3]` with mean 0 and length 1; zeros where there is nothing to see.
    """
    from scipy import ndimage

    small = thumbnail(volume, (SIDE, SIDE, SIDE)).astype(np.float64)
    whole = float(small.std())
    if whole <= 1e-6 * float(np.abs(small).max()):
        return np.zeros(SIDE**3, dtype=np.float32)
    small = (small - small.mean()) / whole
    mean = ndimage.uniform_filter(small, 3, mode="nearest")
    variance = ndimage.uniform_filter(small * small, 3, mode="nearest") - mean * mean
    detail = ((small - mean) / (np.sqrt(np.maximum(variance, 0)) + _LOCAL)).ravel()
    detail -= detail.mean()
    length = float(np.linalg.norm(detail))
    found: Single = (detail / length if length > 0 else detail).astype(np.float32)
    return found


def duplicates(fingerprints: Single) -> npt.NDArray[np.intp]:
    """Which volumes are copies of an earlier one.

    Args:
        fingerprints: `[V, F]`, of `fingerprint`.

    Returns:
        `[V]`: the number of the first volume with the same image, -1 for the first itself.
    """
    first = np.full(len(fingerprints), -1, dtype=np.intp)
    for row in range(1, len(fingerprints)):
        alike = np.flatnonzero(fingerprints[:row] @ fingerprints[row] > SAME_IMAGE)
        if alike.size:
            earliest = int(alike[0])
            first[row] = earliest if first[earliest] < 0 else first[earliest]
    return first


def autocorrelation(volume: npt.NDArray[Any]) -> float:
    """How alike neighbouring voxels are: the largest of the correlations along the three axes.

    Args:
        volume: Grey values `[S, P, L]`.

    Returns:
        -1 to 1; about 0 for white noise and for a volume without any contrast.
    """
    found = [0.0]
    for axis, count in enumerate(volume.shape):
        if count < 2:
            continue
        places = np.unique(np.linspace(0, count - 2, min(_SLABS, count - 1)).astype(np.intp))
        one = np.take(volume, places, axis=axis).ravel()
        next_to_it = np.take(volume, places + 1, axis=axis).ravel()
        found.append(float(_correlation(one[None], next_to_it[None])[0]))
    return max(found, key=abs)


def noise_like(autocorrelations: Floats) -> Bools:
    """Which volumes have no structure: neighbouring voxels have nothing to do with each other.

    Args:
        autocorrelations: `[V]`, of `autocorrelation`, for the volumes of one cohort.

    Returns:
        `[V]`: those below `PURE_NOISE`, and those that have little structure in themselves and
        far less than the median of the cohort.
    """
    if autocorrelations.size == 0:
        return np.zeros(0, dtype=bool)
    little = min(LITTLE_STRUCTURE, LITTLE_OF_MEDIAN * float(np.median(autocorrelations)))
    found: Bools = autocorrelations < max(PURE_NOISE, little)
    return found


def broken_slices(slices: npt.NDArray[Any]) -> Bools:
    """Which slices of a stack hold no image.

    Constant ones; those of which most pixels hold one value while this is so in none of their
    neighbourhood; and those that correlate with no neighbour while these correlate with each
    other. A line or a spot in an ordinary slice breaks none of it.

    Args:
        slices: `[n, H, W]` grey values, in the order of the volume.

    Returns:
        `[n]`.
    """
    rows, columns = (-(-count // _SEEN) for count in slices.shape[1:])
    seen = slices[:, ::rows, ::columns].reshape(len(slices), -1).astype(np.float32)
    found: Bools = _constant(slices, seen) | _suddenly(seen) | _out_of_line(seen)
    return found


def _constant(slices: npt.NDArray[Any], seen: Single) -> Bools:
    """Slices of one value, `[n]`; only where the pixels that were seen are equal, all are."""
    found: Bools = (seen == seen[:, :1]).all(axis=1)
    for k in np.flatnonzero(found):
        found[k] = slices[k].min() == slices[k].max()
    return found


def _suddenly(seen: Single) -> Bools:
    """Slices that are mostly one value, which their neighbourhood is not, `[n]`."""
    few = seen[:, :: max(1, seen.shape[1] // _JUDGED)]
    # Where more than half of the pixels hold one value, it is the median.
    value = np.partition(few, few.shape[1] // 2, axis=1)[:, few.shape[1] // 2]
    share = np.mean(few == value[:, None], axis=1)
    found: Bools = share > 0.5
    found[[0, -1]] = False  # a volume may end in air
    for k in np.flatnonzero(found):
        before = np.mean(few[max(0, k - _NEAR) : k] == value[k], axis=1).min()
        after = np.mean(few[k + 1 : k + 1 + _NEAR] == value[k], axis=1).min()
        found[k] = max(before, after) < 0.5 * share[k]
    return found


def _out_of_line(seen: Single) -> Bools:
    """Slices unlike what lies before and behind them while these are alike, `[n]`."""
    count = len(seen)
    # A bright line or a piece of metal must not outweigh the rest of its slice.
    seen = np.clip(seen, *np.percentile(seen[:, :: max(1, seen.shape[1] // _JUDGED)], (1, 99)))
    # With the slice so many further on; 0 where there is none.
    alike = {
        step: np.concatenate([_correlation(seen[:-step], seen[step:]), np.zeros(min(step, count))])
        for step in range(1, 2 * _NEAR + 1)
    }
    found = np.zeros(count, dtype=bool)
    for before in range(1, _NEAR + 1):
        for after in range(1, _NEAR + 1):
            k = np.arange(before, count - after)
            across = alike[before + after][k - before]
            own = np.maximum(alike[before][k - before], alike[after][k])
            found[k] |= (across > LITTLE_STRUCTURE) & (own < 0.5 * across)
    return found


def _correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Floats:
    """Pearson's of each row with the row of the same number; 0 where one is constant."""
    x = one - one.mean(axis=1, keepdims=True)
    y = other - other.mean(axis=1, keepdims=True)
    product = np.einsum("ij,ij->i", x, y)
    size = np.sqrt(np.einsum("ij,ij->i", x, x) * np.einsum("ij,ij->i", y, y))
    found: Floats = np.divide(product, size, out=np.zeros(len(x)), where=size > 0)
    return found
