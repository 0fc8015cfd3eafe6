"""Gradient of the last layer and entropy of the foreground, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.uncertainty import entropy_of_foreground, entropy_of_mean, gradient_sizes


def softmax(seed: int, *shape: int) -> np.ndarray:
    """Maps `[C, ...]` that sum to 1, none surer than 0.995."""
    p = np.random.default_rng(seed).dirichlet([0.5] * shape[0], shape[1:])
    p = 0.99 * p + 0.01 / shape[0]
    return np.moveaxis(p, -1, 0).astype(np.float32)


def test_gradient_by_hand() -> None:
    # Two slices of two pixels: one says 0.7 and 0.4 of the structure, the other is sure.
    p = np.zeros((2, 2, 1, 2), np.float32)
    p[1, 0, 0] = [0.7, 0.4]
    p[0] = 1 - p[1]
    # Pseudo-label 0 for the second pixel: 1 - 0.6 and 0.4; 1 for the first: 0.3 and 1 - 0.7.
    expected = [[0.4, 0.4, 0.3, 0.3], [0, 0, 0, 0]]
    np.testing.assert_allclose(gradient_sizes(p, 0), expected, atol=1e-6)


def test_what_is_sure_pulls_at_nothing() -> None:
    p = np.array([[0.99995, 0.999], [0.00005, 0.001]], np.float32).reshape(2, 1, 1, 2)
    np.testing.assert_allclose(gradient_sizes(p, 0), [[0.001, 0.001, 0, 0]], rtol=1e-3)


@settings(max_examples=30)
@given(st.integers(0, 50), st.integers(0, 2), st.integers(2, 4))
def test_gradient_is_the_sum_of_the_pixels_own(seed: int, axis: int, classes: int) -> None:
    """With its signs put back: p - onehot for each pixel, added up by pseudo-label."""
    p = softmax(seed, classes, 3, 4, 5)
    found = gradient_sizes(p, axis).reshape(-1, classes, classes)
    signed = found * np.where(np.eye(classes, dtype=bool), -1, 1)
    label = p.argmax(axis=0)
    onehot = np.moveaxis(np.eye(classes)[label], -1, 0)
    for number in range(p.shape[axis + 1]):
        each = (p - onehot).take(number, axis + 1).reshape(classes, -1)
        labels = label.take(number, axis).ravel()
        for a in range(classes):
            np.testing.assert_allclose(
                signed[number, a], each[:, labels == a].sum(axis=1), atol=1e-5
            )
    assert (found >= 0).all()


@settings(max_examples=30)
@given(st.integers(0, 50))
def test_a_gradient_pulls_at_one_class_as_much_as_it_pushes_others(seed: int) -> None:
    found = gradient_sizes(softmax(seed, 3, 2, 6, 6), 0).reshape(-1, 3, 3)
    own = found[:, np.arange(3), np.arange(3)]
    np.testing.assert_allclose(own, found.sum(axis=2) - own, atol=1e-5)


def test_entropy_of_the_foreground_is_the_other_classes_terms() -> None:
    p = softmax(3, 4, 2, 3)
    found = entropy_of_foreground(entropy_of_mean(p), p[0])
    np.testing.assert_allclose(found, -(p[1:] * np.log(p[1:])).sum(axis=0), atol=1e-5)
    sure = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    assert entropy_of_foreground(entropy_of_mean(sure), sure[0]).tolist() == [0, 0]
    even = np.full((2, 1), 0.5, np.float32)
    half = entropy_of_foreground(entropy_of_mean(even), even[0])
    assert half[0] == pytest.approx(np.log(2) / 2)
