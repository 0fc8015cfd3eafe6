"""What a model thinks of one volume: its proposal, how sure it is, and what an answer costs.

One plain pass over the whole volume, in each view, finds the foreground; MC dropout then samples
only the box round the band where something is undecided. Samples are summed up as they come:
what stays in memory is one volume's mean and its label maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from activeseg.cost import STANDARD, Answer, expected_answers
from activeseg.keys import Plane
from activeseg.model.protocol import Box, SegmentationModel
from activeseg.model.scan import Scan, axis_of, grown
from activeseg.project.predictions import Prediction, Scores
from activeseg.quality import (
    LEAST_VOXELS,
    LIKELY,
    dice_with,
    mc_iou,
    neighbour_dice,
    pairwise_dice,
    soft_dice_confidence,
)
from activeseg.uncertainty import (
    RunningSamples,
    band_mean,
    band_sum,
    class_entropy,
    entropy_of_foreground,
    foreground_band,
    gradient_sizes,
    presence,
    slice_doubts,
    slice_mean,
    top_patches,
)

__all__ = ["SOURCES", "Scoring", "Source", "score_scan"]

Labels: TypeAlias = npt.NDArray[np.uint8]
Source: TypeAlias = Literal["dropout", "augmented", "snapshots"]

SOURCES: tuple[Source, ...] = get_args(Source)
"""MC dropout; test-time augmentation; members kept from the training run."""


@dataclass(frozen=True)
class Scoring:
    """How slices are scored.

    Attributes:
        samples: Where the samples come from (`SOURCES`).
        passes: How many; the members of a training run are as many as were kept.
        band_pixels: Reach of the band round the predicted foreground, in working pixels.
        margin: Voxels that the sampled box is larger than the band on each side, so that the
            slices beside what is predicted are judged, too.
    """

    samples: Source = "dropout"
    passes: int = 6
    band_pixels: float = 2.0
    margin: int = 2


@dataclass(frozen=True)
class _Seen:
    """All that is known of a volume; whole maps `[S, P, L]`, opinions inside the box alone."""

    scan: Scan
    names: Sequence[str]
    proposal: Labels
    mean: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]
    energy: npt.NDArray[np.float32] | None
    bald: npt.NDArray[np.float32]
    band: npt.NDArray[np.bool_]
    box: Box
    samples: Labels
    views: Mapping[Plane | None, Labels]
    sides: Labels


def score_scan(
    model: SegmentationModel,
    pixel_mm: float,
    scan: Scan,
    names: Sequence[str],
    scoring: Scoring,
    seed: int,
) -> Prediction:
    """Proposal, uncertainty and scores of one volume.

    Args:
        model: The model.
        pixel_mm: Pixel size that the model works at; the band's reach counts in it.
        scan: The volume.
        names: Names of the structures, in the order of the channels.
        scoring: How to score.
        seed: Fixes the samples.

    Returns:
        Canonical maps, and the scores of each slice of each of the scan's planes.
    """
    seen = _look(model, pixel_mm, scan, names, scoring, seed)
    scores = Scores.join([_plane_scores(seen, plane) for plane in scan.planes])
    return Prediction(seen.proposal, seen.entropy, scores)


def _look(
    model: SegmentationModel,
    pixel_mm: float,
    scan: Scan,
    names: Sequence[str],
    scoring: Scoring,
    seed: int,
) -> _Seen:
    """Run the model."""
    plain = np.zeros((1 + len(names), *scan.shape), dtype=np.float32)
    views: dict[Plane | None, Labels] = {}
    energies: list[npt.NDArray[np.float32]] = []
    sides: list[Labels] = []
    for view in model.views(scan):
        plain += view.softmax
        views[view.plane] = view.softmax.argmax(axis=0).astype(np.uint8)
        sides += view.sides
        if view.energy is not None:
            energies.append(view.energy)
    plain /= len(views)
    proposal = plain.argmax(axis=0).astype(np.uint8)
    reach = scoring.band_pixels * pixel_mm
    band = foreground_band(proposal, scan.spacing, reach, 1 - plain[0])
    box = grown(_box(band), (scoring.margin,) * 3, scan.shape)
    sums, labels = RunningSamples(), []
    for sample in _samples(model, scan, scoring, seed, box):
        labels.append(sample.argmax(axis=0).astype(np.uint8))
        sums.add(sample, labels[-1])
    bald = np.zeros(scan.shape, dtype=np.float32)
    bald[box] = sums.bald
    # Outside the box nothing is undecided: there the plain pass stands for the samples.
    entropy = RunningSamples()
    plain[(slice(None), *box)] = sums.mean
    entropy.add(plain)
    return _Seen(
        scan=scan,
        names=names,
        proposal=proposal,
        mean=plain,
        entropy=entropy.entropy,
        energy=np.mean(energies, axis=0) if energies else None,
        bald=bald,
        band=band,
        box=box,
        samples=np.array(labels),
        views=views,
        sides=np.array([side[box] for side in sides]).reshape(-1, *proposal[box].shape),
    )


def _samples(
    model: SegmentationModel, scan: Scan, scoring: Scoring, seed: int, box: Box
) -> Iterator[npt.NDArray[np.float32]]:
    """Samples of one part of the scan, from where the scoring wants them."""
    if scoring.samples == "snapshots":
        return model.snapshots(scan, box)
    if scoring.samples == "augmented":
        return model.augmented(scan, scoring.passes, seed, box)
    return model.samples(scan, scoring.passes, seed, box)


def _plane_scores(seen: _Seen, plane: Plane) -> Scores:
    """Scores of every slice along one canonical axis."""
    axis, structures = axis_of(plane), len(seen.names)
    count = seen.proposal.shape[axis]
    over = tuple(each for each in range(3) if each != axis)
    area = np.array(
        [np.count_nonzero(seen.proposal == c, axis=over) for c in range(1, structures + 1)]
    )
    mass = np.array([p.sum(axis=over, where=p >= LIKELY, dtype=float) for p in seen.mean[1:]])
    answers = _answers(seen, plane)
    in_band = band_mean(seen.entropy, seen.band, axis)
    shown = band_sum(1 - seen.mean[0], seen.band, axis)
    return Scores(
        plane=np.full(count, plane.value, dtype="U8"),
        index=np.arange(count),
        size=(area + mass).T,
        shows=((area > 0) | (mass >= LEAST_VOXELS)).T,
        evidence=_evidence(seen, axis),
        class_entropy=class_entropy(seen.entropy, seen.mean, axis).T,
        uncertainty=in_band * presence(shown),
        band_entropy=in_band,
        whole_entropy=slice_mean(seen.entropy, axis),
        epistemic=slice_mean(seen.bald, axis),
        seconds=np.array([each.seconds for each in answers]),
        blank_seconds=np.array([STANDARD.overhead_s + each.draw_s for each in answers]),
        contour_mm=np.array([each.contour_mm for each in answers]),
        drawn=np.array([each.drawn for each in answers]),
        how=np.array([each.how for each in answers], dtype="U7"),
        doubt=np.array(_doubts(seen, plane), dtype="U160"),
        energy=_energy(seen, axis),
        foreground_entropy=slice_mean(entropy_of_foreground(seen.entropy, seen.mean[0]), axis),
        top_patches=top_patches(seen.bald, axis),
        gradient=_gradient(seen, axis),
    )


def _energy(seen: _Seen, axis: int) -> npt.NDArray[np.float64]:
    """Mean free energy in the band of each slice; NaN where there is none."""
    if seen.energy is None:
        return np.full(seen.proposal.shape[axis], np.nan)
    over = tuple(each for each in range(3) if each != axis)
    found: npt.NDArray[np.float64] = np.where(
        seen.band.any(axis=over), band_mean(seen.energy, seen.band, axis), np.nan
    )
    return found


def _gradient(seen: _Seen, axis: int) -> npt.NDArray[np.float64]:
    """Gradient of each slice, mean over its pixels; outside the box nothing is undecided."""
    found = np.zeros((seen.proposal.shape[axis], len(seen.mean) ** 2))
    found[seen.box[axis]] = gradient_sizes(seen.mean[(slice(None), *seen.box)], axis)
    return found * (len(found) / seen.proposal.size)


def _evidence(seen: _Seen, axis: int) -> npt.NDArray[np.float64]:
    """`[n, structures, evidence]`, in the order of `activeseg.quality.EVIDENCE`."""
    structures = len(seen.names)
    inside = seen.proposal[seen.box]
    views = np.array([labels[seen.box] for labels in seen.views.values()])
    columns = [
        mc_iou(seen.samples, structures, axis),
        dice_with(views if len(views) > 1 else views[:0], inside, structures, axis),
        neighbour_dice(inside, structures, axis),
        _fill(inside, structures, axis),
        soft_dice_confidence(seen.mean[(slice(None), *seen.box)], inside, axis),
        pairwise_dice(seen.samples, structures, axis),
        dice_with(seen.sides, inside, structures, axis),
    ]
    found = np.full((seen.proposal.shape[axis], structures, len(columns)), np.nan)
    found[seen.box[axis]] = np.array(columns).transpose(2, 1, 0)
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


def _answers(seen: _Seen, plane: Plane) -> list[Answer]:
    """What answering each slice is expected to cost a standard clinician."""
    axis = axis_of(plane)
    nothing = Answer(STANDARD.overhead_s, "confirm", 0.0, None, 0.0)
    answers = [nothing] * seen.proposal.shape[axis]
    # What the model proposes outside the box is nothing, as the box holds its foreground.
    answers[seen.box[axis]] = expected_answers(
        np.moveaxis(seen.samples, axis + 1, 1),
        np.moveaxis(seen.proposal[seen.box], axis, 0),
        range(1, len(seen.names) + 1),
        seen.scan.pixel_mm(plane),
        STANDARD,
    )
    return answers


def _doubts(seen: _Seen, plane: Plane) -> list[str]:
    """What each slice's model is unsure of."""
    axis = axis_of(plane)
    opinions = {
        f"disagrees with the {other} view": labels[seen.box]
        for other, labels in seen.views.items()
        if other is not None and other is not plane
    }
    if not opinions:
        opinions = {"is uncertain": seen.samples[0]}
    words = [""] * seen.proposal.shape[axis]
    found = slice_doubts(seen.proposal[seen.box], opinions, seen.names, axis)
    words[seen.box[axis]] = found
    return words


def _box(band: npt.NDArray[np.bool_]) -> Box:
    """The smallest box that holds the band."""
    sides = []
    for axis in range(3):
        others = tuple(each for each in range(3) if each != axis)
        filled = np.flatnonzero(band.any(axis=others))
        sides.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return (sides[0], sides[1], sides[2])
