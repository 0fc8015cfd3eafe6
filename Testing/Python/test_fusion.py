"""What several views say together, and from which probability on a structure is labelled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.model.fusion import Fusion, expected_dice, handicaps
from activeseg.model.stored import likeliest


def maps(*structures: list[float]) -> np.ndarray:
    """`[C, 1, 1, n]`: the structures as given, the background what is left."""
    shown = np.array(structures, dtype=np.float32)
    return np.concatenate([1 - shown.sum(axis=0, keepdims=True), shown])[:, None, None]


def together(*views: np.ndarray) -> np.ndarray:
    fusion = Fusion()
    for view in views:
        fusion.add(view.copy())
    return fusion.softmax()


def test_expected_dice_by_hand() -> None:
    # Masks of one, two and three voxels: 2*0.9/2.8, 2*1.5/3.8, 2*1.8/4.8. Nothing of the other.
    found = expected_dice(maps([0.9, 0.6, 0.3, 0.0], [0.0, 0.0, 0.0, 0.01]))
    assert found == pytest.approx([3.0 / 3.8, 0.0])


def test_who_is_sure_labels_what_is_likeliest() -> None:
    assert handicaps(maps([1.0, 0.97, 0.02, 0.0])) == pytest.approx([1, 1])


def test_who_is_unsure_labels_from_a_lower_probability_on() -> None:
    # Masks of one, two, three: 2*0.6/2.4, 2*1.0/3.4, 2*1.4/4.4: 0.6364, so the limit is 0.4136.
    softmax = maps([0.6, 0.4, 0.4], [0.0, 0.0, 0.0])
    limit = 0.65 * 2.8 / 4.4
    found = handicaps(softmax)
    assert found == pytest.approx([1, (1 - limit) / limit, 7 / 3])  # and 0.3 where nothing is seen
    assert likeliest(softmax, found).ravel().tolist() == [1, 0, 0]
    assert likeliest(
        maps([0.42, 0.41]), np.array([1, (1 - limit) / limit], np.float32)
    ).ravel().tolist() == [1, 0]


def test_a_single_view_stays_as_it_is() -> None:
    view = maps([0.4, 0.1])
    assert np.array_equal(together(view), view)


def test_views_that_are_equally_sure_are_averaged() -> None:
    found = together(maps([0.9, 0.5, 0.0]), maps([0.5, 0.9, 0.0]))
    assert found == pytest.approx(maps([0.7, 0.7, 0.0]))


def test_a_view_that_does_not_know_a_structure_does_not_vote_it_away() -> None:
    # The first knows both, the second the other structure alone: it counts for 0.2 ** 4.
    knows = maps([1.0, 0.0], [0.0, 1.0])
    half = maps([0.0, 0.0], [0.0, 1.0])
    found = together(knows, half)
    assert found[1].ravel() == pytest.approx([1 / (1 + 0.2**4), 0])
    assert found[2].ravel() == pytest.approx([0, 1])
    assert likeliest(np.mean([knows, half], axis=0)).ravel().tolist() == [0, 2]
    assert likeliest(found).ravel().tolist() == [1, 2]


def beside(other: np.ndarray, *views: np.ndarray) -> np.ndarray:
    """The views of one network and then one of another."""
    fusion = Fusion()
    for view in views:
        fusion.add(view.copy())
    fusion.add(other.copy(), beside=True)
    return fusion.softmax()


@pytest.mark.parametrize("planes", [1, 3])
def test_another_network_that_agrees_counts_as_much_as_all_views_before_it(planes: int) -> None:
    sure = maps([1.0, 1.0, 0.0])
    found = beside(maps([0.5, 0.7, 0.0]), *[sure] * planes)
    assert found == pytest.approx(maps([0.75, 0.85, 0.0]))


def test_another_network_counts_by_how_well_its_masks_agree() -> None:
    # Masks of two and of three voxels, two in common: Dice 2*2/5. What it is sure of alone is
    # labelled from 1/2 on, and stays below that.
    found = beside(maps([1.0, 1.0, 1.0]), maps([1.0, 1.0, 0.0]))
    share = 0.8**4 / (1 + 0.8**4)
    assert found == pytest.approx(maps([1.0, 1.0, share]))
    assert share < 0.5


def test_another_network_that_agrees_with_nothing_still_counts_a_little() -> None:
    found = beside(maps([0.0, 1.0], [0.0, 0.0]), maps([1.0, 0.0], [0.0, 0.0]))
    share = 0.6**4 / (1 + 0.6**4)
    assert found[1].ravel() == pytest.approx([1 - share, share])
    assert found[2].ravel() == pytest.approx([0.0, 0.0])


def test_masks_are_compared_with_what_the_views_before_say_together() -> None:
    # 0.4 is the limit. Together the two views have 0.45 and 0.35, so their mask is the first voxel.
    views = maps([0.5, 0.4]), maps([0.4, 0.3])
    alone = together(*views)
    its = maps([0.9, 0.9])  # of its two voxels one is theirs: Dice 2/3
    by = [float(np.maximum(expected_dice(view), 0.2)[0] ** 4) for view in views]
    share = 2 * (2 / 3) ** 4 / (2 * (2 / 3) ** 4 + sum(by))
    assert beside(its, *views) == pytest.approx((1 - share) * alone + share * its, abs=1e-6)


def test_without_a_view_there_is_nothing_to_say() -> None:
    with pytest.raises(ValueError, match="at least one view"):
        Fusion().softmax()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 4), st.floats(0.1, 10))
def test_together_is_a_softmax_in_any_order(seed: int, views: int, sharp: float) -> None:
    rng = np.random.default_rng(seed)
    raw = np.exp(sharp * rng.normal(size=(views, 3, 2, 3, 4)))
    each = (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)
    found = together(*each)
    assert found.min() >= 0
    assert found.sum(axis=0) == pytest.approx(1, abs=1e-5)
    assert together(*each[::-1]) == pytest.approx(found, abs=1e-5)
    assert (expected_dice(found) <= 1).all()
    assert (handicaps(found) >= 1).all()
