"""The ways of strokes that the page tells: kept until their stroke ends, and for no other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg_web.dabs import dense
from activeseg_web.ways import Ways

SIZE = (200, 100)
CURVE = [(0.1, 0.2), (0.4, 0.9), (0.8, 0.2)]


def test_a_way_is_told_in_pixels_once():
    ways = Ways()
    ways.hear("axial", CURVE)
    assert np.allclose(
        ways.take("axial", SIZE, (20, 20), (160, 20)), [(20, 20), (80, 90), (160, 20)]
    )
    assert ways.take("axial", SIZE, (20, 20), (160, 20)) is None


@pytest.mark.parametrize(
    ("view", "start", "end"),
    [
        ("coronal", (20, 20), (160, 20)),
        ("axial", (20, 24), (160, 20)),
        ("axial", (20, 20), (160, 24)),
        ("axial", (160, 20), (20, 20)),
    ],
)
def test_a_way_of_another_stroke_is_passed_over(view, start, end):
    ways = Ways()
    ways.hear("axial", CURVE)
    assert ways.take(view, SIZE, start, end) is None
    ways.hear("axial", CURVE)
    assert ways.take("axial", SIZE, (21, 19), (160, 22)) is not None


def test_strokes_that_wait_are_taken_in_their_order():
    ways = Ways()
    ways.hear("axial", CURVE)
    ways.hear("axial", CURVE[::2])
    assert len(ways.take("axial", SIZE, (20, 20), (160, 20))) == 3
    assert len(ways.take("axial", SIZE, (20, 20), (160, 20))) == 2


@pytest.mark.parametrize("nothing", [[], [[]], [0.5, 0.5], [[0.5]]])
def test_what_is_no_way_is_not_kept(nothing):
    ways = Ways()
    ways.hear("axial", nothing)
    assert ways.take("axial", SIZE, (0, 0), (0, 0)) is None


@given(
    st.lists(st.tuples(*[st.integers(-50, 50)] * 3), min_size=1, max_size=6),
    st.floats(0.3, 30.0),
)
def test_places_between_lie_on_the_way_and_close_together(places, step):
    way = np.array(places, float)
    found = dense(way, step)
    assert (np.linalg.norm(np.diff(found, axis=0), axis=1) <= step * (1 + 1e-9)).all()
    assert np.array_equal(found[0], way[0])
    assert np.array_equal(found[-1], way[-1])
    for place in way:
        assert (np.linalg.norm(found - place, axis=1) < 1e-9).any()
    length = np.linalg.norm(np.diff(way, axis=0), axis=1).sum()
    assert np.linalg.norm(np.diff(found, axis=0), axis=1).sum() == pytest.approx(length)
