"""The statistics of a benchmark by hand: minutes to a goal, areas, draws, ratios, Holm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg.benchmark.bootstrap import Bootstrap, holm, interval, p_value
from activeseg.benchmark.by_seeds import by_seeds
from activeseg.benchmark.curves import PatientDice, SeedCurve, area_weights, goal_minutes
from activeseg.benchmark.resampling import Resampled
from activeseg.benchmark.statistics import (
    compare_all,
    mean_curves,
    minutes_to_goals,
    primary,
)
from activeseg.loop.measures import area_under_curve, minutes_to

DRAWS = 400


def curve(minutes, dice, patients=3, clocks=(2.0, 0.5)):
    """Every patient has the same Dice, so that no draw changes it."""
    slow, fast = clocks
    at = np.array(minutes, dtype=float)
    total = np.tile(np.array(dice, dtype=float)[:, None], (1, patients))
    return SeedCurve(
        {"standard": at, "slow": slow * at, "fast": fast * at},
        PatientDice(total, np.ones_like(total)),
    )


def full(dice=0.8, patients=3):
    return PatientDice(np.full((1, patients), dice), np.ones((1, patients)))


def field(arms, seeds=2, **options):
    """Arms that are the same in each seed; goals are shares of a full Dice of 0.8."""
    every = {name: dict.fromkeys(range(seeds), each) for name, each in arms.items()}
    return Resampled(every, dict.fromkeys(range(seeds), full(**options)), Bootstrap(DRAWS))


# Curves


def test_the_mean_over_patients_counts_each_structure_once():
    """As a point's Dice: over volumes and structures, of those that either mask has."""
    points = [
        {
            "a": {"structures": {"liver": 0.9, "spleen": 0.5}},
            "b": {"structures": {"liver": 0.4, "spleen": None}},
            "c": {"structures": {"liver": None, "spleen": None}},
        }
    ]
    patients = PatientDice.of(points)
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0], [0, 0, 3]], dtype=np.int16)
    assert patients.means(weights)[:, 0].tolist() == pytest.approx([1.8 / 3, 0.7, 0.4, 0.0])


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=6),
    st.lists(st.floats(0.5, 30), min_size=6, max_size=6),
    st.floats(0, 1),
)
def test_minutes_to_a_goal_are_those_of_the_record(dice, steps, goal):
    minutes = np.cumsum(steps)[: len(dice)]
    points = [{"minutes": m, "dice": d} for m, d in zip(minutes, dice, strict=True)]
    expected = minutes_to(points, goal)
    found = goal_minutes(np.array([dice]), minutes, np.array([goal]))
    assert bool(found.reached[0]) == (expected is not None)
    assert bool(found.at_once[0]) == (dice[0] >= goal)
    assert found.minutes[0] == pytest.approx(minutes[-1] if expected is None else expected)


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=6),
    st.lists(st.floats(0.5, 30), min_size=6, max_size=6),
)
def test_the_weights_of_the_whole_range_give_the_area_under_the_curve(dice, steps):
    minutes = np.cumsum(steps)[: len(dice)]
    points = [{"minutes": m, "dice": d} for m, d in zip(minutes, dice, strict=True)]
    weights = area_weights(minutes, minutes[0], minutes[-1])
    assert weights.sum() == pytest.approx(1)
    assert weights @ dice == pytest.approx(area_under_curve(points))


def test_the_area_of_a_part_by_hand():
    """From 20 to 40 of a curve that rises by 0.1 with each doubling: 0.5 to 0.6."""
    weights = area_weights(np.array([10.0, 80.0]), 20.0, 40.0)
    assert weights.tolist() == pytest.approx([0.5, 0.5])
    assert weights @ [0.4, 0.7] == pytest.approx(0.55)


# Draws


def test_the_first_row_is_what_was_observed():
    draws = Bootstrap(50)
    weights = draws.patients(3, 7)
    assert weights.shape == (51, 7)
    assert weights[0].tolist() == [1] * 7
    assert (weights.sum(axis=1) == 7).all()
    assert (weights[1:] != 1).any()
    values = np.arange(4.0)[:, None] + np.zeros((4, 51))
    assert draws.over_seeds(values)[0] == 1.5


def test_draws_are_fixed_by_the_seed_and_shared_by_the_arms():
    weights = Bootstrap(50).patients(3, 7)
    assert np.array_equal(weights, Bootstrap(50).patients(3, 7))
    assert not np.array_equal(weights, Bootstrap(50).patients(4, 7))
    assert not np.array_equal(weights, Bootstrap(50, seed=1).patients(3, 7))


