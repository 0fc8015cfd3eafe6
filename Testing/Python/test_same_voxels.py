"""Oblique, flipped and permuted volumes: what is annotated and predicted lies where it belongs.

Places are computed here from origin, spacing and cosines, or asked of SimpleITK, never taken
from the code under test.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
import torch

from activeseg.cohort import Geometry, open_cohort
from activeseg.cohort.images import write_image, write_label
from activeseg.errors import AnnotationError
from activeseg.keys import Plane, SliceKey
from activeseg.model.network import NetworkConfig
from activeseg.model.training import Recipe
from activeseg.progress import Silent
from activeseg.project import Project, annotate, predicting
from activeseg.project.predictions import read_prediction
from activeseg.project.scans import annotated_slices, cohort_network, read_scan
from activeseg.project.scoring import Scoring, score_scan
from activeseg.project.verbs import run_score, run_train
from activeseg.quality import EVIDENCE
from small_cohort import turned
from tiny_cohort import PERMUTED, ThresholdModel

SILENT = Silent()

# Three different sizes and three different spacings, so that no two axes can be mistaken.
GEOMETRIES = {
    "oblique": Geometry((9, 11, 7), (1.1, 1.3, 1.9), (-31.5, 12.25, 800.1), turned(17, 23)),
    "flipped": Geometry(
        (9, 11, 7), (1.1, 1.3, 1.9), (40.0, -60.0, 7.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1)
    ),
    "permuted": Geometry((11, 7, 9), (1.3, 1.9, 1.1), (3.0, 2.0, 1.0), PERMUTED),
    "oblique-flipped": Geometry(
        (9, 11, 7),
        (1.1, 1.3, 1.9),
        (5.5, 77.7, -9.1),
        tuple(-c if n % 3 == 1 else c for n, c in enumerate(turned(-20, 12))),
    ),
}
AXES = {Plane.AXIAL: 2, Plane.CORONAL: 1, Plane.SAGITTAL: 0}
"""The LPS axis that each plane's normal is nearest to."""


def points(geometry):
    """Where each voxel lies, LPS mm, `[k, j, i, 3]`."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in geometry.size[::-1]), indexing="ij")
    steps = np.stack([i, j, k], axis=-1) * geometry.spacing
    return geometry.origin + steps @ np.reshape(geometry.direction, (3, 3)).T


def native_axis(geometry, plane):
    """The numpy axis whose direction is nearest to the plane's normal."""
    cosines = np.abs(np.reshape(geometry.direction, (3, 3)))[AXES[plane]]
    return 2 - int(cosines.argmax())


def ball(geometry):
    """Voxels within 3.2 mm of a point a third of the way along each axis of the body."""
    place = points(geometry)
    low, high = place.min(axis=(0, 1, 2)), place.max(axis=(0, 1, 2))
    centre = low + (high - low) * (0.4, 0.55, 0.6)
    return np.linalg.norm(place - centre, axis=-1) < 3.2


def write_cohort(folder, suffix):
    """A bright ball in each volume; labels at random, so that no two slices are alike."""
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for number, (name, geometry) in enumerate(GEOMETRIES.items()):
        image = np.where(ball(geometry), 200, 20).astype(np.int16)
        rng = np.random.default_rng(number)
        label = rng.choice(np.array([0, 1, 4], np.uint8), geometry.shape)
        write_image(folder / f"images/{name}{suffix}", image, geometry)
        write_label(folder / f"labels/{name}{suffix}", label, geometry)
    described = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1, "spleen": 4}}
    (folder / "dataset.json").write_text(json.dumps(described))
    return open_cohort(folder)


