"""Probabilities that are a little alike among neighbours, as the structures are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["WIDTH", "smoothed"]

WIDTH = 0.5
"""Standard deviation in pixels of the network (docs/experiments.md)."""

_LEAST = 1e-3
"""A neighbour that counts for less changes nothing."""


def smoothed(
    maps: npt.NDArray[np.float32], width_mm: float, spacing: Sequence[float]
) -> npt.NDArray[np.float32]:
    """Maps smoothed by a narrow Gaussian, cut off after the next voxel.

    Args:
        maps: `[C, s, p, l]`; they are used up.
        width_mm: Standard deviation; an axis whose voxels are much larger stays as it is.
        spacing: Millimetres of a voxel along each axis.

    Returns:
        `[C, s, p, l]`; sums over the maps stay as they were, edges are repeated.
    """
    for axis, mm in enumerate(spacing, start=1):
        beside = math.exp(-0.5 * (mm / width_mm) ** 2)
        share = np.float32(beside / (1 + 2 * beside))
        if share < _LEAST or maps.shape[axis] == 1:
            continue
        along = np.moveaxis(maps, axis, 0)
        found = (1 - 2 * share) * along
        found[1:] += share * along[:-1]
        found[0] += share * along[0]
        found[:-1] += share * along[1:]
        found[-1] += share * along[-1]
        maps = np.moveaxis(found, 0, axis)
    return maps