def test_seeds_are_drawn_with_replacement():
    """Of the seeds 0 and 1 the mean is 0, 1/2 or 1, with chances 1/4, 1/2, 1/4."""
    drawn = Bootstrap(4000).over_seeds(np.array([[0.0], [1.0]]) + np.zeros((2, 4001)))[1:]
    assert set(drawn) == {0.0, 0.5, 1.0}
    assert np.mean(drawn == 0.5) == pytest.approx(0.5, abs=0.03)


def test_a_seed_drawn_twice_brings_other_patients():
    """Its two draws of patients are different ones: their mean spreads less than one of them."""
    rng = np.random.default_rng(0)
    values = np.tile(rng.normal(size=4001), (2, 1))  # one seed's draws, in both places
    drawn = Bootstrap(4000).over_seeds(values)[1:]
    assert drawn.std() == pytest.approx(values[0, 1:].std() / math.sqrt(2), rel=0.05)


def test_an_interval_and_a_p_value_by_hand():
    values = np.concatenate([[0.3], np.arange(1001) / 1000])
    assert interval(values) == pytest.approx((0.3, 0.025, 0.975))
    # 49 draws below 0, none at it, 950 above: twice 50 of 1000.
    drawn = np.concatenate([[5.0], np.full(49, -1.0), np.full(950, 1.0)])
    assert p_value(drawn) == pytest.approx(0.1)
    assert p_value(-drawn) == pytest.approx(0.1)
    assert p_value(np.ones(1000)) == pytest.approx(2 / 1000)
    assert p_value(np.zeros(1000)) == 1.0


