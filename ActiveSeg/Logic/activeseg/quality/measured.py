"""How good a mask is when the truth is known."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["dice", "hd95_mm"]

Labels: TypeAlias = npt.NDArray[np.integer]


def dice(a: Labels, b: Labels, value: int) -> float:
    """Dice of one label value in two label arrays of one shape; NaN where both lack it."""
    in_a, in_b = a == value, b == value
    size = int(np.count_nonzero(in_a)) + int(np.count_nonzero(in_b))
    if size == 0:
        return float("nan")
    return 2 * int(np.count_nonzero(in_a & in_b)) / size


def hd95_mm(
    a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_], spacing: tuple[float, ...]
) -> float:
    """95th percentile of the surface distance in mm, the larger of the two directions.

    A voxel of a mask is on its surface if a face neighbour is not in the mask; outside the array
    counts as not in it.

    Args:
        a: A mask.
        b: A mask of the same shape.
        spacing: mm along each axis.

    Returns:
        NaN where both are empty (nothing to measure), infinity where one is.
    """
    if not a.any() and not b.any():
        return float("nan")
    if not a.any() or not b.any():
        return float("inf")
    box = ndimage.find_objects((a | b).view(np.uint8))[0]
    a, b = a[box], b[box]
    edge_a = a & ~ndimage.binary_erosion(a)
    edge_b = b & ~ndimage.binary_erosion(b)
    to_a = ndimage.distance_transform_edt(~edge_a, sampling=spacing)[edge_b]
    to_b = ndimage.distance_transform_edt(~edge_b, sampling=spacing)[edge_a]
    return float(max(np.percentile(to_a, 95), np.percentile(to_b, 95)))
