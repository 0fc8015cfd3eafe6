"""The knapsack is exact, keeps the budget, and says so when it could not finish."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from activeseg.sampling.optimise import exact, solve_knapsack
from activeseg.sampling.optimise.exact import pack
from activeseg.sampling.optimise.goods import Goods, budget_ms, counted_ms
from activeseg.sampling.optimise.lagrange import upper_bound

KINDS = ("floats", "integers", "equal ratios", "ties", "zeros")


def instance(seed, most=12):
    """Values, seconds, groups, charge, budget of a small instance; each kind in turn."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, most + 1))
    kind = KINDS[seed % len(KINDS)]
    seconds = rng.uniform(0.5, 120, count)
    values = rng.random(count)
    if kind == "integers":
        seconds = rng.integers(1, 20, count).astype(float)
        values = rng.integers(0, 20, count).astype(float)
    elif kind == "equal ratios":
        seconds = rng.integers(1, 30, count).astype(float)
        values = seconds / 7
    elif kind == "ties":
        seconds = rng.choice([3.0, 5.0], count)
        values = rng.choice([1.0, 2.0], count)
    elif kind == "zeros":
        values[rng.random(count) < 0.5] = 0
    groups = rng.integers(0, rng.integers(1, 6), count).astype(np.int32)
    first_s = float(rng.choice([0.0, 0.3, 15.0]) if seed % 2 else 0.0)
    budget_s = float(rng.choice([0.01, 0.1, 0.3, 0.6, 1.2]) * seconds.sum())
    return values, seconds, groups, first_s, budget_s


def every_choice(count):
    return np.array(list(itertools.product([False, True], repeat=count)), bool).reshape(-1, count)


def costs_ms(chosen, seconds, groups, first_s):
    """What each row of choices costs, counted independently of the solver."""
    ms = np.array([int(f"{np.ceil(round(s * 1000, 6)):.0f}") for s in seconds])
    charge = int(np.ceil(round(first_s * 1000, 6)))
    opened = sum(chosen[:, groups == g].any(axis=1).astype(int) for g in set(groups.tolist()))
    return chosen @ ms + charge * opened


def brute_force(values, seconds, groups, first_s, budget_s):
    chosen = every_choice(len(values))
    fits = costs_ms(chosen, seconds, groups, first_s) <= budget_s * 1000
    return float((chosen @ values)[fits].max())


@pytest.mark.parametrize("block", range(10))
def test_equals_brute_force_on_a_thousand_instances(block):
    for seed in range(100 * block, 100 * block + 100):
        values, seconds, groups, first_s, budget_s = instance(seed)
        packed = solve_knapsack(values, seconds, groups, first_s, budget_s)
        best = brute_force(values, seconds, groups, first_s, budget_s)
        assert packed.value == pytest.approx(best, rel=1e-9, abs=1e-12), seed
        assert packed.gap == 0.0, seed
        assert packed.bound == packed.value, seed
        rows = packed.rows
        assert (np.diff(rows) > 0).all(), seed
        assert (values[rows] > 0).all(), seed
        assert packed.value == pytest.approx(values[rows].sum()), seed
        opened = np.unique(groups[rows]).size
        assert packed.seconds <= budget_s, seed
        assert seconds[rows].sum() + first_s * opened <= packed.seconds + 1e-9, seed


def reference(values, seconds, groups, first_s, budget_s):
    """The optimum by HiGHS: x within its group's y, one row for the budget."""
    count, opened = len(values), int(groups.max()) + 1
    link = np.zeros((count, count + opened))
    link[np.arange(count), np.arange(count)] = 1
    link[np.arange(count), count + groups] = -1
    budget = np.concatenate([seconds, np.full(opened, first_s)])
    solved = milp(
        -np.concatenate([values, np.zeros(opened)]),
        integrality=np.ones(count + opened),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(
            np.vstack([link, budget]), -np.inf, np.concatenate([np.zeros(count), [budget_s]])
        ),
        options={"mip_rel_gap": 0},
    )
    assert solved.status == 0
    return -solved.fun