@pytest.fixture(scope="module", params=[".nrrd", ".nii.gz"])
def project(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    cohort = write_cohort(folder, request.param)
    return Project.create(folder / "project", cohort, "all", "random", 0, "unet25d")


def values_at(image, places):
    """The voxels of a SimpleITK image at physical places, which must be voxel centres."""
    found = []
    for place in places:
        index = image.TransformPhysicalPointToContinuousIndex(place.tolist())
        nearest = [round(n) for n in index]
        assert np.abs(np.subtract(index, nearest)).max() < 1e-3
        found.append(image.GetPixel(nearest))
    return np.array(found)


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_an_annotated_slice_is_the_same_voxels(project, name, plane):
    volume = project.cohort.volume(name)
    label = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(volume.label)))
    axis = native_axis(GEOMETRIES[name], plane)
    count = label.shape[axis]
    for index in (0, 2, count - 1):
        key = SliceKey(name, plane, index)
        annotation = annotate(project, key, volume.label, 1.0, "ada")
        wanted = label.take(index, axis=axis)
        np.testing.assert_array_equal(project.read_annotation(annotation), wanted)
        # The file that is kept shows them at the same places to any other program.
        kept = SimpleITK.ReadImage(str(annotation.image))
        assert sorted(kept.GetSize()) == sorted([*wanted.shape, 1])
        places = points(GEOMETRIES[name]).take(index, axis=axis).reshape(-1, 3)
        np.testing.assert_array_equal(values_at(kept, places), wanted.ravel())
    with pytest.raises(AnnotationError, match=f"slices 0 to {count - 1}"):
        annotate(project, SliceKey(name, plane, count), volume.label, 1.0, "ada")


class Seeing(ThresholdModel):
    """Finds the bright ball; stands in for a trained model."""

    config = NetworkConfig(image_channels=2, structures=(4,), pixel_mm=1.0, modality="ct")


SUFFIXES = (".nrrd", ".nii.gz", ".mha")


@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_predict_overlays_the_image_exactly(project, name, tmp_path, monkeypatch):
    monkeypatch.setattr(predicting, "latest_model", lambda *_: Seeing(110.0))
    image = SimpleITK.ReadImage(str(project.cohort.volume(name).image))
    bright = SimpleITK.GetArrayFromImage(image) == 200
    assert 10 < bright.sum() < 200
    for suffix in SUFFIXES:
        output = tmp_path / f"mask{suffix}"
        predicting.predict(project, name, output)
        mask = SimpleITK.ReadImage(str(output))
        assert mask.GetSize() == image.GetSize()
        # NIfTI keeps single precision; the others keep every digit.
        near = {"rtol": 1e-6, "atol": 1e-6 if suffix != ".nii.gz" else 1e-4}
        np.testing.assert_allclose(mask.GetSpacing(), image.GetSpacing(), **near)
        np.testing.assert_allclose(mask.GetOrigin(), image.GetOrigin(), **near)
        np.testing.assert_allclose(mask.GetDirection(), image.GetDirection(), **near)
        found = SimpleITK.GetArrayFromImage(mask)
        np.testing.assert_array_equal(found, np.where(bright, 4, 0))
        assert mask.GetPixelID() == SimpleITK.sitkUInt8
        np.testing.assert_array_equal(
            values_at(mask, points(GEOMETRIES[name]).reshape(-1, 3)), found.ravel()
        )


@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_scores_belong_to_the_slices_that_hold_the_ball(project, name):
    scan = read_scan(project, name)
    model = Seeing(110.0, certainty=0.8)
    # No reach: the band is the ball itself, and only its slices are uncertain.
    scoring = Scoring(passes=1, band_pixels=0.0)
    prediction = score_scan(model, 1.0, scan, ["ball"], scoring, seed=0)
    geometry = project.cohort.volume(name).geometry
    native = prediction.native(geometry, Seeing.config.structures)
    inside = ball(GEOMETRIES[name])
    np.testing.assert_array_equal(native.labels, np.where(inside, 4, 0))
    for plane in Plane:
        axis = native_axis(GEOMETRIES[name], plane)
        others = tuple(n for n in range(3) if n != axis)
        holds = np.flatnonzero(inside.any(axis=others))
        rows = native.scores.plane == plane.value
        assert sorted(native.scores.index[rows]) == list(range(inside.shape[axis]))
        uncertain = native.scores.index[rows & (native.scores.uncertainty > 0)]
        assert sorted(uncertain) == holds.tolist()
        agreement = native.scores.evidence[:, 0, EVIDENCE.index("iou")]
        assert sorted(native.scores.index[rows & (agreement == 1)]) == holds.tolist()
        assert np.isnan(agreement[rows & (agreement != 1)]).all()
        # Its slices are not in the middle: counting from the other end would be seen.
        assert set(holds) != {inside.shape[axis] - 1 - index for index in holds}


