"""Doubts in words, by hand; arrays are [S, P, L]: upper, back and left have the higher index."""

from __future__ import annotations

import numpy as np
import pytest

from activeseg.uncertainty import slice_doubts

SHAPE = (12, 12, 12)
AXIS = {"axial": 0, "coronal": 1, "sagittal": 2}
ORGAN = np.s_[3:8, 3:8, 3:8]
SPLEEN = np.s_[3:8, 3:8, 9:11]
BOTH = ((ORGAN, 1), (SPLEEN, 2))
ONE = ("liver",)
TWO = ("liver", "spleen")


def label(*parts: tuple[tuple[slice, ...], int]) -> np.ndarray:
    found = np.zeros(SHAPE, np.uint8)
    for where, channel in parts:
        found[where] = channel
    return found


def middle_slice(plane: str, other: np.ndarray, names: tuple[str, ...] = ONE) -> str:
    """What is said of slice 5 when a second opinion is asked."""
    doubts = slice_doubts(label((ORGAN, 1)), {"is uncertain": other}, names, AXIS[plane])
    assert len(doubts) == 12
    return doubts[5]


# A row more, or less, at one end of the organ along S, P or L.
BEYOND = {
    "upper": np.s_[8:9, 3:8, 3:8],
    "lower": np.s_[2:3, 3:8, 3:8],
    "back": np.s_[3:8, 8:9, 3:8],
    "front": np.s_[3:8, 2:3, 3:8],
    "left": np.s_[3:8, 3:8, 8:9],
    "right": np.s_[3:8, 3:8, 2:3],
}
WITHIN = {
    "upper": np.s_[7:8, 3:8, 3:8],
    "lower": np.s_[3:4, 3:8, 3:8],
    "back": np.s_[3:8, 7:8, 3:8],
    "front": np.s_[3:8, 3:4, 3:8],
    "left": np.s_[3:8, 3:8, 7:8],
    "right": np.s_[3:8, 3:8, 3:4],
}
SEEN_IN = {
    "axial": ("front", "back", "right", "left"),
    "coronal": ("lower", "upper", "right", "left"),
    "sagittal": ("lower", "upper", "front", "back"),
}


@pytest.mark.parametrize(
    ("plane", "side"), [(plane, side) for plane, sides in SEEN_IN.items() for side in sides]
)
def test_a_row_more_or_less_is_at_its_border(plane, side):
    more = label((ORGAN, 1), (BEYOND[side], 1))
    less = label((ORGAN, 1), (WITHIN[side], 0))
    assert middle_slice(plane, more) == f"{side} border is uncertain"
    assert middle_slice(plane, less) == f"{side} border is uncertain"


@pytest.mark.parametrize(
    ("plane", "side"),
    [("axial", "upper"), ("coronal", "back"), ("sagittal", "left")],
)
def test_a_difference_in_other_slices_is_not_this_slices(plane, side):
    more = label((ORGAN, 1), (BEYOND[side], 1))
    assert middle_slice(plane, more) == ""


def test_a_difference_all_round_has_no_side():
    grown = label((np.s_[3:8, 2:9, 2:9], 1))
    assert middle_slice("axial", grown) == "outline is uncertain"


def test_the_same_opinion_and_small_differences_say_nothing():
    assert middle_slice("axial", label((ORGAN, 1))) == ""
    # Two pixels are too few, whatever their share; three of 25 are worth a word.
    two = label((ORGAN, 1), (np.s_[5, 4:6, 8], 1))
    three = label((ORGAN, 1), (np.s_[5, 4:7, 8], 1))
    assert middle_slice("axial", two) == ""
    assert middle_slice("axial", three) == "left border is uncertain"


def test_less_than_a_twentieth_of_the_structure_says_nothing():
    large = np.s_[5:6, 1:11, 1:11]  # 100 pixels
    four = label((large, 1), (np.s_[5, 1:5, 1], 0))
    five = label((large, 1), (np.s_[5, 1:6, 1], 0))
    for other, said in ((four, ""), (five, "right border is uncertain")):
        doubts = slice_doubts(label((large, 1)), {"is uncertain": other}, ONE, 0)
        assert doubts[5] == said


def test_the_largest_difference_is_told_with_who_differs():
    proposal = label((ORGAN, 1))
    opinions = {
        "disagrees with the axial view": label((ORGAN, 1), (np.s_[3:8, 3:8, 2], 1)),
        "disagrees with the sagittal view": label((ORGAN, 1), (np.s_[8:10, 3:8, 3:8], 1)),
    }
    found = slice_doubts(proposal, opinions, ONE, AXIS["coronal"])
    assert found[5] == "upper border disagrees with the sagittal view"
    assert slice_doubts(proposal, {}, ONE, AXIS["coronal"]) == [
        "nothing proposed, but the next slice shows liver" if index in (2, 8) else ""
        for index in range(12)
    ]


def test_structures_are_named_only_where_there_are_several():
    more = label(*BOTH, (np.s_[3:8, 8:10, 9:11], 2))
    found = slice_doubts(label(*BOTH), {"is uncertain": more}, TWO, AXIS["axial"])
    assert found[5] == "spleen: back border is uncertain"
    alone = (label(*BOTH) == 2) * 1
    only = slice_doubts(alone, {"is uncertain": (more == 2) * 1}, ("spleen",), 0)
    assert only[5] == "back border is uncertain"


def test_of_two_structures_the_one_that_differs_more_is_told():
    more = label((np.s_[3:8, 1:8, 3:8], 1), (SPLEEN, 2), (np.s_[3:8, 8:9, 9:11], 2))
    found = slice_doubts(label(*BOTH), {"is uncertain": more}, TWO, AXIS["axial"])
    assert found[5] == "liver: front border is uncertain"


def test_a_slice_without_a_proposal_beside_one_with_a_proposal_says_so():
    proposal = label((np.s_[4:6, 3:8, 3:8], 2), (np.s_[9:10, 3:8, 3:8], 1))
    found = slice_doubts(proposal, {"is uncertain": proposal}, TWO, AXIS["axial"])
    beside = "nothing proposed, but the next slice shows"
    spleen, liver = f"{beside} spleen", f"{beside} liver"
    assert found == ["", "", "", spleen, "", "", spleen, "", liver, "", liver, ""]


def test_an_empty_volume_says_nothing():
    assert slice_doubts(label(), {"is uncertain": label((ORGAN, 1))}, ONE, 0) == [""] * 12
