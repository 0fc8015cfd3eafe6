"""How well chosen slices stand for all of a cohort's, and what some more would add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Cohesion"]

Floats = npt.NDArray[np.float64]

LANDMARKS = 2000
"""Rows of a large cohort that are looked at, drawn by chance; a share is known to about 1 %."""


@dataclass(frozen=True)
class Cohesion:
    """Slices as points, and how far two of them are apart in the mean.

    Attributes:
        points: `[N, D]`, e.g. `space.reduced`.
        weight: `[N]` how much each counts, not negative, not all 0.
        rows: `[at most LANDMARKS]` the rows that are looked at.
        apart: Mean distance between two of these; 0 where all are alike.
    """

    points: Floats
    weight: Floats
    rows: npt.NDArray[np.intp]
    apart: float

    @classmethod
    def of(cls, points: Floats, weight: Floats, rng: np.random.Generator) -> Cohesion:
        """Measure a cohort.

        Args:
            points: `[N, D]`, N at least 1.
            weight: `[N]`.
            rng: Draws the landmarks of a large cohort.
        """
        rows = np.arange(len(points))
        if len(rows) > LANDMARKS:
            rows = np.sort(rng.choice(rows, LANDMARKS, replace=False))
        there, counts = points[rows], weight[rows]
        between = _distances(there, there)
        pairs = np.outer(counts, counts)
        np.fill_diagonal(pairs, 0.0)
        total = float(pairs.sum())
        apart = float((between * pairs).sum() / total) if total > 0 else 0.0
        return cls(points, weight, rows, apart)

    def covered(self, chosen: Sequence[int]) -> float:
        """Share of the cohort that chosen rows stand for, 0 to 1.

        The normalised facility location (Lin and Bilmes, ACL 2011, section 4.1): of each slice 1
        less its distance to the nearest chosen one as a share of the mean distance between two
        slices; so 1 where the same slice is among the chosen, and 0 where the nearest of them is
        no nearer than any.
        """
        return float(self._weighted(self._near(chosen)))

    def further(
        self, chosen: Sequence[int], seconds: Floats, budget_s: float
    ) -> tuple[list[int], float]:
        """The landmarks that a further budget would add, and what is covered with them.

        Greedy by covered share per second.

        Args:
            chosen: Rows that are chosen already.
            seconds: `[N]` what each row would cost, above 0.
            budget_s: Seconds that there are.
        """
        near = self._near(chosen)
        there = self.points[self.rows]
        closer = 1 - np.minimum(1.0, _distances(there, there) / (self.apart or 1.0))
        cost, left = seconds[self.rows], budget_s
        added: list[int] = []
        while True:
            gain = self._weighted(np.maximum(near, closer)) - self._weighted(near)
            gain = np.where(cost <= left, gain / cost, -1.0)
            best = int(np.argmax(gain))
            if gain[best] <= 0:
                return added, float(self._weighted(near))
            added.append(int(self.rows[best]))
            near = np.maximum(near, closer[best])
            left -= float(cost[best])

    def _near(self, chosen: Sequence[int]) -> Floats:
        """How near each landmark is to the nearest chosen row, 0 to 1."""
        if not len(chosen):
            return np.zeros(len(self.rows))
        if self.apart == 0:
            return np.ones(len(self.rows))
        between = _distances(self.points[self.rows], self.points[list(chosen)])
        near: Floats = 1 - np.minimum(1.0, between.min(axis=1) / self.apart)
        return near

    def _weighted(self, near: Floats) -> Floats:
        """Mean over the landmarks of what is near, `[..., landmarks]`, by their weight."""
        counts = self.weight[self.rows]
        mean: Floats = near @ counts / counts.sum()
        return mean


def _distances(ones: Floats, others: Floats) -> Floats:
    """Euclidean, `[N, M]`."""
    squared = np.square(ones).sum(axis=1)[:, None] - 2 * ones @ others.T
    squared += np.square(others).sum(axis=1)
    found: Floats = np.sqrt(np.maximum(squared, 0))
    return found
