"""A scan through a network of slices: plane by plane, some slices at a time.

What is looked at is a box. Of the slices through it the network is shown the box and a margin
round it, so that a part of a volume costs that part and not the volume.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn

from activeseg.keys import Plane
from activeseg.model.network import STRIDE
from activeseg.model.precision import autocast
from activeseg.model.scan import Box, Scan, axis_of, grown, within
from activeseg.model.slices import resize

__all__ = [
    "WIDE",
    "Answer",
    "Maps",
    "PlaneReader",
    "Where",
    "padded_logits",
    "softmaxes",
    "view_maps",
]

WINDOW = 192
"""Rows and columns that the network sees at once at the most."""

PIXELS_AT_ONCE = 1 << 17
"""Of the slices, or windows, that go through the network together."""

MARGIN = 8
WIDE = 32
"""Voxels round a part that the network is shown with it, where there are any. With the wide margin
it answers as in the whole slice."""

Answer: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""From images `[N, channels, H, W]` to logits of one or more outputs `[N, outputs * C, H, W]`."""

Maps: TypeAlias = Callable[[torch.Tensor, tuple[int, int]], list[torch.Tensor]]
"""From logits as above to maps `[N, ..., H, W]` of another size."""

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
        for first, logits, size in self._chunks(part, plane, inside[axis]):
            maps = self._cut(logits, size, rows, columns)
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
        for first, logits, size in self._chunks(scan, plane, scan.box[axis_of(plane)]):
            background = _sized(_softmax(logits[:, : self.classes])[:, :1], size)
            there = (background[:, 0] <= 1 - least).cpu().numpy()
            if there.any():
                slices, rows, columns = found.marked(first, there, reach)
                maps = self._cut(logits[slices], size, rows, columns)
                # Copies: a part of an array would hold all of it.
                found.keep([np.ascontiguousarray(each) for each in maps])
        return found

    def _chunks(
        self, scan: Scan, plane: Plane, slices: slice
    ) -> Iterator[tuple[int, torch.Tensor, tuple[int, int]]]:
        """The logits of some slices after the other; the first one's place, and their own size."""
        axis = axis_of(plane)
        rows, columns = (count for each, count in enumerate(scan.shape) if each != axis)
        together = max(1, PIXELS_AT_ONCE * scan.shape[axis] // math.prod(scan.shape))
        for first in range(slices.start, slices.stop, together):
            indices = range(first, min(first + together, slices.stop))
            stacks = torch.from_numpy(scan.seen(plane, indices))
            pixels = resize(stacks, scan.pixel_mm(plane), self.pixel_mm)
            logits = padded_logits(self.answer, pixels, self.device)
            yield first - slices.start, logits, (rows, columns)

    def _cut(
        self, logits: torch.Tensor, size: tuple[int, int], rows: slice, columns: slice
    ) -> list[Map]:
        """The maps of some rows and columns of slices of a size; of no others where that can be."""
        if tuple(logits.shape[2:]) == size:
            logits = logits[:, :, rows, columns]
            maps = self.maps(logits, (logits.shape[2], logits.shape[3]))
        else:
            maps = [each[:, :, rows, columns] for each in self.maps(logits, size)]
        return [each.cpu().numpy() for each in maps]


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

    def maps(logits: torch.Tensor, size: tuple[int, int]) -> list[torch.Tensor]:
        return [_sized(_softmax(each), size) for each in logits.split(classes, dim=1)]

    return maps


def view_maps(classes: int, sides: int) -> Maps:
    """What a view is made of: softmax and energy of the main output, the labels of the sides.

    Of the other outputs, the passes: labels of each, mean softmax, and mean entropy.
    """

    def maps(logits: torch.Tensor, size: tuple[int, int]) -> list[torch.Tensor]:
        main, *others = logits.split(classes, dim=1)
        energy = _sized(-main.float().logsumexp(dim=1, keepdim=True), size)
        labels = [_labels(_sized(side.float(), size)) for side in others[:sides]]
        passes = _together(others[sides:], size)
        return [_sized(_softmax(main), size), energy, *labels, *passes]

    return maps


def _together(passes: Sequence[torch.Tensor], size: tuple[int, int]) -> list[torch.Tensor]:
    """Of the logits of some passes the labels of each, mean softmax, and mean entropy."""
    labels, total, entropy = [], torch.zeros(()), torch.zeros(())
    for each in passes:
        p = _sized(_softmax(each), size)
        labels.append(_labels(p))
        # Where p is 0 the logarithm stays finite, so that its product with p is the limit, 0.
        entropy = entropy - p.clamp(min=torch.finfo().tiny).log_().mul_(p).sum(dim=1, keepdim=True)
        total = total + p
    return [*labels, total / len(passes), entropy / len(passes)] if passes else []


def _softmax(logits: torch.Tensor) -> torch.Tensor:
    """In single precision, whatever the network answers in."""
    return logits.float().softmax(dim=1)


def _sized(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Maps `[N, channels, H, W]` brought to a number of rows and columns."""
    if tuple(maps.shape[2:]) == size:
        return maps
    return nn.functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _labels(logits: torch.Tensor) -> torch.Tensor:
    """The likeliest class, `[N, 1, H, W]` bytes.

    On a processor torch's argmax over a middle axis takes ten times as long.
    """
    best, found = logits[:, :1], torch.zeros_like(logits[:, :1], dtype=torch.uint8)
    for channel in range(1, logits.shape[1]):
        each = logits[:, channel : channel + 1]
        found.masked_fill_(each > best, channel)
        best = torch.maximum(best, each)
    return found


def padded_logits(answer: Answer, images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Logits `[N, C, H, W]` of images of any size, in windows where they are large.

    They are of the precision that the network answers in: a copy of all that passes say would
    take as long as the passes.
    """
    rows, columns = images.shape[2:]
    far = (0, -columns % STRIDE, 0, -rows % STRIDE)
    padded = nn.functional.pad(images, far, mode="replicate")
    window = (min(WINDOW, padded.shape[2]), min(WINDOW, padded.shape[3]))
    with torch.inference_mode(), autocast(device):
        if window == tuple(padded.shape[2:]):
            logits = answer(padded.to(device))
        else:
            together = PIXELS_AT_ONCE // WINDOW**2
            inferer = SlidingWindowInferer(window, sw_batch_size=together, mode="gaussian")
            # Windows are blended in single precision, whatever the network answers in.
            blended = inferer(padded.to(device), lambda part: answer(part).float())
            logits = cast(torch.Tensor, blended)
    return logits[..., :rows, :columns]