@pytest.mark.parametrize("first_s", [0.0, 15.0])
@pytest.mark.parametrize("seed", range(6))
def test_equals_an_independent_solver_on_larger_instances(first_s, seed):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(12), 15)
    values = np.repeat(rng.random(12), 15) * rng.random(180)
    seconds = np.round(rng.uniform(10, 120, 180), 3)
    packed = solve_knapsack(values, seconds, groups, first_s, 900.0)
    assert packed.gap == 0.0
    assert packed.value == pytest.approx(
        reference(values, seconds, groups, first_s, 900.0), rel=1e-6
    )


def test_a_charge_keeps_the_choice_together():
    """One at 3 s and 5 s in each volume; the charge pays for the second of the same volume."""
    values, seconds = np.array([3.0, 2.0, 3.1]), np.array([10.0, 10.0, 10.0])
    groups = np.array([0, 0, 1])
    assert solve_knapsack(values, seconds, groups, 0.0, 20.0).rows.tolist() == [0, 2]
    charged = solve_knapsack(values, seconds, groups, 5.0, 25.0)
    assert charged.rows.tolist() == [0, 1]
    assert charged.value == 5.0
    assert charged.seconds == 25.0
    assert solve_knapsack(values, seconds, groups, 5.0, 30.0).rows.tolist() == [0, 2]


def test_the_ratio_is_not_the_answer():
    """The best ratio first would take 10 of the 18; the optimum leaves it out."""
    packed = solve_knapsack(np.array([10.0, 9, 9]), np.array([5.5, 5, 5]), np.zeros(3, int), 0, 10)
    assert packed.rows.tolist() == [1, 2]
    assert packed.value == 18.0


def test_a_budget_of_three_tenths_holds_three_tenths():
    """0.1 + 0.1 + 0.1 is more than 0.3 in doubles, but not in milliseconds."""
    packed = solve_knapsack(np.ones(3), np.full(3, 0.1), np.zeros(3, int), 0.0, 0.3)
    assert packed.rows.size == 3
    assert packed.seconds == 0.3


def test_times_are_rounded_against_the_choice():
    assert counted_ms(np.array([12.3, 0.0001, 1.0, 1.00001])).tolist() == [12300, 1, 1000, 1001]
    assert budget_ms(1.0009) == 1000
    assert budget_ms(12.3) == 12300
    assert solve_knapsack(np.ones(2), np.full(2, 0.5001), np.arange(2), 0.0, 1.0005).rows.size == 1


@pytest.mark.parametrize("first_s", [0.0, 15.0])
def test_nothing_and_everything(first_s):
    empty = solve_knapsack(np.zeros(0), np.zeros(0), np.zeros(0, np.int32), first_s, 10.0)
    assert (empty.rows.size, empty.value, empty.seconds, empty.gap) == (0, 0.0, 0.0, 0.0)
    values, seconds, groups = np.array([1.0, 0.0, 2.0]), np.full(3, 5.0), np.array([0, 1, 3])
    for budget_s in (0.0, -1.0, 4.999):
        assert solve_knapsack(values, seconds, groups, first_s, budget_s).rows.size == 0
    for budget_s in (40.0, np.inf):
        packed = solve_knapsack(values, seconds, groups, first_s, budget_s)
        assert packed.rows.tolist() == [0, 2]
        assert packed.seconds == 10.0 + 2 * first_s
        assert packed.gap == 0.0
    nothing = solve_knapsack(np.zeros(3), seconds, groups, first_s, 100.0)
    assert (nothing.rows.size, nothing.gap) == (0, 0.0)


@pytest.mark.parametrize("first_s", [0.0, 15.0])
def test_the_order_of_the_items_does_not_matter(first_s):
    rng = np.random.default_rng(5)
    values, seconds = rng.random(600), rng.uniform(10, 120, 600)
    groups = rng.integers(0, 20, 600)
    packed = solve_knapsack(values, seconds, groups, first_s, 1800.0)
    again = solve_knapsack(values, seconds, groups, first_s, 1800.0)
    assert again.rows.tolist() == packed.rows.tolist()
    order = rng.permutation(600)
    mixed = solve_knapsack(values[order], seconds[order], groups[order], first_s, 1800.0)
    assert mixed.value == pytest.approx(packed.value)
    assert sorted(order[mixed.rows].tolist()) == packed.rows.tolist()


