"""Slices that are worth their time and speak for the rest: value plus coverage under a budget.

The most of F(S) = sum of the values of S + gain * facility location (see `facility`), under the
same budget of seconds and charge per volume as the knapsack. F is monotone and submodular. The
greedy rule takes what adds most per second among what fits, and the best single slice stands
against the result: at least 0.405 of the optimum where there is no charge (Tang et al., Revisiting
Modified Greedy Algorithm for Monotone Submodular Maximization with a Knapsack Constraint,
SIGMETRICS 2021). With a charge the cost of a set is no longer the sum of its items' costs and that
constant is not proven. The bound of each result is proven in both cases: the optimum is
never above F(S_j) plus the best packing of what each slice would add to S_j, for
any step j of the greedy rule (the same paper), packings bounded by
`lagrange.upper_bound`.

Nobody is left out for speed: a slice adds less and less as others are chosen, so what it
added when last asked is enough to pass over nearly all of them (lazy greedy; Minoux 1978).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from activeseg.sampling.optimise.facility import Facility, directions, product, standardise
from activeseg.sampling.optimise.goods import Goods, budget_ms, counted
from activeseg.sampling.optimise.greedy import greedy
from activeseg.sampling.optimise.lagrange import upper_bound

__all__ = ["Covered", "cover"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

MOST_SIMILARITIES = 400_000_000
"""Pairs of a candidate and a place that are looked at in one pass, where none are asked for."""

MOST_PLACES, FEWEST_PLACES = 4096, 256
"""How many places are covered at most and, of a large pool, at least."""

BOUND_WORK = 1_000_000_000
"""Pairs, times steps of the greedy rule, that the bound may look at."""


@dataclass(frozen=True)
class Covered:
    """What a budget covers.

    Args:
        rows: The chosen items in the order of choosing.
        added: What each of them added to F.
        value: F of the choice.
        seconds: What it takes, charges included, never more than the budget.
        bound: No choice within the budget, of any of the candidates, has a larger F.
        exact_problem: False where only a sample of the pool had to be covered; value and
            bound are then those of the sample.
    """

    rows: Rows
    added: Floats
    value: float
    seconds: float
    bound: float
    exact_problem: bool

    @property
    def share(self) -> float:
        """The share of the optimum that is reached at least; 1.0 is a proven optimum."""
        return 1.0 if self.bound <= self.value else self.value / self.bound


def cover(
    values: npt.NDArray[np.floating],
    seconds: npt.NDArray[np.floating],
    groups: npt.NDArray[np.integer],
    first_s: float,
    budget_s: float,
    features: npt.NDArray[np.floating],
    rng: np.random.Generator,
    weights: npt.NDArray[np.floating] | None = None,
    gain: float = 1.0,
    landmarks: int | None = None,
    already: npt.NDArray[np.floating] | None = None,
) -> Covered:
    """Choose items that are worth much and cover the pool, within the budget.

    Times are counted as in `solve_knapsack`. Items that add nothing are not chosen; of equals the
    first is. Similarities are as precise as the features are (float32 or float64).

    Args:
        values: `[n]`, finite, not negative.
        seconds: `[n]`, finite, positive.
        groups: `[n]`, the volume of each item as a code 0..G-1.
        first_s: Seconds that a group costs once, not negative.
        budget_s: Seconds that the choice may cost.
        features: `[n, D]`, finite, any scale; each column is standardised over the pool.
        rng: Draws the landmarks.
        weights: `[n]`, not negative, how much each item matters as something to be covered; 1/n
            each where not given, so that a pool that is covered fully counts 1.
        gain: What covering is worth against the values, not negative.
        landmarks: How many items stand for the pool as what is to be covered, drawn among those
            of positive weight, their weights scaled up; where not given, as many as are
            affordable: all of a pool of up to 4096, 400 of a million.
        already: `[m, D]` features of annotated slices, which cover what they cover; F counts what
            is gained beyond.

    Raises:
        ValueError: An array or number is not as said above.
    """
    goods = counted(values, seconds, groups, first_s)
    budget = budget_ms(budget_s)
    _check(goods, features, gain)
    if goods.value.size == 0:
        return Covered(np.zeros(0, np.intp), np.zeros(0), 0.0, 0.0, 0.0, True)
    weight = _weights(weights, goods.value.size) * gain
    places, scaled = _places(weight, landmarks, rng)
    facility = _facility(features, places, scaled, already)
    return _choose(goods, budget, facility, places.size == np.count_nonzero(weight))


def _choose(goods: Goods, budget: int, facility: Facility, exact: bool) -> Covered:
    """The better of the greedy choice and the best single item, and the bound."""
    fits = np.flatnonzero(goods.alone_ms() <= budget)
    first = np.zeros(goods.value.size)
    first[fits] = goods.value[fits] + facility.gains(fits, facility.reached[None])[0]
    chosen = greedy(goods, budget, facility, first)
    bound = _bound(goods, budget, facility, chosen, first)
    if chosen.size:
        single = np.array([np.argmax(first)])
        chosen = max(chosen, single, key=lambda rows: _worth(goods, facility, rows))
    worth = _worth(goods, facility, chosen)
    added = _added(goods, facility, chosen, _covering(facility, chosen))
    return Covered(chosen, added, worth, goods.cost_ms(chosen) / 1000, max(bound, worth), exact)


def _check(goods: Goods, features: npt.NDArray[np.floating], gain: float) -> None:
    """Refuse features or a gain that mean nothing."""
    if np.ndim(features) != 2 or len(features) != goods.value.size:
        raise ValueError("features must be a matrix with a row for each item")
    if not (np.isfinite(features).all() and np.isfinite(gain) and gain >= 0):
        raise ValueError("features must be finite, gain finite and not negative")


def _weights(weights: npt.NDArray[np.floating] | None, count: int) -> Floats:
    """What covering each item is worth, checked."""
    if weights is None:
        return np.full(count, 1 / count)
    found = np.asarray(weights, np.float64)
    if found.shape != (count,) or not np.isfinite(found).all() or (found < 0).any():
        raise ValueError("weights must be finite, not negative, one for each item")
    return found


def _places(weight: Floats, landmarks: int | None, rng: np.random.Generator) -> tuple[Rows, Floats]:
    """The rows that are to be covered, and what each is worth."""
    if landmarks is not None and landmarks < 1:
        raise ValueError("landmarks must be at least 1")
    rows = np.flatnonzero(weight)
    affordable = min(max(MOST_SIMILARITIES // weight.size, FEWEST_PLACES), MOST_PLACES)
    count = affordable if landmarks is None else landmarks
    if rows.size <= count:
        return rows, weight[rows]
    drawn = np.sort(rng.choice(rows, count, replace=False))
    return drawn, weight[drawn] * (weight.sum() / weight[drawn].sum())


def _facility(
    features: npt.NDArray[np.floating],
    places: Rows,
    weights: Floats,
    already: npt.NDArray[np.floating] | None,
) -> Facility:
    """The coverage of the places, with what is annotated already."""
    precise: type[np.floating] = np.float64 if features.dtype == np.float64 else np.float32
    features = features.astype(precise, copy=False)
    scale = standardise(features)
    points = directions(features, scale)
    reached = np.zeros(places.size, precise)
    if already is not None and len(already):
        if np.ndim(already) != 2 or already.shape[1] != features.shape[1]:
            raise ValueError("already must be a matrix with as many columns as features")
        if not np.isfinite(already).all():
            raise ValueError("already must be finite")
        annotated = directions(already.astype(precise, copy=False), scale)
        every = np.arange(len(annotated))
        reached = Facility(annotated, points[places], weights, reached).similar(every).max(axis=0)
    return Facility(points, points[places], weights, reached)


def _worth(goods: Goods, facility: Facility, rows: Rows) -> float:
    """F of a choice."""
    return float(goods.value[rows].sum()) + facility.worth(rows)


def _covering(facility: Facility, rows: Rows) -> npt.NDArray[np.floating]:
    """How well the places are covered after each item of a choice, `[rows, places]`."""
    similar = facility.similar(rows)
    return np.maximum.accumulate(similar, axis=0, out=similar)


def _added(
    goods: Goods, facility: Facility, rows: Rows, covering: npt.NDArray[np.floating]
) -> Floats:
    """What each item of a choice adds to F of those before it."""
    more = product(np.diff(covering, axis=0, prepend=facility.reached[None]), facility.weights)
    added: Floats = more + goods.value[rows]
    return added


def _bound(goods: Goods, budget: int, facility: Facility, chosen: Rows, first: Floats) -> float:
    """The least of the bounds at some steps of the greedy rule, the empty one among them."""
    rows = np.flatnonzero(first > 0)
    able = goods.only(rows)
    best = upper_bound(able.worth(first[rows]), budget)
    pairs = max(rows.size * facility.weights.size, 1)
    # Early steps bound best in most pools, so they lie closer together where not all are looked at.
    parts = np.linspace(0, 1, int(min(BOUND_WORK // pairs, chosen.size)) + 2)[1:-1]
    few = np.maximum(np.rint(np.square(parts) * chosen.size).astype(int), 1)
    steps = np.arange(1, chosen.size + 1) if few.size == chosen.size else np.unique(few)
    if steps.size:
        covering = _covering(facility, chosen)
        reached_value = np.cumsum(_added(goods, facility, chosen, covering))
        left = facility.gains(rows, covering[steps - 1])
        for step, more in zip(steps, left, strict=True):
            more += goods.value[rows]
            more[np.isin(rows, chosen[:step])] = 0
            packed = upper_bound(able.worth(more), budget)
            best = min(best, float(reached_value[step - 1]) + packed)
    # The sums are as precise as the features; the bound errs upwards.
    return best * (1 + 64 * float(np.finfo(facility.points.dtype).eps))
