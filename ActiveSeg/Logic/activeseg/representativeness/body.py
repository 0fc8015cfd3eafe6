"""Where the body is, so that slices of air or of the couch alone are told from the others."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["NO_BODY", "SIDE", "body_shares", "body_voxels"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Shares: TypeAlias = npt.NDArray[np.float64]

SIDE = 64
"""A thumbnail in which the body is looked for has at most so many voxels along each side."""

NO_BODY = 0.005
"""A slice with less than this part of the fullest slice's body shows none."""

_PART_OF_BODY = 0.01
"""Pieces of at least this part of the largest are body as well: legs, arms, what a gap cuts off."""


def body_shares(
    small: npt.NDArray[np.floating], shape: tuple[int, ...], air: float
) -> tuple[Shares, Shares, Shares]:
    """How much body each slice shows, 1 for the fullest slice of its plane.

    Args:
        small: A thumbnail `[S, P, L]` of the grey values, at most `SIDE` voxels along each side.
        shape: Voxels of the whole volume along S, P and L.
        air: What is not brighter is no body.

    Returns:
        For the slices along S, P and L, in this order; all 1 where no body is found at all, as
        nothing can be said then.
    """
    body = body_voxels(small > air)
    along_s, along_p, along_l = (_along(body, axis, shape[axis]) for axis in range(3))
    return along_s, along_p, along_l


def _along(body: Bools, axis: int, count: int) -> Shares:
    """The share of each of so many slices along an axis of the thumbnail."""
    area = body.sum(axis=tuple(other for other in range(3) if other != axis)).astype(np.float64)
    if not area.any():
        return np.ones(count)
    shares: Shares = area[np.arange(count) * len(area) // count] / area.max()
    return shares


def body_voxels(bright: Bools) -> Bools:
    """The large pieces of what is brighter than air, without what is thin, as a couch is.

    Thin is what an opening by one voxel removes; where it would remove more than half, as in
    fingers, nothing is thin.

    Args:
        bright: `[S, P, L]` of a thumbnail.
    """
    from scipy import ndimage

    # Beyond the border the body goes on, so that the opening does not nibble at it there.
    core = ndimage.binary_erosion(bright, border_value=1)
    opened: Bools = ndimage.binary_dilation(core) & bright
    if 2 * opened.sum() < bright.sum():
        opened = bright
    pieces, count = ndimage.label(opened)
    if count < 2:
        return opened
    sizes = np.bincount(pieces.ravel())[1:]
    large = np.concatenate([[False], sizes >= _PART_OF_BODY * sizes.max()])
    found: Bools = large[pieces]
    return found
