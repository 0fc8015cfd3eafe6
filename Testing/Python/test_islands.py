"""False islands of proposals, and how many a model has at the least."""

from __future__ import annotations

import numpy as np
import pytest

from activeseg.quality import false_islands, islands_at_least


def mask(*rows: str) -> np.ndarray:
    return np.array([[int(digit) for digit in row] for row in rows], dtype=np.uint8)


PROPOSED = mask(
    "1100222",
    "1100000",
    "0000011",
    "4400010",
    "0044000",
)


@pytest.mark.parametrize(
    ("accepted", "found"),
    [
        (PROPOSED, 0),
        (np.zeros_like(PROPOSED), 4),  # corners join the 4s: one part
        (np.ones_like(PROPOSED), 2),  # the 2s and 4s are something else
        (mask("0000000", "0100000", "0000000", "0000000", "0000000"), 3),  # one pixel is enough
    ],
)
def test_a_part_that_nothing_of_its_structure_was_accepted_in_is_false(accepted, found):
    assert false_islands(PROPOSED, accepted, (1, 2, 4)) == found


def test_other_values_and_crumbs_do_not_count():
    nothing = np.zeros_like(PROPOSED)
    assert false_islands(PROPOSED, nothing, (2,)) == 1
    assert false_islands(mask("11011", "00000"), mask("00000", "00000"), (1,)) == 0


def test_few_islands_say_nothing_and_many_nearly_their_mean():
    assert islands_at_least([]) == 0
    assert islands_at_least([0] * 30) == 0
    assert islands_at_least([1, 1] + [0] * 8) == 0  # two may be an accident
    assert islands_at_least([4, 0, 0]) == pytest.approx((4 - 1.64 * 2) / 3)
    assert islands_at_least([1] * 400) == pytest.approx(1 - 1.64 / 20)
