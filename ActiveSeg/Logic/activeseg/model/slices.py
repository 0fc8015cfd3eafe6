"""Annotated slices as training data: sparse by nature, what is not annotated is not there.

A `LabelledSlice` keeps its label shifted by one, so that 0 means "not known": padding and what an
augmentation moves in from outside are left out of the loss instead of being taught as background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from activeseg.keys import Plane
from activeseg.model.network import STRIDE
from activeseg.model.scan import Scan
from activeseg.model.volumes import LabelledVolume

__all__ = [
    "IGNORED",
    "LabelledSlice",
    "Sampler",
    "Window",
    "labelled_slice",
    "patch_size",
    "resize",
    "slice_image",
    "working_pixel_mm",
]

IGNORED = 255
"""The target value that the losses leave out."""

SAME_SIZE = 0.1
"""A pixel size within this part of the working size is taken as it is, without resampling."""

BESIDE_SHARE = 0.5
"""The share of the patches of a slice that are taken from the slices beside it, where there are."""

MOST_PIXELS = 192
"""Working slices have about this many rows and columns at the most."""


@dataclass(frozen=True)
class LabelledSlice:
    """One annotated slice at the network's pixel size.

    Attributes:
        image: `[3 * channels + PLACES, H, W]`, half precision: what `Scan.seen` gives.
        label: `[1, H, W]`, bytes: 0 not known, 1 background, 1 + n the n-th structure.
        beside: The slices next to it, with what its label says of them (`propagation`).
        volume: The volume that it lies in, the same for all its annotated slices; None for a
            picture that is all there is.
    """

    image: torch.Tensor
    label: torch.Tensor
    beside: tuple[LabelledSlice, ...] = ()
    volume: LabelledVolume | None = None


def working_pixel_mm(slices: Sequence[tuple[tuple[int, int], tuple[float, float]]]) -> float:
    """The pixel size at which the network works, for the whole cohort.

    The median in-plane spacing, coarser where slices would have more than about 192 pixels.

    Args:
        slices: For each volume and plane, the slice's (rows, columns) and (row mm, column mm).
    """
    spacing = float(np.median([mm for _, pair in slices for mm in pair]))
    extent = float(np.median([max(n * mm for n, mm in zip(*each, strict=True)) for each in slices]))
    return round(max(spacing, extent / MOST_PIXELS), 4)


def resize(stack: torch.Tensor, pixel_mm: tuple[float, float], target_mm: float) -> torch.Tensor:
    """Grey values `[N, C, H, W]` at the working pixel size; unchanged where it is that already."""
    size = working_size((stack.shape[2], stack.shape[3]), pixel_mm, target_mm)
    if size == tuple(stack.shape[2:]):
        return stack
    return torch.nn.functional.interpolate(stack, size=size, mode="bilinear", antialias=True)


def working_size(
    shape: tuple[int, int], pixel_mm: tuple[float, float], target_mm: float
) -> tuple[int, int]:
    """Rows and columns of a slice at the working pixel size."""
    rows, columns = (
        n if abs(mm / target_mm - 1) <= SAME_SIZE else max(1, round(n * mm / target_mm))
        for n, mm in zip(shape, pixel_mm, strict=True)
    )
    return rows, columns


def labelled_slice(
    scan: Scan, plane: Plane, index: int, channels: npt.NDArray[np.uint8], target_mm: float
) -> LabelledSlice:
    """Cut one annotated slice out of a scan.

    Args:
        scan: The scan.
        plane: The plane of the slice.
        index: Its canonical index.
        channels: `[H, W]` output channel of each pixel (0 background), canonical orientation.
        target_mm: The network's pixel size.
    """
    image = slice_image(scan, plane, index, target_mm)
    known = torch.from_numpy(np.ascontiguousarray(channels)).float()[None, None] + 1
    label = torch.nn.functional.interpolate(known, size=image.shape[1:], mode="nearest-exact")
    return LabelledSlice(image, label[0].byte())


def slice_image(scan: Scan, plane: Plane, index: int, target_mm: float) -> torch.Tensor:
    """What of a slice a `LabelledSlice` holds as its image."""
    seen = torch.from_numpy(scan.seen(plane, [index]))
    return resize(seen, scan.pixel_mm(plane), target_mm)[0].half()


class Window(NamedTuple):
    """Where a patch is taken from.

    Attributes:
        slice: The annotated slice.
        row: The patch's centre, in pixels from the slice's upper edge.
        column: The same from its left edge.
    """

    slice: LabelledSlice
    row: float
    column: float


class Sampler:
    """Draws training patches so that every class is seen as often as any other.

    A class is drawn first, then a slice that shows it, then that or one beside it, then a pixel of
    the class that the patch holds.
    Uniform sampling of slices leaves small structures unlearned (docs/experiments.md).

    Args:
        slices: At least one annotated slice.
        patch: Rows and columns of a patch.
        rng: The only source of chance.
    """

    def __init__(
        self, slices: Sequence[LabelledSlice], patch: tuple[int, int], rng: np.random.Generator
    ) -> None:
        self._slices = slices
        self.patch = patch
        self._rng = rng
        shown: dict[int, list[int]] = {}
        for number, each in enumerate(slices):
            for value in torch.unique(each.label[each.label > 0]).tolist():
                shown.setdefault(int(value), []).append(number)
        self._shown = shown
        self._classes = sorted(shown)

    def draw(self) -> Window:
        """Where to take one patch from; it may reach beyond the far edges of a small slice."""
        value = self._classes[self._rng.integers(len(self._classes))]
        among = self._shown[value]
        chosen = self._or_beside(self._slices[among[self._rng.integers(len(among))]], value)
        places = torch.nonzero(chosen.label[0] == value)
        row, column = places[self._rng.integers(len(places))].tolist()
        return Window(
            chosen,
            self._around(row, chosen.label.shape[1], self.patch[0]),
            self._around(column, chosen.label.shape[2], self.patch[1]),
        )

    def _or_beside(self, own: LabelledSlice, value: int) -> LabelledSlice:
        """The slice itself or one beside it, if that is known to show the class."""
        if not own.beside or self._rng.random() >= BESIDE_SHARE:
            return own
        other = own.beside[self._rng.integers(len(own.beside))]
        return other if bool((other.label == value).any()) else own

    def _around(self, pixel: int, length: int, size: int) -> float:
        """The centre of a window that holds `pixel`, rather in its middle half than at its edge."""
        offset = int(self._rng.integers(size // 4, size - size // 4))
        return min(max(pixel - offset, 0), max(length - size, 0)) + size / 2


def patch_size(slices: Sequence[LabelledSlice], most: int) -> tuple[int, int]:
    """Rows and columns of a training patch: the median slice, `most` pixels at the most.

    With patches as large as the largest slice most of what the network sees is padding, and it
    then finds structures at the edges of real slices (docs/experiments.md).
    """
    sizes = np.median([each.label.shape[1:] for each in slices], axis=0)
    rows, columns = (min(most, int(np.ceil(n / STRIDE)) * STRIDE) for n in sizes)
    return rows, columns
