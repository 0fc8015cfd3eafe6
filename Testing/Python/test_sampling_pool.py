"""What samplers are given is checked; what a person is told of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activeseg.keys import Plane, SliceKey
from activeseg.sampling import Candidate
from activeseg.sampling.reasons import reason
from small_pool import Slice, pool_of

# Reasons


KEY = SliceKey("a", Plane.AXIAL, 3)


@pytest.mark.parametrize(
    ("candidate", "seconds", "why", "sentence"),
    [
        (
            Candidate(KEY, 42.0, "correct", 0.612, 0.45, 0.77, 0.3,
                      "upper border disagrees with the coronal view"),
            42.0,
            "",
            "expected Dice 0.61 (0.45 to 0.77), upper border disagrees with the coronal view; "
            "correct, about 0.7 min",
        ),
        (
            Candidate(KEY, 10.0, "confirm", 0.98, 0.9, 1.0, 0.1),
            25.0,
            "random",
            "random: expected Dice 0.98 (0.90 to 1.00); probably nothing to do, about 0.4 min",
        ),
        (
            Candidate(KEY, 10.0, "confirm", 0.0, 0.0, 0.39, 0.1),
            6.0,
            "",
            "expected Dice 0.00 (0.00 to 0.39); look for what the proposal lacks, about 0.1 min",
        ),
        (
            Candidate(KEY, 72.0, "draw"),
            72.0,
            "representative of 12 similar slices",
            "representative of 12 similar slices; draw, about 1.2 min",
        ),
        (Candidate(KEY, 72.0, "draw"), 72.0, "", "draw, about 1.2 min"),
        (Candidate(KEY, 6.0, "draw", 0.5), 6.0, "", "expected Dice 0.50; draw, about 0.1 min"),
        (
            Candidate(KEY, 12.0, "confirm", 1.0, 1.0, 1.0),
            12.0,
            "",
            "no structure is expected here; probably nothing to do, about 0.2 min",
        ),
    ],
)  # fmt: skip
def test_reason(candidate: Candidate, seconds: float, why: str, sentence: str) -> None:
    assert reason(candidate, seconds, why) == sentence


def test_an_audit_does_not_tell_what_the_model_expects() -> None:
    candidate = Candidate(KEY, 60.0, "draw", 0.61, 0.45, 0.77, 0.3, "upper border unclear")
    assert reason(candidate, 75.0, audit=True) == (
        "drawn by chance and shown blank, to check the model's own estimate; draw, about 1.2 min"
    )


# What goes in


def test_candidates_say_what_the_pool_knows() -> None:
    one = Slice("b", 7, 0.4, 9.0, Plane.SAGITTAL, dice=0.5, doubt="lower border unclear")
    pool = pool_of([one, Slice("a", 1)])
    candidate = pool.candidate(1)
    assert candidate.key == SliceKey("b", Plane.SAGITTAL, 7)
    assert (candidate.seconds, candidate.how) == (9.0, "correct")
    assert (candidate.dice_low, candidate.expected_dice) == pytest.approx((0.34, 0.5))
    assert (candidate.dice_high, candidate.entropy) == pytest.approx((0.66, 0.4))
    assert candidate.doubt == "lower border unclear"
    bare = replace(pool, scored=None).candidate(1)
    assert bare == Candidate(candidate.key, 9.0, "correct")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_slice_s": -1.0}, "must not be negative"),
        ({"redundancy_mm": 0.0}, "must be above 0"),
        ({"seconds": np.array([10.0, 0.0])}, "seconds must be finite and above 0"),
        ({"seconds": np.array([10.0, np.nan])}, "seconds must be finite and above 0"),
        ({"blank_seconds": np.array([10.0, -1.0])}, "seconds must be finite and above 0"),
        ({"blank_seconds": np.array([10.0])}, "blank_seconds has 1 rows for 2 slices"),
        ({"features": np.zeros((3, 2), np.float32)}, "features has 3 rows for 2 slices"),
        ({"information": np.zeros(3, np.float32)}, "information has 3 rows for 2 slices"),
        ({"volumes": ("b", "a")}, "names must ascend"),
        ({"volumes": ("a",)}, "acquired has 2 entries for 1 volumes"),
        ({"volumes": ("a",), "acquired": np.array([0])}, "numbers of volumes or planes"),
        ({"acquired": np.array([0, 3])}, "numbers of volumes or planes"),
        ({"plane": np.array([0, 3])}, "numbers of volumes or planes"),
        ({"volume": np.array([1, 0])}, "rows must ascend"),
        ({"volume": np.array([0, 0]), "index": np.array([1, 1])}, "rows must ascend"),
    ],
)
def test_pools_that_do_not_fit_together_are_refused(
    change: dict[str, object], message: str
) -> None:
    pool = pool_of([Slice("a", 1), Slice("b", 0)])
    with pytest.raises(ValueError, match=message):
        replace(pool, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gain": np.array([1.0])}, "gain has 1 entries for 2 slices"),
        ({"gain": np.array([1.0, -0.1])}, "gain must be finite and not negative"),
        ({"expected_dice": np.array([1.0, np.nan])}, "expected_dice must be finite"),
        ({"shown": np.array([[1.0, np.inf]])}, "shown must be finite"),
        ({"shown": np.ones((2, 1))}, "shown has 1 entries for 2 slices"),
    ],
)
def test_scores_that_mean_nothing_are_refused(change: dict[str, object], message: str) -> None:
    pool = pool_of([Slice("a", 1), Slice("b", 0)])
    with pytest.raises(ValueError, match=message):
        replace(pool, scored=replace(pool.model_scores(), **change))  # type: ignore[arg-type]
