"""Lazy greedy: what adds most per second, without asking everyone each time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from activeseg.sampling.optimise.facility import Facility
from activeseg.sampling.optimise.goods import Goods

__all__ = ["greedy"]

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

NEAR = 32768
"""How many of the most promising candidates are looked at for each choice."""

ASKED = 64
"""How many are asked anew at once; twice as many each time that this finds nobody to choose."""


class _Lazy:
    """What each candidate added when last asked, which it can now only fall short of.

    `promise` is that per millisecond, 0 for what is chosen or does not fit. What does not fit once
    never fits again, since opening its group costs the charge that it saves. What is looked at
    is the rows `near`; nobody else promises more than `elsewhere`.
    """

    def __init__(self, goods: Goods, budget: int, facility: Facility, first: Floats) -> None:
        self.goods = goods
        self.facility = facility
        self.left = budget
        self.reached = facility.reached.copy()
        self.cost = goods.alone_ms()
        self.promise = first / self.cost
        self.asked = np.zeros(first.size, np.int32)
        self.opened = np.zeros(goods.groups, bool)
        self.chosen: list[int] = []
        self.batch = ASKED
        self.confirmed = 0.0
        self.elsewhere = 0.0
        self.near: Rows = np.arange(first.size)
        self.gather()

    def gather(self) -> None:
        """Take the most promising candidates near."""
        self.promise[self.cost > self.left] = 0
        if self.promise.size > NEAR:
            parted = np.argpartition(self.promise, self.promise.size - NEAR)
            self.elsewhere = float(self.promise[parted[:-NEAR]].max())
            self.near = np.sort(parted[-NEAR:])

    def ask(self, promise: Floats) -> None:
        """Ask the most promising of those near that were not asked since the last choice.

        Whoever promises less than what was confirmed since then cannot be the next choice.
        """
        hot = np.flatnonzero((promise >= self.confirmed) & (promise > 0))
        stale = hot[self.asked[self.near[hot]] < len(self.chosen)]
        if stale.size > self.batch:
            parted = np.argpartition(promise[stale], stale.size - self.batch)
            stale = stale[parted[-self.batch :]]
        self.batch *= 2
        rows = self.near[stale]
        adds = self.goods.value[rows] + self.facility.gains(rows, self.reached[None])[0]
        # Rounding must not let a promise grow.
        found = np.minimum(promise[stale], adds / self.cost[rows])
        self.promise[rows] = found
        self.confirmed = max(self.confirmed, float(found.max()))
        self.asked[rows] = len(self.chosen)

    def choose(self, row: int) -> None:
        """Take a candidate, and open its group."""
        self.left -= int(self.cost[row])
        self.chosen.append(row)
        self.promise[row] = 0
        similar = self.facility.similar(np.array([row]))[0]
        np.maximum(self.reached, similar, out=self.reached)
        self.batch, self.confirmed = ASKED, 0.0
        group = int(self.goods.group[row])
        if self.goods.charge_ms and not self.opened[group]:
            self.opened[group] = True
            rows = np.flatnonzero(self.goods.group == group)
            self.promise[rows] *= self.cost[rows] / self.goods.ms[rows]
            self.cost[rows] = self.goods.ms[rows]
            # The rest of the group has become cheaper, so it may belong to the best.
            self.near = np.union1d(self.near, rows)
        self.promise[self.near[self.cost[self.near] > self.left]] = 0

    def step(self) -> bool:
        """One look at those near; False when there is nothing left to choose."""
        promise = self.promise[self.near]
        best = int(np.argmax(promise))
        if promise[best] < self.elsewhere:
            self.gather()
        elif promise[best] <= 0:
            return False
        elif self.asked[self.near[best]] == len(self.chosen):
            self.choose(int(self.near[best]))
        else:
            self.ask(promise)
        return True


def greedy(goods: Goods, budget: int, facility: Facility, first: Floats) -> Rows:
    """Take what adds most per millisecond and fits, until nothing does.

    The time of a candidate is its own and, while its group is not open, the charge. The choice
    is that of asking everyone each time; of equals the first is taken.

    Args:
        goods: The candidates; values may be 0.
        budget: Milliseconds.
        facility: What they cover.
        first: `[n]`, n at least 1, what each adds to nothing, value included; 0 keeps it out.

    Returns:
        The rows in the order of choosing.
    """
    lazy = _Lazy(goods, budget, facility, first)
    while lazy.step():
        pass
    return np.array(lazy.chosen, np.intp)
