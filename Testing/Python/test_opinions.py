"""Agreement of passes from the disputed voxels alone, against all voxels pass by pass."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from activeseg.quality import Opinions, mc_iou, pairwise_dice

STRUCTURES = 2


def by_hand(labels, axis):
    """IoU of all and mean Dice of pairs, slice by slice."""
    iou, dice = [], []
    for channel in range(1, STRUCTURES + 1):
        for k in range(labels.shape[axis + 1]):
            masks = labels.take(k, axis + 1) == channel
            union, shared = masks.any(axis=0).sum(), masks.all(axis=0).sum()
            iou.append(shared / union if union else np.nan)
            pairs = [
                2 * (a & b).sum() / (a.sum() + b.sum())
                for a, b in combinations(masks, 2)
                if a.any() or b.any()
            ]
            dice.append(np.mean(pairs) if pairs else np.nan)
    return np.reshape(iou, (STRUCTURES, -1)), np.reshape(dice, (STRUCTURES, -1))


@settings(deadline=None, max_examples=60)
@given(
    labels=arrays.arrays(
        np.uint8,
        st.tuples(*(st.integers(1, 4),) * 4),
        elements=st.sampled_from([0, 0, 1, 1, 1, 2]),
    ),
    axis=st.integers(0, 2),
)
def test_agreement_is_that_of_all_voxels(labels, axis) -> None:
    iou, dice = by_hand(labels, axis)
    found = Opinions.of(labels)
    np.testing.assert_allclose(found.iou(STRUCTURES, axis), iou, atol=1e-12)
    np.testing.assert_allclose(found.pairwise_dice(STRUCTURES, axis), dice, atol=1e-12)
    np.testing.assert_array_equal(mc_iou(labels, STRUCTURES, axis), found.iou(STRUCTURES, axis))
    assert pairwise_dice(labels, STRUCTURES, axis) == pytest.approx(dice, nan_ok=True)


def test_what_all_say_is_not_kept_pass_by_pass() -> None:
    labels = np.ones((5, 3, 4, 4), dtype=np.uint8)
    labels[2, 1, 2, 3] = 0
    found = Opinions.of(labels)
    assert found.votes.tolist() == [[1], [1], [0], [1], [1]]
    assert [axis.tolist() for axis in found.disputed] == [[1], [2], [3]]
    assert found.agreed.sum() == 47


def test_of_no_pass_nothing_is_known() -> None:
    found = Opinions.of(np.zeros((0, 2, 3, 3), dtype=np.uint8))
    assert np.isnan(found.iou(2, 0)).all()
    assert found.pairwise_dice(2, 0).shape == (2, 2)
    assert np.isnan(found.pairwise_dice(2, 0)).all()
