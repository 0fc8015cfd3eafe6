"""Shares of a batch: by class and by chance. ClaSP and the default."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from activeseg.keys import Plane
from activeseg.sampling import Chosen, Pool
from activeseg.sampling.auto import MOST_WEIGHT, auto, auto_value
from activeseg.sampling.batch import Batch
from activeseg.sampling.clasp import clasp
from activeseg.sampling.class_balance import fill_by_class
from activeseg.sampling.noise import power, power_draws
from small_pool import Slice, names, pool_of, rng

NEVER = -np.inf

# Chance by the round


def test_power_of_each_round() -> None:
    assert [round(power(number), 1) for number in range(1, 8)] == [1, 3.2, 10, 31.6, 100, 100, 100]
    with pytest.raises(ValueError, match="rounds count from 1"):
        power(0)


def test_at_power_1_a_slice_is_drawn_as_often_as_its_score_per_second_says() -> None:
    # 3 to 1 in score, 2 to 1 in seconds; a third of score 0.
    scores, seconds = np.array([3.0, 1.0, 0.0]), np.array([20.0, 10.0, 10.0])
    draws = [power_draws(scores, seconds, 1.0, rng(seed)) for seed in range(2000)]
    first = Counter(int(np.argmax(each)) for each in draws)
    # 0.6 of 2000 with a standard deviation of 22; the seeds are fixed.
    assert 1134 <= first[0] <= 1266
    assert first[2] == 0
    assert all(each[2] == NEVER for each in draws)


def test_at_power_100_the_best_is_drawn() -> None:
    scores = np.array([1.0, 0.8])
    best = [int(np.argmax(power_draws(scores, np.ones(2), 100.0, rng(seed)))) for seed in range(99)]
    assert set(best) == {0}


# A share for each class


def by_class(pool: Pool, budget: float, per_class: list[list[float]]) -> list[tuple[str, float]]:
    batch = Batch(pool, budget)
    ranks = np.array(per_class, dtype=np.float64)
    fill_by_class(batch, ranks, np.zeros(len(pool)), np.arange(len(pool)) * 1.0, rng(), "why")
    return [
        (name, c.value) for name, c in zip(names(batch.choices()), batch.choices(), strict=True)
    ]


def test_two_thirds_of_the_seconds_are_split_over_the_classes() -> None:
    # 66 s: three slices for each class. The others, all equal, fill the rest by chance.
    pool = pool_of([Slice("a", k) for k in range(60)])
    first = [float(k) if k < 20 else NEVER for k in range(60)]
    second = [float(k) if 20 <= k < 40 else NEVER for k in range(60)]
    chosen = dict(by_class(pool, 100.0, [first, second]))
    assert len(chosen) == 10
    assert {"a19", "a18", "a17", "a39", "a38", "a37"} <= set(chosen)
    assert chosen["a19"] == 19.0


def test_a_cheap_class_gets_more_slices_for_its_seconds() -> None:
    # Of 66 s one class buys 10 + 10 + 10, the other 30; the rest, 40 s, buys 20 + 20.
    seconds = np.repeat([10.0, 30.0, 20.0], 20)
    batch = Batch(pool_of([Slice("a", k, seconds=each) for k, each in enumerate(seconds)]), 100.0)
    ranks = [np.where(seconds == each, 1.0, NEVER) for each in (10, 30)]
    fill_by_class(batch, np.array(ranks), 1.0 * (seconds == 20), np.zeros(60), rng())
    assert Counter(seconds[batch.rows].tolist()) == {10: 3, 30: 1, 20: 2}


def test_a_class_that_is_nowhere_leaves_its_share_to_the_rest() -> None:
    # Each class may spend 33 s. The first: three slices and, as 30 < 33, a fourth. The second has
    # nothing, so its seconds go by the overall rank.
    pool = pool_of([Slice("a", k) for k in range(60)])
    first = np.array([float(k < 20) if k < 20 else NEVER for k in range(60)])
    batch = Batch(pool, 100.0)
    overall = np.array([float(k >= 40) for k in range(60)])
    fill_by_class(batch, np.array([first, np.full(60, NEVER)]), overall, np.zeros(60), rng())
    assert Counter(int(row) // 20 for row in batch.rows) == {0: 4, 2: 6}


def test_slices_of_a_class_that_do_not_fit_its_pot_are_passed_over() -> None:
    slices = [Slice("a", 0, seconds=70.0), Slice("a", 1, seconds=60.0), Slice("a", 2, seconds=30.0)]
    batch = Batch(pool_of(slices), 100.0)
    # The pot is 66 s: slice 0 ranks highest but is too dear for it; of the rest 2 fits.
    fill_by_class(batch, np.array([[3.0, 2.0, 1.0]]), np.zeros(3), np.zeros(3), rng())
    assert sorted(batch.rows) == [1, 2]


# ClaSP


def test_clasp_asks_for_every_class_where_plain_entropy_asks_for_one() -> None:
    # The second class is small, so its entropy is: it never leads, but it has its share.
    slices = [
        Slice("a", k, 1.0 if k < 50 else 0.1, class_entropy=(1.0, 0.0) if k < 50 else (0.0, 0.1),
              shown=(1.0, 1.0))
        for k in range(100)
    ]  # fmt: skip
    chosen = clasp(pool_of(slices, round_number=5), 100.0, rng()).choices
    assert Counter(choice.candidate.key.index < 50 for choice in chosen) == {True: 7, False: 3}


def test_clasp_counts_the_seconds_and_the_round() -> None:
    slices = [Slice("a", k, 1.0, seconds=5.0 if k == 7 else 20.0) for k in range(20)]
    late = {names(clasp(pool_of(slices, round_number=5), 9.0, rng(s)))[0] for s in range(10)}
    assert late == {"a7"}
    many = [replace(each, seconds=10.0, value=2.0 if each.index == 7 else 1.0) for each in slices]
    early = {names(clasp(pool_of(many, round_number=1), 16.0, rng(s)))[0] for s in range(10)}
    assert len(early) > 3
    late = {names(clasp(pool_of(many, round_number=5), 16.0, rng(s)))[0] for s in range(10)}
    assert late == {"a7"}


# The default


def typical_pool(trust: float) -> Pool:
    """Slices 0 to 9 show all of the structure, 10 to 19 a fifth but gain twice as much."""
    slices = [
        Slice(f"v{v}", k, 1.0 if k < 10 else 2.0, shown=(1.0 if k < 10 else 0.2,))
        for v in range(4)
        for k in range(20)
    ]
    pool = pool_of(slices)
    return replace(pool, scored=replace(pool.model_scores(), trust=trust))


def test_value_goes_from_typical_to_uncertain_as_the_estimate_earns_trust() -> None:
    # Slices 0 and 10 of a volume: typical and of gain 1, odd and of gain 2.
    for trust in (0.0, 0.4, 1.0):
        weight = trust * MOST_WEIGHT
        odd = math.sqrt(0.2) ** (1 - weight) * 2.0**weight
        found = auto_value(typical_pool(trust))[0, [60, 70]]
        assert found.tolist() == pytest.approx([1.0, odd])


def test_value_is_of_each_structure_that_is_expected() -> None:
    # The first is shown four times as fully as usual, so its contour is twice as long; the second
    # hardly, so it is not expected.
    pool = pool_of([Slice("a", 0, shown=(4.0, 0.01)), Slice("b", 0, shown=(0.36, 0.49))])
    assert auto_value(pool).tolist() == [pytest.approx([2.0, 0.6]), pytest.approx([0.0, 0.7])]


def test_volumes_that_answered_count_less() -> None:
    annotated = [("a", Plane.AXIAL, 500.0), ("a", Plane.CORONAL, 0.0)]
    pool = pool_of([Slice("a", 0), Slice("b", 0)], annotated=annotated)
    assert auto_value(pool)[0].tolist() == pytest.approx([1 / 3, 1])


def test_neighbours_of_answered_slices_count_less() -> None:
    pool = pool_of([Slice("a", 0), Slice("a", 2)], annotated=[("a", Plane.AXIAL, 0.0)])
    for reach in (6.0, 1.0):
        found = auto_value(replace(pool, redundancy_mm=reach))[0]
        assert found[0] == 0
        assert found[1] == pytest.approx((1 - math.exp(-((2 / reach) ** 2))) / 2)


def audits(chosen: Chosen) -> list[str]:
    return names([choice for choice in chosen.choices if choice.audit])


def mixed_pool() -> Pool:
    draw = rng(5)
    return pool_of(
        [
            Slice(f"v{v:02d}", k, draw.random(), float(draw.integers(10, 40)), mm=3.0,
                  shown=(draw.random(),), blank_seconds=45.0)
            for v in range(30)
            for k in range(20)
        ],
        15.0,
    )  # fmt: skip


@pytest.mark.parametrize("minutes", [20, 60, 180])
def test_a_tenth_of_the_seconds_goes_to_audits(minutes: int) -> None:
    for seed in range(3):
        chosen = auto(mixed_pool(), 60.0 * minutes, rng(seed)).choices
        spent = sum(choice.seconds for choice in chosen if choice.audit)
        # Half an audit slice more or less; an opening may be on another slice's bill.
        assert 0.05 * 60 * minutes <= spent <= 0.1 * 60 * minutes + 30
        for choice in chosen:
            if choice.audit:
                assert choice.candidate.how == "draw"
                assert choice.candidate.seconds == 45.0
                assert choice.reason.startswith("drawn by chance and shown blank")


@pytest.mark.parametrize(("seconds", "count"), [(90.0, 0), (95.0, 0), (100.0, 1)])
def test_from_ten_slices_on_there_is_an_audit(seconds: float, count: int) -> None:
    # An audit costs 60 s, so that a tenth of the budget never pays for half of one.
    slices = [Slice(f"v{k}", 0, float(k), blank_seconds=60.0) for k in range(30)]
    assert len(audits(auto(pool_of(slices), seconds, rng()))) == count


@pytest.mark.parametrize(("blank", "count"), [(19.0, 2), (21.0, 1), (59.0, 1), (61.0, 0)])
def test_an_audit_is_taken_if_half_of_it_is_within_the_tenth(blank: float, count: int) -> None:
    # A tenth of 300 s is 30 s: one of 59 s, two of 19 s (1.5 of them are 28.5 s), not of 21 s.
    slices = [Slice(f"v{k}", 0, seconds=60.0, blank_seconds=blank) for k in range(30)]
    assert len(audits(auto(pool_of(slices), 300.0, rng()))) == count


def test_audits_are_drawn_by_what_slices_show_not_by_gain() -> None:
    slices = [
        Slice(f"v{k}", 0, 1.0 if k < 10 else 0.0, shown=(0.0 if k < 10 else 1.0,))
        for k in range(20)
    ]
    pool = pool_of(slices)
    found = [audits(auto(pool, 100.0, rng(seed))) for seed in range(200)]
    assert all(len(each) == 1 for each in found)
    counts = Counter(int(each[0][1:-1]) < 10 for each in found)
    # Chances 0.1 against 1.9 (0.1 + 0.9 x 2): 10 of 200 with a standard deviation of 3.
    assert 1 <= counts[True] <= 22


def test_audits_keep_away_from_each_other() -> None:
    slices = [Slice(f"v{v}", k, mm=2.0) for v in range(3) for k in range(40)]
    for seed in range(10):
        # A tenth of 300 s pays for three audits; within 6 mm of one there is no other audit.
        chosen = auto(pool_of(slices), 300.0, rng(seed)).choices
        checked = [choice.candidate.key for choice in chosen if choice.audit]
        assert len(checked) == 3
        for one in checked:
            for choice in chosen:
                other = choice.candidate.key
                if other != one and other.volume == one.volume and choice.audit:
                    assert abs(other.index - one.index) >= 3
