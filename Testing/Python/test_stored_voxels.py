"""Large volumes are looked at on a grid as coarse as the network, and answered voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.keys import Plane
from activeseg.model import Scan, SegmentationModel, View, stored
from activeseg.model.inference import SliceModel
from activeseg.model.network import NetworkConfig, build, seeded
from activeseg.model.stored import likeliest, stored_labels, stored_map
from activeseg.project.one_volume import Scoring, score_scan

PLANES = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)


def scan_of(shape, spacing=(1.0, 1.0, 1.0), planes=PLANES):
    grey = np.random.default_rng(1).normal(0, 1, (1, *shape)).astype(np.float32)
    return Scan(grey, spacing, planes)


def certain(labels, classes=3):
    return np.moveaxis(np.eye(classes, dtype=np.float32)[labels], -1, 0)


@pytest.mark.parametrize(
    ("spacing", "pixel_mm", "step"),
    [
        ((1.0, 1.0, 1.0), 1.0, (1, 1, 1)),
        ((1.0, 1.0, 1.0), 1.9, (1, 1, 1)),
        ((1.0, 0.8, 0.5), 2.0, (2, 2, 4)),
        ((5.0, 0.7, 0.7), 2.1, (1, 3, 3)),  # thick slices stay as they are
        ((0.1, 0.1, 0.1), 0.3, (3, 3, 3)),  # not 2 for want of the last digit
    ],
)
def test_the_grid_is_as_coarse_as_the_network(spacing, pixel_mm, step):
    scan = scan_of((7, 9, 11), spacing).on_grid(pixel_mm)
    assert scan.step == step
    assert scan.spacing == pytest.approx(np.array(spacing) * step)
    assert scan.shape == tuple(-(-n // each) for n, each in zip((7, 9, 11), step, strict=True))
    assert scan.stored_shape == (7, 9, 11)
    assert scan.pixel_mm(Plane.AXIAL) == pytest.approx(spacing[1:])


def test_the_network_sees_stored_slices_and_their_stored_neighbours():
    scan = scan_of((7, 4, 5))
    grid = scan.on_grid(3.0)
    # Of slices 0..2, 3..5 and 6 the middle ones, or the last there is.
    np.testing.assert_array_equal(
        grid.seen(Plane.AXIAL, [0, 1, 2]), scan.seen(Plane.AXIAL, [1, 4, 6])
    )


def test_a_part_of_the_grid_lies_where_it_was():
    scan = scan_of((9, 10, 12))
    grid = scan.on_grid(2.0)
    part = grid.part((slice(1, 3), slice(2, 5), slice(4, 6)))
    assert part.corner == (2, 4, 8)
    assert (part.whole, part.shape, part.stored_shape) == ((9, 10, 12), (2, 3, 2), (4, 6, 4))
    whole = scan.seen(Plane.SAGITTAL, [9, 11])
    inside = part.seen(Plane.SAGITTAL, [0, 1])
    # The middle channel is the slice itself, the last three say where its pixels lie.
    for channel in (1, 3, 4, 5):
        np.testing.assert_array_equal(inside[:, channel], whole[:, channel, 2:6, 4:10])


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 1000))
def test_the_likeliest_class_is_that_of_argmax(classes, seed):
    p = np.random.default_rng(seed).integers(0, 3, (classes, 3, 4)).astype(np.float32)
    np.testing.assert_array_equal(likeliest(p), p.argmax(axis=0))


def test_on_the_stored_grid_nothing_is_interpolated():
    scan = scan_of((4, 5, 6))
    box = (slice(1, 3), slice(0, 5), slice(2, 6))
    labels = np.random.default_rng(0).integers(0, 3, (2, 5, 4))
    found = stored_labels(certain(labels), box, scan)
    np.testing.assert_array_equal(found[box], labels)
    assert found.sum() == labels.sum()
    values = labels.astype(np.float32)
    np.testing.assert_array_equal(stored_map(values, box, scan)[box], values)


@pytest.mark.parametrize("together", [1, 1 << 23])
def test_a_ball_keeps_its_place_and_its_size(together, monkeypatch):
    monkeypatch.setattr(stored, "VOXELS_AT_ONCE", together)  # one grid slice, or all at once
    scan = scan_of((41, 40, 43)).on_grid(2.0)  # two axes whose last grid voxel is cut
    at = np.indices((41, 40, 43)).reshape(3, -1).T.reshape(41, 40, 43, 3)
    ball = ((at - (20, 18, 22)) ** 2).sum(axis=-1) < 12**2
    padded = np.pad(ball, ((0, 1), (0, 0), (0, 1)))
    share = padded.reshape(21, 2, 20, 2, 22, 2).mean(axis=(1, 3, 5))
    softmax = np.stack([1 - share, share]).astype(np.float32)
    box = (slice(2, 18), slice(2, 17), slice(4, 19))
    inside = (slice(None), *box)
    found = stored_labels(np.ascontiguousarray(softmax[inside]), box, scan)
    assert found.shape == ball.shape
    dice = 2 * (found * ball).sum() / (found.sum() + ball.sum())
    assert dice > 0.98
    shown = stored_map(np.ascontiguousarray(softmax[1][box]), box, scan)
    assert shown.dtype == np.float16
    np.testing.assert_array_equal(shown > 0.5, found == 1)


class Halves(SegmentationModel):
    """On a grid of half the voxels: a liver of 2 x 2 grid pixels in one axial grid slice."""

    def grid(self, scan):
        return scan.on_grid(2.0)

    def views(self, scan, passes=0, seed=0):
        assert scan.shape == (3, 5, 6)
        labels = np.zeros(scan.shape, np.uint8)
        labels[1, 2:4, 2:4] = 1
        for plane in scan.planes:
            yield View(plane, certain(labels), scan.box)

    def samples(self, scan, passes, seed, box):
        view = next(self.views(scan))
        for _ in range(passes):
            yield view.softmax[(slice(None), *box)]


def test_scores_are_those_of_the_stored_slices():
    prediction = score_scan(
        Halves(), 2.0, scan_of((5, 10, 12)), ("liver", "spleen"), Scoring(passes=2), seed=0
    )
    scores = prediction.scores
    assert prediction.labels.shape == prediction.entropy.shape == (5, 10, 12)
    assert len(scores.index) == 5 + 10 + 12
    axial = scores.plane == "axial"
    assert scores.index[axial].tolist() == [0, 1, 2, 3, 4]
    # Predicted and expected: 4 grid pixels of 4 stored ones, twice.
    assert scores.size[axial][:, 0].tolist() == [0, 0, 32, 32, 0]
    contour = scores.contour_mm[axial]
    assert contour[2] == contour[3] > 8  # 4 x 4 mm, its corners cut
    # Linearly interpolated, so that the corners of each slice are cut.
    square = [[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]]
    assert prediction.labels[2:4, 4:8, 4:8].tolist() == [square, square]
    assert prediction.labels.sum() == 24


def test_a_fine_volume_is_asked_on_the_grid_of_the_network():
    config = NetworkConfig(1, (1, 2), 2.0, "mr")
    with seeded(0):
        model = SliceModel(build(config), config)
    scan = scan_of((17, 24, 21))
    asked = []
    answer = model._network.forward

    def counted(images):
        asked.append(images.shape)
        return answer(images)

    model._network.forward = counted
    labels = model.labels(scan)
    assert labels.shape == (17, 24, 21)
    assert sum(shape[0] for shape in asked) <= 9 + 12 + 11
    prediction = score_scan(model, 2.0, scan, ("a", "b"), Scoring(passes=3), seed=0)
    np.testing.assert_array_equal(prediction.labels, labels)
