"""From maps to slices and from slices to volumes, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.uncertainty import (
    AGGREGATIONS,
    band_mean,
    band_sum,
    class_entropy,
    entropy_of_mean,
    per_area,
    slice_mean,
    top_patches,
    volume_rank,
)


def volume(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Map, band and proposal, the last within the band."""
    rng = np.random.default_rng(seed)
    shape = tuple(int(side) for side in rng.integers(1, 20, 3))
    band = rng.random(shape) < 0.4
    proposal = (rng.integers(0, 4, shape) * (band & (rng.random(shape) < 0.3))).astype(np.uint8)
    return rng.random(shape, dtype=np.float32), band, proposal


def test_the_named_are_the_functions() -> None:
    values, band, proposal = volume(3)
    for axis in range(3):
        expected = {
            "slice-mean": slice_mean(values, axis),
            "band-mean": band_mean(values, band, axis),
            "band-sum": band_sum(values, band, axis),
            "per-area": per_area(values, band, proposal, axis),
            "top-patches": top_patches(values, axis),
        }
        assert set(AGGREGATIONS) == set(expected)
        for name, aggregation in AGGREGATIONS.items():
            np.testing.assert_array_equal(
                aggregation(values, band, proposal, axis), expected[name], err_msg=name
            )


@settings(deadline=None)
@given(st.sampled_from(sorted(AGGREGATIONS)), st.integers(0, 2), st.integers(0, 10_000))
def test_one_finite_number_a_slice_whatever_the_axis(name: str, axis: int, seed: int) -> None:
    maps = volume(seed)
    found = AGGREGATIONS[name](*maps, axis)
    assert found.shape == (maps[0].shape[axis],)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    turned = AGGREGATIONS[name](*(np.moveaxis(each, axis, 0) for each in maps), 0)
    np.testing.assert_allclose(found, turned, rtol=1e-6)
    # Each slice has its own number, whatever lies beside it.
    alone = [AGGREGATIONS[name](*(each.take([i], axis) for each in maps), axis)[0]
             for i in range(len(found))]  # fmt: skip
    np.testing.assert_allclose(found, alone, rtol=1e-6)


@settings(deadline=None)
@given(st.sampled_from(sorted(AGGREGATIONS)), st.integers(0, 2), st.integers(0, 10_000))
def test_twice_the_uncertainty_is_twice_the_score(name: str, axis: int, seed: int) -> None:
    values, band, proposal = volume(seed)
    once = AGGREGATIONS[name](values, band, proposal, axis)
    twice = AGGREGATIONS[name](2 * values, band, proposal, axis)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)
    assert not AGGREGATIONS[name](0 * values, band, proposal, axis).any()


def test_per_area_by_hand() -> None:
    values = np.ones((4, 4, 4), dtype=np.float32) / 2
    band = np.zeros((4, 4, 4), dtype=bool)
    proposal = np.zeros((4, 4, 4), dtype=np.uint8)
    band[0, :2], proposal[0, 0] = True, 3  # 8 voxels, sum 4; area 4
    band[1] = True  # 16 voxels, sum 8; nothing predicted, counts as 4
    band[2, 0, 0] = True  # 1 voxel, sum 1/2; nothing predicted, counts as 1/4
    np.testing.assert_allclose(per_area(values, band, proposal, 0), [1, 2, 2, 0])
    # Along the last axis: bands of 2 + 4 (+ 1) voxels, areas 1.
    np.testing.assert_allclose(
        per_area(values, band, proposal, 2), [3.5 / 1.75, 3 / 1.5, 3 / 1.5, 3 / 1.5]
    )


def test_top_patches_by_hand() -> None:
    # Slice 0: 2 x 3 patches of 8 x 8, means .1, .2, .3 / .4, .5, .6: the four highest.
    means = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    values = np.zeros((2, 16, 24), dtype=np.float32)
    values[0] = np.kron(means, np.ones((8, 8)))
    # Slice 1: one hot pixel, mean of its patch 6.4 / 64.
    values[1, 3, 3] = 6.4
    np.testing.assert_allclose(top_patches(values, 0), [0.3 + 0.4 + 0.5 + 0.6, 0.1], rtol=1e-6)
    np.testing.assert_allclose(top_patches(values, 0, count=2), [1.1, 0.1], rtol=1e-6)
    # One patch holds the slice: its mean.
    np.testing.assert_allclose(top_patches(values, 0, side=24), [0.35, 6.4 / (16 * 24)], rtol=1e-6)


def test_patches_leave_no_sliver() -> None:
    # 9 pixels make patches of 4 and 5, not of 8 and 1.
    row = np.array([1, 1, 1, 1, 0, 0, 0, 0, 5], dtype=np.float32)
    assert top_patches(row[None, None], 0, count=1) == pytest.approx(1)
    assert top_patches(row[None, None], 0) == pytest.approx(2)
    assert top_patches(row[None, :, None], 0) == pytest.approx(2)


def test_slices_smaller_than_a_patch() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_allclose(top_patches(values, 0), [5.5, 17.5])


def test_class_entropy_by_hand() -> None:
    # One axial slice of two voxels, three classes.
    mean_p = np.array([[0.5, 0.2], [0.5, 0.2], [0.0, 0.6]], dtype=np.float32)[:, None, None]
    entropy = np.array([2.0, 1.0], dtype=np.float32)[None, None]
    # Class 1: (2 * .5 + 1 * .2) / 2; class 2: (0 + 1 * .6) / 2.
    np.testing.assert_allclose(class_entropy(entropy, mean_p, 0), [[0.6], [0.3]], rtol=1e-6)
    # Cut the other way, each voxel is a slice.
    np.testing.assert_allclose(
        class_entropy(entropy, mean_p, 2), [[1.0, 0.2], [0.0, 0.6]], rtol=1e-6
    )


@settings(deadline=None)
@given(st.integers(0, 2), st.integers(2, 5), st.integers(0, 10_000))
def test_classes_share_the_entropy(axis: int, classes: int, seed: int) -> None:
    p = np.random.default_rng(seed).dirichlet(np.ones(classes), (3, 4, 5))
    mean_p = np.moveaxis(p, -1, 0).astype(np.float32)
    entropy = entropy_of_mean(mean_p)
    found = class_entropy(entropy, mean_p, axis)
    assert found.shape == (classes - 1, mean_p.shape[axis + 1])
    background = slice_mean(entropy * mean_p[0], axis)
    np.testing.assert_allclose(found.sum(axis=0) + background, slice_mean(entropy, axis), rtol=1e-5)


def test_volume_rank_by_hand() -> None:
    scores = np.array([0.1, 0.9, 0.0, 0.5, 0.7, 0.3])
    assert volume_rank(scores) == pytest.approx((0.9 + 0.7 + 0.5 + 0.3 + 0.1) / 5)
    assert volume_rank(scores, top=2) == pytest.approx(0.8)
    assert volume_rank(scores[:2]) == pytest.approx(0.5)
    assert volume_rank(scores[:0]) == 0
