"""One-shot and the baselines, on pools small enough to choose by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from activeseg.keys import Plane
from activeseg.sampling import PLANES
from activeseg.sampling import one_shot as module
from activeseg.sampling.baselines import (
    by_whole_entropy,
    foreground_random,
    random_slices,
    volume_epistemic,
    worst_dice,
)
from activeseg.sampling.one_shot import one_shot
from activeseg.sampling.strided import strided_slices
from small_pool import Slice, names, pool_of, rng, stacks


def test_random_is_uniform_over_slices_whatever_their_scores() -> None:
    pool = pool_of([Slice("a", k, value=10.0 * k) for k in range(3)] + [Slice("b", 0)])
    counts = Counter(names(random_slices(pool, 10.0, rng(seed)))[0] for seed in range(400))
    # Each expected 100 times with a standard deviation of 8.7; the seeds are fixed.
    assert set(counts) == {"a0", "a1", "a2", "b0"}
    assert all(65 <= count <= 135 for count in counts.values())
    (choice,) = random_slices(replace(pool, scored=None), 10.0, rng()).choices
    assert choice.reason == "random; correct, about 0.2 min"


def test_whole_entropy_takes_the_highest_at_any_price() -> None:
    slices = [Slice("a", 0, 0.3, seconds=5), Slice("b", 1, 0.9, seconds=90)]
    slices += [Slice("b", 2, 0.8), Slice("c", 3, 0.7)]
    assert set(names(by_whole_entropy(pool_of(slices), 105.0, rng()))) == {"b1", "b2", "a0"}


# Strided


@pytest.mark.parametrize("seed", range(5))
def test_strided_covers_all_volumes_and_heights(seed: int) -> None:
    chosen = strided_slices(pool_of(stacks(8, 33)), 80.0, rng(seed)).choices
    assert len({choice.candidate.key.volume for choice in chosen}) == 8
    heights = sorted(choice.candidate.key.index / 32 for choice in chosen)
    gaps = np.diff([*heights, heights[0] + 1])
    # The golden ratio leaves no gap wider than 0.236 round the circle for eight points.
    assert gaps.max() <= 0.236 + 2 / 32


@pytest.mark.parametrize("seed", range(5))
def test_strided_second_slice_is_half_a_stack_away(seed: int) -> None:
    chosen = strided_slices(pool_of(stacks(4, 33)), 80.0, rng(seed)).choices
    for first, second in zip(chosen[::2], chosen[1::2], strict=True):
        assert first.candidate.key.volume == second.candidate.key.volume
        apart = abs(first.candidate.key.index - second.candidate.key.index)
        assert abs(apart - 16) <= 1


def test_strided_takes_every_slice_once_when_it_can() -> None:
    chosen = strided_slices(pool_of(stacks(3, 7)), 210.0, rng())
    assert sorted(names(chosen)) == sorted(f"v{v}{k}" for v in range(3) for k in range(7))


def test_strided_begins_with_the_least_annotated_volumes() -> None:
    annotated = [("v0", Plane.AXIAL, 1.0), ("v1", Plane.AXIAL, 1.0), ("v1", Plane.AXIAL, 5.0)]
    pool = pool_of(stacks(3, 7), annotated=annotated)
    for seed in range(4):
        # v2 until it has one like v0, then these two by turns until they have two like v1.
        assert {n[:2] for n in names(strided_slices(pool, 10.0, rng(seed)))} == {"v2"}
        counts = Counter(n[:2] for n in names(strided_slices(pool, 30.0, rng(seed))))
        assert counts == {"v2": 2, "v0": 1}


def test_strided_goes_on_halving_over_batches() -> None:
    slices, answered = stacks(4, 33), []
    for seed in range(4):
        left = [each for each in slices if (each.volume, each.index) not in answered]
        known = [(v, Plane.AXIAL, float(k)) for v, k in answered]
        batch = strided_slices(pool_of(left, annotated=known), 40.0, rng(seed)).choices
        keys = [choice.candidate.key for choice in batch]
        assert len({key.volume for key in keys}) == 4
        answered += [(key.volume, key.index) for key in keys]
    for volume in range(4):
        heights = sorted(k for v, k in answered if v == f"v{volume}")
        gaps = np.diff([*heights, heights[0] + 32])
        assert len(heights) == 4
        assert gaps.min() >= 7
        assert gaps.max() <= 9


def test_strided_planes_go_on_taking_turns_over_batches() -> None:
    slices = [Slice(f"v{v}", k, plane=plane) for v in range(3) for k in range(9) for plane in Plane]
    answered: list[tuple[str, int, int]] = []
    for seed in range(3):
        left = [each for each in slices if each.place() not in answered]
        known = [(v, PLANES[plane], float(k)) for v, plane, k in answered]
        batch = strided_slices(pool_of(left, annotated=known), 30.0, rng(seed)).choices
        keys = [choice.candidate.key for choice in batch]
        answered += [(key.volume, PLANES.index(key.plane), key.index) for key in keys]
    assert len({(volume, plane) for volume, plane, _ in answered}) == 9


def test_strided_planes_take_turns() -> None:
    slices = [Slice(f"v{v}", k, plane=plane) for v in range(3) for k in range(9) for plane in Plane]
    one_each = strided_slices(pool_of(slices), 30.0, rng()).choices
    assert {choice.candidate.key.plane for choice in one_each} == set(Plane)
    three_each = strided_slices(pool_of(slices), 90.0, rng()).choices
    counts = Counter((c.candidate.key.volume, c.candidate.key.plane) for c in three_each)
    assert set(counts.values()) == {1}


def test_strided_finds_the_last_slice_that_fits() -> None:
    slices = [Slice("a", k, seconds=5.0 if k == 150 else 60.0) for k in range(300)]
    assert names(strided_slices(pool_of(slices), 10.0, rng())) == ["a150"]
    assert names(strided_slices(pool_of(slices), 4.0, rng())) == []


# Where structures are


def test_foreground_random_keeps_to_what_shows_something() -> None:
    # 66 of 100 s: six slices by class, then up to four from anywhere.
    slices = [Slice("a", k, shown=(float(k < 15), float(15 <= k < 30), 0.04)) for k in range(400)]
    for seed in range(5):
        chosen = foreground_random(pool_of(slices), 100.0, rng(seed)).choices
        found = Counter(min(choice.candidate.key.index // 15, 2) for choice in chosen)
        # By turns: two for each class; the third class is nowhere and leaves its share.
        assert len(chosen) == 10
        assert found[0] >= 2
        assert found[1] >= 2
        assert found[2] >= 3


def test_foreground_random_is_uniform_within_a_class() -> None:
    slices = [Slice("a", k, value=float(k), shown=(float(k < 4) * (k + 1),)) for k in range(8)]
    counts = Counter(
        names(foreground_random(pool_of(slices), 16.0, rng(seed)))[0] for seed in range(400)
    )
    assert set(counts) == {"a0", "a1", "a2", "a3"}
    assert all(65 <= count <= 135 for count in counts.values())


def test_worst_dice_asks_for_the_worst_where_there_is_something() -> None:
    slices = [Slice("a", 0, dice=0.9), Slice("a", 1, dice=0.2, shown=(0.01,))]
    slices += [Slice("b", 0, dice=0.5, seconds=20), Slice("c", 0, dice=0.3), Slice("d", 0, dice=0)]
    pool = pool_of(slices)
    assert names(worst_dice(pool, 10.0, rng())) == ["c0"]
    assert set(names(worst_dice(pool, 30.0, rng()))) == {"c0", "b0"}
    assert set(names(worst_dice(pool, 40.0, rng()))) == {"c0", "b0", "a0"}
    # What shows next to nothing, and that of which nothing is proposed, come last.
    assert len(worst_dice(pool, 60.0, rng()).choices) == 5


def test_worst_dice_leaves_equals_to_chance() -> None:
    pool = pool_of([Slice("a", k, dice=0.4) for k in range(9)])
    assert len({tuple(names(worst_dice(pool, 20.0, rng(seed)))) for seed in range(20)}) > 5


def test_volume_epistemic_takes_whole_volumes_in_order() -> None:
    # Means: a 0.5, b 0.7, c 0.2. All were taken axially.
    slices = [Slice("a", k, value) for k, value in enumerate((0.9, 0.1))]
    slices += [Slice("b", k, 0.7, plane=Plane.SAGITTAL) for k in (4, 5, 6)]
    slices += [Slice("b", 0, 0.7), Slice("b", 1, 0.7), Slice("c", 0, 0.2)]
    pool = pool_of(slices)
    assert names(volume_epistemic(pool, 20.0, rng())) == ["b0", "b1"]
    assert names(volume_epistemic(pool, 40.0, rng())) == ["b0", "b1", "a0", "a1"]
    assert names(volume_epistemic(pool, 50.0, rng()))[-1] == "c0"
    everything = volume_epistemic(pool, 80.0, rng())
    assert names(everything)[:5] == ["b0", "b1", "b4", "b5", "b6"]
    assert len(everything.choices) == 8
    assert everything.choices[0].reason.startswith("the model is least sure of this volume")


def test_volume_epistemic_goes_by_most_slices_where_the_plane_is_not_asked_for() -> None:
    planes = {Plane.SAGITTAL: (4, 5, 6), Plane.CORONAL: (1, 2)}
    slices = [Slice("b", k, plane=plane) for plane, each in planes.items() for k in each]
    assert names(volume_epistemic(pool_of(slices), 30.0, rng())) == ["b4", "b5", "b6"]
    # Answered ones count, so that the plane stays the same from batch to batch.
    left = pool_of(slices[2:], annotated=[("b", Plane.SAGITTAL, k) for k in (4.0, 5.0)])
    assert names(volume_epistemic(left, 10.0, rng())) == ["b6"]


def test_volume_epistemic_leaves_done_volumes_alone() -> None:
    slices = [
        Slice(v, k, {"a": 0.9, "b": 0.5, "c": 0.1}[v], plane=plane)
        for v in "abc"
        for k in range(4)
        for plane in (Plane.AXIAL, Plane.SAGITTAL)
    ]
    pool, answered, batches = pool_of(slices), [], []
    while True:
        left = [each for each in slices if each.place() not in answered]
        known = [(v, PLANES[plane], float(k)) for v, plane, k in answered]
        pool = pool_of(left, annotated=known)
        chosen = volume_epistemic(pool, 30.0, rng()).choices
        if not chosen:
            break
        keys = [choice.candidate.key for choice in chosen]
        answered += [(key.volume, PLANES.index(key.plane), key.index) for key in keys]
        batches.append(keys)
    # Cut off after three, finished in the same plane before any other, whatever the scores say.
    axial = [f"{key.volume}{key.index}" for keys in batches[:4] for key in keys]
    assert axial == [f"{v}{k}" for v in "abc" for k in range(4)]
    assert {key.plane for keys in batches[:4] for key in keys} == {Plane.AXIAL}
    assert {key.plane for keys in batches[4:] for key in keys} == {Plane.SAGITTAL}


def test_volume_epistemic_takes_a_slice_in_the_middle_for_anothers() -> None:
    values = {"a": 0.9, "b": 0.5}
    slices = [Slice(v, k, values[v]) for v in "ab" for k in range(4)]
    left = [each for each in slices if (each.volume, each.index) != ("b", 2)]
    pool = pool_of(left, annotated=[("b", Plane.AXIAL, 2.0)])
    assert names(volume_epistemic(pool, 20.0, rng())) == ["a0", "a1"]
    left = [each for each in slices if (each.volume, each.index) != ("b", 0)]
    pool = pool_of(left, annotated=[("b", Plane.AXIAL, 0.0)])
    # The batch is shown volume by volume, the worse one first.
    assert sorted(names(volume_epistemic(pool, 20.0, rng()))) == ["b1", "b2"]


# One-shot


def kinds(volumes: int) -> list[Slice]:
    """Volumes of four slices each, one of each of four kinds."""
    features = np.eye(4)[np.tile(np.arange(4), volumes)] * 100
    features += rng().normal(size=features.shape)
    return [
        replace(each, features=tuple(row))
        for each, row in zip(stacks(volumes, 4), features, strict=True)
    ]


def test_one_shot_takes_each_kind_from_another_volume() -> None:
    chosen = one_shot(pool_of(kinds(6), 15.0, scored=False), 100.0, rng()).choices
    assert sorted(choice.candidate.key.index for choice in chosen) == [0, 1, 2, 3]
    assert len({choice.candidate.key.volume for choice in chosen}) == 4
    assert {choice.reason for choice in chosen} == {
        "representative of 6 similar slices; correct, about 0.4 min"
    }
    assert {choice.value for choice in chosen} == {6}


def test_one_shot_passes_over_air_and_annotated_volumes() -> None:
    slices = [replace(each, information=0.01 if each.index == 3 else 1.0) for each in kinds(6)]
    annotated = [("v0", Plane.AXIAL, 0.0), ("v1", Plane.AXIAL, 0.0)]
    chosen = one_shot(pool_of(slices, 15.0, annotated), 100.0, rng()).choices
    assert {choice.candidate.key.index for choice in chosen} == {0, 1, 2}
    assert {choice.candidate.key.volume for choice in chosen} == {"v2", "v3", "v4", "v5"}


def test_one_shot_uses_what_the_budget_still_affords() -> None:
    # Two volumes: the third slice opens none and so costs less.
    pool = pool_of(kinds(2), 15.0)
    chosen = one_shot(pool, 60.0, rng()).choices
    assert [choice.seconds for choice in chosen] in ([25, 10, 25], [25, 25, 10])
    assert len(one_shot(pool, 1000.0, rng()).choices) == 8


def test_one_shot_looks_at_a_sample_of_a_large_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 24)
    chosen = one_shot(pool_of(kinds(60), scored=False), 40.0, rng()).choices
    assert {choice.candidate.key.index for choice in chosen} == {0, 1, 2, 3}
    # 24 of 240 were looked at, so each of them stands for ten.
    assert sum(choice.value for choice in chosen) == pytest.approx(240)
    assert all(choice.reason.startswith("representative of about ") for choice in chosen)


def test_one_shot_takes_a_neighbour_last() -> None:
    # Six slices of one volume, 1 mm each: four beside each other, two farther than the reach.
    for seed in range(5):
        draws = rng(seed).normal(size=(6, 3))
        slices = [
            Slice("a", k, features=tuple(row))
            for k, row in zip((0, 1, 2, 3, 20, 40), draws, strict=True)
        ]
        pool = pool_of(slices, scored=False)
        found = [each.candidate.key.index for each in one_shot(pool, 30.0, rng()).choices]
        assert len({0, 1, 2, 3} & set(found)) == 1
        assert {20, 40} < set(found)
        every = one_shot(pool, 60.0, rng()).choices
        assert sorted(each.value for each in every) == [0, 0, 0, 1, 1, 1]
        for each in every:
            left = each.reason.startswith("one more, for the minutes that were left; ")
            assert left == (each.value == 0)


def test_one_shot_needs_features() -> None:
    with pytest.raises(ValueError, match="needs the features"):
        one_shot(pool_of(stacks(1, 3)), 60.0, rng())
