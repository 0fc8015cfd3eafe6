"""Scores of the slices of a volume, from all that a model said of it.

All arrays are canonical and end with the box that holds what foreground there may be, or with the
part of it that was sampled. Outside the box a slice shows nothing and nothing is undecided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.cost import STANDARD, Answer, expected_answers
from activeseg.keys import Plane
from activeseg.model.scan import Box, Scan, axis_of
from activeseg.project.predictions import Scores
from activeseg.quality import (
    LEAST_VOXELS,
    LIKELY,
    Compared,
    Opinions,
    neighbour_dice,
    soft_dice_confidence,
)
from activeseg.uncertainty import (
    band_mean,
    band_sum,
    class_entropy,
    entropy_of_foreground,
    gradient_sizes,
    presence,
    slice_doubts,
    slice_mean,
    top_patches,
)

__all__ = ["Labels", "Seen", "plane_scores", "stored_scores"]

MOST_WISHES = 6
"""So many samples at the most stand for what the answer will be, evenly out of all of them."""

Labels: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Seen:
    """All that is known of a volume.

    Attributes:
        spacing: Millimetres between voxels along S, P, L.
        shape: Of the volume.
        box: Where in it what follows lies.
        names: Names of the structures.
        proposal: `[s, p, l]` output channels.
        mean: `[C, s, p, l]` mean softmax: of the samples where there are any, else of the views.
        entropy: `[s, p, l]` its entropy.
        energy: `[s, p, l]` mean over the views; None where the model gives none.
        bald: `[s, p, l]`.
        band: `[s, p, l]`, round the predicted foreground.
        part: Where in the box the samples lie.
        samples, views, sides: `[k, ...]` label maps of the part; of the views by plane.
    """

    spacing: tuple[float, float, float]
    shape: tuple[int, int, int]
    box: Box
    names: Sequence[str]
    proposal: Labels
    mean: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]
    energy: npt.NDArray[np.float32] | None
    bald: npt.NDArray[np.float32]
    band: npt.NDArray[np.bool_]
    part: Box
    samples: Labels
    views: Mapping[Plane | None, Labels]
    sides: Labels

    @cached_property
    def opinions(self) -> Opinions:
        """What the samples agree on, and what not."""
        return Opinions.of(self.samples)

    @cached_property
    def beside_views(self) -> Compared:
        """The proposal and what each view shows; of a single view nothing."""
        views = np.array(list(self.views.values()))
        return self._compared(views if len(views) > 1 else views[:0])

    @cached_property
    def beside_sides(self) -> Compared:
        """The proposal and what each side output shows."""
        return self._compared(self.sides)

    def _compared(self, opinions: Labels) -> Compared:
        return Compared.of(opinions, self.proposal[self.part], len(self.names))

    @cached_property
    def foreground(self) -> npt.NDArray[np.float32]:
        """`[s, p, l]` probability of any structure."""
        probability: npt.NDArray[np.float32] = 1 - self.mean[0]
        return probability

    @cached_property
    def foreground_entropy(self) -> npt.NDArray[np.float32]:
        """`[s, p, l]`, the structures' part of the entropy."""
        return entropy_of_foreground(self.entropy, self.mean[0])


def plane_scores(seen: Seen, plane: Plane) -> Scores:
    """Scores of every slice along one canonical axis."""
    axis, structures = axis_of(plane), len(seen.names)
    over = tuple(each for each in range(3) if each != axis)
    area = np.array(
        [np.count_nonzero(seen.proposal == c, axis=over) for c in range(1, structures + 1)]
    )
    mass = np.array([p.sum(axis=over, where=p >= LIKELY, dtype=float) for p in seen.mean[1:]])
    answers = _answers(seen, plane)
    in_band = band_mean(seen.entropy, seen.band, axis)
    shown = band_sum(seen.foreground, seen.band, axis)
    share = _share_of_slice(seen, axis)
    inside = Scores(
        plane=np.full(len(in_band), plane.value, dtype="U8"),
        index=np.arange(seen.box[axis].start, seen.box[axis].stop),
        size=(area + mass).T,
        shows=((area > 0) | (mass >= LEAST_VOXELS)).T,
        evidence=_evidence(seen, axis),
        class_entropy=class_entropy(seen.entropy, seen.mean, axis).T * share,
        uncertainty=in_band * presence(shown),
        band_entropy=in_band,
        whole_entropy=slice_mean(seen.entropy, axis) * share,
        epistemic=slice_mean(seen.bald, axis) * share,
        seconds=np.array([each.seconds for each in answers]),
        blank_seconds=np.array([STANDARD.overhead_s + each.draw_s for each in answers]),
        contour_mm=np.array([each.contour_mm for each in answers]),
        drawn=np.array([each.drawn for each in answers]),
        how=np.array([each.how for each in answers], dtype="U7"),
        doubt=np.array(_doubts(seen, plane), dtype="U160"),
        energy=_energy(seen, axis),
        foreground_entropy=slice_mean(seen.foreground_entropy, axis) * share,
        top_patches=top_patches(seen.bald, axis),
        gradient=_gradient(seen, axis) * share,
    )
    return _with_others(inside, seen.shape[axis])


def _share_of_slice(seen: Seen, axis: int) -> float:
    """How much of a slice lies in the box."""
    share = 1.0
    for along, (side, count) in enumerate(zip(seen.box, seen.shape, strict=True)):
        if along != axis:
            share *= (side.stop - side.start) / count
    return share


