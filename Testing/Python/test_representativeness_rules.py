"""Reach distances, balls of one size, and ranks of two kinds, on numbers that fit a line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from activeseg.representativeness import (
    Balls,
    composite,
    difficulty_coverage,
    nearly_empty,
    pacing,
    pure_radius,
    reach,
)
from activeseg.representativeness import probcover as module


def line(*places: float) -> np.ndarray:
    return np.array(places, dtype=np.float64)[:, None]


# Emptiness


def test_a_tenth_of_a_rich_slice_is_not_nearly_empty() -> None:
    information = np.array([1.0] * 18 + [0.1, 0.09], dtype=np.float32)
    assert np.flatnonzero(nearly_empty(information)).tolist() == [19]
    assert not nearly_empty(np.zeros(3, dtype=np.float32)).any()


# Reach


def test_reach_by_hand() -> None:
    # Second neighbours of 0, 1, 3 and 10 are 3, 2, 3 and 9 away. From 0, its neighbours 1 and 3
    # are reached at max(2, 1) and max(3, 3); from 1: 0 at 3, 3 at 3; from 3: 1 at 2, 0 at 3; from
    # 10: 3 at 7, 1 at 9. The density is 1 / mean.
    found = reach(line(0, 1, 3, 10), 2)
    assert found.distance.tolist() == [3, 2, 3, 9]
    assert found.density == pytest.approx([1 / 2.5, 1 / 3, 1 / 2.5, 1 / 8], rel=1e-4)


def test_two_of_a_kind_are_no_crowd() -> None:
    # Without reach the twins at 50 would be the densest, as they are 0 apart: with a single
    # neighbour they are, with two their second one is 40 away.
    places = line(0, 1, 2, 3, 10, 50, 50)
    assert reach(places, 1).density.argmax() in (5, 6)
    assert reach(places, 2).density.argmax() in (0, 1, 2, 3)
    assert set(reach(places, 2).density.argsort()[:2].tolist()) == {5, 6}


def test_reach_of_few() -> None:
    alone = reach(line(7), 3)
    assert (alone.density.tolist(), alone.distance.tolist()) == ([1], [0])
    # There are no three others: each of two has the other.
    assert reach(line(0, 4), 3).distance.tolist() == [4, 4]


# Balls


def test_pure_radius_by_hand() -> None:
    # The distances to the other kind are 10, 9, 8, 7 and 7, 8.
    places, kinds = line(0, 1, 2, 3, 10, 11), np.array([0, 0, 0, 0, 1, 1])
    assert pure_radius(places, kinds, 1.0) == 7
    # Of six balls 80 % pure are five: one may be impure, but the first two become so together.
    assert pure_radius(places, kinds, 0.8) == 7
    assert pure_radius(places, kinds, 4 / 6) == 8
    # 95 %, as in the paper, are all of them.
    assert pure_radius(places, kinds) == 7
    assert pure_radius(places, np.zeros(6, dtype=np.int64)) == np.inf


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-20, 20), st.integers(0, 2)), min_size=2, max_size=30),
    st.sampled_from([0.5, 0.8, 0.95, 1.0]),
)
def test_no_larger_radius_is_as_pure(points: list[tuple[int, int]], pure: float) -> None:
    places = line(*(place for place, _ in points))
    kinds = np.array([kind for _, kind in points], dtype=np.int64)

    def purity(radius: float) -> float:
        near = np.abs(places - places.T) < radius
        return float(np.mean([(kinds[row] == kinds[k]).all() for k, row in enumerate(near)]))

    radius = pure_radius(places, kinds, pure)
    assert purity(radius) >= pure - 1e-9
    if np.isfinite(radius):
        assert purity(radius + 0.5) < pure


def test_balls_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    for chunk in (module._CHUNK, 5):  # all at once, and row by row
        monkeypatch.setattr(module, "_CHUNK", chunk)
        balls = Balls(line(0, 1, 2, 10), 1.5)
        assert balls.holds.tolist() == [2, 3, 2, 1]
        balls.cover(0)  # 0 and 1; of the ball round 1 only 2 is left
        assert balls.holds.tolist() == [0, 1, 1, 1]
        balls.cover(1)
        assert balls.holds.tolist() == [0, 0, 0, 1]
        balls.uncover()
        balls.cover_round(line(10.5, 3.4))
        assert balls.holds.tolist() == [2, 2, 1, 0]
        balls.cover_round(line())
        assert balls.holds.tolist() == [2, 2, 1, 0]


def test_what_is_just_as_far_as_the_radius_is_not_near() -> None:
    assert Balls(line(0, 2), 2.0).holds.tolist() == [1, 1]
    # A ball holds its own slice, however small it is.
    assert Balls(line(0, 0), 0.0).holds.tolist() == [1, 1]


# Ranks


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12).filter(
        lambda pairs: all(len(set(column)) > 1 for column in zip(*pairs, strict=True))
    )
)
def test_difficulty_coverage_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=np.float64).T
    assert difficulty_coverage(a, b) == pytest.approx(float(spearmanr(a, b).statistic), abs=1e-12)


def test_difficulty_that_is_the_same_for_all_says_nothing() -> None:
    assert difficulty_coverage(np.ones(4), np.arange(4.0)) == 0
    assert difficulty_coverage(np.ones(1), np.ones(1)) == 0


def test_pacing_by_hand() -> None:
    # Nine of 9: 9 / 3 = 3, 3 / 4; a quarter of that, up or down.
    assert pacing(9, 9, 1.0) == pytest.approx(0.5 + 0.1875)
    assert pacing(9, 9, -1.0) == pytest.approx(0.5 - 0.1875)
    # One of 100: 1 / 10, 1 / 11.
    assert pacing(1, 100, 0.4) == pytest.approx(0.5 + 0.1 / 11)
    assert pacing(7, 20, 0.0) == 0.5
    # Three quarters at the most, cut to 0.7.
    assert pacing(10**6, 10**6, 1.0) == 0.7
    assert pacing(10**6, 10**6, -1.0) == 0.3


def test_composite_by_hand() -> None:
    # Ranks 0, 1/2 and 1 of the typicality, 1, 1/2 and 0 of the difficulty; 0 counts 0.01.
    found = composite(np.array([1.0, 2.0, 9.0]), np.array([5.0, 4.0, 3.0]), 0.25)
    assert found == pytest.approx([0.01**0.75, 0.5, 0.01**0.25])
    # Equals share their rank: 1/4 and 1/4 of the two lowest.
    equal = composite(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0]), 0.0)
    assert equal == pytest.approx([0.25, 0.25, 1.0])
