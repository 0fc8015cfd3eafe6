"""The running sums give what the whole stack gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.uncertainty import RunningSamples, bald, entropy_of_mean, predictive_entropy


def softmax_samples(passes: int, classes: int, seed: int) -> np.ndarray:
    p = np.random.default_rng(seed).dirichlet(np.full(classes, 0.4), (passes, 2, 3, 5))
    return np.moveaxis(p, -1, 1).astype(np.float32)


def running(samples: np.ndarray) -> RunningSamples:
    sums = RunningSamples()
    buffer = np.empty_like(samples[0])  # one array for all passes, as a model may do
    for sample in samples:
        buffer[:] = sample
        sums.add(buffer)
    return sums


def equal_the_stack(sums: RunningSamples, samples: np.ndarray) -> None:
    assert sums.passes == len(samples)
    for found, expected in (
        (sums.mean, samples.mean(axis=0)),
        (sums.bald(predictive_entropy(samples)), bald(samples)),
    ):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(2, 6), st.integers(0, 10_000))
def test_equals_the_stack(passes: int, classes: int, seed: int) -> None:
    samples = softmax_samples(passes, classes, seed)
    equal_the_stack(running(samples), samples)


@settings(deadline=None)
@given(st.integers(0, 4), st.integers(1, 8), st.integers(0, 10_000))
def test_passes_that_were_summed_up_count_as_many(alone: int, several: int, seed: int) -> None:
    samples = softmax_samples(alone + several, 3, seed)
    sums = running(samples[:alone]) if alone else RunningSamples()
    together = samples[alone:]
    entropy = np.mean([entropy_of_mean(each) for each in together], axis=0)
    sums.add_together(several, together.mean(axis=0), entropy)
    equal_the_stack(sums, samples)


def test_two_passes_by_hand() -> None:
    # Background .9 then .7: mean .8.
    sums = running(np.array([[[0.9], [0.1]], [[0.7], [0.3]]], dtype=np.float32))
    np.testing.assert_allclose(sums.mean, [[0.8], [0.2]], atol=1e-6)
    entropy = entropy_of_mean(sums.mean)
    assert entropy == pytest.approx(0.500402, abs=2e-6)
    assert sums.bald(entropy) == pytest.approx(0.032429, abs=2e-6)


def test_measures_may_be_asked_for_between_samples() -> None:
    samples = softmax_samples(5, 3, 0)
    sums = running(samples[:2])
    equal_the_stack(sums, samples[:2])
    sums.add(samples[2])
    equal_the_stack(sums, samples[:3])


def test_of_a_part_the_measure_is_that_of_the_part() -> None:
    samples = softmax_samples(3, 3, 0)
    part = (slice(1, 2), slice(0, 2), slice(2, 5))
    entropy = predictive_entropy(samples)
    found = running(samples).bald(entropy[part], part)
    np.testing.assert_allclose(found, bald(samples)[part], atol=1e-6)


def test_nothing_is_known_without_a_sample() -> None:
    with pytest.raises(ValueError, match="no sample"):
        _ = RunningSamples().mean
    with pytest.raises(ValueError, match="no sample"):
        RunningSamples().bald(np.zeros((1, 1), dtype=np.float32))


def test_samples_of_another_shape_are_refused() -> None:
    sums = running(softmax_samples(1, 3, 0))
    with pytest.raises(ValueError, match="shape"):
        sums.add(np.ones((3, 1, 1, 1), dtype=np.float32) / 3)
    assert sums.passes == 1
