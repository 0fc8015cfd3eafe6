"""Disagreement of planes and of neighbouring slices, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.uncertainty import neighbour_disagreement, view_disagreement


def two_classes(background: list[float]) -> np.ndarray:
    """`[2, n, 1, 1]` from the background's probability in each slice."""
    p = np.array(background, dtype=np.float32)[:, None, None]
    return np.stack([p, 1 - p])


def test_views_by_hand() -> None:
    # Three planes, one voxel, background .9, .9, .3: mean .7.
    # H(.3) - (2 * H(.1) + H(.3)) / 3 = .610864 - (.650166 + .610864) / 3 = .190521
    views = np.array([[[0.9], [0.1]], [[0.9], [0.1]], [[0.3], [0.7]]], dtype=np.float32)
    assert view_disagreement(views) == pytest.approx(0.190521, abs=2e-6)


def test_neighbours_by_hand() -> None:
    # Background .9, .7, .7, 1.
    # JS(.9, .7) = H(.2) - (H(.1) + H(.3)) / 2 = .500402 - .467974 = .032429
    # JS(.7, 1) = H(.15) - H(.3) / 2 = .422709 - .305432 = .117277
    found = neighbour_disagreement(two_classes([0.9, 0.7, 0.7, 1.0]), 0)
    expected = [0.032429, 0.032429 / 2, 0.117277 / 2, 0.117277]
    np.testing.assert_allclose(found[:, 0, 0], expected, atol=2e-6)
    assert found.dtype == np.float32


def test_slice_that_contradicts_both_sides_stands_out() -> None:
    found = neighbour_disagreement(two_classes([1, 1, 0, 1, 1]), 0)[:, 0, 0]
    expected = [0, math.log(2) / 2, math.log(2), math.log(2) / 2, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_slice_has_no_neighbours(axis: int) -> None:
    shape = [3, 4, 5]
    shape[axis] = 1
    p = np.moveaxis(np.random.default_rng(0).dirichlet(np.ones(3), shape), -1, 0)
    found = neighbour_disagreement(p.astype(np.float32), axis)
    assert found.shape == tuple(shape)
    assert not found.any()


@settings(deadline=None)
@given(st.integers(0, 2), st.integers(2, 4), st.integers(0, 10_000))
def test_neighbours_along_any_axis(axis: int, classes: int, seed: int) -> None:
    p = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), (3, 4, 5))
    mean_p = np.moveaxis(p, -1, 0).astype(np.float32)
    found = neighbour_disagreement(mean_p, axis)
    assert found.shape == (3, 4, 5)
    assert (found >= 0).all()
    assert (found <= math.log(2) + 1e-6).all()
    turned = neighbour_disagreement(np.moveaxis(mean_p, axis + 1, 1), 0)
    np.testing.assert_allclose(np.moveaxis(turned, 0, axis), found, atol=1e-6)
    # Voxel by voxel from the definition, in the middle of the volume.
    here = np.array([1, 2, 2])
    pairs = []
    for step in (-1, 1):
        there = here + step * (np.arange(3) == axis)
        pairs.append(np.stack([mean_p[(slice(None), *here)], mean_p[(slice(None), *there)]]))
    expected = np.mean([view_disagreement(pair[:, :, None])[0] for pair in pairs])
    assert found[tuple(here)] == pytest.approx(expected, abs=2e-6)
