"""The budget as a price: upper bounds on what a budget can buy.

Give each millisecond a price; then every group of slices decides for itself, and what all of them
win plus the price of the whole budget is never less than the true optimum (Lagrangian
relaxation; Fisher, Management Science 1981). The best price is where the slices that are worth it
just fill the budget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from activeseg.sampling.optimise.goods import Goods

__all__ = [
    "CLOSED",
    "OPEN",
    "UNDECIDED",
    "Priced",
    "best_price",
    "price",
    "upper_bound",
]

Floats = npt.NDArray[np.float64]
States = npt.NDArray[np.int8]

CLOSED, OPEN, UNDECIDED = 0, 1, -1
"""What is settled about a group; only an undecided one chooses."""

ROUNDS = 60
"""Prices that are tried at most; any of them gives a valid bound."""

CLOSE = 1e-12
"""A bound that could only fall by less than this share of itself is the best one."""


@dataclass(frozen=True)
class Priced:
    """What happens at a price.

    Args:
        price: Value that a millisecond costs.
        bound: No choice within the budget is worth more.
        spent_ms: What the groups that are worth it and their items take.
        profit: `[groups]`, what a group wins at this price if it is open.
        opened: `[groups]`, which groups are open.
        within: `[groups]`, the same at the nearest price tried at which the budget is kept.
    """

    price: float
    bound: float
    spent_ms: int
    profit: Floats
    opened: npt.NDArray[np.bool_]
    within: npt.NDArray[np.bool_]


def price(goods: Goods, budget: int, state: States, per_ms: float) -> Priced:
    """Let every group decide at a price.

    Args:
        goods: What can be bought.
        budget: Milliseconds.
        state: `[groups]`, which groups are settled.
        per_ms: The price, not negative.
    """
    reduced = goods.value - per_ms * goods.ms
    wanted = reduced > 0
    group = goods.group[wanted]
    charge = per_ms * goods.charge_ms
    profit: Floats = np.bincount(group, reduced[wanted], goods.groups).astype(np.float64)
    profit -= charge
    opened = (state == OPEN) | ((state == UNDECIDED) & (profit > 0))
    spent = int(goods.ms[wanted][opened[group]].sum()) + goods.charge_ms * int(opened.sum())
    bound = float(profit[opened].sum()) + per_ms * budget
    return Priced(per_ms, bound, spent, profit, opened, opened)


def best_price(goods: Goods, budget: int, state: States) -> Priced:
    """The price with the lowest bound.

    The bound is convex and piecewise linear in the price; its slope is what the budget has left.
    Tangents from both sides meet at the next price, and every other step halves the interval so
    that no shape is slow.

    Args:
        goods: What can be bought.
        budget: Milliseconds, enough for the charges of the groups that must be open.
        state: `[groups]`, which groups are settled.
    """
    low = price(goods, budget, state, 0.0)
    if low.spent_ms <= budget or goods.value.size == 0:
        return low
    # A little more than the best ratio, where rounding leaves nothing that is worth its price.
    high = price(goods, budget, state, float(np.max(goods.value / goods.ms)) * (1 + CLOSE))
    for round_ in range(ROUNDS):
        slope_low, slope_high = budget - low.spent_ms, budget - high.spent_ms
        meet = (low.bound - high.bound + slope_high * high.price - slope_low * low.price) / (
            slope_high - slope_low
        )
        floor = low.bound + slope_low * (meet - low.price)
        if min(low.bound, high.bound) - floor <= CLOSE * abs(floor):
            break
        halved = (low.price + high.price) / 2
        tried = meet if round_ % 2 == 0 and low.price < meet < high.price else halved
        if not low.price < tried < high.price:
            break
        found = price(goods, budget, state, tried)
        if found.spent_ms > budget:
            low = found
            # An item that is not worth a price is not worth a higher one.
            goods = goods.only(goods.value > tried * goods.ms)
        else:
            high = found
    return replace(min(low, high, key=lambda priced: priced.bound), within=high.opened)


def upper_bound(goods: Goods, budget: int) -> float:
    """No choice of goods within the budget is worth more than this.

    With no charge this is the fractional knapsack.

    Args:
        goods: What can be bought, each item once.
        budget: Milliseconds.
    """
    fits = goods.alone_ms() <= budget
    state = np.full(goods.groups, UNDECIDED, np.int8)
    return best_price(goods.only(fits & (goods.value > 0)), budget, state).bound
