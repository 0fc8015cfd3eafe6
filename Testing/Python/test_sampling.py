"""Each sampler on pools small enough to choose by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.keys import Plane, SliceKey
from activeseg.sampling import Annotated, Candidate, Choice, Pool
from activeseg.sampling.baselines import by_whole_entropy, random_slices, strided_slices
from activeseg.sampling.one_shot import one_shot
from activeseg.sampling.per_minute import choose_per_minute, redundancy


def candidate(
    volume: str,
    index: int,
    value: float = 1.0,
    seconds: float = 10.0,
    plane: Plane = Plane.AXIAL,
    mm: float = 1.0,
) -> Candidate:
    """A slice `index * mm` along the normal whose entropies are its value."""
    key = SliceKey(volume, plane, index)
    return Candidate(key, value, seconds, index * mm, 0.62, value, "correct", value)


def names(choices: list[Choice]) -> list[str]:
    return [f"{choice.candidate.key.volume}{choice.candidate.key.index}" for choice in choices]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Value per minute


def test_value_left_next_to_an_annotated_slice() -> None:
    left = redundancy(np.array([0.0, 3.0, 6.0, np.inf]), 6.0)
    np.testing.assert_allclose(left, [0, 1 - math.exp(-0.25), 1 - math.exp(-1), 1])


def test_first_slice_overhead_is_part_of_the_rate() -> None:
    # a0 1/25, then a50 0.8/2/10 (its volume is open) before b0 0.9/25, which no longer fits.
    pool = [candidate("a", 0, 1.0), candidate("a", 50, 0.8), candidate("b", 0, 0.9)]
    chosen = choose_per_minute(pool, 59.0, 15.0, 6.0, rng())
    assert names(chosen) == ["a0", "a50"]
    assert [choice.seconds for choice in chosen] == [25, 10]
    assert names(choose_per_minute(pool, 60.0, 15.0, 6.0, rng())) == ["a0", "a50", "b0"]
    assert names(choose_per_minute(pool, 20.0, 0.0, 6.0, rng())) == ["a0", "b0"]


def test_every_further_slice_of_a_volume_counts_less() -> None:
    # a90 is worth 0.9, but half of it while a0 is in the batch: b0 with 0.5 comes first.
    pool = [candidate("a", 0, 1.0), candidate("a", 90, 0.9), candidate("b", 0, 0.5)]
    assert names(choose_per_minute(pool, 20.0, 0.0, 6.0, rng())) == ["a0", "b0"]
    assert [c.value for c in choose_per_minute(pool, 30.0, 0.0, 6.0, rng())] == pytest.approx(
        [1, 0.45, 0.5]
    )


def test_cheap_slices_win_over_somewhat_better_dear_ones() -> None:
    pool = [candidate("a", 0, 1.0, seconds=50), candidate("b", 0, 0.5, seconds=20)]
    assert names(choose_per_minute(pool, 50.0, 0.0, 6.0, rng())) == ["b0"]


def test_a_neighbour_waits_for_a_distant_slice() -> None:
    pool = [candidate("a", 0, 1.0), candidate("a", 2, 0.9), candidate("a", 30, 0.5)]
    near = choose_per_minute(pool, 20.0, 0.0, 6.0, rng())
    assert names(near) == ["a0", "a30"]
    assert [choice.value for choice in near] == pytest.approx([1, 0.5 / 2])
    assert names(choose_per_minute(pool, 20.0, 0.0, 0.5, rng())) == ["a0", "a2"]
    all_of_it = choose_per_minute(pool, 30.0, 0.0, 6.0, rng())
    assert all_of_it[-1].value == pytest.approx(0.9 * (1 - math.exp(-((2 / 6) ** 2))) / 3)


@pytest.mark.parametrize(
    ("annotated", "first"),
    [
        ([], "a10"),
        ([("a", Plane.AXIAL, 9.0)], "a40"),
        ([("a", Plane.CORONAL, 9.0)], "a10"),
        ([("b", Plane.AXIAL, 9.0)], "a10"),
        ([("a", Plane.AXIAL, 9.0), ("a", Plane.AXIAL, 41.0)], "a10"),
    ],
)
def test_annotated_slices_count_in_their_volume_and_plane(
    annotated: list[Annotated], first: str
) -> None:
    pool = [candidate("a", 10, 1.0), candidate("a", 40, 0.9)]
    assert names(choose_per_minute(pool, 10.0, 0.0, 6.0, rng(), annotated)) == [first]


def test_other_planes_of_the_volume_keep_their_value() -> None:
    pool = [
        candidate("a", 5, 1.0),
        candidate("a", 6, 0.9),
        candidate("a", 5, 0.8, plane=Plane.SAGITTAL),
    ]
    chosen = choose_per_minute(pool, 20.0, 0.0, 6.0, rng())
    assert [choice.candidate.key.plane for choice in chosen] == [Plane.AXIAL, Plane.SAGITTAL]


def test_what_does_not_fit_is_passed_over() -> None:
    pool = [candidate("a", 0, 9.0, seconds=100), candidate("b", 0, 0.1), candidate("b", 9, 0.0)]
    assert names(choose_per_minute(pool, 99.0, 15.0, 6.0, rng())) == ["b0", "b9"]


def test_best_volume_comes_first_and_its_slices_stay_together() -> None:
    pool = [candidate("a", k * 90, 0.5) for k in range(2)]
    pool += [candidate("b", k * 90, 0.9 - 0.3 * k) for k in range(2)]
    chosen = choose_per_minute(pool, 1000.0, 5.0, 6.0, rng())
    assert names(chosen)[:2] == ["b0", "b90"]
    assert sorted(names(chosen)[2:]) == ["a0", "a90"]
    assert [choice.seconds for choice in chosen] == [15, 10, 15, 10]


def test_equals_are_taken_by_the_seed_not_by_the_order_of_the_pool() -> None:
    pool = [candidate(f"v{k}", 0) for k in range(20)]
    first = names(choose_per_minute(pool, 50.0, 0.0, 6.0, rng(1)))
    assert names(choose_per_minute(pool[::-1], 50.0, 0.0, 6.0, rng(1))) == first
    assert names(choose_per_minute(pool, 50.0, 0.0, 6.0, rng(2))) != first


def plain_greedy(
    pool: list[Candidate], budget: float, first: float, reach: float, annotated: list[Annotated]
) -> set[SliceKey]:
    """The definition, one candidate at a time."""
    chosen: list[Candidate] = []
    while True:
        best: tuple[float, Candidate, float] | None = None
        for each in pool:
            opened = any(c.key.volume == each.key.volume for c in chosen)
            seconds = each.seconds + (0.0 if opened else first)
            if each in chosen or seconds > budget:
                continue
            others = [(c.key.volume, c.key.plane, c.position_mm) for c in chosen]
            gaps = [
                abs(mm - each.position_mm)
                for volume, plane, mm in [*others, *annotated]
                if (volume, plane) == (each.key.volume, each.key.plane)
            ]
            left = 1 - math.exp(-((min(gaps) / reach) ** 2)) if gaps else 1.0
            in_volume = sum(c.key.volume == each.key.volume for c in chosen)
            rate = each.value * left / (1 + in_volume) / seconds
            if best is None or rate > best[0]:
                best = (rate, each, seconds)
        if best is None:
            return {each.key for each in chosen}
        chosen.append(best[1])
        budget -= best[2]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    budget=st.floats(1, 400),
    first=st.sampled_from([0.0, 15.0]),
    reach=st.sampled_from([1.0, 6.0, 30.0]),
)
def test_lazy_choice_is_the_plain_greedy_one(
    seed: int, budget: float, first: float, reach: float
) -> None:
    draw = rng(seed)
    # Irregular numbers, so that there are no equals and the answer is unique.
    pool = [
        candidate(f"v{k % 3}", k, 0.1 + draw.random(), 5 + 20 * draw.random(), plane, mm=2.7)
        for k, plane in enumerate(list(Plane) * 7)
    ]
    annotated = [("v0", Plane.AXIAL, 11.3), ("v1", Plane.CORONAL, 2.2)]
    chosen = choose_per_minute(pool, budget, first, reach, rng(), annotated)
    assert {each.candidate.key for each in chosen} == plain_greedy(
        pool, budget, first, reach, annotated
    )


def test_reason_says_why_how_and_how_long() -> None:
    one = Candidate(SliceKey("a", Plane.AXIAL, 3), 0.4, 9.0, 3.0, 0.62, 0.41, "correct")
    (choice,) = choose_per_minute([one], 60.0, 15.0, 6.0, rng())
    assert choice.reason == (
        "uncertain round the predicted edge: entropy 0.41, expected Dice 0.62; "
        "correct, about 0.4 min"
    )
    bare = Candidate(SliceKey("a", Plane.AXIAL, 3), 0.4, 54.0, 3.0, None, None, "draw")
    (choice,) = choose_per_minute([bare], 60.0, 0.0, 6.0, rng())
    assert choice.reason == "uncertain round the predicted edge: value 0.40; draw, about 0.9 min"


# Baselines


def test_random_is_uniform_over_slices_whatever_their_scores() -> None:
    slices = [candidate("a", k, value=10.0 * k) for k in range(3)] + [candidate("b", 0)]
    pool = Pool(slices, 0.0)
    counts = Counter(names(random_slices(pool, 10.0, rng(seed)))[0] for seed in range(400))
    # Each expected 100 times with a standard deviation of 8.7; the seeds are fixed.
    assert set(counts) == {"a0", "a1", "a2", "b0"}
    assert all(65 <= count <= 135 for count in counts.values())
    (choice,) = random_slices(pool, 10.0, rng())
    assert choice.reason == "random; correct, about 0.2 min"


def test_whole_entropy_takes_the_highest_at_any_price() -> None:
    slices = [candidate("a", 0, 0.3, seconds=5), candidate("b", 1, 0.9, seconds=90)]
    slices += [candidate("b", 2, 0.8), candidate("c", 3, 0.7)]
    chosen = by_whole_entropy(Pool(slices, 0.0), 105.0, rng())
    assert set(names(chosen)) == {"b1", "b2", "a0"}
    assert {choice.reason for choice in chosen} >= {
        "whole-slice entropy 0.90; correct, about 1.5 min"
    }


def test_whole_entropy_needs_scores() -> None:
    bare = Candidate(SliceKey("a", Plane.AXIAL, 3), 0.4, 9.0, 3.0, None, 0.5, "draw")
    with pytest.raises(ValueError, match="a/axial/003: no whole-slice entropy"):
        by_whole_entropy(Pool([bare], 0.0), 60.0, rng())


def stack_of(volumes: int, slices: int) -> list[Candidate]:
    return [candidate(f"v{v}", k) for v in range(volumes) for k in range(slices)]


@pytest.mark.parametrize("seed", range(5))
def test_strided_covers_all_volumes_and_heights(seed: int) -> None:
    chosen = strided_slices(Pool(stack_of(8, 33), 0.0), 80.0, rng(seed))
    assert len({choice.candidate.key.volume for choice in chosen}) == 8
    heights = sorted(choice.candidate.key.index / 32 for choice in chosen)
    gaps = np.diff([*heights, heights[0] + 1])
    # The golden ratio leaves no gap wider than 0.236 round the circle for eight points.
    assert gaps.max() <= 0.236 + 2 / 32


@pytest.mark.parametrize("seed", range(5))
def test_strided_second_slice_is_half_a_stack_away(seed: int) -> None:
    chosen = strided_slices(Pool(stack_of(4, 33), 0.0), 80.0, rng(seed))
    for first, second in zip(chosen[::2], chosen[1::2], strict=True):
        assert first.candidate.key.volume == second.candidate.key.volume
        apart = abs(first.candidate.key.index - second.candidate.key.index)
        assert abs(apart - 16) <= 1


def test_strided_takes_every_slice_once_when_it_can() -> None:
    chosen = strided_slices(Pool(stack_of(3, 7), 0.0), 210.0, rng())
    assert sorted(names(chosen)) == sorted(f"v{v}{k}" for v in range(3) for k in range(7))


def test_strided_begins_with_the_least_annotated_volumes() -> None:
    annotated = [("v0", Plane.AXIAL, 1.0), ("v1", Plane.AXIAL, 1.0), ("v1", Plane.AXIAL, 5.0)]
    pool = Pool(stack_of(3, 7), 0.0, annotated)
    for seed in range(4):
        # v2 until it has one like v0, then these two by turns until they have two like v1.
        assert {n[:2] for n in names(strided_slices(pool, 10.0, rng(seed)))} == {"v2"}
        counts = Counter(n[:2] for n in names(strided_slices(pool, 30.0, rng(seed))))
        assert counts == {"v2": 2, "v0": 1}


def test_strided_planes_take_turns() -> None:
    slices = [candidate(f"v{v}", k, plane=plane) for v in range(3) for k in range(9)
              for plane in Plane]  # fmt: skip
    one_each = strided_slices(Pool(slices, 0.0), 30.0, rng())
    assert {choice.candidate.key.plane for choice in one_each} == set(Plane)
    three_each = strided_slices(Pool(slices, 0.0), 90.0, rng())
    counts = Counter((c.candidate.key.volume, c.candidate.key.plane) for c in three_each)
    assert set(counts.values()) == {1}


# One-shot


def kinds(volumes: int) -> tuple[list[Candidate], np.ndarray]:
    """Volumes of four slices each, one of each of four kinds."""
    features = np.eye(4, dtype=np.float32)[np.tile(np.arange(4), volumes)] * 100
    noise = rng().normal(size=features.shape)
    return stack_of(volumes, 4), (features + noise).astype(np.float32)


def test_one_shot_takes_each_kind_from_another_volume() -> None:
    slices, features = kinds(6)
    chosen = one_shot(Pool(slices, 15.0, features=features), 100.0, rng())
    assert sorted(choice.candidate.key.index for choice in chosen) == [0, 1, 2, 3]
    assert len({choice.candidate.key.volume for choice in chosen}) == 4
    assert {choice.reason for choice in chosen} == {
        "representative of 6 similar slices; correct, about 0.4 min"
    }
    assert {choice.value for choice in chosen} == {6}


def test_one_shot_passes_over_air_and_annotated_volumes() -> None:
    slices, features = kinds(6)
    information = np.tile([1, 1, 1, 0.01], 6).astype(np.float32)
    annotated = [("v0", Plane.AXIAL, 0.0), ("v1", Plane.AXIAL, 0.0)]
    pool = Pool(slices, 15.0, annotated, features, information)
    chosen = one_shot(pool, 100.0, rng())
    assert {choice.candidate.key.index for choice in chosen} == {0, 1, 2}
    assert {choice.candidate.key.volume for choice in chosen} == {"v2", "v3", "v4", "v5"}


def test_one_shot_uses_what_the_budget_still_affords() -> None:
    # Two volumes: the third slice opens none and so costs less.
    slices, features = kinds(2)
    chosen = one_shot(Pool(slices, 15.0, features=features), 60.0, rng())
    assert [choice.seconds for choice in chosen] in ([25, 10, 25], [25, 25, 10])
    everything = one_shot(Pool(slices, 15.0, features=features), 1000.0, rng())
    assert len(everything) == 8


def test_one_shot_does_not_care_about_the_order_of_the_pool() -> None:
    slices, features = kinds(6)
    forward = one_shot(Pool(slices, 15.0, features=features), 60.0, rng(3))
    turned = one_shot(Pool(slices[::-1], 15.0, features=features[::-1]), 60.0, rng(3))
    assert names(turned) == names(forward)


def test_one_shot_needs_features() -> None:
    with pytest.raises(ValueError, match="needs the features"):
        one_shot(Pool(stack_of(1, 3), 0.0), 60.0, rng())


# What goes in


@pytest.mark.parametrize(
    ("value", "seconds"), [(-1.0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (1.0, 0.0), (1.0, -2.0)]
)
def test_candidates_with_impossible_numbers_are_refused(value: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="a/axial/000"):
        candidate("a", 0, value, seconds)


def test_pools_that_do_not_fit_together_are_refused() -> None:
    one = candidate("a", 0)
    with pytest.raises(ValueError, match="twice"):
        Pool([one, one], 0.0)
    with pytest.raises(ValueError, match="features"):
        Pool([one], 0.0, features=np.zeros((2, 3), dtype=np.float32))
    with pytest.raises(ValueError, match="information"):
        Pool([one], 0.0, information=np.zeros(2, dtype=np.float32))
    with pytest.raises(ValueError, match="must not be negative"):
        Pool([one], -1.0)
    with pytest.raises(ValueError, match="above 0"):
        Pool([one], 0.0, redundancy_mm=0.0)
