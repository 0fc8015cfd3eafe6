"""How well chosen rows stand for the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg.representativeness import Cohesion

RNG = np.random.default_rng(0)


def on_a_line(*places: float, weight: tuple[float, ...] | None = None) -> Cohesion:
    points = np.array(places)[:, None]
    counts = np.ones(len(places)) if weight is None else np.array(weight)
    return Cohesion.of(points, counts, RNG)


def test_mean_distance_by_hand() -> None:
    # 0-1, 0-4, 1-4: (1 + 4 + 3) / 3, each pair once.
    assert on_a_line(0, 1, 4).apart == pytest.approx(8 / 3)
    # The pair 0-1 weighs 2 * 1, the pairs with 4 nothing.
    assert on_a_line(0, 1, 4, weight=(2, 1, 0)).apart == pytest.approx(1)


def test_covered_share_by_hand() -> None:
    cohesion = on_a_line(0, 1, 4)
    assert cohesion.covered([]) == 0
    assert cohesion.covered([0, 1, 2]) == pytest.approx(1)
    # 1 is a distance of 1 from 0: 1 - 3/8; 4 is farther than two slices are in the mean.
    assert cohesion.covered([0]) == pytest.approx((1 + 5 / 8 + 0) / 3)
    assert cohesion.covered([0, 2]) == pytest.approx((1 + 5 / 8 + 1) / 3)
    weighed = on_a_line(0, 1, 4, weight=(1, 3, 0))
    assert weighed.covered([0]) == pytest.approx(1 / 4)  # apart: 1, and 1 is that far


def test_what_is_all_alike_is_covered_by_any() -> None:
    cohesion = on_a_line(2, 2, 2)
    assert cohesion.covered([1]) == 1
    assert cohesion.further([1], np.ones(3), 10.0) == ([], 1.0)


def test_further_rows_by_hand() -> None:
    cohesion = on_a_line(0, 1, 4)
    added, share = cohesion.further([0], np.array([1.0, 1.0, 1.0]), 1.5)
    assert (added, share) == ([2], pytest.approx((1 + 5 / 8 + 1) / 3))
    # Per second: 4 brings 1/3 for 10 seconds, 1 brings 1/8 for one.
    added, share = cohesion.further([0], np.array([1.0, 1.0, 10.0]), 9.0)
    assert (added, share) == ([1], pytest.approx(2 / 3))
    assert cohesion.further([0], np.ones(3), 0.5)[0] == []
    assert cohesion.further([0], np.ones(3), 99.0) == ([2, 1], pytest.approx(1))


def test_a_large_cohort_is_known_by_its_landmarks() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(6000, 2))
    large = Cohesion.of(points, np.ones(6000), rng)
    assert len(large.rows) == 2000
    assert large.apart == pytest.approx(np.sqrt(np.pi), rel=0.03)  # of normal points in a plane
    assert large.covered(range(6000)) == pytest.approx(1)


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=12), st.data())
def test_more_rows_never_cover_less(places: list[float], data: st.DataObject) -> None:
    cohesion = on_a_line(*places)
    rows = st.lists(st.integers(0, len(places) - 1), max_size=6)
    chosen, others = data.draw(rows), data.draw(rows)
    share = cohesion.covered(chosen)
    assert 0 <= share <= cohesion.covered([*chosen, *others]) <= 1 + 1e-12
    seconds = np.array([1.0 + place % 3 for place in range(len(places))])
    added, more = cohesion.further(chosen, seconds, 4.0)
    assert more == pytest.approx(cohesion.covered([*chosen, *added]))
    assert seconds[added].sum() <= 4.0