def test_equal_volumes_do_not_multiply_the_work():
    """100 volumes that are the same: without their symmetry this tree has no end."""
    rng = np.random.default_rng(0)
    values, seconds = rng.random(30), rng.uniform(10, 120, 30)
    packed = solve_knapsack(
        np.tile(values, 100), np.tile(seconds, 100), np.repeat(np.arange(100), 30), 15.0, 1800.0
    )
    assert packed.gap == 0.0


@pytest.mark.parametrize("first_s", [0.0, 15.0])
def test_without_time_the_choice_is_valid_and_the_bound_true(first_s):
    rng = np.random.default_rng(7)
    values, seconds = rng.random(900), rng.uniform(10, 120, 900)
    groups = np.repeat(np.arange(30), 30)
    best = solve_knapsack(values, seconds, groups, first_s, 600.0)
    hasty = solve_knapsack(values, seconds, groups, first_s, 600.0, time_limit_s=0.0)
    assert best.gap == 0.0
    assert 0 < hasty.value <= best.value <= hasty.bound
    assert hasty.seconds <= 600.0
    assert 0.0 <= hasty.gap < 1.0
    assert hasty.gap == pytest.approx((hasty.bound - hasty.value) / hasty.bound)


def test_a_search_that_grows_too_large_stops_with_a_true_bound(monkeypatch):
    """Values in proportion to times: nothing can be ruled out until the budget is full."""
    rng = np.random.default_rng(2)
    seconds = rng.uniform(10, 120, 500)
    arguments = (seconds * (1 + 0.01 * rng.random(500)), seconds, np.zeros(500, int), 0.0, 1800.0)
    best = solve_knapsack(*arguments)
    monkeypatch.setattr(exact, "MOST_STATES", 20)
    cut = solve_knapsack(*arguments)
    assert best.gap == 0.0
    assert 0.0 < cut.gap < 0.01
    assert cut.value <= best.value <= cut.bound


def test_the_price_bounds_the_optimum():
    for seed in range(200):
        values, seconds, groups, first_s, budget_s = instance(seed)
        goods = Goods(values, counted_ms(seconds), groups.astype(np.intp), 6, round(first_s * 1000))
        best = brute_force(values, seconds, groups, first_s, budget_s)
        assert upper_bound(goods, budget_ms(budget_s)) >= best * (1 - 1e-12), seed


def test_the_price_of_a_plain_budget_is_the_fractional_knapsack():
    """Ratios 3, 2, 1: 10 ms hold the first and 6/8 of the second."""
    goods = Goods(np.array([12.0, 16, 9]), np.array([4, 8, 9]), np.zeros(3, np.intp), 1, 0)
    assert upper_bound(goods, 10) == pytest.approx(12 + 16 * 6 / 8)


def test_equal_ratios_leave_one_price():
    """Two of the same and time for one, at ratios that no double holds exactly."""
    rng = np.random.default_rng(0)
    for value, ms in zip(rng.random(500), rng.integers(1, 100_000, 500), strict=True):
        goods = Goods(np.array([value] * 2), np.array([ms] * 2), np.zeros(2, np.intp), 1, 0)
        assert upper_bound(goods, int(ms)) == pytest.approx(value, rel=1e-9)


def test_packing_beats_the_given_value_or_says_that_nothing_does():
    value, ms = np.array([10.0, 9, 9]), np.array([55, 50, 50])
    forever = float("inf")
    better = pack(value, ms, 100, 17.0, forever)
    assert better.rows is not None
    assert sorted(better.rows.tolist()) == [1, 2]
    equal = pack(value, ms, 100, 18.0, forever)
    assert equal.rows is None
    assert equal.bound <= 18.0 * (1 + 1e-9)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"values": np.array([1.0, -1])}, "values must be"),
        ({"values": np.array([1.0, np.nan])}, "values must be"),
        ({"seconds": np.array([1.0, 0])}, "seconds must be"),
        ({"seconds": np.array([1.0])}, "one length"),
        ({"groups": np.array([0, -1])}, "groups must be"),
        ({"first_s": -1.0}, "first_s must be"),
        ({"budget_s": float("nan")}, "budget_s must be"),
    ],
)
def test_nonsense_is_refused(change, says):
    arguments = {
        "values": np.ones(2),
        "seconds": np.ones(2),
        "groups": np.zeros(2, int),
        "first_s": 0.0,
        "budget_s": 1.0,
    }
    with pytest.raises(ValueError, match=says):
        solve_knapsack(**{**arguments, **change})
