"""The most value for a budget of seconds, exactly, with or without a charge per volume.

Without a charge this is the 0-1 knapsack (Kuo et al., MICCAI 2018, choose slices by it); with
the overhead of the first slice of each volume it is the fixed-charge knapsack, also called the
knapsack with setups (Chebil and Khemakhem, Computers & Operations Research 2015).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from activeseg.sampling.optimise.branch import open_and_pack
from activeseg.sampling.optimise.exact import EQUAL, pack
from activeseg.sampling.optimise.goods import budget_ms, counted

__all__ = ["Packed", "solve_knapsack"]

TIME_LIMIT_S = 10.0
"""After this the best choice so far is taken, with the gap that is proven."""


@dataclass(frozen=True)
class Packed:
    """What a budget buys.

    Args:
        rows: The chosen items, in ascending order.
        value: The sum of their values.
        seconds: What they take, charges included, never more than the budget.
        bound: No choice within the budget is worth more; equal to `value` where that is proven
            to be the optimum.
    """

    rows: npt.NDArray[np.intp]
    value: float
    seconds: float
    bound: float

    @property
    def gap(self) -> float:
        """The share of the bound that may be missing, 0 to 1; 0.0 is a proven optimum."""
        if self.bound <= self.value:
            return 0.0
        return (self.bound - self.value) / self.bound


def solve_knapsack(
    values: npt.NDArray[np.floating],
    seconds: npt.NDArray[np.floating],
    groups: npt.NDArray[np.integer],
    first_s: float,
    budget_s: float,
    time_limit_s: float = TIME_LIMIT_S,
) -> Packed:
    """Choose items of the greatest total value, with seconds and charges within the budget.

    Times are counted in whole milliseconds, each item and the charge rounded up and the
    budget down, so the budget is kept; optimum and bound are those of the counted times. Values
    that differ by less than 1e-12 of the total count as equal. The choice is the same in each
    run, unless the time limit ends it.

    Args:
        values: `[n]`, finite, not negative; items of value 0 are never chosen.
        seconds: `[n]`, finite, positive.
        groups: `[n]`, the volume of each item as a code 0..G-1.
        first_s: Seconds that a group costs once, if anything of it is chosen; not negative.
        budget_s: Seconds that the choice may cost; infinite means everything.
        time_limit_s: Seconds of search; the result stays valid with `gap` above 0.

    Raises:
        ValueError: An array or number is not as said above.
    """
    deadline = time.monotonic() + time_limit_s
    every = counted(values, seconds, groups, first_s)
    budget = budget_ms(budget_s)
    rows = np.flatnonzero((every.value > 0) & (every.alone_ms() <= budget))
    goods = every.only(rows)
    if goods.charge_ms == 0:
        found = pack(goods.value, goods.ms, budget, 0.0, deadline)
        chosen = np.zeros(0, np.intp) if found.rows is None else np.sort(found.rows)
        bound = found.bound
    else:
        opened = open_and_pack(goods, budget, deadline)
        chosen, bound = opened.rows, opened.bound
    value = float(goods.value[chosen].sum())
    proven = bound <= value * (1 + EQUAL)
    cost = goods.cost_ms(chosen)
    return Packed(rows[chosen], value, cost / 1000, value if proven else bound)
