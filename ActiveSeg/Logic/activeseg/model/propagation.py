"""Propagation: what an annotated slice says of the slices beside it, as training data.

A corrected slice holds, but for its edges, for the slice beside it. While few slices are annotated
that is a second and a third picture of the same mask (mask propagation; a network that learns from
it sees how a structure's surroundings vary without anybody drawing anything). The more there are,
the less it adds (docs/experiments.md), so from many on nothing is propagated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from activeseg.keys import Plane
from activeseg.model.edges import SLOPE, away_from_edges
from activeseg.model.scan import Scan, axis_of
from activeseg.model.slices import LabelledSlice, labelled_slice, slice_image
from activeseg.model.volumes import Lesson, labelled_volume

__all__ = ["propagated", "taught"]

MOST_SLICES = 100
"""Of more annotated slices than this none says anything of its neighbours."""


def taught(
    scan: Scan, lessons: Sequence[Lesson], pixel_mm: float, count: int, propagation: bool
) -> list[LabelledSlice]:
    """Training data of the annotated slices of one volume.

    Args:
        scan: The volume.
        lessons: Its annotated slices, at least one.
        pixel_mm: The network's pixel size.
        count: Annotated slices of the whole cohort.
        propagation: Whether they say something of the slices beside them, if they are few.
    """
    spread = propagation and count <= MOST_SLICES
    volume = labelled_volume(scan.on_grid(pixel_mm), lessons, spread)
    make = propagated if spread else labelled_slice
    return [
        replace(make(scan, each.plane, each.index, each.channels, pixel_mm), volume=volume)
        for each in lessons
    ]


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
    label = away_from_edges(own.label[0], SLOPE * away * thickness, (target_mm, target_mm))[None]
    last = scan.stored_shape[axis] - 1
    beside = tuple(
        LabelledSlice(slice_image(scan, plane, other, target_mm), label)
        for other in (index - away, index + away)
        if 0 <= other <= last
    )
    return replace(own, beside=beside)