_NOTHING: Mapping[str, object] = {
    "evidence": np.nan,
    "energy": np.nan,
    "seconds": STANDARD.overhead_s,
    "blank_seconds": STANDARD.overhead_s,
    "drawn": True,
    "how": "confirm",
}
"""What a slice outside the box scores, where it is not 0 or empty: a blank canvas to confirm."""


def _with_others(inside: Scores, count: int) -> Scores:
    """The scores of all slices of a plane: those outside the box show nothing."""
    columns: dict[str, npt.NDArray[np.generic]] = {}
    for name, column in inside.arrays().items():
        whole = np.zeros((count, *column.shape[1:]), dtype=column.dtype)
        if name in _NOTHING:
            whole[...] = _NOTHING[name]
        whole[inside.index] = column
        columns[name] = whole
    columns |= {"index": np.arange(count), "plane": np.full(count, inside.plane[0], dtype="U8")}
    return Scores(**columns)  # type: ignore[arg-type]  # the columns of a Scores


def stored_scores(scores: Scores, scan: Scan) -> Scores:
    """The scores of the stored slices of a plane, from those of the slices of a scan's grid."""
    if scan.step == (1, 1, 1):
        return scores
    axis = axis_of(Plane(str(scores.plane[0])))
    count, step = scan.stored_shape[axis], scan.step[axis]
    columns = {name: column[np.arange(count) // step] for name, column in scores.arrays().items()}
    pixels = math.prod(scan.step) // step
    columns |= {"index": np.arange(count), "size": columns["size"] * pixels}
    return Scores(**columns)  # type: ignore[arg-type]  # the columns of a Scores


def _energy(seen: Seen, axis: int) -> npt.NDArray[np.float64]:
    """Mean free energy in the band of each slice; NaN where there is none."""
    if seen.energy is None:
        return np.full(seen.proposal.shape[axis], np.nan)
    over = tuple(each for each in range(3) if each != axis)
    found: npt.NDArray[np.float64] = np.where(
        seen.band.any(axis=over), band_mean(seen.energy, seen.band, axis), np.nan
    )
    return found


def _gradient(seen: Seen, axis: int) -> npt.NDArray[np.float64]:
    """Gradient of each slice, mean over its pixels in the box; outside the part it is none."""
    found = np.zeros((seen.proposal.shape[axis], len(seen.mean) ** 2))
    found[seen.part[axis]] = gradient_sizes(seen.mean[(slice(None), *seen.part)], axis)
    return found * (len(found) / seen.proposal.size)


def _evidence(seen: Seen, axis: int) -> npt.NDArray[np.float64]:
    """`[n, structures, evidence]`, in the order of `activeseg.quality.EVIDENCE`."""
    structures = len(seen.names)
    inside = seen.proposal[seen.part]
    columns = [
        seen.opinions.iou(structures, axis),
        seen.beside_views.dice(axis),
        neighbour_dice(inside, structures, axis),
        _fill(inside, structures, axis),
        soft_dice_confidence(seen.mean[(slice(None), *seen.part)], inside, axis),
        seen.opinions.pairwise_dice(structures, axis),
        seen.beside_sides.dice(axis),
    ]
    found = np.full((seen.proposal.shape[axis], structures, len(columns)), np.nan)
    found[seen.part[axis]] = np.array(columns).transpose(2, 1, 0)
    return found


def _fill(inside: Labels, structures: int, axis: int) -> npt.NDArray[np.float64]:
    """Area of each structure as a share of its fullest slice's, `[structures, n]`."""
    over = tuple(each for each in range(3) if each != axis)
    area = np.array(
        [np.count_nonzero(inside == c, axis=over) for c in range(1, structures + 1)], dtype=float
    )
    most = area.max(axis=1, keepdims=True)
    filled: npt.NDArray[np.float64] = np.where(area > 0, area / np.maximum(most, 1), np.nan)
    return filled


def _answers(seen: Seen, plane: Plane) -> list[Answer]:
    """What answering each slice is expected to cost a standard clinician."""
    axis = axis_of(plane)
    nothing = Answer(STANDARD.overhead_s, "confirm", 0.0, None, 0.0)
    answers = [nothing] * seen.proposal.shape[axis]
    # What the model proposes outside the part is nothing, as the part holds its foreground.
    answers[seen.part[axis]] = expected_answers(
        np.moveaxis(seen.samples[_wishes(len(seen.samples))], axis + 1, 1),
        np.moveaxis(seen.proposal[seen.part], axis, 0),
        range(1, len(seen.names) + 1),
        _pixel_mm(seen, axis),
        STANDARD,
    )
    return answers


def _wishes(samples: int) -> npt.NDArray[np.intp]:
    """Which of some samples stand for the answer: the middles of equal shares of them.

    They come plane by plane: from the start of each share, the plane that came first would count
    for more.
    """
    count = min(samples, MOST_WISHES)
    return ((np.arange(count) + 0.5) * samples / max(1, count)).astype(np.intp)


def _doubts(seen: Seen, plane: Plane) -> list[str]:
    """What each slice's model is unsure of."""
    axis = axis_of(plane)
    opinions = {
        f"disagrees with the {other} view": labels
        for other, labels in seen.views.items()
        if other is not None and other is not plane
    }
    if not opinions:
        opinions = {"is uncertain": seen.samples[0]}
    words = [""] * seen.proposal.shape[axis]
    found = slice_doubts(seen.proposal[seen.part], opinions, seen.names, axis)
    words[seen.part[axis]] = found
    return words


def _pixel_mm(seen: Seen, axis: int) -> tuple[float, float]:
    """Millimetres between rows and between columns of a slice."""
    row, column = (mm for each, mm in enumerate(seen.spacing) if each != axis)
    return row, column
