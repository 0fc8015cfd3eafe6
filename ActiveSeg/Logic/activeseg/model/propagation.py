"""Propagation: what an annotated slice says of the slices beside it, as training data.

A corrected slice holds, but for its edges, for the slice beside it. While few slices are annotated
that is a second and a third picture of the same mask (mask propagation; a network that learns from
it sees how a structure's surroundings vary without anybody drawing anything). The more there are,
the less it adds (docs/experiments.md), so from many on nothing is propagated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import distance_transform_edt

from activeseg.keys import Plane
from activeseg.model.scan import Scan, axis_of
from activeseg.model.slices import LabelledSlice, labelled_slice, slice_image

__all__ = ["propagated", "taught"]

MOST_SLICES = 100
"""Of more annotated slices than this none says anything of its neighbours."""

SLOPE = 1.5
"""How far an edge may move from a slice to the next, in millimetres each millimetre: pixels that
are as near to an edge are not known in the neighbour."""


def taught(count: int, propagation: bool) -> Callable[..., LabelledSlice]:
    """What makes training data of each of so many slices: `propagated` or `labelled_slice`."""
    return propagated if propagation and count <= MOST_SLICES else labelled_slice


def propagated(
    scan: Scan, plane: Plane, index: int, channels: npt.NDArray[np.uint8], target_mm: float
) -> LabelledSlice:
    """`labelled_slice`, with what it says of the slice on each side, about a working pixel away.

    A slice without any structure says nothing: the next one may be where a structure begins. The
    arguments are those of `labelled_slice`.
    """
    own = labelled_slice(scan, plane, index, channels, target_mm)
    if not channels.any():
        return own
    axis = axis_of(plane)
    thickness = scan.spacing[axis] / scan.step[axis]
    away = max(1, round(target_mm / thickness))
    label = _away_from_edges(own.label, SLOPE * away * thickness / target_mm)
    last = scan.stored_shape[axis] - 1
    beside = tuple(
        LabelledSlice(slice_image(scan, plane, other, target_mm), label)
        for other in (index - away, index + away)
        if 0 <= other <= last
    )
    return replace(own, beside=beside)


def _away_from_edges(label: torch.Tensor, pixels: float) -> torch.Tensor:
    """A label `[1, H, W]`, not known (0) within so many pixels of another value."""
    values = label[0].numpy()
    known = np.zeros_like(values)
    for value in np.unique(values):
        of = values == value
        # A slice full of one structure has no edge.
        inside = of if of.all() else distance_transform_edt(of) > pixels
        known[inside] = value
    return torch.from_numpy(known)[None]
