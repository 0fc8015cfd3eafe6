"""What a model thinks of one volume: its proposal, how sure it is, and what an answer costs.

A plain pass finds the box that holds all foreground there may be, and looks at it in each view; MC
dropout then samples only the part of it round the band where something is undecided. Samples are
summed up as they come: what stays in memory is the box's mean and the part's label maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from activeseg.keys import Plane
from activeseg.model.fusion import Fusion
from activeseg.model.protocol import Box, Sampled, SegmentationModel, View
from activeseg.model.scan import Scan, filled, grown, placed, within
from activeseg.model.stored import likeliest, stored_labels, stored_map
from activeseg.project.predictions import Prediction, Scores
from activeseg.project.slice_scores import Labels, Seen, plane_scores, stored_scores
from activeseg.uncertainty import RunningSamples, entropy_of_mean, foreground_band

__all__ = ["SOURCES", "Scoring", "Source", "score_scan"]

Source: TypeAlias = Literal["dropout", "full-dropout", "augmented", "snapshots"]

SOURCES: tuple[Source, ...] = get_args(Source)
"""MC dropout, by the views where they bring passes along; MC dropout in every layer; test-time
augmentation; members kept from the training run."""


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
        Canonical maps at the stored voxels, and the scores of each slice of each of the scan's
        planes.
    """
    grid = model.grid(scan)
    views = _views(model, grid, scoring, seed)
    mean = model.settled(views.softmax(), grid)
    factors = model.handicaps(mean)
    labels = stored_labels(mean, views.box, grid, factors)
    proposal = likeliest(mean, factors)
    seen = _look(model, pixel_mm, grid, names, scoring, seed, views, mean, proposal)
    scores = Scores.join([stored_scores(plane_scores(seen, plane), grid) for plane in scan.planes])
    return Prediction(labels, stored_map(seen.entropy, seen.box, grid), scores)


class _Passes:
    """What stochastic passes say together; the passes themselves are let go of.

    Attributes:
        labels: Of each.
        sums: Over all of them.
    """

    def __init__(self, samples: Iterable[npt.NDArray[np.float32]] = ()) -> None:
        self.labels: list[Labels] = []
        self.sums = RunningSamples()
        for sample in samples:
            self.add(sample)

    def add(self, sample: npt.NDArray[np.float32]) -> None:
        """Take a pass in, `[C, ...]`, softmax."""
        self.labels.append(likeliest(sample))
        self.sums.add(sample)

    def add_together(self, several: Sampled) -> None:
        """Take passes in that were summed up already."""
        self.labels += several.labels
        self.sums.add_together(len(several.labels), several.mean, several.entropy)


class _Views:
    """What the views say together.

    Attributes:
        labels: Of each view by its plane.
        sides: Label maps of all of them.
        passes: That came with them, and the answer of a view that comes without any.
        others: Answers of other networks that came where no passes did, `[C, s, p, l]` each.
        box: Where all that is.
    """

    def __init__(self) -> None:
        self.labels: dict[Plane | None, Labels] = {}
        self.sides: list[Labels] = []
        self.passes = _Passes()
        self.others: list[npt.NDArray[np.float32]] = []
        self.box: Box = (slice(0, 0),) * 3
        self._fusion = Fusion()
        self._energy: npt.NDArray[np.float32] | None = None
        self._energies = 0

    def add(self, view: View) -> None:
        """Take a view in; its arrays are used up."""
        self.labels[view.plane] = likeliest(view.softmax)
        self.sides += view.sides
        if view.passes is not None:
            self.passes.add_together(view.passes)
        elif self.passes.labels:  # another network's answer is an opinion as each pass is
            self.passes.add(view.softmax)
        elif view.beside:
            self.others.append(view.softmax.copy())
        self.box = view.box
        self._fusion.add(view.softmax, view.beside)
        if view.energy is not None:
            self._energies += 1
            self._energy = view.energy if self._energy is None else self._energy + view.energy

    def softmax(self) -> npt.NDArray[np.float32]:
        """What the views say together, `[C, s, p, l]`; their sum is used up."""
        return self._fusion.softmax()

    @property
    def energy(self) -> npt.NDArray[np.float32] | None:
        """Energy `[s, p, l]`, the mean of the views that give one; None if none does."""
        return None if self._energy is None else self._energy / np.float32(self._energies)


def _views(model: SegmentationModel, scan: Scan, scoring: Scoring, seed: int) -> _Views:
    """What the model sees, and the passes that come with it."""
    views = _Views()
    with_views = scoring.passes if scoring.samples == "dropout" else 0
    for view in model.views(scan, with_views, seed):
        views.add(view)
    return views


def _look(
    model: SegmentationModel,
    pixel_mm: float,
    scan: Scan,
    names: Sequence[str],
    scoring: Scoring,
    seed: int,
    views: _Views,
    mean: npt.NDArray[np.float32],
    proposal: Labels,
) -> Seen:
    """What the views, of which `mean` is made, and the samples say together; `mean` is used up."""
    box = views.box
    reach = scoring.band_pixels * pixel_mm
    band = foreground_band(proposal, scan.spacing, reach, 1 - mean[0])
    part = grown(filled(band), (scoring.margin,) * 3, mean.shape[1:])
    passes, inside = views.passes, part
    if not passes.labels:
        passes = _Passes(_samples(model, scan, scoring, seed, placed(part, box)))
        for other in views.others:
            passes.add(other[(slice(None), *part)])
        inside = within(part, part)
    # Outside the part nothing is undecided: there the plain pass stands for the samples.
    mean[(slice(None), *part)] = passes.sums.mean[(slice(None), *inside)]
    entropy = entropy_of_mean(mean)
    bald = np.zeros(mean.shape[1:], dtype=np.float32)
    bald[part] = passes.sums.bald(entropy[part], inside)
    return Seen(
        spacing=scan.spacing,
        shape=scan.shape,
        box=box,
        names=names,
        proposal=proposal,
        mean=mean,
        entropy=entropy,
        energy=views.energy,
        bald=bald,
        band=band,
        part=part,
        samples=np.array([each[inside] for each in passes.labels]),
        views={plane: each[part] for plane, each in views.labels.items()},
        sides=np.array([side[part] for side in views.sides]).reshape(-1, *proposal[part].shape),
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
