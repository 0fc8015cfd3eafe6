"""Probabilities that are a little alike among neighbours, as the structures are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["WIDTH", "smoothed"]

WIDTH = 0.5
"""Standard deviation in pixels of the network (docs/experiments.md)."""

_LEAST = 1e-3
"""A neighbour that counts for less changes nothing."""

_AT_ONCE = 1 << 16
"""Voxels in hand together: they stay in the cache, a temporary as large as the volume does not."""


def smoothed(
    maps: npt.NDArray[np.float32], width_mm: float, spacing: Sequence[float]
) -> npt.NDArray[np.float32]:
    """Maps smoothed by a narrow Gaussian, cut off after the next voxel.

    Args:
        maps: `[C, s, p, l]`; changed in place.
        width_mm: Standard deviation; an axis whose voxels are much larger stays as it is.
        spacing: Millimetres of a voxel along each axis.

    Returns:
        `maps`; sums over them stay as they were, edges are repeated.
    """
    for axis, mm in enumerate(spacing):
        beside = math.exp(-0.5 * (mm / width_mm) ** 2)
        share = np.float32(beside / (1 + 2 * beside))
        if share < _LEAST:
            continue
        other = 1 if axis == 0 else 0
        for each in maps:
            for part in _parts(each, other):
                _smooth(part, axis, share)
    return maps


def _parts(values: npt.NDArray[np.float32], axis: int) -> Iterator[npt.NDArray[np.float32]]:
    """An array `[s, p, l]` in parts along an axis, each small enough for the processor's cache."""
    count = values.shape[axis]
    several = max(1, _AT_ONCE * count // values.size)
    for first in range(0, count, several):
        here = [slice(None)] * 3
        here[axis] = slice(first, first + several)
        yield values[tuple(here)]


def _smooth(values: npt.NDArray[np.float32], axis: int, share: np.float32) -> None:
    """Let each voxel take that share of its difference to both neighbours, in place."""
    steps = np.diff(values, axis=axis)
    steps *= share
    along = np.moveaxis(values, axis, 0)
    flow = np.moveaxis(steps, axis, 0)
    along[:-1] += flow
    along[1:] -= flow
