"""A volume as a model sees it: canonical axes, normalised grey values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

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
    "Tone",
    "axis_of",
    "filled",
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
class Tone:
    """How stored grey values become those that a model is shown.

    Attributes:
        windows: Lowest and highest value of each channel, shown as -1 and 1; what lies outside is
            cut off. Without `clip`, the values that are shown as 0 and 1, and nothing is cut off.
        clip: Beyond this nothing is shown; None for windows.
    """

    windows: tuple[tuple[float, float], ...]
    clip: float | None = None

    def of(self, stored: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
        """The channels `[channels, ...]` of grey values `[1, ...]`."""
        shown = np.empty((len(self.windows), *stored.shape[1:]), dtype=np.float32)
        values = stored[0].astype(np.float32)
        for channel, (low, high) in zip(shown, self.windows, strict=True):
            np.subtract(values, np.float32(low), out=channel)
            channel /= np.float32(high - low)
            if self.clip is None:
                np.clip(channel, 0, 1, out=channel)
                channel *= 2
                channel -= 1
            else:
                np.clip(channel, -self.clip, self.clip, out=channel)
        return shown


@dataclass(frozen=True)
class Scan:
    """One volume, ready for a model.

    Attributes:
        stored: Grey values `[n, S, P, L]`: as they are in the file where there is a tone,
            otherwise as a model is shown them.
        spacing: Millimetres between voxels of the grid along S, P, L.
        planes: The planes in which the model looks at it.
        corner: Where it begins in the volume that it is a part of, stored voxels along S, P, L.
        whole: Stored voxels of that volume; None if it is no part.
        tone: How a model is shown the stored values; a large volume never is as a whole.
        step: Stored voxels, along S, P, L, to one of the grid on which a model answers.
    """

    stored: npt.NDArray[Any]
    spacing: tuple[float, float, float]
    planes: tuple[Plane, ...]
    corner: tuple[int, int, int] = (0, 0, 0)
    whole: tuple[int, int, int] | None = None
    tone: Tone | None = None
    step: tuple[int, int, int] = (1, 1, 1)

    @property
    def channels(self) -> npt.NDArray[np.float32]:
        """Grey values `[channels, S, P, L]` as a model is shown them.

        Normalised, about -1..1 for CT windows and robust z-scores for MR, or, from `grey_scan`,
        as they are.
        """
        return self._shown(self.stored)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the grid along S, P, L; the last ones may reach beyond the stored ones."""
        s, p, left = (
            -(-n // step) for n, step in zip(self.stored.shape[1:], self.step, strict=True)
        )
        return (s, p, left)

    @property
    def stored_shape(self) -> tuple[int, int, int]:
        """Stored voxels along S, P, L."""
        s, p, left = self.stored.shape[1:]
        return (s, p, left)

    @property
    def box(self) -> Box:
        """All of it."""
        return whole_box(self.shape)

    def pixel_mm(self, plane: Plane) -> tuple[float, float]:
        """Millimetres between stored rows and between stored columns of a slice of this plane."""
        row, column = (
            mm / step
            for axis, (mm, step) in enumerate(zip(self.spacing, self.step, strict=True))
            if axis != axis_of(plane)
        )
        return (row, column)

    def on_grid(self, pixel_mm: float) -> Scan:
        """The same on a grid as coarse as a network sees it.

        Where its pixels are twice as large as the stored voxels, or more, answers at each stored
        voxel would say no more, and take the memory of a large volume many times over.

        Args:
            pixel_mm: Pixel size at which the network works.
        """
        s, p, left = (max(1, int(pixel_mm / mm + 1e-6)) for mm in self.spacing)
        spacing = (self.spacing[0] * s, self.spacing[1] * p, self.spacing[2] * left)
        return replace(self, spacing=spacing, step=(s, p, left))

    def seen(self, plane: Plane, indices: Sequence[int]) -> npt.NDArray[np.float32]:
        """What the network is shown of slices, `[N, 3 * channels + PLACES, H, W]`, stored pixels.

        Each slice between its two stored neighbours, and where each pixel lies in the whole
        volume, from -1 to 1 along S, P and L (Liu et al., NeurIPS 2018, CoordConv): patients lie
        in scanners alike, and left and right look alike. At the first and last slice the missing
        neighbour is the slice itself. Of several stored slices to one of the grid it is the
        middle one.

        Args:
            plane: The plane.
            indices: Indices of the slices along the canonical axis.
        """
        axis = axis_of(plane)
        down, across = (each for each in range(3) if each != axis)
        last = self.stored_shape[axis] - 1
        at = np.minimum(np.asarray(indices) * self.step[axis] + self.step[axis] // 2, last)
        near = np.clip(at[:, None] + (-1, 0, 1), 0, last)
        first = int(near.min())
        there = [slice(None)] * 4
        there[axis + 1] = slice(first, int(near.max()) + 1)
        shown = self._shown(self.stored[tuple(there)])
        slices, near = np.moveaxis(shown, axis + 1, 0), near - first
        grey = 3 * len(shown)
        seen = np.empty((len(at), grey + PLACES, *slices.shape[2:]), dtype=np.float32)
        seen[:, :grey] = slices[near].reshape(len(at), grey, *slices.shape[2:])
        seen[:, grey + axis] = self._places(axis)[at, None, None]
        seen[:, grey + down] = self._places(down)[:, None]
        seen[:, grey + across] = self._places(across)
        return seen

    def part(self, box: Box) -> Scan:
        """The part of the scan inside a box of its grid; it knows where in the volume it lies."""
        sides = [
            slice(first * step, last * step)
            for (first, last, _), step in zip(
                (side.indices(count) for side, count in zip(box, self.shape, strict=True)),
                self.step,
                strict=True,
            )
        ]
        s, p, left = (at + side.start for at, side in zip(self.corner, sides, strict=True))
        return replace(
            self,
            stored=np.ascontiguousarray(self.stored[(slice(None), *sides)]),
            corner=(s, p, left),
            whole=self.whole or self.stored_shape,
        )

    def _shown(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Stored values as a model is shown them."""
        shown: npt.NDArray[np.float32] = stored if self.tone is None else self.tone.of(stored)
        return shown

    def _places(self, axis: int) -> npt.NDArray[np.float32]:
        """Where the stored voxels along an axis lie in the whole volume, -1 to 1."""
        count = (self.whole or self.stored_shape)[axis]
        every = np.linspace(-1, 1, count, dtype=np.float32) if count > 1 else np.zeros(1, "f4")
        return every[self.corner[axis] : self.corner[axis] + self.stored_shape[axis]]


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


def filled(marked: npt.NDArray[np.bool_]) -> Box:
    """The smallest box that holds all that is marked in an array `[S, P, L]`; something is."""
    sides = []
    for axis in range(3):
        others = tuple(each for each in range(3) if each != axis)
        found = np.flatnonzero(marked.any(axis=others))
        sides.append(slice(int(found[0]), int(found[-1]) + 1))
    return (sides[0], sides[1], sides[2])


def axis_of(plane: Plane) -> int:
    """The canonical axis (of `[S, P, L]`) that a plane cuts."""
    return {Plane.AXIAL: 0, Plane.CORONAL: 1, Plane.SAGITTAL: 2}[plane]


def make_scan(
    image: npt.NDArray[Any], geometry: Geometry, modality: str, planes: tuple[Plane, ...]
) -> Scan:
    """Bring an image into the axes and grey values that models are trained on.

    Args:
        image: Native array `[k, j, i]`, numbers of any type.
        geometry: Its geometry.
        modality: `ct`, `ct-offset` (HU + 1024) or `mr`.
        planes: The planes in which the model looks at it.

    Raises:
        CohortError: If the modality is not one of these.
    """
    array = geometry.to_canonical(image)
    if modality == "mr":
        tone = _robust_z_score(array)
    elif modality in CHANNELS:
        offset = _OFFSET_HU if modality == "ct-offset" else 0.0
        tone = Tone(tuple((low + offset, high + offset) for low, high in _WINDOWS_HU))
    else:
        raise CohortError(f"modality {modality!r}; expected one of {', '.join(CHANNELS)}")
    return Scan(array[None], geometry.canonical_spacing, planes, tone=tone)


def grey_scan(
    image: npt.NDArray[Any], geometry: Geometry, modality: str, planes: tuple[Plane, ...]
) -> Scan:
    """Bring an image into canonical axes and leave its grey values: Hounsfield units for CT.

    For a model that brings them into its own range; arguments as `make_scan`.
    """
    array = geometry.to_canonical(image).astype(np.float32)
    if modality == "ct-offset":
        array = array - np.float32(_OFFSET_HU)
    return Scan(np.ascontiguousarray(array[None]), geometry.canonical_spacing, planes)


def _robust_z_score(array: npt.NDArray[Any]) -> Tone:
    """(x - median) / (interquartile range / 1.349) of the voxels that are not air, clipped.

    MR grey values have no unit and their scale differs from scan to scan; the median and the
    quartiles do not care about a few very bright vessels. Air is what lies in the lowest 5 % of
    the range; counting it would make the scale depend on the field of view.
    """
    low, high = np.percentile(array, (0.5, 99.5))
    tissue = array[array > low + 0.05 * (high - low)]
    if tissue.size == 0:
        return Tone(((0.0, np.inf),), _CLIP_MR)
    quarter, median, three_quarters = np.percentile(tissue, (25, 50, 75))
    scale = max(float(three_quarters - quarter) / 1.349, 1e-6)
    return Tone(((float(median), float(median) + scale),), _CLIP_MR)
