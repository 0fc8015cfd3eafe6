"""What a budget can buy, counted in whole milliseconds.

Sums of whole milliseconds are exact: a full budget is full, not a rounding error too full.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Goods", "budget_ms", "counted", "counted_ms"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LONGEST_S = 1e9
"""A longer budget is cut to this (30 years), so that a million of them still add up in 64 bits."""


@dataclass(frozen=True)
class Goods:
    """Value, time and group of each item, and what opening a group costs.

    Args:
        value: `[n]`, not negative.
        ms: `[n]`, positive.
        group: `[n]`, 0 to `groups` - 1.
        groups: How many groups there are; some may be empty.
        charge_ms: What opening a group costs.
    """

    value: Floats
    ms: Integers
    group: npt.NDArray[np.intp]
    groups: int
    charge_ms: int

    def only(self, kept: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Goods:
        """The goods of some rows; the groups keep their numbers."""
        return Goods(self.value[kept], self.ms[kept], self.group[kept], self.groups, self.charge_ms)

    def worth(self, value: Floats) -> Goods:
        """The same goods with other values."""
        return Goods(value, self.ms, self.group, self.groups, self.charge_ms)

    def alone_ms(self) -> Integers:
        """What each item costs by itself, `[n]`."""
        return self.ms + self.charge_ms

    def cost_ms(self, rows: npt.NDArray[np.intp]) -> int:
        """What some items cost together, the charges of their groups included."""
        return int(self.ms[rows].sum()) + self.charge_ms * np.unique(self.group[rows]).size


def counted(
    values: npt.NDArray[np.floating],
    seconds: npt.NDArray[np.floating],
    groups: npt.NDArray[np.integer],
    first_s: float,
) -> Goods:
    """The items, each time counted by `counted_ms`.

    Args:
        values: `[n]`, finite, not negative.
        seconds: `[n]`, finite, positive.
        groups: `[n]`, codes 0..G-1.
        first_s: Seconds that a group costs once, finite, not negative.

    Raises:
        ValueError: An array or number is not as said above.
    """
    value = np.asarray(values, np.float64)
    second = np.asarray(seconds, np.float64)
    group = np.asarray(groups).astype(np.intp)
    if not (value.ndim == 1 and value.shape == second.shape == group.shape):
        raise ValueError("values, seconds and groups must be vectors of one length")
    if not (np.isfinite(value).all() and (value >= 0).all()):
        raise ValueError("values must be finite and not negative")
    if not (np.isfinite(second).all() and (second > 0).all()):
        raise ValueError("seconds must be finite and positive")
    if (group < 0).any():
        raise ValueError("groups must be codes from 0")
    if not (np.isfinite(first_s) and first_s >= 0):
        raise ValueError("first_s must be finite and not negative")
    count = int(group.max()) + 1 if group.size else 0
    charge = int(counted_ms(np.array([first_s], np.float64))[0])
    return Goods(value, counted_ms(second), group, count, charge)


def counted_ms(seconds: npt.NDArray[np.floating]) -> Integers:
    """Seconds as whole milliseconds, rounded up.

    12.3 s is 12300 ms although the nearest double times 1000 is a little more: the count is the
    least one that, read back as seconds, is not below the seconds given. Counts therefore never
    understate a time, and what fits by the counts fits. Times that are longer than any budget
    stay longer than any budget.

    Args:
        seconds: `[n]`, finite, not negative.
    """
    capped = np.minimum(np.asarray(seconds, np.float64), 2 * LONGEST_S)
    near = np.rint(capped * 1000)
    found: Integers = np.where(near / 1000 >= capped, near, near + 1).astype(np.int64)
    return found


def budget_ms(budget_s: float) -> int:
    """A budget as whole milliseconds, rounded down; infinite is `LONGEST_S`.

    Raises:
        ValueError: The budget is not a number.
    """
    if np.isnan(budget_s):
        raise ValueError("budget_s must be a number")
    capped = min(max(float(budget_s), 0.0), LONGEST_S)
    near = round(capped * 1000)
    return near if near / 1000 <= capped else near - 1
