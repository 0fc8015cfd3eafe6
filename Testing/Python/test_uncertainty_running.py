"""The running sums give what the whole stack gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.uncertainty import (
    RunningSamples,
    bald,
    foreground_variance,
    predictive_entropy,
    variation_ratio,
    vote_entropy,
)


def softmax_samples(passes: int, classes: int, seed: int) -> np.ndarray:
    p = np.random.default_rng(seed).dirichlet(np.full(classes, 0.4), (passes, 2, 3, 5))
    return np.moveaxis(p, -1, 1).astype(np.float32)


def running(samples: np.ndarray, known_labels: bool = False) -> RunningSamples:
    sums = RunningSamples()
    buffer = np.empty_like(samples[0])  # one array for all passes, as a model may do
    for sample in samples:
        buffer[:] = sample
        sums.add(buffer, buffer.argmax(axis=0).astype(np.uint8) if known_labels else None)
    return sums


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(2, 6), st.booleans(), st.integers(0, 10_000))
def test_equals_the_stack(passes: int, classes: int, known_labels: bool, seed: int) -> None:
    samples = softmax_samples(passes, classes, seed)
    sums = running(samples, known_labels)
    assert sums.passes == passes
    for found, expected in (
        (sums.mean, samples.mean(axis=0)),
        (sums.entropy, predictive_entropy(samples)),
        (sums.bald, bald(samples)),
        (sums.variance, foreground_variance(samples)),
        (sums.vote_entropy, vote_entropy(samples)),
        (sums.variation_ratio, variation_ratio(samples)),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)
    labels = samples.argmax(axis=1)
    expected_votes = np.stack([(labels == value).sum(axis=0) for value in range(classes)])
    assert sums.votes.dtype == np.uint16
    np.testing.assert_array_equal(sums.votes, expected_votes)


def test_two_passes_by_hand() -> None:
    # Background .9 then .7: mean .8, variance .01, both vote for it.
    sums = running(np.array([[[0.9], [0.1]], [[0.7], [0.3]]], dtype=np.float32))
    np.testing.assert_allclose(sums.mean, [[0.8], [0.2]], atol=1e-6)
    assert sums.variance == pytest.approx(0.01, abs=1e-6)
    assert sums.entropy == pytest.approx(0.500402, abs=2e-6)
    assert sums.bald == pytest.approx(0.032429, abs=2e-6)
    assert sums.votes.tolist() == [[2], [0]]


def test_small_variance_of_a_confident_voxel_is_not_lost() -> None:
    # Deviations of 1e-4 round .9: the square of the mean is 10^8 times the variance.
    background = np.float32(0.9) + np.array([-1, 1, -1, 1], dtype=np.float32) * np.float32(1e-4)
    sums = running(np.stack([background, 1 - background], axis=1)[:, :, None])
    assert sums.variance == pytest.approx(1e-8, rel=0.01)


def test_measures_may_be_asked_for_between_samples() -> None:
    samples = softmax_samples(5, 3, 0)
    sums = running(samples[:2])
    before = sums.mean, sums.votes, sums.bald
    sums.add(samples[2])
    np.testing.assert_allclose(sums.bald, bald(samples[:3]), atol=1e-6)
    np.testing.assert_allclose(before[0], samples[:2].mean(axis=0), atol=1e-6)
    assert before[1].sum(axis=0).max() == 2
    np.testing.assert_allclose(before[2], bald(samples[:2]), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["mean", "entropy", "bald", "variance", "votes", "vote_entropy", "variation_ratio"]
)
def test_nothing_is_known_without_a_sample(name: str) -> None:
    with pytest.raises(ValueError, match="no sample"):
        getattr(RunningSamples(), name)


def test_samples_of_another_shape_are_refused() -> None:
    sums = running(softmax_samples(1, 3, 0))
    with pytest.raises(ValueError, match="shape"):
        sums.add(np.ones((3, 1, 1, 1), dtype=np.float32) / 3)
    assert sums.passes == 1
