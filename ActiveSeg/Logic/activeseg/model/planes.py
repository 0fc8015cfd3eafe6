"""A scan through a network of slices: plane by plane, some slices at a time.

What is looked at is a box. Of the slices through it the network is shown the box and a margin
round it, so that a part of a volume costs that part and not the volume.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from activeseg.keys import Plane
from activeseg.model.changed import Changes, changed, likeliest_of
from activeseg.model.network import STRIDE
from activeseg.model.precision import autocast
from activeseg.model.scan import Box, Scan, axis_of, grown, within
from activeseg.model.slices import resize

__all__ = [
    "WIDE",
    "Answer",
    "Answered",
    "Maps",
    "PlaneReader",
    "Where",
    "padded_logits",
    "softmaxes",
    "view_maps",
]

PIXELS_AT_ONCE = 1 << 17
"""Of the slices that go through the network together; a larger one goes alone, as a whole."""

MARGIN = 8
WIDE = 32
"""Voxels round a part that the network is shown with it, where there are any. With the wide margin
it answers as in the whole slice."""


class Answered(NamedTuple):
    """What a network says of images.

    Attributes:
        logits: Of one or more outputs, `[N, outputs * C, H, W]`.
        changes: What each of some stochastic passes changes in the logits of the first output,
            `[T, N, C, h, w]`, on a coarser grid over the same images; None without any.
    """

    logits: torch.Tensor
    changes: torch.Tensor | None = None


Answer: TypeAlias = Callable[[torch.Tensor], torch.Tensor | Answered]
"""From images `[N, channels, H, W]` to logits, with or without changes."""

Fit: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""From maps `[N, channels, H, W]` as large as the logits to the wanted part, in its own size."""

Maps: TypeAlias = Callable[[torch.Tensor, Fit, Changes | None], list[torch.Tensor]]
"""From logits to maps `[N, ..., H, W]`."""

Floats: TypeAlias = npt.NDArray[np.float32]
Map: TypeAlias = npt.NDArray[Any]
"""Probabilities and what is made of them in single precision, labels in bytes."""


