"""The paired hierarchical bootstrap: seeds are drawn, and within each seed its patients.

All arms see the same draws, so that what they share (an easy split, a hard patient) cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["DRAWS", "Bootstrap", "Interval", "holm", "interval", "p_value"]

Counts: TypeAlias = npt.NDArray[np.int16]
Floats: TypeAlias = npt.NDArray[np.float64]

DRAWS = 10_000
OUTSIDE = 0.05
"""Share of the draws that a 95 % interval leaves out."""


@dataclass(frozen=True)
class Bootstrap:
    """Draws of seeds and patients; row 0 is what was observed, the others are drawn.

    Attributes:
        draws: How many are drawn.
        seed: Fixes them.
    """

    draws: int = DRAWS
    seed: int = 0
    _patients: dict[tuple[int, int], Counts] = field(default_factory=dict, repr=False)

    def patients(self, seed: int, count: int) -> Counts:
        """How often each test volume of a benchmark's seed is drawn, `[1 + draws, count]`."""
        if (seed, count) not in self._patients:
            rng = np.random.default_rng([self.seed, 1, seed])
            drawn = rng.multinomial(count, np.full(count, 1 / count), size=self.draws)
            every = np.concatenate([np.ones((1, count)), drawn])
            self._patients[seed, count] = every.astype(np.int16)
        return self._patients[seed, count]

    def over_seeds(self, values: Floats) -> Floats:
        """The mean over drawn seeds.

        A seed that is drawn twice comes with two different draws of its patients.

        Args:
            values: `[seeds, 1 + draws]`, of which each column came of one draw of patients.

        Returns:
            `[1 + draws]`.
        """
        count = len(values)
        rng = np.random.default_rng([self.seed, 2, count])
        seeds = rng.integers(count, size=(self.draws, count))
        shifts = np.arange(count) * (self.draws // count)
        columns = 1 + (np.arange(self.draws)[:, None] + shifts) % self.draws
        drawn = values[seeds, columns].mean(axis=1)
        return np.concatenate([[values[:, 0].mean()], drawn])


class Interval(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    def to_json(self, name: str) -> dict[str, float]:
        """As the results hold it."""
        return {name: self.value, "low": self.low, "high": self.high}


def interval(values: Floats) -> Interval:
    """The observed value and the percentile interval of `[1 + draws]`."""
    low, high = np.quantile(values[1:], [OUTSIDE / 2, 1 - OUTSIDE / 2])
    return Interval(float(values[0]), float(low), float(high))


def p_value(differences: Floats) -> float:
    """Two-sided: twice the share of the draws on the rarer side of 0, which counts to both.

    Args:
        differences: `[1 + draws]`; 0 means that there is none.
    """
    drawn = differences[1:]
    rarer = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(drawn) + 1))


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjust p values for their number (Holm 1979): the least times n, the next times n - 1 ..."""
    adjusted: dict[str, float] = {}
    highest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda each: p[each])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = highest
    return {name: adjusted[name] for name in p}
