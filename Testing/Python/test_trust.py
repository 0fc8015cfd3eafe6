"""How far the expected Dice may decide: what it has earned."""

from __future__ import annotations

import numpy as np
import pytest

from activeseg.quality import trust_in


def test_trust_by_hand() -> None:
    expected = np.array([0.2, 0.4, 0.6, 0.8])
    assert trust_in(expected, np.array([0.1, 0.2, 0.3, 0.9])) == pytest.approx(4 / 14)
    # One neighbouring pair the wrong way round: 1 - 6 * 2 / (4 * 15).
    assert trust_in(expected, np.array([0.2, 0.1, 0.3, 0.9])) == pytest.approx(0.8 * 4 / 14)
    many = np.linspace(0, 1, 90)
    assert trust_in(many, many**2) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ([], []),
        ([0.5], [0.5]),
        ([0.5, 0.5, 0.5], [0.1, 0.2, 0.3]),
        ([0.1, 0.2, 0.3], [0.7, 0.7, 0.7]),
        ([0.1, 0.2, 0.3], [0.9, 0.8, 0.7]),
    ],
)
def test_what_has_proven_nothing_earns_nothing(expected: list[float], actual: list[float]) -> None:
    assert trust_in(np.array(expected), np.array(actual)) == 0
