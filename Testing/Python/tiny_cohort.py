"""A cohort of tiny labelled CT volumes on disk, small enough to train and score in a second.

A body in air with a liver (label 1) and a spleen (label 4), drawn in the axes of the body and
stored in whichever way the geometry says.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Geometry, open_cohort
from activeseg.cohort.images import write_image, write_label
from activeseg.model import Box, Scan, SegmentationModel, View
from activeseg.model.inference import SliceModel
from activeseg.model.network import NetworkConfig
from activeseg.progress import Silent
from activeseg.project import Project, RoundFiles, annotate, scoring
from activeseg.project.scoring import Scoring
from small_cohort import IDENTITY, turned

MM = (3.0, 1.0, 1.0)
"""Millimetres along S, P, L: thick axial slices."""

PERMUTED = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Array axes i, j, k run to P, I, L."""

# Sizes and spacings in the order of the file; every volume has 8 slices of 20 x 18 pixels.
GEOMETRIES = {
    "plain": Geometry((18, 20, 8), (1.0, 1.0, 3.0), (0.0, 0.0, 0.0), IDENTITY),
    "oblique": Geometry((18, 20, 8), (1.0, 1.0, 3.0), (-31.5, 12.25, 800.1), turned(17, 23)),
    "flipped": Geometry(
        (18, 20, 8), (1.0, 1.0, 3.0), (40.0, -60.0, 7.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1)
    ),
    "permuted": Geometry((20, 8, 18), (1.0, 3.0, 1.0), (3.0, 2.0, 1.0), PERMUTED),
}


def write_tiny_cohort(folder: Path, volumes: int = 4, suffix: str = ".nrrd") -> Path:
    """Write ``images/``, ``labels/`` and a ``dataset.json``; ids are v00, v01, ...

    The geometries take turns; the first four volumes have one each.
    """
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    kinds = list(GEOMETRIES.values())
    for number in range(volumes):
        write_volume(folder, f"v{number:02d}{suffix}", kinds[number % len(kinds)], number)
    described = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1, "spleen": 4}}
    (folder / "dataset.json").write_text(json.dumps(described))
    return folder


def write_volume(folder: Path, file: str, geometry: Geometry, seed: int) -> None:
    """Write one image and its label."""
    image, label = body(geometry.canonical_shape, seed)
    write_image(folder / "images" / file, geometry.from_canonical(image), geometry)
    write_label(folder / "labels" / file, geometry.from_canonical(label), geometry)


def body(
    shape: tuple[int, int, int], seed: int
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint8]]:
    """Hounsfield units and labels `[S, P, L]`."""
    rng = np.random.default_rng(seed)
    grid = [np.linspace(-1, 1, n) for n in shape]
    s, p, left = np.meshgrid(*grid, indexing="ij")

    def inside(centre: tuple[float, float, float], radius: float) -> npt.NDArray[np.bool_]:
        far = (s - centre[0]) ** 2 + (p - centre[1]) ** 2 + (left - centre[2]) ** 2
        return far < radius**2

    jitter = rng.uniform(-0.1, 0.1, 3)
    label = np.zeros(shape, np.uint8)
    label[inside((jitter[0], jitter[1], -0.4), 0.45)] = 1
    label[inside((0.3 + jitter[2], 0.4, 0.45), 0.3)] = 4
    image = np.where(p**2 + left**2 < 0.9, 40.0, -1000.0)
    image[label == 1] = 130.0
    image[label == 4] = 220.0
    return np.rint(image + rng.normal(0, 10, shape)).astype(np.int16), label


def new_project(folder: Path, cohort: Path | str, **changes: object) -> Project:
    """A project of the cohort; `changes` replace the plane, strategy, seed or model."""
    options = {"plane_policy": "auto", "strategy": "entropy-band", "seed": 5, "model": "unet25d"}
    return Project.create(folder, open_cohort(cohort), **(options | changes))  # type: ignore[arg-type]


def answer(project: Project, author: str = "ada", seconds: float = 30.0) -> None:
    """Annotate every open suggestion from the reference labels."""
    for suggestion in project.open_suggestions():
        label = project.cohort.volume(suggestion.key.volume).label
        assert label is not None
        annotate(project, suggestion.key, label, seconds, author)


class ThresholdModel(SegmentationModel):
    """Knows the tiny cohort by its grey values; whole shares of certainty, no training."""

    def __init__(self, *edges_hu: float, certainty: float = 1.0) -> None:
        self._edges = edges_hu
        self._certainty = certainty

    def probabilities(self, scan: Scan) -> npt.NDArray[np.float32]:
        hounsfield = (scan.channels[0] + 1) / 2 * 400 - 160  # the first CT window
        found = np.digitize(hounsfield, self._edges)
        count = len(self._edges) + 1
        spread = (1 - self._certainty) / (count - 1)
        one_hot = np.moveaxis(np.eye(count, dtype=np.float32)[found], -1, 0)
        return one_hot * (self._certainty - spread) + np.float32(spread)

    def views(self, scan: Scan, passes: int = 0, seed: int = 0) -> Iterator[View]:
        for plane in scan.planes:
            softmax = self.probabilities(scan)
            sides = [softmax.argmax(axis=0).astype(np.uint8)]
            yield View(plane, softmax, scan.box, sides=sides)

    def snapshots(self, scan: Scan, box: Box) -> Iterator[npt.NDArray[np.float32]]:
        yield self.probabilities(scan)[(slice(None), *box)]

    def augmented(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        return self.samples(scan, passes, seed, box)

    def samples(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        for _ in range(passes):
            yield self.probabilities(scan)[(slice(None), *box)]


SEES_BOTH = (85.0, 175.0)
"""Edges of a `ThresholdModel` that tells background, liver and spleen apart."""


class KnownModel(ThresholdModel):
    """A `ThresholdModel` of the tiny cohort that scores it in place of a trained model."""

    config = NetworkConfig(image_channels=2, structures=(1, 4), pixel_mm=1.0, modality="ct")


def score_with(project: Project, number: int, model: ThresholdModel) -> RoundFiles:
    """Score the cohort in a round as if the model had been trained in it."""
    weights = f"round {number}: {vars(model)}"  # predictions of other weights are made anew
    project.round(number).make().model.write_bytes(weights.encode())
    with patch.object(SliceModel, "from_checkpoint", return_value=model):
        return scoring.score(project, Scoring(passes=2), Silent())


def copied(project: Project, folder: Path) -> Project:
    """The same project in another folder, to be changed there."""
    shutil.copytree(project.folder, folder)
    return Project.open(folder)
