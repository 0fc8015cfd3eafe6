"""Which groups to open: branch and bound over the charges, exact packing within.

With the open groups settled, what is left is one knapsack (`exact.pack`). What is open is
found by branching on the group whose opening is least clear at the best price (`lagrange`);
groups that cannot change the outcome are settled on the way, and items that cannot be
part of any better choice are dropped.
"""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from activeseg.sampling.optimise.exact import EQUAL, pack
from activeseg.sampling.optimise.goods import Goods
from activeseg.sampling.optimise.lagrange import (
    CLOSED,
    OPEN,
    UNDECIDED,
    Priced,
    States,
    best_price,
    price,
)

__all__ = ["Opened", "open_and_pack"]

Rows = npt.NDArray[np.intp]

JUST_BELOW = 1e-9
"""The share by which a price is lowered to see what is about to open."""

RUNGS = 8
"""How many numbers of open groups are tried before the search is narrowed."""


@dataclass(frozen=True)
class Opened:
    """The best choice found, and the proven bound on any."""

    rows: Rows
    bound: float


@dataclass
class _Tree:
    """What is left of the goods, the best choice, and the bounds of what was not settled."""

    goods: Goods
    rows: Rows
    budget: int
    deadline: float
    twins: npt.NDArray[np.intp]
    chosen: Rows
    best: float
    unsettled: float = 0.0
    waiting: list[tuple[float, int, States]] = field(default_factory=list)
    pushed: int = 0

    @property
    def target(self) -> float:
        """What a choice must be worth more than to count as better."""
        return self.best * (1 + EQUAL)

    def push(self, bound: float, state: States) -> None:
        """Wait with a part of the tree; the most promising part comes first."""
        self.pushed += 1
        heapq.heappush(self.waiting, (-bound, self.pushed, state))

    def visit(self, state: States) -> None:
        """Bound a part of the tree, look for a better choice in it, and split it."""
        budget_left = self.budget - self.goods.charge_ms * int((state == OPEN).sum())
        if budget_left < 0:
            return
        priced = best_price(self.goods, self.budget, state)
        if priced.bound <= self.target:
            return
        self.fill(priced.within)
        clear = priced.bound - np.abs(priced.profit) <= self.target
        state = np.where((state == UNDECIDED) & clear, priced.opened, state).astype(np.int8)
        undecided = np.flatnonzero(state == UNDECIDED)
        if undecided.size == 0:
            self.unsettled = max(self.unsettled, self.fill(state == OPEN))
            return
        unclear = undecided[np.argmin(np.abs(priced.profit[undecided]))]
        opened = state.copy()
        opened[unclear] = OPEN
        self.push(priced.bound, opened)
        # With one of several equal groups closed, the others may be: the rest is its mirror image.
        equal = (state == UNDECIDED) & (self.twins == self.twins[unclear])
        self.push(priced.bound, np.where(equal, CLOSED, state).astype(np.int8))

    def climb(self, priced: Priced) -> None:
        """Try the most profitable groups, as many as give the best choice.

        Just below the best price more groups are open than the budget holds. Where that is by
        many, as with groups that are nearly equal, branching would open them one by one.
        """
        state = np.full(self.goods.groups, UNDECIDED, np.int8)
        below = price(self.goods, self.budget, state, priced.price * (1 - JUST_BELOW))
        ranked = np.argsort(-below.profit, kind="stable")
        few, many = int(priced.within.sum()), int(below.opened.sum())
        while many - few > 1:
            step = max((many - few) // RUNGS, 1)
            worth = {}
            for count in range(few + 1, many + 1, step):
                opened = np.zeros(self.goods.groups, bool)
                opened[ranked[:count]] = True
                worth[count] = self.fill(opened)
            best = max(worth, key=lambda count: worth[count])
            if step == 1:
                return
            few, many = max(best - step, few), min(best + step, many)

    def fill(self, opened: npt.NDArray[np.bool_]) -> float:
        """Look for a better choice with these groups open; returns what it may be worth."""
        inside = np.flatnonzero(opened[self.goods.group])
        left = self.budget - self.goods.charge_ms * int(opened.sum())
        found = pack(
            self.goods.value[inside], self.goods.ms[inside], left, self.best, self.deadline
        )
        if found.rows is not None:
            self.chosen = self.rows[inside[found.rows]]
            self.best = float(self.goods.value[inside[found.rows]].sum())
        return found.bound

    def drop(self, priced: Priced) -> None:
        """Drop the items that no better choice has, judged at a price of the whole problem.

        Taking an item costs at least what it lacks at this price, and what its group lacks.
        """
        goods = self.goods
        lacks = np.maximum(priced.price * goods.ms - goods.value, 0)
        group_lacks = np.maximum(-priced.profit, 0)
        kept = priced.bound - lacks - group_lacks[goods.group] > self.target
        self.goods, self.rows = goods.only(kept), self.rows[kept]


def open_and_pack(goods: Goods, budget: int, deadline: float) -> Opened:
    """The most valuable items within the budget, the charges of their groups included.

    Args:
        goods: What can be bought; each item fits the budget by itself, with its charge.
        budget: Milliseconds.
        deadline: The `time.monotonic` at which to stop, with the bound proven until then.
    """
    nothing = np.zeros(0, np.intp)
    if goods.value.size == 0:
        return Opened(nothing, 0.0)
    single = np.array([np.argmax(goods.value)])
    worth = float(goods.value[single[0]])
    rows = np.arange(goods.value.size)
    tree = _Tree(goods, rows, budget, deadline, _twins(goods), single, worth)
    state = np.full(goods.groups, UNDECIDED, np.int8)
    whole = best_price(goods, budget, state)
    tree.push(whole.bound, state)
    tree.climb(whole)
    dropped_at = 0.0
    while tree.waiting and -tree.waiting[0][0] > tree.target:
        if time.monotonic() > deadline:
            tree.unsettled = max(tree.unsettled, -tree.waiting[0][0])
            break
        tree.visit(heapq.heappop(tree.waiting)[2])
        if tree.best > dropped_at:
            tree.drop(whole)
            dropped_at = tree.best
    bound = tree.best if tree.unsettled <= tree.target else tree.unsettled
    return Opened(np.sort(tree.chosen), bound)


def _twins(goods: Goods) -> npt.NDArray[np.intp]:
    """For each group the first group that has the very same items."""
    order = np.lexsort((goods.ms, goods.value, goods.group))
    ends = np.cumsum(np.bincount(goods.group, minlength=goods.groups))
    value, ms = goods.value[order], goods.ms[order]
    first: dict[tuple[bytes, bytes], int] = {}
    found = np.zeros(goods.groups, np.intp)
    for group, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        content = (value[start:end].tobytes(), ms[start:end].tobytes())
        found[group] = first.setdefault(content, group)
    return found
