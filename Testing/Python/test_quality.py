"""Estimated and true Dice, calibration, surface distance, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from activeseg.quality import dice, hd95_mm, soft_dice_confidence

NAN = float("nan")


def softmax_of(foreground: np.ndarray) -> np.ndarray:
    return np.stack([1 - foreground, foreground]).astype(np.float32)


def test_soft_dice_confidence_by_hand() -> None:
    p = np.array([[0.8, 0.6], [0.3, 0.1]])
    labels = np.array([[1, 1], [0, 0]])
    value = soft_dice_confidence(softmax_of(p), labels)
    assert value.shape == (1,)
    assert value[0] == pytest.approx(2 * 1.4 / (1.8 + 2))


def test_a_certain_prediction_is_sure_of_itself() -> None:
    labels = np.array([[0, 1, 1], [0, 0, 0]])
    assert soft_dice_confidence(softmax_of(labels == 1), labels)[0] == pytest.approx(1)


def test_slices_are_judged_one_by_one() -> None:
    p = np.zeros((4, 2, 40))
    labels = np.zeros((4, 2, 40), dtype=np.uint8)
    p[0, 0, :2], labels[0, 0, :2] = 0.75, 1
    p[1, :, :4] = 0.4  # not predicted, yet 3.2 voxels' worth of it: missed
    p[2] = 0.09  # a tail: 7.2 voxels' worth, none of it likely
    p[3, 0, 0] = 0.4  # likely in one voxel only
    value = soft_dice_confidence(softmax_of(p), labels, axis=0)
    np.testing.assert_allclose(value, [[2 * 1.5 / 3.5, 0, NAN, NAN]], rtol=1e-6)


def test_structures_of_a_volume_are_judged_apart() -> None:
    p = np.zeros((3, 2, 2, 2), dtype=np.float32)
    labels = np.array([[[1, 1], [0, 0]], [[2, 0], [0, 0]]])
    p[1, 0, 0] = 0.5
    p[2, 1, 0, 0] = 1.0
    np.testing.assert_allclose(soft_dice_confidence(p, labels), [2 / 3, 1])
    along = soft_dice_confidence(p, labels, axis=2)
    np.testing.assert_allclose(along, [[2 / 3, 2 / 3], [1, NAN]], rtol=1e-6)


def test_dice() -> None:
    a, b = np.array([1, 1, 2, 0]), np.array([1, 0, 0, 0])
    assert dice(a, b, 1) == pytest.approx(2 / 3)
    assert dice(a, b, 2) == 0
    assert math.isnan(dice(a, b, 3))


def test_surface_distance_in_mm() -> None:
    a = np.zeros((6, 6, 6), dtype=bool)
    b = a.copy()
    a[1, 2, 2], b[4, 2, 2] = True, True
    assert hd95_mm(a, b, (2.0, 1.0, 1.0)) == pytest.approx(6)
    assert hd95_mm(a, b, (1.0, 9.0, 9.0)) == pytest.approx(3)
    assert hd95_mm(a, a, (1.0, 1.0, 1.0)) == 0


def test_surface_distance_is_the_larger_direction_and_forgives_five_percent() -> None:
    line = np.zeros((1, 200), dtype=bool)
    line[0, :100] = True
    longer = line.copy()
    longer[0, 150] = True
    # One voxel of 101, 51 mm away, is within the forgiven five percent.
    assert hd95_mm(line, longer, (1.0, 1.0)) == 0
    longer[0, 100:150] = True
    # 151 surface voxels at 0 (100 of them), 1, ..., 51 mm: rank 0.95 * 150 = 142.5.
    assert hd95_mm(line, longer, (1.0, 1.0)) == pytest.approx(43.5)
    assert hd95_mm(longer, line, (1.0, 1.0)) == pytest.approx(43.5)


def test_only_the_surface_counts() -> None:
    solid = np.ones((5, 5), dtype=bool)
    hollow = solid.copy()
    hollow[2, 2] = False
    # The hollow one's inner surface is its four face neighbours of the hole, 1 mm from the outer.
    assert hd95_mm(solid, hollow, (1.0, 1.0)) == 1


def test_surface_distance_to_nothing() -> None:
    some, none = np.ones((2, 2), dtype=bool), np.zeros((2, 2), dtype=bool)
    assert math.isnan(hd95_mm(none, none, (1.0, 1.0)))
    assert hd95_mm(some, none, (1.0, 1.0)) == math.inf
    assert hd95_mm(none, some, (1.0, 1.0)) == math.inf
