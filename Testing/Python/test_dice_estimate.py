"""The Dice estimate: agreement measures by hand, the regression, its intervals, the trend."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.quality import (
    EVIDENCE,
    DiceEstimator,
    Estimate,
    Judged,
    Trend,
    dice_with,
    expected_gain,
    mc_iou,
    neighbour_dice,
    pairwise_dice,
    sizes_over,
)

FILL = EVIDENCE.index("fill")
TREND = EVIDENCE.index("trend")


def one_slice(*rows: list[int]) -> np.ndarray:
    """One axial slice, `[1, P, L]`."""
    return np.array([rows])


# Agreement, by hand


def three_passes() -> np.ndarray:
    # Structure 1 covers {a, b}, {b, c}, {b} of a slice of four pixels a b c d.
    return np.array([[[[1, 1, 0, 0]]], [[[0, 1, 1, 0]]], [[[0, 1, 0, 0]]]])


def test_mc_iou_by_hand() -> None:
    # All agree on b, somebody says a, b or c: 1 / 3. Nobody sees structure 2.
    found = mc_iou(three_passes(), 2, axis=0)
    assert found[0] == pytest.approx([1 / 3])
    assert np.isnan(found[1]).all()


def test_pairwise_dice_by_hand() -> None:
    # Pairs: 2*1/4, 2*1/3, 2*1/3.
    found = pairwise_dice(three_passes(), 1, axis=0)
    assert found[0] == pytest.approx([(1 / 2 + 2 / 3 + 2 / 3) / 3])


def test_a_pair_of_empty_passes_is_left_out() -> None:
    passes = np.array([[[[1, 0]]], [[[0, 0]]], [[[0, 0]]]])
    # The two empty ones have no Dice; the other two pairs have 0.
    assert pairwise_dice(passes, 1, axis=0)[0] == pytest.approx([0.0])


def test_dice_with_opinions_by_hand() -> None:
    proposal = one_slice([1, 1, 0, 0])
    opinions = np.array([one_slice([1, 0, 0, 0]), one_slice([1, 1, 1, 0])])
    assert dice_with(opinions, proposal, 1, axis=0)[0] == pytest.approx([(2 / 3 + 4 / 5) / 2])
    nobody = np.zeros((0, 1, 1, 4), dtype=int)
    assert np.isnan(dice_with(nobody, proposal, 1, axis=0)).all()


def test_neighbour_dice_by_hand() -> None:
    # Slices {a, b}, {b}, {}, {a}: 2/3; mean(2/3, 0); not there; 0.
    proposal = np.array([[[1, 1]], [[0, 1]], [[0, 0]], [[1, 0]]])
    found = neighbour_dice(proposal, 1, axis=0)[0]
    assert found[[0, 1, 3]] == pytest.approx([2 / 3, 1 / 3, 0.0])
    assert np.isnan(found[2])
    assert np.isnan(neighbour_dice(proposal[:1], 1, axis=0)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9999), st.integers(0, 2))
def test_agreement_is_the_same_along_any_axis(seed: int, axis: int) -> None:
    rng = np.random.default_rng(seed)
    passes = rng.integers(0, 3, size=(3, 4, 3, 5))
    turned = np.moveaxis(passes, axis + 1, 1)
    for measure in (mc_iou, pairwise_dice):
        assert np.array_equal(measure(passes, 2, axis), measure(turned, 2, 0), equal_nan=True)
        inside = measure(passes, 2, axis)
        assert np.nanmax(inside) <= 1
        assert np.nanmin(inside) >= 0
    assert np.array_equal(
        neighbour_dice(passes[0], 2, axis), neighbour_dice(turned[0], 2, 0), equal_nan=True
    )
    assert np.array_equal(
        dice_with(passes[1:], passes[0], 2, axis),
        dice_with(turned[1:], turned[0], 2, 0),
        equal_nan=True,
    )


# Size and gain


def test_relative_size_is_one_for_the_mean_slice_that_shows_it() -> None:
    size = np.array([[10.0, 0.5], [30.0, 4.0], [2.0, 0.0]])
    shows = np.array([[True, False], [True, True], [False, False]])
    mean = np.sum(size, axis=0, where=shows) / shows.sum(axis=0)
    found = sizes_over(size, mean)
    assert found == pytest.approx(np.array([[0.5, 0.125], [1.5, 1.0], [0.1, 0.0]]))
    assert not sizes_over(size, np.zeros(2)).any()


def test_gain_counts_what_is_missing_of_each_structure() -> None:
    dice = np.array([[0.75, np.nan], [1.0, 0.5], [0.0, 0.0]])
    shown = np.array([[2.0, 9.0], [1.0, 1.0], [0.5, 0.25]])
    assert expected_gain(dice, shown) == pytest.approx([0.5, 0.5, 0.75])


# The regression


def judged(count: int, seed: int, shift: float = 0.0, audits: int = 0) -> Judged:
    """Proposals whose truth follows the MC IoU, `shift` below it, and some noise."""
    rng = np.random.default_rng(seed)
    evidence = np.full((count, len(EVIDENCE)), np.nan)
    evidence[:, 0] = rng.uniform(0.3, 1.0, count)
    evidence[:, FILL] = 0.75
    dice = np.clip(evidence[:, 0] - shift + rng.normal(0, 0.05, count), 0, 1)
    audit = np.arange(count) < audits
    volume = np.array([f"v{k // 3}" for k in range(count)])
    return Judged(evidence, np.ones(count), volume, dice, audit, np.zeros(count, dtype=int))


def typical(count: int) -> np.ndarray:
    """Evidence of which nothing is known but a typical filling."""
    evidence = np.full((count, len(EVIDENCE)), np.nan)
    evidence[:, FILL] = 0.82
    return evidence


def half_right(volume: np.ndarray, size: np.ndarray, age: np.ndarray) -> Judged:
    """Typical proposals that turned out to have a Dice of 0.5."""
    count = len(volume)
    right, audit = np.full(count, 0.5), np.zeros(count, dtype=bool)
    return Judged(typical(count), size, volume, right, audit, age)


def nothing_judged() -> Judged:
    return judged(0, 0)


@pytest.mark.parametrize(
    ("several_views", "fill", "dice"), [(True, 0.82, 0.86), (False, 0.78, 0.84)]
)
def test_typical_evidence_gives_the_typical_dice_before_anything_is_judged(
    several_views: bool, fill: float, dice: float
) -> None:
    evidence = np.full((1, len(EVIDENCE)), np.nan)
    evidence[0, FILL] = fill
    found = DiceEstimator.learn(nothing_judged(), several_views).slices(evidence, np.ones(1))
    assert found.dice == pytest.approx([dice])
    assert found.low[0] < 0.65
    assert found.high[0] > 0.97


@pytest.mark.parametrize("several", [True, False])
def test_more_agreement_means_more_dice_before_anything_is_judged(several: bool) -> None:
    estimator = DiceEstimator.learn(nothing_judged(), several)
    low = np.full((1, len(EVIDENCE)), 0.4)
    high = np.full((1, len(EVIDENCE)), 0.95)
    assert estimator.slices(high, np.ones(1)).dice > estimator.slices(low, np.ones(1)).dice + 0.3


def test_nothing_proposed_has_a_dice_of_zero() -> None:
    evidence = np.full((2, len(EVIDENCE)), 0.9)
    evidence[1, FILL] = np.nan
    found = DiceEstimator.learn(nothing_judged(), True).slices(evidence, np.ones(2))
    assert found.dice[0] > 0.7
    assert found.dice[1] == 0.0


@pytest.mark.parametrize("count", [30, 90, 300])
def test_judged_proposals_correct_the_level_and_narrow_the_interval(count: int) -> None:
    new = judged(400, 1, shift=0.2)
    before = DiceEstimator.learn(nothing_judged(), True).slices(new.evidence, new.size)
    learned = DiceEstimator.learn(judged(count, 0, shift=0.2), True)
    after = learned.slices(new.evidence, new.size)
    assert learned.judged == count
    assert np.abs(after.dice - new.dice).mean() < 0.5 * np.abs(before.dice - new.dice).mean()
    assert after.reach.mean() < before.reach.mean()
    inside = (after.low <= new.dice) & (new.dice <= after.high)
    assert 0.85 <= inside.mean() <= 1


def test_rows_without_a_dice_teach_nothing() -> None:
    known = judged(40, 0, shift=0.2)
    unknown = Judged(
        np.concatenate([known.evidence, known.evidence]),
        np.concatenate([known.size, known.size]),
        np.concatenate([known.volume, known.volume]),
        np.concatenate([known.dice, np.full(40, np.nan)]),
        np.concatenate([known.audit, known.audit]),
        np.concatenate([known.age, known.age]),
    )
    new = judged(10, 1)
    one = DiceEstimator.learn(known, True).slices(new.evidence, new.size)
    other = DiceEstimator.learn(unknown, True).slices(new.evidence, new.size)
    assert np.array_equal(one.dice, other.dice)
    assert np.array_equal(one.reach, other.reach)


def test_audit_slices_set_the_level() -> None:
    # 60 slices that were asked for say 0.2 too high, 60 audit slices are right.
    asked, audits = judged(60, 0, shift=-0.15), judged(60, 1, audits=60)
    both = Judged(*(np.concatenate([getattr(asked, n), getattr(audits, n)]) for n in vars(asked)))
    unmarked = replace(both, audit=np.zeros(120, dtype=bool))
    new = judged(200, 2)
    error = [
        abs(
            float(
                (DiceEstimator.learn(j, True).slices(new.evidence, new.size).dice - new.dice).mean()
            )
        )
        for j in (both, unmarked)
    ]
    assert error[0] < 0.6 * error[1]


def test_large_slices_are_judged_more_surely() -> None:
    evidence = judged(2, 0).evidence
    found = DiceEstimator.learn(judged(60, 1), True).slices(evidence, np.array([0.5, 2.0]))
    assert found.reach[1] < 0.6 * found.reach[0]


@pytest.mark.parametrize(
    ("age", "size", "weight"), [(0, 1.0, 0.7), (2, 1.0, 0.175), (1, 0.5, 0.14)]
)
def test_what_one_judged_proposal_teaches_by_hand(age: int, size: float, weight: float) -> None:
    # Prior 0.86 with a deviation of 0.1, noise 0.11. A judged proposal counts as 0.7, half of that
    # a round later, and at half the mean size 1 / (0.5 + 0.5 / 0.25) = 0.4 times as much.
    evidence = typical(1)
    found = half_right(np.array(["v"]), np.array([size]), np.array([age]))
    estimate = DiceEstimator.learn(found, True).slices(evidence, np.ones(1))
    assert estimate.dice == pytest.approx([0.86 - 0.36 * weight / (1.21 + weight)])


@pytest.mark.parametrize(
    ("volumes", "age", "weight"),
    # 21 rows of one volume with a correlation of 0.7 are worth 21 / (1 + 20 * 0.7) = 1.4 rows; a
    # round later 10.5 of 1 + 9.5 * 0.7 = 7.65; of three volumes three times 7 / (1 + 6 * 0.7).
    [(1, 0, 0.7 * 1.4), (1, 1, 0.7 * 10.5 / 7.65), (3, 0, 0.7 * 3 * 7 / 5.2), (21, 0, 0.7 * 21)],
)
def test_answers_of_one_volume_teach_less_than_those_of_many(
    volumes: int, age: int, weight: float
) -> None:
    names = np.array([f"v{k % volumes}" for k in range(21)])
    found = half_right(names, np.ones(21), np.full(21, age))
    estimate = DiceEstimator.learn(found, True).slices(typical(1), np.ones(1))
    assert estimate.dice == pytest.approx([0.86 - 0.36 * weight / (1.21 + weight)])


def test_one_hard_volume_answered_from_end_to_end_does_not_exclude_the_truth() -> None:
    # 26 slices of a volume on which the model has failed; the cohort is as the prior expects.
    hard = half_right(np.full(26, "v"), np.ones(26), np.zeros(26, dtype=int))
    estimator = DiceEstimator.learn(hard, True)
    whole = estimator.volumes(typical(60), np.ones(60), np.arange(60) // 6)
    cohort = estimator.cohort(whole)
    assert 0.5 < cohort.dice[0] < 0.86 < cohort.high[0]


def test_isotonic_steps_in_with_many_points() -> None:
    # The truth is a step of the IoU, which no line follows.
    def step(count: int, seed: int) -> Judged:
        found = judged(count, seed)
        return replace(found, dice=np.where(found.evidence[:, 0] > 0.6, 0.9, 0.2))

    new = step(200, 9)
    errors = []
    for count in (99, 2000):
        found = DiceEstimator.learn(step(count, 1), True).slices(new.evidence, new.size)
        errors.append(np.abs(found.dice - new.dice).mean())
    assert errors[1] < 0.5 * errors[0]


# Whole volumes


def test_a_volume_is_the_mean_of_its_slices_by_size() -> None:
    new = judged(5, 3)
    estimator = DiceEstimator.learn(judged(60, 1), True)
    size = np.array([1.0, 3.0, 0.5, 2.0, 2.0])
    each = estimator.slices(new.evidence, size).dice
    known = estimator.volumes(new.evidence, size, np.array([0, 0, 1, 1, 1]))
    found = estimator.whole(known)
    assert found.dice == pytest.approx(
        [np.average(each[:2], weights=size[:2]), np.average(each[2:], weights=size[2:])]
    )
    cohort = estimator.cohort(known)
    assert cohort.dice == pytest.approx([found.dice.mean()])


def test_a_volume_is_judged_more_surely_than_its_slices_and_the_cohort_more_than_both() -> None:
    new = judged(60, 3)
    estimator = DiceEstimator.learn(judged(90, 1), True)
    slices = estimator.slices(new.evidence, new.size)
    group = np.repeat(np.arange(4), 15)
    known = estimator.volumes(new.evidence, new.size, group)
    volumes, cohort = estimator.whole(known), estimator.cohort(known)
    assert volumes.reach.max() < slices.reach.min()
    assert cohort.reach[0] < volumes.reach.min()


def test_mean_over_structures_by_hand() -> None:
    estimate = Estimate(np.array([[0.4, 0.5], [0.8, 0.9]]), np.array([[0.3, 0.1], [0.1, 0.1]]))
    counts = np.array([[True, False], [True, False]])
    found = estimate.over_structures(counts)
    # Correlated by one half: sqrt(0.5 * 0.4^2 + 0.5 * (0.3^2 + 0.1^2)) / 2.
    assert found.dice[0] == pytest.approx(0.6)
    assert found.reach[0] == pytest.approx(math.sqrt(0.08 + 0.05) / 2)
    assert np.isnan(found.dice[1])
    assert np.isnan(found.reach[1])


# The trend


def test_one_round_is_extrapolated_by_the_prior() -> None:
    trend = Trend.fit([10], [0.5])
    assert trend.at(10) == pytest.approx(0.5)
    assert trend.at(100) == pytest.approx(1 - 0.5 * 10**-0.3)


def test_many_rounds_on_a_power_law_are_followed() -> None:
    amount = [float(2**k) for k in range(1, 9)]
    dice = [1 - 0.6 * n**-0.5 for n in amount]
    assert Trend.fit(amount, dice).at(1000) == pytest.approx(1 - 0.6 * 1000**-0.5, abs=0.01)


def test_worth_of_more_is_never_negative_and_holds_its_estimate() -> None:
    trend = Trend.fit([10, 20, 40], [0.5, 0.6, 0.65])
    worth = trend.worth(40, 10)
    assert worth.gain == pytest.approx(trend.at(50) - trend.at(40))
    assert 0 <= worth.low <= worth.gain <= worth.high
    falling = Trend.fit([10, 20, 40, 80], [0.8, 0.7, 0.6, 0.5]).worth(80, 10)
    assert falling.low == 0
    assert falling.gain >= 0


def test_a_trend_needs_a_round() -> None:
    with pytest.raises(ValueError, match="no round"):
        Trend.fit([], [])
