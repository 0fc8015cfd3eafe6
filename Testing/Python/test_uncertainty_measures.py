"""Every measure against a case of 2 x 2 pixels worked out by hand, and what must always hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.uncertainty import (
    MEASURES,
    bald,
    entropy_of_mean,
    foreground_variance,
    least_confidence,
    margin_uncertainty,
    mean_variance,
    predictive_entropy,
    variation_ratio,
    vote_entropy,
)
from activeseg.uncertainty.entropy import entropy_of_classes

# Two passes, two classes, 2 x 2 pixels. The background's probability:
#            pixel a   b    c    d
#   pass 1:       .9   .6   1    1
#   pass 2:       .7   .2   0    1
#   mean:         .8   .4   .5   1
FIRST = np.array([[0.9, 0.6], [1.0, 1.0]], dtype=np.float32)
SECOND = np.array([[0.7, 0.2], [0.0, 1.0]], dtype=np.float32)
SAMPLES = np.stack([np.stack([p, 1 - p]) for p in (FIRST, SECOND)])
LOG2 = 0.693147

BY_HAND = {
    # 1 - .8; 1 - .6; 1 - .5; 1 - 1
    "least-confidence": [[0.2, 0.4], [0.5, 0.0]],
    # 1 - (.8 - .2); 1 - (.6 - .4); 1 - (.5 - .5); 1 - (1 - 0)
    "margin": [[0.4, 0.8], [1.0, 0.0]],
    # a: -.8 log .8 - .2 log .2 = .178515 + .321888; b: -.4 log .4 - .6 log .6 = .366516 + .306495
    "entropy": [[0.500402, 0.673012], [LOG2, 0.0]],
    # Deviations from the mean .1, .2, .5, 0, squared; with two classes the same for both.
    "mean-variance": [[0.01, 0.04], [0.25, 0.0]],
    "variance": [[0.01, 0.04], [0.25, 0.0]],
    # H(.1) = .325083, H(.2) = .500402, H(.3) = .610864, H(.4) = .673012
    # a: .500402 - (.325083 + .610864) / 2 = .032429
    # b: .673012 - (.673012 + .500402) / 2 = .086305
    # c: log 2 - (0 + 0) / 2
    "bald": [[0.032429, 0.086305], [LOG2, 0.0]],
    # Votes a: 0, 0; b: 0, 1; c: 0, 1; d: 0, 0. 1 - 2/2 or 1 - 1/2.
    "variation-ratio": [[0.0, 0.5], [0.5, 0.0]],
    # Shares (1, 0): 0; (1/2, 1/2): log 2.
    "vote-entropy": [[0.0, LOG2], [LOG2, 0.0]],
}


def softmax_samples(passes: int, classes: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, rng.choice([0.05, 0.5, 5.0])), (passes, 3, 4))
    return np.moveaxis(p, -1, 1).astype(np.float32)


def test_every_measure_has_a_case_by_hand() -> None:
    assert set(MEASURES) == set(BY_HAND)


@pytest.mark.parametrize("name", BY_HAND)
def test_measure_by_hand(name: str) -> None:
    found = MEASURES[name](SAMPLES)
    np.testing.assert_allclose(found, BY_HAND[name], atol=2e-6)
    assert found.dtype == np.float32


def test_single_measures_by_hand_with_three_classes() -> None:
    # The two largest are .5 and .3 wherever they stand; 1 - .5, 1 - .2.
    p = np.array([[0.5, 0.2, 0.3], [0.3, 0.5, 0.2], [0.2, 0.3, 0.5]], dtype=np.float32)
    np.testing.assert_allclose(least_confidence(p), [0.5] * 3, atol=1e-6)
    np.testing.assert_allclose(margin_uncertainty(p), [0.8] * 3, atol=1e-6)
    # -.5 log .5 - .3 log .3 - .2 log .2 = .346574 + .361192 + .321888
    np.testing.assert_allclose(entropy_of_mean(p), [1.029653] * 3, atol=2e-6)


def test_variances_part_when_passes_differ_on_the_kind_of_foreground() -> None:
    # Background .5 in both passes; the classes 1 and 2 change places: .5 or 0, variance .0625.
    p = np.array([[[0.5], [0.5], [0.0]], [[0.5], [0.0], [0.5]]], dtype=np.float32)
    assert foreground_variance(p) == pytest.approx(0)
    assert mean_variance(p) == pytest.approx(2 * 0.0625 / 3)


def test_variance_is_that_of_the_population() -> None:
    # .1, .2, .6: mean .3, squares .04 + .01 + .09 over 3 passes, not 2.
    background = np.array([0.1, 0.2, 0.6], dtype=np.float32)
    p = np.stack([background, 1 - background], axis=1)[:, :, None]
    assert foreground_variance(p) == pytest.approx(0.14 / 3)
    assert mean_variance(p) == pytest.approx(0.14 / 3)


def test_votes_of_four_passes_for_three_classes() -> None:
    # Voxel 0: 2, 1, 1 votes. Voxel 1: 0, 1, 3 votes.
    chosen = np.array([[0, 2], [0, 2], [1, 2], [2, 1]])
    p = np.moveaxis(np.where(np.arange(3) == chosen[..., None], 0.6, 0.2), -1, 1)
    samples = p.astype(np.float32)
    np.testing.assert_allclose(variation_ratio(samples), [0.5, 0.25], atol=1e-6)
    # 1/2 log 2 + 2 * 1/4 log 4 = 1.5 log 2; 1/4 log 4 + 3/4 log 4/3.
    expected = [1.5 * LOG2, 0.562335]
    np.testing.assert_allclose(vote_entropy(samples), expected, atol=2e-6)


def test_a_tie_goes_to_the_first_class_as_in_argmax() -> None:
    # Pass 1 is undecided between 0 and 1, pass 2 votes for 0: all votes for 0.
    samples = np.array([[[0.5], [0.5]], [[0.9], [0.1]]], dtype=np.float32)
    assert variation_ratio(samples).tolist() == [0]


def test_entropy_without_classes() -> None:
    with pytest.raises(ValueError, match="at least one"):
        entropy_of_classes([])


def test_entropy_of_what_rounding_made_more_than_certain_is_not_negative() -> None:
    p = np.array([[np.nextafter(np.float32(1), np.float32(2))], [0]], dtype=np.float32)
    assert p[0, 0] > 1
    assert entropy_of_mean(p).tolist() == [0]


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 10_000))
def test_bounds(passes: int, classes: int, seed: int) -> None:
    samples = softmax_samples(passes, classes, seed)
    entropy = predictive_entropy(samples)
    bounds = {
        "least-confidence": 1 - 1 / classes,
        "margin": 1.0,
        "entropy": math.log(classes),
        "mean-variance": 0.25,
        "bald": entropy,
        "variance": 0.25,
        "variation-ratio": 1 - 1 / min(classes, passes),
        "vote-entropy": math.log(min(classes, passes)),
    }
    for name, measure in MEASURES.items():
        found = measure(samples)
        assert found.shape == (3, 4), name
        assert found.dtype == np.float32, name
        assert (found >= 0).all(), name
        assert (found <= np.float32(bounds[name]) + 1e-6).all(), name


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 10_000))
def test_the_order_of_the_passes_does_not_matter(passes: int, classes: int, seed: int) -> None:
    samples = softmax_samples(passes, classes, seed)
    order = np.random.default_rng(seed).permutation(passes)
    for name, measure in MEASURES.items():
        np.testing.assert_allclose(
            measure(samples[order]), measure(samples), atol=2e-6, err_msg=name
        )


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 10_000))
def test_agreed_certainty_is_exactly_zero(passes: int, classes: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(classes, size=(3, 4))
    certain = (np.arange(classes)[:, None, None] == labels).astype(np.float32)
    for name, measure in MEASURES.items():
        assert not measure(np.stack([certain] * passes)).any(), name


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(2, 5), st.integers(0, 10_000))
def test_passes_that_say_the_same_disagree_on_nothing(passes: int, classes: int, seed: int) -> None:
    same = np.repeat(softmax_samples(1, classes, seed), passes, axis=0)
    for name in ("bald", "variance", "mean-variance", "variation-ratio", "vote-entropy"):
        np.testing.assert_allclose(MEASURES[name](same), 0, atol=2e-6, err_msg=name)


def test_passes_certain_of_different_classes_are_as_unsure_as_can_be() -> None:
    samples = np.eye(3, dtype=np.float32)[:, :, None]
    assert bald(samples) == pytest.approx(math.log(3))
    assert vote_entropy(samples) == pytest.approx(math.log(3))
    assert variation_ratio(samples) == pytest.approx(2 / 3)
