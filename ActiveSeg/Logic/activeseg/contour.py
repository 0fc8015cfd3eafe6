"""What there is to trace of a mask: how long its contours are, and how many there are."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["components", "contour_mm", "cropped"]


def contour_mm(
    masks: npt.NDArray[np.bool_], spacing: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Length of the marching-squares contour at level 0.5, in mm.

    Args:
        masks: `[..., H, W]`; outside the array counts as background, so that a mask touching
            the border is closed there.
        spacing: `(row_mm, col_mm)` of a pixel.

    Returns:
        `[...]`, one length a mask.
    """
    row_mm, col_mm = spacing
    corner = float(np.hypot(row_mm / 2, col_mm / 2))
    # The level runs through the middles of a cell's edges, so a cell's length follows from its
    # four corners alone. Bits: 1 upper left, 2 upper right, 4 lower left, 8 lower right. The two
    # readings of a diagonal pair (6, 9) have the same length.
    length = np.full(16, corner)
    length[[0, 15]] = 0.0
    length[[3, 12]] = col_mm
    length[[5, 10]] = row_mm
    length[[6, 9]] = 2 * corner

    margin = [(0, 0)] * (masks.ndim - 2) + [(1, 1), (1, 1)]
    bits = np.pad(masks, margin).astype(np.uint8)
    upper, lower = bits[..., :-1, :], bits[..., 1:, :]
    cells = upper[..., :-1] | upper[..., 1:] << 1 | lower[..., :-1] << 2 | lower[..., 1:] << 3
    # Nearly all cells lie wholly inside or outside, without a length.
    crossed = np.flatnonzero((cells != 0) & (cells != 15))
    mask, codes = crossed // math.prod(cells.shape[-2:]), cells.reshape(-1)[crossed]
    count = math.prod(masks.shape[:-2])
    total = np.bincount(mask, weights=length[codes], minlength=count)
    return total.astype(np.float64).reshape(masks.shape[:-2])


def components(masks: npt.NDArray[np.bool_], min_pixels: int = 1) -> npt.NDArray[np.intp]:
    """Number of 8-connected components with at least `min_pixels` pixels.

    Args:
        masks: `[..., H, W]`; different masks do not touch.
        min_pixels: The smallest component that counts.

    Returns:
        `[...]`, one number a mask.
    """
    height, width = masks.shape[-2:]
    stack = masks.reshape(-1, height, width)
    neighbours = np.zeros((3, 3, 3), dtype=bool)
    neighbours[1] = True
    labels, _ = ndimage.label(stack, structure=neighbours)
    inside = np.flatnonzero(labels)
    component = labels.ravel()[inside]
    large = np.bincount(component) >= max(1, min_pixels)
    # The mask of each component: of all its pixels the last one says it, as they all say the same.
    mask = np.zeros(len(large), dtype=np.intp)
    mask[component] = inside // (height * width)
    found = np.bincount(mask[large], minlength=len(stack))
    return found.reshape(masks.shape[:-2])


def cropped(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
    """The mask within its bounding box over the last two axes; None if it is empty.

    Most of a slice is background, which costs time and adds nothing to contour or components.
    """
    flat: npt.NDArray[np.bool_] = np.any(mask.reshape(-1, *mask.shape[-2:]), axis=0)
    rows = np.flatnonzero(flat.any(axis=1))
    cols = np.flatnonzero(flat.any(axis=0))
    if rows.size == 0:
        return None
    return mask[..., rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
