"""The accounting, and value per minute, by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.keys import Plane
from activeseg.sampling import PLANES, Annotated, Chosen, Pool
from activeseg.sampling.batch import Batch, descending
from activeseg.sampling.per_minute import by_uncertainty
from activeseg.sampling.redundancy import left_by_annotated, nearest_annotated_mm, redundancy
from small_pool import Slice, names, pool_of, rng, stacks


def values(chosen: Chosen) -> list[float]:
    return [choice.value for choice in chosen.choices]


# The accounting


def test_budget_is_kept_to_the_millisecond() -> None:
    # 3 x 12.3 is 36.900000000000006 in doubles; it fits 36.9 all the same.
    pool = pool_of([Slice("a", k, seconds=12.3) for k in range(4)])
    batch = Batch(pool, 36.9)
    assert [batch.take(row, 1.0) for row in range(4)] == [True, True, True, False]
    assert batch.left_ms == 0
    assert not Batch(pool, 12.299).take(0, 1.0)


def test_volumes_are_opened_once_and_those_worth_most_per_second_come_first() -> None:
    pool = pool_of([*stacks(2, 3), Slice("v2", 0, seconds=85.0)], 15.0)
    batch = Batch(pool, 200.0)
    for row, value in ((2, 0.5), (4, 0.4), (0, 0.5), (3, 0.8), (6, 1.0)):
        assert batch.take(row, value)
    # v0: 1.0 in 35 s; v1: 1.2 in 35 s; v2: 1.0 in 100 s. Within a volume by index.
    chosen = batch.choices()
    assert names(chosen) == ["v10", "v11", "v00", "v02", "v20"]
    assert [choice.seconds for choice in chosen] == [25, 10, 25, 10, 100]
    assert batch.left_ms == 200_000 - 170_000
    assert len(batch) == 5


def test_planes_of_a_volume_follow_each_other() -> None:
    pool = pool_of([Slice("a", k, plane=plane) for k in range(2) for plane in Plane])
    batch = Batch(pool, 100.0)
    batch.fill(np.arange(6)[::-1], np.zeros(6))
    keys = [(choice.candidate.key.plane, choice.candidate.key.index) for choice in batch.choices()]
    assert keys == [(plane, k) for plane in PLANES for k in range(2)]


def test_audit_slices_cost_what_drawing_them_costs() -> None:
    pool = pool_of([Slice("a", 0, blank_seconds=50.0), Slice("a", 1, blank_seconds=40.0)], 15.0)
    batch = Batch(pool, 75.0)
    assert batch.audit_ms(0) == 65_000
    assert batch.take(0, 0.0, audit=True)
    assert batch.audit_ms(1) == 40_000
    assert not batch.take(1, 0.0, audit=True)
    assert batch.take(1, 0.0)
    audit, other = batch.choices()
    assert (audit.audit, audit.seconds, audit.candidate.how) == (True, 65.0, "draw")
    assert (other.audit, other.seconds, other.candidate.how) == (False, 10.0, "correct")


@pytest.mark.parametrize("cheap", [0, 63, 64, 500, 999])
def test_the_next_slice_that_fits_is_found_wherever_it_is(cheap: int) -> None:
    pool = pool_of([Slice("a", k, seconds=5.0 if k == cheap else 60.0) for k in range(1000)])
    batch, order = Batch(pool, 10.0), np.arange(1000)
    assert batch.next_fitting(order, 0, batch.left_ms) == cheap
    assert batch.next_fitting(order, cheap + 1, batch.left_ms) == 1000
    assert batch.next_fitting(order, 0, 4_999) == 1000
    assert batch.take(cheap, 0.0)
    assert batch.next_fitting(order, 0, 10_000) == 1000


def test_descending_leaves_equals_to_chance() -> None:
    ranked = np.array([0.5, 0.9, 0.5, -np.inf, 0.5])
    orders = {tuple(descending(ranked, rng(seed))) for seed in range(40)}
    assert {order[0] for order in orders} == {1}
    assert {order[-1] for order in orders} == {3}
    assert len(orders) == 6


# Value per minute


def test_value_left_next_to_an_annotated_slice() -> None:
    left = redundancy(np.array([0.0, 3.0, 6.0, np.inf]), 6.0)
    np.testing.assert_allclose(left, [0, 1 - math.exp(-0.25), 1 - math.exp(-1), 1])


def test_nearest_annotated_slice_of_the_same_stack() -> None:
    slices = [Slice("a", k, mm=2.5) for k in (0, 3, 9)]
    slices += [Slice("a", 3, mm=2.5, plane=Plane.CORONAL), Slice("b", 3, mm=2.5)]
    annotated = [("a", Plane.AXIAL, 20.0), ("a", Plane.AXIAL, 5.0), ("gone", Plane.AXIAL, 0.0)]
    pool = pool_of(slices, annotated=annotated)
    assert nearest_annotated_mm(pool).tolist() == [5, 2.5, 2.5, np.inf, np.inf]
    assert left_by_annotated(pool)[0] == pytest.approx(1 - math.exp(-25 / 36))


def test_first_slice_overhead_is_part_of_the_rate() -> None:
    # a0 1/25, then a50 0.8/2/10 (its volume is open) before b0 0.9/25, which no longer fits.
    slices = [Slice("a", 0, 1.0), Slice("a", 50, 0.8), Slice("b", 0, 0.9)]
    chosen = by_uncertainty(pool_of(slices, 15.0), 59.0, rng())
    assert names(chosen) == ["a0", "a50"]
    assert [choice.seconds for choice in chosen.choices] == [25, 10]
    assert set(names(by_uncertainty(pool_of(slices, 15.0), 60.0, rng()))) == {"a0", "a50", "b0"}
    assert names(by_uncertainty(pool_of(slices), 20.0, rng())) == ["a0", "b0"]


def test_every_further_slice_of_a_volume_counts_less() -> None:
    # a90 is worth 0.9, but half of it while a0 is in the batch: b0 with 0.5 comes first.
    pool = pool_of([Slice("a", 0, 1.0), Slice("a", 90, 0.9), Slice("b", 0, 0.5)])
    assert names(by_uncertainty(pool, 20.0, rng())) == ["a0", "b0"]
    assert values(by_uncertainty(pool, 30.0, rng())) == pytest.approx([1, 0.45, 0.5])


def test_cheap_slices_win_over_somewhat_better_dear_ones() -> None:
    pool = pool_of([Slice("a", 0, 1.0, seconds=50), Slice("b", 0, 0.5, seconds=20)])
    assert names(by_uncertainty(pool, 50.0, rng())) == ["b0"]


def test_a_neighbour_waits_for_a_distant_slice() -> None:
    pool = pool_of([Slice("a", 0, 1.0), Slice("a", 2, 0.9), Slice("a", 30, 0.5)])
    near = by_uncertainty(pool, 20.0, rng())
    assert names(near) == ["a0", "a30"]
    assert values(near) == pytest.approx([1, 0.5 / 2])
    assert names(by_uncertainty(replace(pool, redundancy_mm=0.5), 20.0, rng())) == ["a0", "a2"]
    all_of_it = by_uncertainty(pool, 30.0, rng())
    assert names(all_of_it) == ["a0", "a2", "a30"]
    assert values(all_of_it)[1] == pytest.approx(0.9 * (1 - math.exp(-((2 / 6) ** 2))) / 3)


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
    pool = pool_of([Slice("a", 10, 1.0), Slice("a", 40, 0.9)], annotated=annotated)
    assert names(by_uncertainty(pool, 10.0, rng())) == [first]


def test_other_planes_of_the_volume_keep_their_value() -> None:
    slices = [Slice("a", 5, 1.0), Slice("a", 6, 0.9), Slice("a", 5, 0.8, plane=Plane.SAGITTAL)]
    chosen = by_uncertainty(pool_of(slices), 20.0, rng())
    assert [each.candidate.key.plane for each in chosen.choices] == [Plane.AXIAL, Plane.SAGITTAL]


def test_what_does_not_fit_is_passed_over() -> None:
    pool = pool_of([Slice("a", 0, 9.0, seconds=100), Slice("b", 0, 0.1), Slice("b", 9, 0.0)], 15.0)
    assert names(by_uncertainty(pool, 99.0, rng())) == ["b0", "b9"]


def test_equals_are_taken_by_the_seed() -> None:
    pool = pool_of([Slice(f"v{k}", 0) for k in range(20)])
    first = names(by_uncertainty(pool, 50.0, rng(1)))
    assert names(by_uncertainty(pool, 50.0, rng(1))) == first
    assert names(by_uncertainty(pool, 50.0, rng(2))) != first


def plain_greedy(pool: Pool, slices: list[Slice], budget: float) -> set[tuple[str, int, int]]:
    """The definition, one slice at a time."""
    chosen: list[Slice] = []
    while True:
        best: tuple[float, Slice, float] | None = None
        for each in slices:
            opened = any(c.volume == each.volume for c in chosen)
            seconds = each.seconds + (0.0 if opened else pool.first_slice_s)
            if each in chosen or seconds > budget:
                continue
            others = [(c.volume, c.plane, c.index * c.mm) for c in chosen]
            gaps = [
                abs(mm - each.index * each.mm)
                for volume, plane, mm in [*others, *pool.annotated]
                if (volume, plane) == (each.volume, each.plane)
            ]
            left = 1 - math.exp(-((min(gaps) / pool.redundancy_mm) ** 2)) if gaps else 1.0
            in_volume = sum(c.volume == each.volume for c in chosen)
            rate = each.value * left / (1 + in_volume) / seconds
            if best is None or rate > best[0]:
                best = (rate, each, seconds)
        if best is None:
            return {each.place() for each in chosen}
        chosen.append(best[1])
        budget -= best[2]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    budget=st.integers(1000, 400_000),
    first=st.sampled_from([0.0, 15.0]),
    reach=st.sampled_from([1.0, 6.0, 30.0]),
)
def test_lazy_choice_is_the_plain_greedy_one(
    seed: int, budget: int, first: float, reach: float
) -> None:
    draw = rng(seed)
    # Irregular numbers, so that there are no equals and the answer is unique.
    slices = [
        Slice(f"v{k % 3}", k, 0.1 + draw.random(), float(draw.integers(5000, 25_000)) / 1000, plane,
              mm=2.7)
        for k, plane in enumerate(list(Plane) * 7)
    ]  # fmt: skip
    annotated = [("v0", Plane.AXIAL, 11.3), ("v1", Plane.CORONAL, 2.2)]
    pool = pool_of(slices, first, annotated, reach)
    chosen = by_uncertainty(pool, budget / 1000, rng())
    keys = {each.candidate.key for each in chosen.choices}
    found = {(key.volume, PLANES.index(key.plane), key.index) for key in keys}
    # A microsecond for the plain sums, which are rounded.
    assert found == plain_greedy(pool, slices, budget / 1000 + 1e-6)