@pytest.mark.parametrize("name", list(GEOMETRIES))
def test_label_and_image_of_a_training_slice_belong_together(name, tmp_path):
    """Voxels of 1 mm, so that nothing is resampled and each pixel can be compared."""
    geometry = replace(GEOMETRIES[name], spacing=(1.0, 1.0, 1.0))
    truth = ball(geometry)
    (tmp_path / "images").mkdir()
    image = np.where(truth, 200, 20).astype(np.int16)
    write_image(tmp_path / "images/one.nrrd", image, geometry)
    (tmp_path / "dataset.json").write_text('{"channel_names": {"0": "CT"}, "labels": {"ball": 4}}')
    cohort = open_cohort(tmp_path)
    project = Project.create(tmp_path / "p", cohort, "all", "random", 0, "unet25d")
    mask = np.where(truth, 4, 0).astype(np.uint8)
    for plane in Plane:
        axis = native_axis(geometry, plane)
        for index in range(truth.shape[axis]):
            project.accept(SliceKey("one", plane, index), mask.take(index, axis=axis), "ada")
    config = cohort_network(cohort, "all")
    slices = annotated_slices(project, project.annotations(), config, SILENT, True)
    shown = 0
    for key, each in slices.items():
        wanted = mask.take(key.index, axis=native_axis(geometry, key.plane))
        assert sorted(each.label.shape) == sorted([1, *wanted.shape])
        assert int((each.label == 2).sum()) == np.count_nonzero(wanted)
        # Channels: two windows each of the slice before, the slice itself, the one after.
        bright = each.image[2] > (110 + 160) / 400 * 2 - 1
        assert torch.equal(bright, each.label[0] == 2)
        shown += bool(bright.any())
    assert shown > 12


def test_learned_and_predicted_in_place(tmp_path):
    """The whole way with a real network: the annotations that it learned from are the ball."""
    (tmp_path / "cohort").mkdir()
    cohort = write_cohort(tmp_path / "cohort", ".nii.gz")
    project = Project.create(tmp_path / "p", cohort, "all", "random", 0, "unet25d")
    for name, geometry in GEOMETRIES.items():
        axis = native_axis(geometry, Plane.AXIAL)
        truth = np.where(ball(geometry), 4, 0).astype(np.uint8)
        for index in range(truth.shape[axis]):
            mask = truth.take(index, axis=axis)
            project.accept(SliceKey(name, Plane.AXIAL, index), mask, "ada")
    run_train(project, Recipe(steps=80, batch=8, patch=16, block=16), SILENT)
    files = run_score(project, Scoring(passes=1), SILENT)
    for name, geometry in GEOMETRIES.items():
        found = read_prediction(files, name).labels == 4
        truth = ball(geometry)
        dice = 2 * (found & truth).sum() / (found.sum() + truth.sum())
        assert dice > 0.6
        # A flip or a swap of axes anywhere would overlap far less.
        turned_round = max(
            2 * (found & np.flip(truth, axes)).sum() / (found.sum() + truth.sum())
            for axes in (0, 1, 2, (0, 1), (0, 2), (1, 2), (0, 1, 2))
        )
        assert dice > turned_round + 0.1


def test_the_geometries_are_what_they_are_called():
    for name in ("flipped", "oblique-flipped"):
        assert np.linalg.det(np.reshape(GEOMETRIES[name].direction, (3, 3))) == pytest.approx(
            1.0 if name == "flipped" else -1.0
        )
    for geometry in GEOMETRIES.values():
        cosines = np.reshape(geometry.direction, (3, 3))
        np.testing.assert_allclose(cosines.T @ cosines, np.eye(3), atol=1e-12)
