"""One budget, no charges: the exact 0-1 knapsack by dynamic programming round the break item.

Pisinger (A minimal algorithm for the 0-1 knapsack problem, Operations Research 1997): sorted by
value per millisecond, the best choice differs from "the first ones, until the budget is full"
only in a few items round that break. Starting there, items are decided in the order of their
distance from the break; of all partial choices only those are kept that no other one beats in both
time and value, and that can still beat the best choice found so far. Of a million slices some
hundreds are decided before nothing is left to try, which proves the optimum.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["EQUAL", "Exact", "pack"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]

EQUAL = 1e-12
"""Values that differ by less than this share are equal: it is the rounding of long sums."""

MOST_REMEMBERED = 40_000_000
"""Partial choices that are remembered at most over all decisions, 4 bytes each."""

MOST_STATES = 2_000_000
"""Partial choices that are kept at most at one time, about 100 bytes each."""


@dataclass(frozen=True)
class Exact:
    """The best choice that beats a given value.

    Args:
        rows: The items, or None where none beats the value given.
        bound: No choice is worth more than this or than the value given, whichever is more.
    """

    rows: Rows | None
    bound: float


@dataclass
class _Search:
    """The partial choices, and how each came to be."""

    ms: Integers
    value: Floats
    budget: int
    best: float
    found: tuple[int, int] | None = None
    items: list[int] = field(default_factory=list)
    origins: list[npt.NDArray[np.int32]] = field(default_factory=list)

    def decide(self, item: int, ms: int, value: float, add: float, remove: float) -> None:
        """Try every partial choice with the item flipped, and keep the promising ones.

        Args:
            item: The item's row.
            ms: What the flip adds to the time.
            value: What the flip adds to the value.
            add: The best value per millisecond among the items that may still come in.
            remove: The worst among those that may still go out.
        """
        all_ms = np.concatenate([self.ms, self.ms + ms])
        all_value = np.concatenate([self.value, self.value + value])
        order = np.argsort(all_ms, kind="stable")
        all_ms, all_value = all_ms[order], all_value[order]
        before = np.maximum.accumulate(all_value)[:-1]
        kept = np.flatnonzero(np.concatenate([[True], all_value[1:] > before]))
        self.ms, self.value = all_ms[kept], all_value[kept]
        last = int(np.searchsorted(self.ms, self.budget, "right")) - 1
        better = last >= 0 and self.value[last] > self.best
        if better:
            self.best = float(self.value[last])
        promising = self.reach(add, remove) > self.best * (1 + EQUAL)
        if better:
            promising[last] = True
            self.found = (len(self.items), int(promising[:last].sum()))
        self.ms, self.value = self.ms[promising], self.value[promising]
        self.items.append(item)
        self.origins.append(order[kept[promising]].astype(np.int32))

    def reach(self, add: float, remove: float) -> Floats:
        """The most that each partial choice can become."""
        left = (self.budget - self.ms).astype(np.float64)
        with np.errstate(invalid="ignore"):
            return self.value + np.where(left >= 0, left * add, left * remove)

    def flips(self) -> list[int]:
        """The items that the best choice flips."""
        if self.found is None:
            return []
        step, at = self.found
        flipped = []
        for item, origin, size in reversed(
            list(zip(self.items, self.origins, self._sizes(), strict=True))[: step + 1]
        ):
            at = int(origin[at])
            if at >= size:
                at -= size
                flipped.append(item)
        return flipped

    def _sizes(self) -> list[int]:
        """How many partial choices there were before each decision."""
        return [1, *(len(origin) for origin in self.origins[:-1])]


def pack(value: Floats, ms: Integers, budget: int, floor: float, deadline: float) -> Exact:
    """The most valuable items that fit the budget, if they are worth more than `floor`.

    Args:
        value: `[n]`, positive.
        ms: `[n]` positive.
        budget: Milliseconds.
        floor: A value that is known to be reached by other means, not negative.
        deadline: The `time.monotonic` at which to stop, with a bound that is still true.
    """
    fits = np.flatnonzero(ms <= budget)
    if fits.size == 0:
        return Exact(None, 0.0)
    ratio = value[fits] / ms[fits]
    order = np.argsort(-ratio, kind="stable")
    rows, ratio = fits[order], ratio[order]
    total = np.cumsum(ms[rows])
    count = int(np.searchsorted(total, budget, "right"))
    worth = float(value[rows[:count]].sum())
    if count == rows.size:
        return Exact(rows if worth > floor * (1 + EQUAL) else None, worth)
    left = budget - (int(total[count - 1]) if count else 0)
    per_ms = float(ratio[count])
    bound = worth + per_ms * left
    if bound <= floor * (1 + EQUAL):
        return Exact(None, bound)
    filled = _fill(ms[rows[count:]], left)
    best = worth + float(value[rows[count:][filled]].sum())
    chosen = np.zeros(rows.size, bool)
    chosen[:count] = True
    search = _Search(np.array([budget - left]), np.array([worth]), budget, max(best, floor))
    bound = min(bound, _decide(search, value[rows], ms[rows], chosen, per_ms, bound, deadline))
    if search.found is None:
        if best <= floor * (1 + EQUAL):
            return Exact(None, bound)
        chosen[count + filled] = True
    chosen[search.flips()] ^= True
    return Exact(rows[chosen], bound)


def _fill(ms: Integers, left: int) -> Rows:
    """The items, the first ones first, that fit into what is left."""
    rows = np.flatnonzero(ms <= left)
    taken = []
    while rows.size:
        total = np.cumsum(ms[rows])
        count = int(np.searchsorted(total, left, "right"))
        taken.append(rows[:count])
        left -= int(total[count - 1])
        rows = rows[count:]
        rows = rows[ms[rows] <= left]
    return np.concatenate(taken) if taken else np.zeros(0, np.intp)


def _decide(
    search: _Search,
    value: Floats,
    ms: Integers,
    chosen: npt.NDArray[np.bool_],
    per_ms: float,
    bound: float,
    deadline: float,
) -> float:
    """Decide items by their distance from the break; returns what is proven about the optimum."""
    loss = np.abs(value - per_ms * ms)
    free = np.flatnonzero(bound - loss > search.best * (1 + EQUAL))
    ratio = value[free] / ms[free]
    order = np.argsort(np.abs(ratio - per_ms), kind="stable")
    free, ratio = free[order], ratio[order]
    inside = chosen[free]
    # After each decision: the best that may still come in, the worst that may still go out.
    add = _rest(np.maximum, np.where(inside, 0.0, ratio), 0.0)
    remove = _rest(np.minimum, np.where(inside, ratio, np.inf), np.inf)
    remembered = 0
    reachable = bound
    for step, item in enumerate(free):
        if bound - loss[item] <= search.best * (1 + EQUAL):
            continue
        full = remembered > MOST_REMEMBERED or search.ms.size > MOST_STATES
        if full or time.monotonic() > deadline:
            return max(search.best, reachable)
        sign = -1 if inside[step] else 1
        search.decide(
            int(item),
            sign * int(ms[item]),
            sign * float(value[item]),
            float(add[step]),
            float(remove[step]),
        )
        if search.value.size == 0:
            break
        reachable = float(search.reach(float(add[step]), float(remove[step])).max())
        remembered += search.value.size
    return search.best


def _rest(choose: np.ufunc, ratio: Floats, none: float) -> Floats:
    """The choice among all later entries, for each entry."""
    found: Floats = np.append(choose.accumulate(ratio[::-1])[::-1][1:], none)
    return found[: ratio.size]
