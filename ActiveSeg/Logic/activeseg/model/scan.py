"""A volume as a model sees it: canonical axes, normalised grey values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.cohort.geometry import Geometry
from activeseg.errors import CohortError
from activeseg.keys import Plane

__all__ = [
    "CHANNELS",
    "PLACES",
    "Box",
    "Scan",
    "axis_of",
    "grey_scan",
    "grown",
    "make_scan",
    "placed",
    "whole_box",
    "within",
]

Box: TypeAlias = tuple[slice, slice, slice]
"""A part of a canonical array `[S, P, L]`."""

PLACES = 3
"""Channels that say where a pixel lies along S, P and L."""

_WINDOWS_HU = ((-160.0, 240.0), (-200.0, 1300.0))
"""Two CT windows: soft tissue, and wide enough for bone and contrast medium."""

_OFFSET_HU = 1024.0
_CLIP_MR = 5.0

CHANNELS = {"ct": len(_WINDOWS_HU), "ct-offset": len(_WINDOWS_HU), "mr": 1}
"""Grey-value channels of a scan, by modality."""


@dataclass(frozen=True)
class Scan:
    """One volume, ready for a model.

    Attributes:
        channels: Grey values `[channels, S, P, L]`: normalised, about -1..1 for CT windows and
            robust z-scores for MR, or, from `grey_scan`, as they are.
        spacing: Millimetres between voxels along S, P, L.
        planes: The planes in which the model looks at it.
        corner: Where it begins in the volume that it is a part of, voxels along S, P, L.
        whole: Voxels of that volume; None if it is no part.
    """

    channels: npt.NDArray[np.float32]
    spacing: tuple[float, float, float]
    planes: tuple[Plane, ...]
    corner: tuple[int, int, int] = (0, 0, 0)
    whole: tuple[int, int, int] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along S, P, L."""
        s, p, left = self.channels.shape[1:]
        return (s, p, left)

    @property
    def box(self) -> Box:
        """All of it."""
        return whole_box(self.shape)

    def pixel_mm(self, plane: Plane) -> tuple[float, float]:
        """Millimetres between rows and between columns of a slice `[H, W]` of this plane."""
        row, column = (mm for axis, mm in enumerate(self.spacing) if axis != axis_of(plane))
        return (row, column)

    def seen(self, plane: Plane, indices: Sequence[int]) -> npt.NDArray[np.float32]:
        """What the network is shown of slices, `[N, 3 * channels + PLACES, H, W]`.

        Each slice between its two neighbours, and where each pixel lies in the whole volume, from
        -1 to 1 along S, P and L (Liu et al., NeurIPS 2018, CoordConv): patients lie in scanners
        alike, and left and right look alike. At the first and last slice the missing neighbour is
        the slice itself.

        Args:
            plane: The plane.
            indices: Indices of the slices along the canonical axis.
        """
        axis = axis_of(plane)
        down, across = (each for each in range(3) if each != axis)
        slices = np.moveaxis(self.channels, axis + 1, 0)
        at = np.asarray(indices)
        near = np.clip(at[:, None] + (-1, 0, 1), 0, len(slices) - 1)
        grey = 3 * len(self.channels)
        seen = np.empty((len(at), grey + PLACES, *slices.shape[2:]), dtype=np.float32)
        seen[:, :grey] = slices[near].reshape(len(at), grey, *slices.shape[2:])
        seen[:, grey + axis] = self._places(axis)[at, None, None]
        seen[:, grey + down] = self._places(down)[:, None]
        seen[:, grey + across] = self._places(across)
        return seen

    def part(self, box: Box) -> Scan:
        """The part of the scan inside a box, which knows where in the volume it lies."""
        s, p, left = (
            corner + side.indices(count)[0]
            for corner, side, count in zip(self.corner, box, self.shape, strict=True)
        )
        return replace(
            self,
            channels=np.ascontiguousarray(self.channels[(slice(None), *box)]),
            corner=(s, p, left),
            whole=self.whole or self.shape,
        )

    def _places(self, axis: int) -> npt.NDArray[np.float32]:
        """Where the voxels along an axis lie in the whole volume, -1 to 1."""
        count = (self.whole or self.shape)[axis]
        every = np.linspace(-1, 1, count, dtype=np.float32) if count > 1 else np.zeros(1, "f4")
        return every[self.corner[axis] : self.corner[axis] + self.shape[axis]]


