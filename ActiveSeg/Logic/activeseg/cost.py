"""Seconds of one answer: a simulated clinician with fixed constants.

An answer costs an overhead (navigate, look, accept), more for the first slice of a volume in a
batch, and then the cheaper of drawing from nothing and correcting the mask that is shown. The
form, time against contour length and number of components, follows Kuo et al. 2018 (MICCAI,
cost-sensitive active learning). The same constants are the prior of the cost estimate and the
time model of the benchmark's oracle; nothing here is tuned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.contour import components, contour_mm, cropped

__all__ = [
    "FAST",
    "SLOW",
    "STANDARD",
    "TIME_MODELS",
    "Answer",
    "How",
    "TimeModel",
    "answer_seconds",
    "correct_seconds",
    "draw_seconds",
    "expected_answers",
    "prior_answer",
]

How: TypeAlias = Literal["draw", "correct", "confirm"]
"""How an answer is given: drawn from nothing, corrected from what is shown, or accepted."""

Labels: TypeAlias = npt.NDArray[np.integer]

WRONG_PIXELS = 3
"""A wrong component of fewer pixels than this is not a click of its own."""

LARGE = 1 << 18
"""Pixels of masks that are looked at in one box: of many slices it is mostly background."""

PRIOR_WIDTH = 0.2
PRIOR_PRESENCE = 0.5


@dataclass(frozen=True)
class TimeModel:
    """How fast one clinician is.

    Attributes:
        name: As the tables print it.
        overhead_s: Each slice: navigate, look, accept.
        first_slice_s: On top, for the first slice of a volume in a batch.
        speed_mm_s: Tracing speed when drawing; correcting goes twice as fast.
        draw_component_s: Each connected component that is drawn.
        correct_component_s: Each wrong component that is corrected.
    """

    name: str
    overhead_s: float
    first_slice_s: float
    speed_mm_s: float
    draw_component_s: float = 4.0
    correct_component_s: float = 3.0


STANDARD = TimeModel("standard", overhead_s=10.0, first_slice_s=15.0, speed_mm_s=4.0)
SLOW = TimeModel("slow", overhead_s=20.0, first_slice_s=30.0, speed_mm_s=2.0)
FAST = TimeModel("fast", overhead_s=5.0, first_slice_s=8.0, speed_mm_s=8.0)
TIME_MODELS: dict[str, TimeModel] = {model.name: model for model in (STANDARD, SLOW, FAST)}


@dataclass(frozen=True)
class Answer:
    """What one answer costs.

    Attributes:
        seconds: All of it, overheads included.
        how: The cheaper way; `confirm` where the shown mask is accepted as it is.
        draw_s: Seconds of drawing from nothing, without overheads.
        correct_s: Seconds of correcting, without overheads; None on a blank canvas.
        contour_mm: Length of the contours of what is drawn, all structures together.
    """

    seconds: float
    how: How
    draw_s: float
    correct_s: float | None
    contour_mm: float

    @property
    def drawn(self) -> bool:
        """Whether the canvas is blank or drawing anew is the cheaper way."""
        return self.correct_s is None or self.how == "draw"


class _Outline(NamedTuple):
    """What there is to trace, all structures together; means need not be whole numbers."""

    components: float
    contour_mm: float


def draw_seconds(
    label: Labels, structures: Sequence[int], spacing: tuple[float, float], model: TimeModel
) -> float:
    """Seconds of drawing every structure of a slice from nothing, without overheads.

    Args:
        label: `[H, W]` label values, or `[N, H, W]` for the mean over N slices.
        structures: The label values that count.
        spacing: `(row_mm, col_mm)`.
        model: How fast the clinician is.
    """
    wishes = label.reshape(-1, 1, *label.shape[-2:])
    return _draw_s(_drawing(wishes, structures, spacing)[0], model)


def correct_seconds(
    shown: Labels,
    wanted: Labels,
    structures: Sequence[int],
    spacing: tuple[float, float],
    model: TimeModel,
) -> float:
    """Seconds of correcting a shown mask into the wanted one, without overheads.

    Args:
        shown: `[H, W]` label values.
        wanted: `[H, W]` label values, or `[N, H, W]` for the mean over N wishes.
        structures: The label values that count.
        spacing: `(row_mm, col_mm)`.
        model: How fast the clinician is.
    """
    wishes = wanted.reshape(-1, 1, *wanted.shape[-2:])
    return _correct_s(_wrong(shown[None], wishes, structures, spacing)[0], model)


def answer_seconds(
    shown: Labels | None,
    wanted: Labels,
    structures: Sequence[int],
    spacing: tuple[float, float],
    model: TimeModel,
    first_of_volume: bool,
) -> Answer:
    """Seconds of answering one slice when the wanted mask is known (the oracle's case).

    A shown mask without any structure is the same picture as a blank canvas, so it can only be
    drawn on: otherwise an empty proposal would let a whole organ be traced at the correcting
    speed. An empty wish is drawn in no time: clearing the canvas is part of the overhead.

    Args:
        shown: `[H, W]` label values before the answer; None for a blank canvas.
        wanted: `[H, W]` label values of the answer.
        structures: The label values that count.
        spacing: `(row_mm, col_mm)`.
        model: How fast the clinician is.
        first_of_volume: Whether it is the first slice of its volume in the batch.
    """
    wish = wanted[None, None]
    drawing = _drawing(wish, structures, spacing)[0]
    wrong: _Outline | None = None
    if shown is not None and np.isin(shown, structures).any():
        wrong = _wrong(shown[None], wish, structures, spacing)[0]
    return _cheaper(drawing, wrong, model, first_of_volume)


def expected_answers(
    samples: Labels,
    proposals: Labels,
    structures: Sequence[int],
    spacing: tuple[float, float],
    model: TimeModel,
) -> list[Answer]:
    """Expected answers to slices, the truth of each being one of its samples.

    Overhead + min(draw the proposal, mean over the samples of correcting the proposal into the
    sample). An empty proposal is a blank canvas: the mean over the samples of drawing them. The
    overhead of the first slice of a volume is not in it; the batch adds that once a volume.

    Args:
        samples: `[T, N, H, W]` label values, one stochastic pass each.
        proposals: `[N, H, W]` label values that will be shown.
        structures: The label values that count.
        spacing: `(row_mm, col_mm)`.
        model: How fast the clinician is.

    Returns:
        One answer for each of the N slices.
    """
    shown: npt.NDArray[np.bool_] = np.any(np.isin(proposals, structures), axis=(1, 2))
    drawing = _drawing(proposals[None], structures, spacing)
    blank = _drawing(samples[:, ~shown], structures, spacing)
    wrong = _wrong(proposals[shown], samples[:, shown], structures, spacing)
    blanks, wrongs = iter(blank), iter(wrong)
    return [
        _cheaper(each, next(wrongs), model, first_of_volume=False)
        if there
        else _cheaper(next(blanks), None, model, first_of_volume=False)
        for each, there in zip(drawing, shown, strict=True)
    ]


def prior_answer(
    sizes_mm: Sequence[float | None],
    extent_mm: tuple[float, float],
    depth_mm: float,
    model: TimeModel,
) -> Answer:
    """Expected answer to a slice before any model exists, without the first-slice overhead.

    A prior, not a measurement. A structure of a known size is a ball: it is on as many slices as
    its diameter spans, pi / 4 of it wide in the mean. One of which nothing is known is on every
    second slice, as one disc a fifth as wide as the slice.

    Args:
        sizes_mm: Typical diameter of each structure; None where nobody knows.
        extent_mm: Height and width of the slice.
        depth_mm: Of the volume, across its slices.
        model: How fast the clinician is.
    """
    width_mm = PRIOR_WIDTH * math.sqrt(extent_mm[0] * extent_mm[1])
    count, contour_mm = 0.0, 0.0
    for size in sizes_mm:
        present = PRIOR_PRESENCE if size is None else min(1.0, size / depth_mm)
        count += present
        contour_mm += present * math.pi * (width_mm if size is None else math.pi / 4 * size)
    return _cheaper(_Outline(count, contour_mm), None, model, first_of_volume=False)


def _cheaper(
    drawing: _Outline, wrong: _Outline | None, model: TimeModel, first_of_volume: bool
) -> Answer:
    overhead = model.overhead_s + (model.first_slice_s if first_of_volume else 0.0)
    drawn = _draw_s(drawing, model)
    corrected = None if wrong is None else _correct_s(wrong, model)
    how: How = "draw"
    work = drawn
    if corrected is not None and corrected <= drawn:
        how, work = "correct", corrected
    if work == 0 and (corrected is None or corrected == 0):
        how = "confirm"
    return Answer(overhead + work, how, drawn, corrected, drawing.contour_mm)


def _draw_s(drawing: _Outline, model: TimeModel) -> float:
    return model.draw_component_s * drawing.components + drawing.contour_mm / model.speed_mm_s


def _correct_s(wrong: _Outline, model: TimeModel) -> float:
    return model.correct_component_s * wrong.components + wrong.contour_mm / (2 * model.speed_mm_s)


def _drawing(
    labels: Labels, structures: Sequence[int], spacing: tuple[float, float]
) -> list[_Outline]:
    """What there is to draw in N slices, the mean of K wishes `[K, N, H, W]`."""
    return _outlines((labels == value for value in structures), labels.shape[1], 1, spacing)


def _wrong(
    shown: Labels, wanted: Labels, structures: Sequence[int], spacing: tuple[float, float]
) -> list[_Outline]:
    """What there is to correct in N slices `[N, H, W]`, the mean of K wishes `[K, N, H, W]`."""
    masks = ((shown == value) != (wanted == value) for value in structures)
    return _outlines(masks, len(shown), WRONG_PIXELS, spacing)


def _within_boxes(
    mask: npt.NDArray[np.bool_], rows: slice
) -> Iterator[tuple[slice, npt.NDArray[np.bool_]]]:
    """A mask `[K, N, H, W]` within its bounding box; of large ones fewer slices in a box.

    Yields:
        Which of the slices, and their mask.
    """
    inside = cropped(mask)
    if inside is None:
        return
    if inside.size <= LARGE or inside.shape[1] == 1:
        yield rows, inside
        return
    half = inside.shape[1] // 2
    middle = rows.start + half
    yield from _within_boxes(inside[:, :half], slice(rows.start, middle))
    yield from _within_boxes(inside[:, half:], slice(middle, rows.stop))


def _outlines(
    masks: Iterable[npt.NDArray[np.bool_]],
    slices: int,
    min_pixels: int,
    spacing: tuple[float, float],
) -> list[_Outline]:
    """Of each slice the sum over the masks `[K, N, H, W]`, of each mask the mean over K."""
    count, length = np.zeros(slices), np.zeros(slices)
    for mask in masks:
        for rows, inside in _within_boxes(mask, slice(0, slices)):
            count[rows] += components(inside, min_pixels).mean(axis=0)
            length[rows] += contour_mm(inside, spacing).mean(axis=0)
    return [_Outline(*each) for each in zip(count.tolist(), length.tolist(), strict=True)]