def test_holm_by_hand():
    """0.01 x 4, 0.02 x 3, 0.03 x 2, and 0.04 x 1 is raised to the 0.06 before it."""
    found = holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02})
    assert found == pytest.approx({"a": 0.06, "b": 0.04, "c": 0.06, "d": 0.06})
    assert list(found) == ["a", "b", "c", "d"]
    assert holm({"a": 0.6, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


# Comparisons


def test_twice_the_minutes_is_a_ratio_of_exactly_two():
    dice = (0.5, 0.78, 0.8)  # 98 % of 0.8 is 0.784
    arms = {"activeseg": curve((10, 20, 40), dice), "strided": curve((20, 40, 80), dice)}
    found = compare_all(field(arms), "activeseg")["strided"]
    for goal in ("m95", "m98"):
        for clock in ("standard", "slow", "fast"):
            each = found[goal][clock]
            assert (each["ratio"], each["low"], each["high"]) == pytest.approx((2, 2, 2))
            assert each["bound"] == ""
            assert each["p"] == pytest.approx(2 / (DRAWS + 1))
            assert each["unknown"] == 0
    assert set(found) == {*("seeds", "m95", "m98", "aubc", "aubc_later", "wins", "ties", "losses")}
    assert (found["seeds"], found["wins"], found["ties"], found["losses"]) == (2, 2, 0, 0)
    # Both curves from 20 to 40 minutes: 0.78 to 0.8 against 0.5 to 0.78 on the log axis.
    assert found["aubc"]["difference"] == pytest.approx(0.79 - 0.64)
    # From the second points on, of 20 and 40 minutes, no minutes are left in common.
    assert found["aubc_later"]["difference"] == 0


def test_the_later_lead_leaves_the_first_batches_out():
    first, later = 0.3, 0.02
    ours = curve((10, 20, 40), (0.5, 0.7, 0.8))
    theirs = curve((10, 20, 40), (0.5 - first, 0.7 - later, 0.8 - later))
    found = compare_all(field({"activeseg": ours, "b": theirs}), "activeseg")["b"]
    assert found["aubc_later"]["difference"] == pytest.approx(later)
    # Over both doublings: from 0.3 down to 0.02, then 0.02.
    assert found["aubc"]["difference"] == pytest.approx(((first + later) / 2 + later) / 2)


def test_student_by_hand():
    """1, 2 and 3: mean 2, standard error 1 / sqrt(3), t of 2 degrees 4.3027 for 95 %."""
    found = by_seeds(np.array([1.0, 2.0, 3.0]))
    reach = 4.302653 / math.sqrt(3)
    assert found["low"] == pytest.approx(2 - reach)
    assert found["high"] == pytest.approx(2 + reach)
    # Of two degrees of freedom P(|T| > t) is 1 - t / sqrt(2 + t^2).
    t = 2 * math.sqrt(3)
    assert found["p"] == pytest.approx(1 - t / math.sqrt(2 + t * t))
    shown = by_seeds(np.array([1.0, 2.0, 3.0]), math.exp)
    assert shown["low"] == pytest.approx(math.exp(found["low"]))
    assert shown["p"] == found["p"]
    assert by_seeds(np.array([1.0])) is None
    assert by_seeds(np.array([0.5, 0.5])) == {"low": 0.5, "high": 0.5, "p": 0}
    assert by_seeds(np.zeros(3)) == {"low": 0, "high": 0, "p": 1}


def test_students_interval_holds_the_truth_where_few_seeds_draws_do_not():
    rng = np.random.default_rng(5)
    held = np.zeros(2)
    for seed in range(300):
        values = rng.normal(size=5)
        alone = by_seeds(values)
        drawn = interval(Bootstrap(400, seed=seed).over_seeds(values[:, None] + np.zeros(401)))
        held += alone["low"] <= 0 <= alone["high"], drawn.low <= 0 <= drawn.high
    assert held[0] / 300 == pytest.approx(0.95, abs=0.035)
    assert held[1] / 300 < 0.9


def test_the_ratio_is_a_geometric_mean_over_the_seeds():
    """Half and eight times the minutes: the geometric mean is twice."""
    dice = (0.5, 0.8)
    ours = {seed: curve((10, 40), dice) for seed in (0, 1)}
    theirs = {0: curve((5, 20), dice), 1: curve((80, 320), dice)}
    every = Resampled({"activeseg": ours, "b": theirs}, {0: full(), 1: full()}, Bootstrap(DRAWS))
    found = compare_all(every, "activeseg")["b"]["m95"]["standard"]
    assert found["ratio"] == pytest.approx(2)
    assert (found["low"], found["high"]) == pytest.approx((0.5, 8))
    logs = np.log([0.5, 8])
    assert found["by_seeds"] == pytest.approx(
        by_seeds(logs, math.exp) | {"p_holm": found["by_seeds"]["p"]}
    )
    endpoint = primary(every, "activeseg", ("b",))["by_seeds"]
    assert endpoint == pytest.approx(by_seeds(logs, math.exp))


def test_who_is_the_same_is_not_told_apart():
    rng = np.random.default_rng(3)
    dice = 0.6 + 0.05 * np.arange(5)[:, None] + rng.normal(0, 0.03, (5, 12))
    same = SeedCurve(
        dict.fromkeys(("standard", "slow", "fast"), np.array([5.0, 10, 20, 40, 80])),
        PatientDice(dice, np.ones_like(dice)),
    )
    found = compare_all(field({"activeseg": same, "b": same}, patients=12), "activeseg")["b"]
    standard = dict(found["m95"]["standard"])
    assert standard.pop("by_seeds") == {"low": 1, "high": 1, "p": 1, "p_holm": 1}
    assert standard.pop("unknown") < 1  # in few draws the goal is not reached, or at once
    assert standard == pytest.approx(
        {"ratio": 1, "low": 1, "high": 1, "bound": "", "p": 1, "p_holm": 1}
    )
    assert (found["aubc"]["difference"], found["ties"]) == (0, 2)


def test_noise_alone_leaves_one_in_the_interval():
    rng = np.random.default_rng(7)

    def noisy():
        dice = 0.65 + 0.05 * np.arange(4)[:, None] + rng.normal(0, 0.02, (4, 20))
        minutes = np.array([5.0, 10, 20, 40]) * rng.uniform(0.9, 1.1)
        return SeedCurve(
            dict.fromkeys(("standard", "slow", "fast"), minutes),
            PatientDice(dice, np.ones_like(dice)),
        )

    arms = {name: {seed: noisy() for seed in range(6)} for name in ("activeseg", "b")}
    every = Resampled(arms, {seed: full(patients=20) for seed in range(6)}, Bootstrap(DRAWS))
    found = compare_all(every, "activeseg")["b"]["m95"]["standard"]
    assert found["low"] < 1 < found["high"]
    assert found["low"] < found["ratio"] < found["high"]
    assert found["p"] > 0.05


def test_who_does_not_reach_the_goal_counts_with_the_last_minutes():
    """95 % of 0.8 is 0.76, which the reference has after 20 of its 40 minutes."""
    reference = curve((10, 20, 40), (0.5, 0.76, 0.79))
    arms = {"activeseg": reference, "never": curve((15, 30, 60), (0.5, 0.6, 0.7))}
    found = compare_all(field(arms), "activeseg")["never"]["m95"]["standard"]
    assert (found["ratio"], found["bound"]) == (pytest.approx(60 / 20), ">=")
    assert found["unknown"] == 1
    times = minutes_to_goals(field(arms))
    assert times["never"]["m95"] == pytest.approx(
        {"minutes": 60, "low": 60, "high": 60, "reached": 0, "at_once": 0, "seeds": 2}
    )
    assert times["activeseg"]["m95"] == pytest.approx(
        {"minutes": 20, "low": 20, "high": 20, "reached": 2, "at_once": 0, "seeds": 2}
    )


def test_a_reference_that_does_not_reach_the_goal_wins_nothing():
    short = curve((5, 10), (0.3, 0.4))
    late, quick = curve((15, 60), (0.5, 0.8)), curve((2, 4), (0.5, 0.8))
    found = compare_all(field({"activeseg": short, "late": late, "quick": quick}), "activeseg")
    # The reference stopped after 10 minutes; the rival needed more, but what would ours have?
    assert found["late"]["m95"]["standard"]["ratio"] == 1
    assert found["late"]["m95"]["standard"]["bound"] == "<="
    # 0.76 lies 0.26 / 0.3 of the way from 2 to 4 minutes.
    ratio = (2 + 2 * 0.26 / 0.3) / 10
    assert found["quick"]["m95"]["standard"]["ratio"] == pytest.approx(ratio)
    assert found["quick"]["m95"]["standard"]["bound"] == "<="


def test_who_reaches_the_goal_with_the_first_batch_needed_less_than_that():
    """95 % of 0.8 is 0.76; with the first batch of 12 minutes one has it already."""
    soon = curve((12, 24), (0.77, 0.8))
    times = minutes_to_goals(field({"a": soon}))["a"]["m95"]
    assert (times["minutes"], times["reached"], times["at_once"]) == (12, 2, 2)

    def ratio(reference, rival):
        found = compare_all(field({"activeseg": reference, "b": rival}), "activeseg")["b"]
        return found["m95"]["standard"]["ratio"], found["m95"]["standard"]["bound"]

    # The goal lies half way from 10 to 20 minutes, and from 5 to 10 minutes.
    usual, quick = curve((10, 20), (0.72, 0.8)), curve((5, 10), (0.72, 0.8))
    assert ratio(soon, usual) == (pytest.approx(15 / 12), ">=")
    assert ratio(usual, soon) == (pytest.approx(12 / 15), "<=")
    assert ratio(quick, soon) == (1, "<=")  # not 12 / 7.5: soon might have had it earlier
    assert ratio(soon, curve((6, 24), (0.77, 0.8))) == (1, "?")


def test_a_single_seed_has_no_p():
    dice = (0.5, 0.78, 0.8)
    arms = {"activeseg": curve((10, 20, 40), dice), "strided": curve((20, 40, 80), dice)}
    one = field(arms, seeds=1)
    found = compare_all(one, "activeseg")["strided"]
    assert found["m95"]["standard"]["ratio"] == pytest.approx(2)
    assert (found["m95"]["standard"]["p"], found["m95"]["standard"]["p_holm"]) == (None, None)
    assert found["aubc"]["p"] is None
    assert found["m95"]["standard"]["by_seeds"] is None
    assert primary(one, "activeseg", ("strided",))["p"] is None


def test_nothing_is_known_where_neither_reaches_the_goal():
    arms = {"activeseg": curve((5, 10), (0.3, 0.4)), "b": curve((20, 40), (0.3, 0.4))}
    found = compare_all(field(arms), "activeseg")["b"]["m98"]["standard"]
    assert (found["ratio"], found["bound"], found["p"]) == (1, "?", 1)


def test_p_values_are_adjusted_over_the_arms():
    dice = (0.5, 0.78, 0.8)
    arms = {"activeseg": curve((10, 20, 40), dice)}
    arms |= {f"slow {n}": curve((20, 40, 80), dice) for n in range(3)}
    arms["same"] = arms["activeseg"]
    found = compare_all(field(arms), "activeseg")
    least = 2 / (DRAWS + 1)
    for n in range(3):
        assert found[f"slow {n}"]["m95"]["standard"]["p_holm"] == pytest.approx(4 * least)
        assert found[f"slow {n}"]["aubc"]["p_holm"] == pytest.approx(4 * least)
        assert "p_holm" not in found[f"slow {n}"]["m95"]["slow"]
    assert found["same"]["m95"]["standard"]["p_holm"] == 1
    assert found["same"]["m95"]["standard"]["by_seeds"]["p_holm"] == 1
    assert "p_holm" not in found["same"]["m95"]["slow"]["by_seeds"]


def test_wins_ties_and_losses_of_the_seeds():
    """Leads of 0.02, 0.004 and -0.02 at all minutes."""
    ours = {seed: curve((10, 20), (0.5, 0.7)) for seed in range(3)}
    theirs = {
        seed: curve((10, 20), (0.5 - lead, 0.7 - lead))
        for seed, lead in enumerate((0.02, 0.004, -0.02))
    }
    every = Resampled(
        {"activeseg": ours, "b": theirs}, {seed: full() for seed in range(3)}, Bootstrap(DRAWS)
    )
    found = compare_all(every, "activeseg")["b"]
    assert (found["wins"], found["ties"], found["losses"]) == (1, 1, 1)
    assert found["aubc"]["difference"] == pytest.approx(0.004 / 3)


def test_curves_without_minutes_in_common_do_not_lead():
    arms = {"activeseg": curve((1, 2), (0.5, 0.6)), "b": curve((10, 20), (0.7, 0.8))}
    found = compare_all(field(arms), "activeseg")["b"]
    assert (found["aubc"]["difference"], found["ties"]) == (0, 2)


def test_only_seeds_that_both_have_are_compared():
    arms = {
        "activeseg": {seed: curve((10, 20), (0.5, 0.8)) for seed in (0, 1, 2)},
        "b": {seed: curve((20, 40), (0.5, 0.8)) for seed in (1, 2, 5)},
        "none": {},
    }
    every = Resampled(arms, {seed: full() for seed in (0, 1, 5)}, Bootstrap(DRAWS))
    assert every.names == ("activeseg", "b")
    assert every.seeds("activeseg") == (0, 1)  # of seed 2 the full Dice is not known yet
    assert every.seeds("activeseg", "b") == (1,)
    assert compare_all(every, "activeseg")["b"]["seeds"] == 1
    assert compare_all(every, "missing") == {}


def test_the_primary_endpoint_is_against_the_best_rival():
    dice = (0.5, 0.78, 0.8)
    arms = {
        "activeseg": curve((10, 20, 40), dice),
        "strided": curve((30, 60, 120), dice),
        "clasp-pe": curve((20, 40, 80), dice),
        "random": curve((5, 10, 20), dice),  # better, and no rival of the endpoint
    }
    found = primary(field(arms), "activeseg", ("strided", "foreground-random", "clasp-pe"))
    assert (found["goal"], found["best"], found["seeds"]) == ("m95", "clasp-pe", 2)
    assert found["rivals"] == ["strided", "clasp-pe"]
    assert (found["ratio"], found["low"], found["high"]) == pytest.approx((2, 2, 2))
    assert primary(field(arms), "missing", ("strided",)) is None
    assert primary(field(arms), "activeseg", ("missing",)) is None


def test_in_each_draw_the_best_rival_of_that_draw_counts():
    """Two rivals, each twice as slow in one seed and four times in the other: none is 3 times."""
    dice = (0.5, 0.8)
    ours = {seed: curve((10, 20), dice) for seed in (0, 1)}
    one = {0: curve((20, 40), dice), 1: curve((40, 80), dice)}
    other = {0: curve((40, 80), dice), 1: curve((20, 40), dice)}
    every = Resampled(
        {"activeseg": ours, "strided": one, "clasp-pe": other},
        {0: full(), 1: full()},
        Bootstrap(DRAWS),
    )
    found = primary(every, "activeseg", ("strided", "clasp-pe"))
    assert found["ratio"] == pytest.approx(math.sqrt(8))
    # A draw of one seed alone gives 2 for whichever rival is better there, never 4.
    assert (found["low"], found["high"]) == pytest.approx((2, math.sqrt(8)))


def test_mean_curves_hold_what_was_observed_in_their_intervals():
    rng = np.random.default_rng(5)
    dice = np.array([[0.5], [0.7]]) + rng.normal(0, 0.05, (2, 30))
    seeds = {
        seed: SeedCurve(
            dict.fromkeys(("standard", "slow", "fast"), np.array([10.0 * (seed + 1), 40.0])),
            PatientDice(dice, np.ones_like(dice)),
        )
        for seed in range(2)
    }
    every = Resampled({"a": seeds}, {0: full(patients=30), 1: full(patients=30)}, Bootstrap(DRAWS))
    first, last = mean_curves(every)["a"]
    assert first["minutes"] == pytest.approx(math.sqrt(10 * 20))
    assert last["minutes"] == pytest.approx(40)
    assert first["dice"] == pytest.approx(dice[0].mean())
    for point in (first, last):
        assert point["low"] < point["dice"] < point["high"]
    # The mean of two draws of 30 patients, of a spread of 0.05 each; 1.96 on either side.
    width = 2 * 1.96 * dice[0].std() / math.sqrt(60)
    assert first["high"] - first["low"] == pytest.approx(width, rel=0.2)