@dataclass(frozen=True)
class PlaneReader:
    """Reads maps off a scan.

    Attributes:
        answer: The network, or something that asks it.
        maps: What is made of its logits.
        classes: How many outputs make one softmax; the first ones are the main output's.
        pixel_mm: Pixel size at which it works.
        device: Where it is.
        margin: Voxels round a box that it is shown, where there are any.
    """

    answer: Answer
    maps: Maps
    classes: int
    pixel_mm: float
    device: torch.device
    margin: int = MARGIN

    def in_box(self, scan: Scan, plane: Plane, box: Box) -> list[Map]:
        """The maps `[..., s, p, l]` of one plane in a box."""
        axis = axis_of(plane)
        reach = tuple(1 if each == axis else self.margin for each in range(3))
        around = grown(box, reach, scan.shape)
        part, inside = scan.part(around), within(box, around)
        rows, columns = (side for each, side in enumerate(inside) if each != axis)
        shape = tuple(side.stop - side.start for side in box)
        found: list[Map] = []
        for first, answered, size in self._chunks(part, plane, inside[axis]):
            maps = self._cut(answered, size, rows, columns)
            for each in maps[len(found) :]:
                found.append(np.empty((each.shape[1], *shape), dtype=each.dtype))
            here = slice(first, first + len(maps[0]))
            for whole, each in zip(found, maps, strict=True):
                np.moveaxis(whole, axis + 1, 0)[here] = each
        return found

    def where(self, scan: Scan, plane: Plane, least: float, reach: int) -> Where:
        """The maps of one plane of the whole scan, kept only where there may be foreground.

        Args:
            scan: The scan.
            plane: The plane.
            least: Foreground's probability from which on there may be some.
            reach: Voxels that are kept round it.
        """
        found = Where(plane, scan.shape)
        for first, answered, size in self._chunks(scan, plane, scan.box[axis_of(plane)]):
            background = _sized(_softmax(answered.logits[:, : self.classes])[:, :1], size)
            there = (background[:, 0] <= 1 - least).cpu().numpy()
            if there.any():
                slices, rows, columns = found.marked(first, there, reach)
                maps = self._cut(_of_slices(answered, slices), size, rows, columns)
                # Copies: a part of an array would hold all of it.
                found.keep([np.ascontiguousarray(each) for each in maps])
        return found

    def _chunks(
        self, scan: Scan, plane: Plane, slices: slice
    ) -> Iterator[tuple[int, Answered, tuple[int, int]]]:
        """What is said of some slices after the other; the first one's place, and their size."""
        axis = axis_of(plane)
        rows, columns = (count for each, count in enumerate(scan.shape) if each != axis)
        together = max(1, PIXELS_AT_ONCE * scan.shape[axis] // math.prod(scan.shape))
        for first in range(slices.start, slices.stop, together):
            indices = range(first, min(first + together, slices.stop))
            stacks = torch.from_numpy(scan.seen(plane, indices))
            pixels = resize(stacks, scan.pixel_mm(plane), self.pixel_mm)
            answered = padded_logits(self.answer, pixels, self.device)
            yield first - slices.start, answered, (rows, columns)

    def _cut(
        self, answered: Answered, size: tuple[int, int], rows: slice, columns: slice
    ) -> list[Map]:
        """The maps of some rows and columns of slices of a size; of no others where that can be."""
        logits = answered.logits
        fit: Fit = partial(_fitted, size=size, rows=rows, columns=columns)
        changes = None
        if answered.changes is not None:
            down, across = (
                _cells(n, real, cells).to(logits.device)
                for n, real, cells in zip(
                    size, logits.shape[2:], answered.changes.shape[3:], strict=True
                )
            )
            changes = Changes(answered.changes, down[rows], across[columns])
        if tuple(logits.shape[2:]) == size:
            logits, fit = logits[:, :, rows, columns], _as_it_is
        return [each.cpu().numpy() for each in self.maps(logits, fit, changes)]


def _of_slices(answered: Answered, slices: slice) -> Answered:
    """What is said of some of the images."""
    changes = answered.changes
    return Answered(answered.logits[slices], None if changes is None else changes[:, slices])


def _fitted(maps: torch.Tensor, size: tuple[int, int], rows: slice, columns: slice) -> torch.Tensor:
    return _sized(maps, size)[:, :, rows, columns]


def _as_it_is(maps: torch.Tensor) -> torch.Tensor:
    return maps


def _cells(count: int, pixels: int, cells: int) -> torch.Tensor:
    """The cell that each of some rows or columns lies in, `[count]`.

    Args:
        count: Rows or columns.
        pixels: The network's pixels that they are spread over; those that it was padded with are
            not counted.
        cells: Cells over these pixels and the padding.
    """
    padded = -(-pixels // STRIDE) * STRIDE
    middle = (torch.arange(count) + 0.5) * pixels / count
    return (middle * cells / padded).long()


_OTHERS = ((1, 2), (0, 2), (0, 1))
"""Of each of three axes the other two."""


class Where:
    """Maps of one plane's slices, kept in a box for every few of them.

    Args:
        plane: The plane.
        shape: Of the scan.
    """

    def __init__(self, plane: Plane, shape: tuple[int, int, int]) -> None:
        self._axis = axis_of(plane)
        self._shape = shape
        self._boxes: list[Box] = []
        self._maps: list[list[Map]] = []

    def marked(
        self, first: int, there: npt.NDArray[np.bool_], reach: int
    ) -> tuple[slice, slice, slice]:
        """Which of some slices, and which of their rows and columns, hold what is marked.

        Args:
            first: The first slice's place.
            there: `[N, H, W]`.
            reach: Rows and columns round it that are wanted, too.
        """
        slices, rows, columns = (_reach(there, across) for across in _OTHERS)
        sides = [rows, columns]
        sides.insert(self._axis, slice(first + slices.start, first + slices.stop))
        room = tuple(0 if each == self._axis else reach for each in range(3))
        box = grown((sides[0], sides[1], sides[2]), room, self._shape)
        self._boxes.append(box)
        rows, columns = (side for each, side in enumerate(box) if each != self._axis)
        return slices, rows, columns

    def keep(self, maps: list[Map]) -> None:
        """Keep the maps `[N, ..., H, W]` of what was marked last."""
        self._maps.append(maps)

    def box(self, reach: int) -> Box | None:
        """The smallest box that holds all that is kept and some slices more; None without any."""
        if not self._boxes:
            return None
        s, p, left = (
            slice(min(side.start for side in sides), max(side.stop for side in sides))
            for sides in zip(*self._boxes, strict=True)
        )
        room = tuple(reach if each == self._axis else 0 for each in range(3))
        return grown((s, p, left), room, self._shape)

    def maps(self, box: Box) -> list[Map]:
        """The maps `[..., s, p, l]` in a box that holds all that is kept; they are let go of.

        Elsewhere in it those of several channels, which are softmaxes, say background, and each of
        the others what it says least of all where it was kept.
        """
        shape = tuple(side.stop - side.start for side in box)
        found: list[Map] = []
        for _ in range(len(self._maps[0])):  # one after the other: they need not be there twice
            kept = [maps.pop(0) for maps in self._maps]
            whole = np.zeros((kept[0].shape[1], *shape), dtype=kept[0].dtype)
            whole[0] = 1 if len(whole) > 1 else min(each.min() for each in kept)
            for part, each in zip(self._boxes, kept, strict=True):
                inside = (slice(None), *within(part, box))
                np.moveaxis(whole[inside], self._axis + 1, 0)[:] = each
            found.append(whole)
        return found


def _reach(marked: npt.NDArray[np.bool_], across: tuple[int, int]) -> slice:
    """From the first to the last that is marked, anywhere along the other two axes."""
    there: npt.NDArray[np.bool_] = np.any(marked, axis=across)
    found = np.flatnonzero(there)
    return slice(int(found[0]), int(found[-1]) + 1)


def softmaxes(classes: int) -> Maps:
    """The softmax of each output of a network, `[N, C, H, W]`."""

    def maps(logits: torch.Tensor, fit: Fit, _: Changes | None) -> list[torch.Tensor]:
        return [fit(_softmax(each)) for each in logits.split(classes, dim=1)]

    return maps


def view_maps(classes: int) -> Maps:
    """What a view is made of: softmax and energy of the main output, the labels of the sides.

    Of the passes: labels of each, mean softmax, and mean entropy.
    """

    def maps(logits: torch.Tensor, fit: Fit, changes: Changes | None) -> list[torch.Tensor]:
        main, *sides = logits.split(classes, dim=1)
        energy = fit(-main.float().logsumexp(dim=1, keepdim=True))
        labels = [likeliest_of(fit(side.float())) for side in sides]
        softmax = fit(_softmax(main))
        passes = [] if changes is None else changed(softmax, changes)
        return [softmax, energy, *labels, *passes]

    return maps


def _softmax(logits: torch.Tensor) -> torch.Tensor:
    """In single precision, whatever the network answers in."""
    return logits.float().softmax(dim=1)


def _sized(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Maps `[N, channels, H, W]` brought to a number of rows and columns."""
    if tuple(maps.shape[2:]) == size:
        return maps
    return nn.functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def padded_logits(answer: Answer, images: torch.Tensor, device: torch.device) -> Answered:
    """What a network says of images of any size.

    Logits `[N, C, H, W]` are of the precision that the network answers in: a copy of all of them
    would take as long as the network does.
    """
    rows, columns = images.shape[2:]
    far = (0, -columns % STRIDE, 0, -rows % STRIDE)
    padded = nn.functional.pad(images, far, mode="replicate")
    with torch.inference_mode(), autocast(device, padded.shape[-1]):
        answered = answer(padded.to(device))
    logits, changes = answered if isinstance(answered, Answered) else Answered(answered)
    return Answered(logits[..., :rows, :columns], changes)
