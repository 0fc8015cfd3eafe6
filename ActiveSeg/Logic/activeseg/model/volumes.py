"""Volumes with some annotated slices as training data of the network that sees volumes.

As in `LabelledSlice` labels are shifted by one: 0 is what nobody annotated, and it is not taught.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from activeseg.keys import Plane
from activeseg.model.edges import SLOPE, away_from_edges
from activeseg.model.scan import Scan, axis_of, filled, grown

__all__ = ["LabelledVolume", "Lesson", "grey_volume", "labelled_volume", "places_at"]

REACH = 32
"""Voxels round what is annotated that a block may reach into."""

STORED_SLICES = 32
"""Slices of the grid that are made of the stored voxels at once."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """One annotated slice.

    Attributes:
        plane: Its plane.
        index: Its canonical index, in stored voxels.
        channels: `[H, W]` output channel of each stored pixel (0 background), canonical.
    """

    plane: Plane
    index: int
    channels: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """The part of a volume that its annotated slices lie in, on the model's grid.

    Attributes:
        image: `[channels, s, p, l]` grey values, half precision.
        label: `[s, p, l]`, bytes: 0 not known, 1 background, 1 + n the n-th structure.
        spacing: Millimetres between voxels along S, P, L.
        corner: Where the part begins in the volume, along S, P, L.
        whole: Voxels of the volume along S, P, L.
    """

    image: torch.Tensor
    label: torch.Tensor
    spacing: tuple[float, float, float]
    corner: tuple[int, int, int]
    whole: tuple[int, int, int]


def labelled_volume(scan: Scan, lessons: Sequence[Lesson], propagation: bool) -> LabelledVolume:
    """Put the annotated slices of a scan where they lie in it.

    Args:
        scan: The scan, on the grid of the model.
        lessons: At least one annotated slice.
        propagation: Whether each also says what holds for the slices beside it, where those are
            not annotated (`activeseg.model.propagation`).
    """
    label = torch.zeros(scan.shape, dtype=torch.uint8)
    at = [each.index // scan.step[axis_of(each.plane)] for each in lessons]
    known = [_on_grid(each, scan) + 1 for each in lessons]
    for lesson, index, values in zip(lessons, at, known, strict=True):
        label.select(axis_of(lesson.plane), index).copy_(values)
    if propagation:
        for lesson, index, values in zip(lessons, at, known, strict=True):
            if lesson.channels.any():
                _propagate(label, axis_of(lesson.plane), index, values, scan.spacing)
    part = grown(filled(label.numpy() > 0), (REACH,) * 3, scan.shape)
    return LabelledVolume(
        image=grey_volume(scan.part(part)).half(),
        label=label[part].contiguous(),
        spacing=scan.spacing,
        corner=(part[0].start, part[1].start, part[2].start),
        whole=scan.shape,
    )


def grey_volume(scan: Scan) -> torch.Tensor:
    """Grey values `[channels, S, P, L]` on the scan's grid; each the mean of its stored voxels."""
    if scan.step == (1, 1, 1):
        return torch.from_numpy(scan.channels)
    # A few slices at a time: of a large volume the stored voxels in single precision would take
    # several times as much memory as what is made of them.
    count = scan.shape[0]
    parts = [
        scan.part((slice(first, min(first + STORED_SLICES, count)), *scan.box[1:]))
        for first in range(0, count, STORED_SLICES)
    ]
    return torch.cat([torch.from_numpy(_means(each.channels, scan.step)) for each in parts], dim=1)


def _means(values: npt.NDArray[np.float32], step: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Means `[channels, ...]` over so many voxels along each axis; over fewer at the far ends."""
    for axis, size in enumerate(step, start=1):
        count = values.shape[axis]
        first = np.arange(0, count, size)
        each = np.diff(first, append=count).astype(np.float32)
        sums = np.add.reduceat(values, first, axis=axis)
        shares = each.reshape([-1 if k == axis else 1 for k in range(values.ndim)])
        values = np.asarray(sums / shares, dtype=np.float32)
    return values


def places_at(voxels: torch.Tensor, whole: tuple[int, int, int]) -> torch.Tensor:
    """Where voxels lie in a volume, -1 to 1 along S, P, L, the last dimension; 0 where it is flat.

    Args:
        voxels: `[..., 3]`, counted from the volume's corner.
        whole: Its voxels along S, P, L.
    """
    last = torch.tensor(whole) - 1
    inside = torch.minimum(voxels.clamp(min=0), last)
    return torch.where(last > 0, 2 * inside / last.clamp(min=1) - 1, 0.0)


def _on_grid(lesson: Lesson, scan: Scan) -> torch.Tensor:
    """The channels at the middle stored pixel of each voxel of the grid."""
    axis = axis_of(lesson.plane)
    rows, columns = (
        np.minimum(np.arange(count) * step + step // 2, stored - 1)
        for each, (count, step, stored) in enumerate(
            zip(scan.shape, scan.step, scan.stored_shape, strict=True)
        )
        if each != axis
    )
    return torch.from_numpy(lesson.channels[np.ix_(rows, columns)])


def _propagate(
    label: torch.Tensor,
    axis: int,
    index: int,
    values: torch.Tensor,
    spacing: tuple[float, float, float],
) -> None:
    """Say of the slices on both sides, where nothing is known of them, what holds for this one."""
    row, column = (mm for each, mm in enumerate(spacing) if each != axis)
    near = away_from_edges(values, SLOPE * spacing[axis], (row, column))
    for other in (index - 1, index + 1):
        if 0 <= other < label.shape[axis]:
            there = label.select(axis, other)
            there.copy_(torch.where(there == 0, near, there))
