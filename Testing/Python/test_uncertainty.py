"""Entropy and its aggregation to slices, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.uncertainty import (
    band_mean,
    band_sum,
    entropy_of_mean,
    foreground_band,
    predictive_entropy,
    presence,
    slice_mean,
)


def test_entropy_of_known_distributions() -> None:
    p = np.array([[1.0, 0.5, 0.9], [0.0, 0.5, 0.1]], dtype=np.float32)
    expected = [0.0, math.log(2), -0.9 * math.log(0.9) - 0.1 * math.log(0.1)]
    np.testing.assert_allclose(entropy_of_mean(p), expected, rtol=1e-6)


def test_entropy_is_that_of_the_mean_not_the_mean_of_entropies() -> None:
    # Two certain passes that contradict each other: no entropy each, log 2 together.
    p = np.array([[[1.0], [0.0]], [[0.0], [1.0]]], dtype=np.float32)
    assert predictive_entropy(p) == pytest.approx(math.log(2))


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(0, 1000))
def test_entropy_lies_between_nothing_and_log_classes(classes: int, seed: int) -> None:
    p = np.random.default_rng(seed).dirichlet(np.ones(classes), (3, 7)).astype(np.float32)
    entropy = predictive_entropy(np.moveaxis(p, -1, 1))
    assert entropy.shape == (7,)
    assert (entropy >= 0).all()
    assert (entropy <= math.log(classes) + 1e-6).all()


def test_band_reaches_as_far_in_mm_along_every_axis() -> None:
    proposal = np.zeros((9, 9, 9), dtype=np.uint8)
    proposal[4, 4, 4] = 2
    band = foreground_band(proposal, (3.0, 1.0, 2.0), 3.0, np.zeros((9, 9, 9), np.float32))
    offset = np.argwhere(band) - 4
    found = {tuple(int(step) for step in row) for row in offset}
    reach = range(-4, 5)
    ball = {
        (s, p, left)
        for s in reach
        for p in reach
        for left in reach
        if 9 * s * s + p * p + 4 * left * left <= 9
    }
    assert found == ball
    assert (1, 0, 0) in found
    assert (0, 3, 0) in found
    assert (0, 0, 2) not in found


def test_band_is_the_same_for_a_transposed_view() -> None:
    rng = np.random.default_rng(0)
    native = (rng.random((6, 8, 10)) < 0.02).astype(np.uint8)
    probability = rng.random((6, 8, 10)).astype(np.float32)
    for labels in (native, np.zeros_like(native)):
        plain = foreground_band(labels, (1.0, 2.0, 3.0), 2.5, probability)
        turned = foreground_band(
            labels.transpose(2, 0, 1)[::-1],
            (3.0, 1.0, 2.0),
            2.5,
            probability.transpose(2, 0, 1)[::-1],
        )
        np.testing.assert_array_equal(turned, plain.transpose(2, 0, 1)[::-1])


def test_a_volume_without_prediction_is_not_invisible() -> None:
    probability = np.full((10, 10, 10), 0.01, dtype=np.float32)
    probability[2, 3, 4:9] = 0.2
    probability[7, :5, 0] = 0.3
    nothing = np.zeros((10, 10, 10), dtype=np.uint8)
    band = foreground_band(nothing, (1.0, 1.0, 1.0), 0.0, probability)
    np.testing.assert_array_equal(band, probability > 0.1)
    wider = foreground_band(nothing, (1.0, 1.0, 1.0), 1.0, probability)
    assert wider[6, 0, 0]
    assert wider.sum() > band.sum()


def test_a_thick_slice_between_predicted_ones_is_not_invisible() -> None:
    # Axial slices 5 mm thick, a radius of 2 mm: what the model sees on 2 and 4 goes on to 3.
    proposal = np.zeros((7, 11, 11), dtype=np.uint8)
    proposal[2, 4:7, 5] = 1
    proposal[4, 5, 5] = 2
    mean_p = np.full((2, 7, 11, 11), 0.5, dtype=np.float32)
    band = foreground_band(proposal, (5.0, 1.0, 1.0), 2.0, 1 - mean_p[0])
    # Between them both go on, beside them the one; two slices off nothing.
    assert np.argwhere(band[3]).tolist() == [[4, 5], [5, 5], [6, 5]]
    assert np.argwhere(band[1]).tolist() == [[4, 5], [5, 5], [6, 5]]
    assert np.argwhere(band[5]).tolist() == [[5, 5]]
    assert not band[[0, 6]].any()
    # Within a slice the radius is as it was: a disc of 2 pixels has 13.
    assert band[4].sum() == 13
    entropy = band_mean(entropy_of_mean(mean_p), band, 0)
    np.testing.assert_allclose(entropy[1:6], math.log(2), rtol=1e-6)
    assert entropy[[0, 6]].tolist() == [0, 0]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_band_reaches_the_neighbours_along_any_thick_axis(axis: int) -> None:
    proposal = np.zeros((5, 5, 5), dtype=np.uint8)
    proposal[2, 2, 2] = 1
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = 8.0
    band = foreground_band(
        proposal, (spacing[0], spacing[1], spacing[2]), 1.0, np.zeros((5, 5, 5), np.float32)
    )
    # The six faces in every direction: those of the thin axes by the radius.
    near = np.abs(np.indices((5, 5, 5)) - 2).sum(axis=0) <= 1
    np.testing.assert_array_equal(band, near)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_band_against_every_pair_of_voxels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(side) for side in rng.integers(1, 8, 3))
    proposal = (rng.random(shape) < 0.1).astype(np.uint8)
    proposal.flat[rng.integers(proposal.size)] = 3
    spacing = tuple(float(mm) for mm in rng.choice([0.3, 0.7, 1.0, 2.5, 6.0], 3))
    radius = float(rng.choice([0.0, 0.6, 1.4, 3.0, 20.0]))
    offset = np.argwhere(np.ones(shape, bool))[:, None] - np.argwhere(proposal)[None]
    distance = np.sqrt(((offset * spacing) ** 2).sum(axis=-1))
    near = distance <= radius * (1 + 1e-6)
    if radius:
        near |= np.abs(offset).sum(axis=-1) <= 1
    band = foreground_band(proposal, spacing, radius, np.zeros(shape, np.float32))
    np.testing.assert_array_equal(band, near.any(axis=1).reshape(shape))


def test_band_numbers_of_each_slice() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    band = np.zeros((2, 3, 4), dtype=bool)
    band[0, 1, 1] = band[0, 2, 3] = band[1, 0, 0] = True  # 5, 11, 12
    np.testing.assert_allclose(band_mean(values, band, 0), [8, 12])
    np.testing.assert_allclose(band_sum(values, band, 0), [16, 12])
    np.testing.assert_allclose(band_mean(values, band, 1), [12, 5, 11])
    np.testing.assert_allclose(band_mean(values, band, 2), [12, 5, 0, 11])


def test_slice_mean_looks_at_the_whole_slice() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.testing.assert_allclose(slice_mean(values, 0), [5.5, 17.5])
    np.testing.assert_allclose(slice_mean(values, 2), [10, 11, 12, 13])


def test_presence_by_hand() -> None:
    # 8 of 8: 8 / (8 + 0.8); 0.8 of 8, the half point: 0.8 / 1.6; nothing: 0.
    found = presence(np.array([8.0, 0.8, 0.0]))
    assert found == pytest.approx([8 / 8.8, 0.5, 0.0])
    assert presence(np.array([8.0, 0.8]), half=0.5) == pytest.approx([8 / 12, 0.8 / 4.8])


def test_presence_where_nothing_is_expected() -> None:
    assert presence(np.zeros(3)).tolist() == [0, 0, 0]
