"""Windows round annotated slices, which a foreign 3-D network learns from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from activeseg.keys import Plane
from activeseg.model.foreign import Shown
from activeseg.model.frame import along
from activeseg.model.scan import axis_of

__all__ = ["Lesson", "Taught", "Window", "Windows"]

_SCALED, _SHIFTED, _NOISE = 0.2, 0.2, 0.1
"""What grey values are changed by at the most, in units of the patch's deviation."""

_NOISE_CHANCE = 0.3


@dataclass(frozen=True)
class Lesson:
    """An annotated slice.

    Attributes:
        axis: The canonical axis that it cuts.
        index: Its canonical index.
        label: `[H, W]` output channel of each pixel (0 background), canonical orientation.
    """

    axis: int
    index: int
    label: torch.Tensor

    @classmethod
    def of(cls, plane: Plane, index: int, channels: npt.NDArray[np.uint8]) -> Lesson:
        """A slice of a plane at a canonical index, with the output channel of each pixel."""
        return cls(axis_of(plane), index, torch.from_numpy(np.ascontiguousarray(channels)))


@dataclass(frozen=True)
class Taught:
    """A volume as the network is shown it, its image in half precision, and its slices."""

    shown: Shown
    lessons: tuple[Lesson, ...]

    @classmethod
    def of(cls, shown: Shown, lessons: Sequence[Lesson]) -> Taught:
        """A volume with its slices; of the image half the bits stay in memory."""
        return cls(replace(shown, image=shown.image.half()), tuple(lessons))


@dataclass(frozen=True)
class Window:
    """A part of a volume, padded to the network's window.

    Attributes:
        volume: The volume.
        image: `[1, ...]`.
        start: First voxel of the part, along the network's axes.
        extent: Voxels of the part.
        lead: Voxels of padding before it, as sliding windows pad.
    """

    volume: Taught
    image: torch.Tensor
    start: tuple[int, ...]
    extent: tuple[int, ...]
    lead: tuple[int, ...]

    def at_slices(self, logits: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Logits `[C, h, w]` at the pixels of each slice that crosses it, and their labels."""
        for lesson in self.volume.lessons:
            places = [self._inside(lesson, axis) for axis in range(3)]
            if not all(len(place) for place, _ in places):
                continue
            found = logits
            for axis, (place, _) in enumerate(places):
                own = self.volume.shown.frame.order.index(axis)
                found = along(found, own + 1, place - self.start[own] + self.lead[own])
            order = self.volume.shown.frame.order
            found = found.permute(0, *(order.index(axis) + 1 for axis in range(3)))
            rows, columns = (mask for axis, (_, mask) in enumerate(places) if axis != lesson.axis)
            yield found.squeeze(lesson.axis + 1), lesson.label[rows][:, columns]

    def _inside(self, lesson: Lesson, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the slice's voxels lie along an axis, those inside; and which they are."""
        frame = self.volume.shown.frame
        own = frame.order.index(axis)
        if axis == lesson.axis:
            index = torch.tensor([lesson.index], dtype=torch.float64)
        else:
            index = torch.arange(frame.canonical_shape[axis], dtype=torch.float64)
        place = frame.position(axis, index)
        first, last = self.start[own], self.start[own] + self.extent[own] - 1
        mask = (place >= first) & (place <= last)
        return place[mask], mask


class Windows:
    """Draws windows so that every class is seen as often as any other.

    As `activeseg.model.slices.Sampler`: a class first, then a slice that shows it, then a pixel of
    it that the window holds, rather in its middle half than at its edge.
    """

    def __init__(
        self, volumes: Sequence[Taught], size: tuple[int, int, int], rng: np.random.Generator
    ) -> None:
        self._size = size
        self._rng = rng
        shown: dict[int, list[tuple[Taught, Lesson]]] = {}
        for volume in volumes:
            for lesson in volume.lessons:
                for value in torch.unique(lesson.label).tolist():
                    shown.setdefault(int(value), []).append((volume, lesson))
        self._shown = shown
        self._classes = sorted(shown)

    def window(self) -> Window:
        """One window, its grey values changed a little."""
        value = self._classes[self._rng.integers(len(self._classes))]
        among = self._shown[value]
        volume, lesson = among[self._rng.integers(len(among))]
        pixels = torch.nonzero(lesson.label == value)
        voxel = pixels[self._rng.integers(len(pixels))].tolist()
        voxel.insert(lesson.axis, lesson.index)
        frame = volume.shown.frame
        start, extent, lead = [], [], []
        for own, (axis, size, count) in enumerate(
            zip(frame.order, self._size, frame.shape, strict=True)
        ):
            place = frame.position(axis, torch.tensor([voxel[axis]], dtype=torch.float64))
            offset = int(self._rng.integers(size // 4, max(size - size // 4, size // 4 + 1)))
            begin = min(max(int(place.floor()) - offset, 0), max(count - size, 0))
            start.append(begin)
            extent.append(min(size, count))
            lead.append((size - extent[own]) // 2)
        image = self._changed(volume.shown.image[(slice(None), *map(_run, start, extent))].float())
        far = [size - e - n for size, e, n in zip(self._size, extent, lead, strict=True)]
        pads = [n for pair in zip(reversed(lead), reversed(far), strict=True) for n in pair]
        image = torch.nn.functional.pad(image, pads)
        return Window(volume, image, tuple(start), tuple(extent), tuple(lead))

    def _changed(self, image: torch.Tensor) -> torch.Tensor:
        """Another scanner's grey values, or another level of noise."""
        deviation = float(image.std(correction=0))
        scale = self._rng.uniform(1 - _SCALED, 1 + _SCALED)
        changed = image * scale + deviation * self._rng.uniform(-_SHIFTED, _SHIFTED)
        if self._rng.random() < _NOISE_CHANCE:
            noise = self._rng.normal(0, _NOISE * deviation, tuple(image.shape))
            changed = changed + torch.from_numpy(noise.astype(np.float32))
        return changed


def _run(start: int, extent: int) -> slice:
    return slice(start, start + extent)