def whole_box(shape: tuple[int, int, int]) -> Box:
    """All of an array of this shape."""
    s, p, left = (slice(0, count) for count in shape)
    return (s, p, left)


def grown(box: Box, reach: tuple[int, ...], shape: tuple[int, int, int]) -> Box:
    """A box with so many voxels more on both sides of each axis, where the array has them."""
    s, p, left = (
        slice(max(0, side.start - more), min(count, side.stop + more))
        for side, more, count in zip(box, reach, shape, strict=True)
    )
    return (s, p, left)


def within(box: Box, outer: Box) -> Box:
    """Where a box lies in another one that holds it."""
    s, p, left = (
        slice(side.start - around.start, side.stop - around.start)
        for side, around in zip(box, outer, strict=True)
    )
    return (s, p, left)


def placed(inner: Box, box: Box) -> Box:
    """Where a part of a box lies in the array that the box is a part of."""
    s, p, left = (
        slice(around.start + side.start, around.start + side.stop)
        for side, around in zip(inner, box, strict=True)
    )
    return (s, p, left)


def axis_of(plane: Plane) -> int:
    """The canonical axis (of `[S, P, L]`) that a plane cuts."""
    return {Plane.AXIAL: 0, Plane.CORONAL: 1, Plane.SAGITTAL: 2}[plane]


def make_scan(
    image: npt.NDArray[np.float32], geometry: Geometry, modality: str, planes: tuple[Plane, ...]
) -> Scan:
    """Bring an image into the axes and grey values that models are trained on.

    Args:
        image: Native array `[k, j, i]`.
        geometry: Its geometry.
        modality: `ct`, `ct-offset` (HU + 1024) or `mr`.
        planes: The planes in which the model looks at it.

    Raises:
        CohortError: If the modality is not one of these.
    """
    array = geometry.to_canonical(image).astype(np.float32)
    if modality == "mr":
        channels = _robust_z_score(array)[None]
    elif modality in CHANNELS:
        hounsfield = array - (_OFFSET_HU if modality == "ct-offset" else 0.0)
        channels = _windows(hounsfield)
    else:
        raise CohortError(f"modality {modality!r}; expected one of {', '.join(CHANNELS)}")
    return Scan(np.ascontiguousarray(channels), geometry.canonical_spacing, planes)


def grey_scan(
    image: npt.NDArray[np.float32], geometry: Geometry, modality: str, planes: tuple[Plane, ...]
) -> Scan:
    """Bring an image into canonical axes and leave its grey values: Hounsfield units for CT.

    For a model that brings them into its own range; arguments as `make_scan`.
    """
    array = geometry.to_canonical(image).astype(np.float32)
    if modality == "ct-offset":
        array = array - np.float32(_OFFSET_HU)
    return Scan(np.ascontiguousarray(array[None]), geometry.canonical_spacing, planes)


def _windows(hounsfield: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """One channel a CT window, each from -1 (its lower edge) to 1 (its upper edge)."""
    scaled = [np.clip((hounsfield - low) / (high - low), 0, 1) * 2 - 1 for low, high in _WINDOWS_HU]
    return np.stack(scaled).astype(np.float32)


def _robust_z_score(array: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(x - median) / (interquartile range / 1.349) of the voxels that are not air, clipped.

    MR grey values have no unit and their scale differs from scan to scan; the median and the
    quartiles do not care about a few very bright vessels. Air is what lies in the lowest 5 % of
    the range; counting it would make the scale depend on the field of view.
    """
    low, high = np.percentile(array, (0.5, 99.5))
    tissue = array[array > low + 0.05 * (high - low)]
    if tissue.size == 0:
        return np.zeros_like(array)
    quarter, median, three_quarters = np.percentile(tissue, (25, 50, 75))
    scale = max(float(three_quarters - quarter) / 1.349, 1e-6)
    clipped: npt.NDArray[np.float32] = np.clip((array - median) / scale, -_CLIP_MR, _CLIP_MR)
    return clipped.astype(np.float32)
