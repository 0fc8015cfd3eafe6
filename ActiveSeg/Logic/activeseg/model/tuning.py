"""Tuning a foreign 3-D network on annotated slices.

An annotated slice is a plane of known voxels in a volume of unknown ones. The network answers to a
window round it, in its own voxels; the answer is brought to the pixels of the slices that cross
the window, and only there it is compared. Nothing is ever taught of a voxel that nobody looked at,
and no label is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from activeseg.errors import ModelError
from activeseg.keys import Plane
from activeseg.model.decoder import Part, decoder, only
from activeseg.model.foreign import ForeignModel, Shown
from activeseg.model.frame import along
from activeseg.model.network import Weights, seeded
from activeseg.model.rank_processes import together
from activeseg.model.ranks import Rank, Ranks, alone, gpus_for, only_used
from activeseg.model.scan import axis_of
from activeseg.model.training import SliceLoss, Trained
from activeseg.progress import Progress

__all__ = ["Lesson", "Taught", "Tuning", "tune"]

_SCALED, _SHIFTED, _NOISE = 0.2, 0.2, 0.1
"""What grey values are changed by at the most, in units of the patch's deviation."""

_NOISE_CHANCE = 0.3


@dataclass(frozen=True)
class Tuning:
    """How a network that was trained before is trained on.

    Batch norm keeps the statistics that it came with, as a batch of two windows has none worth
    having; dropout acts.

    Attributes:
        steps: Optimiser steps.
        batch: Windows a step, one after the other.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Of AdamW.
        part: What of the network is trained.
    """

    steps: int = 200
    batch: int = 2
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    part: Part = "all"


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


def tune(
    model: ForeignModel,
    training: Sequence[Taught],
    tuning: Tuning,
    seed: int,
    progress: Progress,
    again: Callable[[], ForeignModel] | None = None,
    ranks: Ranks | None = None,
) -> Trained:
    """Train a model's network on; it is changed.

    The schedule is fixed and nothing is held out: the weights of the last step are the model.

    Args:
        model: The model.
        training: What is learned from.
        tuning: How it is trained.
        seed: Fixes windows, changes of grey values and dropout.
        progress: Told about the steps.
        again: Opens the same model in another process, pickled; None: one device does it all.
        ranks: Who shares it; None: GPUs that it is worth while for (`gpus_for`), or nobody. Their
            number divides the windows of a step.

    Raises:
        ModelError: If there is no slice to learn from, nothing that can be trained, or a GPU of
            several fails.
    """
    if not any(volume.lessons for volume in training):
        raise ModelError("no annotated slice to learn from; annotate at least one")
    points = tuning.batch * math.prod(model.description.window)
    if again is not None:
        ranks = ranks or gpus_for(model.device, tuning.batch, points)
    if again is None or ranks is None:
        return _tuned(model, training, tuning, seed, alone(model.device), progress)
    work = partial(_on_rank, again, training, tuning, seed)
    weights, log = together(work, ranks, progress)[0]
    model.network.load_state_dict(weights)
    return Trained(model.network.eval(), tuple(log))


def _on_rank(
    again: Callable[[], ForeignModel],
    training: Sequence[Taught],
    tuning: Tuning,
    seed: int,
    rank: Rank,
    progress: Progress,
) -> tuple[Weights, list[dict[str, Any]]] | None:
    """Tune in one of several processes; rank 0 gives the weights and the log."""
    trained = _tuned(again(), training, tuning, seed, rank, progress)
    return None if rank.number else (trained.network.state_dict(), list(trained.log))


def _tuned(
    model: ForeignModel,
    training: Sequence[Taught],
    tuning: Tuning,
    seed: int,
    rank: Rank,
    progress: Progress,
) -> Trained:
    """`tune`, on one device."""
    with seeded(seed):
        parameters = _trainable(model, tuning.part)
        optimiser = torch.optim.AdamW(
            parameters, tuning.learning_rate, weight_decay=tuning.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, tuning.learning_rate, total_steps=max(20, tuning.steps + 1), pct_start=0.1
        )
        draw = _Windows(training, model.description.window, np.random.default_rng(seed))
        if rank.count > 1:
            model.learning()
            only_used(parameters, model.network(_nothing(model)))
        lessons = _Lessons(model, rank, rank.spread(model.network), tuning.batch)
        logged = {max(1, round(tuning.steps * part)) for part in (0.8, 0.9, 1.0)}
        log: list[dict[str, Any]] = []
        rank.own_chance(seed)
        with progress.stage("Tuning", tuning.steps) as stage:
            for step in range(1, tuning.steps + 1):
                model.learning()
                optimiser.zero_grad()
                loss = lessons.learn(draw)
                optimiser.step()
                schedule.step()
                if step in logged:
                    log.append({"step": step, "loss": rank.total(loss)})
                stage.advance()
    return Trained(model.network.eval(), tuple(log))


def _trainable(model: ForeignModel, part: Part) -> list[torch.nn.Parameter]:
    """The parameters that are trained; no others keep gradients."""
    network = model.network
    if part == "decoder":
        if isinstance(network, torch.jit.ScriptModule):
            raise ModelError(
                "a TorchScript file does not show what runs after what; train with --tune all"
            )
        only(network, decoder(network.eval(), 3, lambda: network(_nothing(model))))
    found = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not found:
        raise ModelError("the model has no weights to train: it was frozen when it was exported")
    return found


def _nothing(model: ForeignModel) -> torch.Tensor:
    """An empty window."""
    return torch.zeros((1, 1, *model.description.window), device=model.device)


@dataclass(frozen=True)
class _Lessons:
    """Shows the network its windows of a step.

    Attributes:
        model: The model.
        rank: Which of the windows it is shown.
        answer: Its network, as the ranks share it.
        batch: Windows of a step on all ranks together.
    """

    model: ForeignModel
    rank: Rank
    answer: torch.nn.Module
    batch: int

    def learn(self, draw: _Windows) -> float:
        """Keep the gradients of a step; the loss of the rank's own windows."""
        own = range(self.batch)[self.rank.share(self.batch)]
        total = 0.0
        for number in range(self.batch):
            window = draw.window()  # of every window, so that all ranks draw alike
            if number in own:
                with self.rank.averaging(self.answer, now=number == own[-1]):
                    total += self._learn(window)
        return total

    def _learn(self, window: _Window) -> float:
        """Show the network one window and keep the gradients of its share of the loss."""
        logits = self.model.merged(self.answer(window.image[None].to(self.model.device)))[0]
        answers, targets = [], []
        for found, label in window.at_slices(logits):
            answers.append(found.flatten(1))
            targets.append(label.flatten())
        answer = torch.cat(answers, dim=1)[None, :, :, None]
        target = torch.cat(targets).long()[None, None, :, None].to(answer.device)
        loss = SliceLoss()(answer.float(), target) / self.batch
        (self.rank.count * loss).backward()
        return float(loss.item())


@dataclass(frozen=True)
class _Window:
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


class _Windows:
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

    def window(self) -> _Window:
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
        return _Window(volume, image, tuple(start), tuple(extent), tuple(lead))

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
