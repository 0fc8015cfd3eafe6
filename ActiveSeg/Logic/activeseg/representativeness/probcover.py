"""Covering the pool with balls of one size: probability coverage.

Yehuda, Dekel, Hacohen and Weinshall, Active Learning Through a Covering Lens, NeurIPS 2022: every
slice covers the slices nearer than delta; delta is the largest at which enough of the balls hold
slices of one class, and the greedy rule takes the ball that holds most of what is not covered.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

__all__ = ["Balls", "pure_radius"]

Floats = npt.NDArray[np.float64]

PURE = 0.95
"""The share of the balls that must be pure, as in the paper (alpha)."""

_CHUNK = 1 << 22
"""Distances that are held at once."""


def pure_radius(points: Floats, kinds: npt.NDArray[np.int64], pure: float = PURE) -> float:
    """The largest radius at which this share of the balls is pure.

    A ball is pure if all slices in it are of one kind, that is, if its radius is at most the
    distance to the nearest slice of another kind. The radius is therefore an order statistic of
    those distances, found exactly where the paper tries a grid.

    Args:
        points: `[n, D]`, n at least 1.
        kinds: `[n]`, the (pseudo-)label of each.
        pure: The share, above 0, at most 1.

    Returns:
        Not negative; infinite where no ball can hold two kinds.
    """
    other = np.empty(len(points))
    for rows, apart in _distances(points):
        different = kinds[rows, None] != kinds[None]
        other[rows] = np.where(different, apart, np.inf).min(axis=1)
    # So many balls may be impure; the sum must not lose one of a whole number to rounding.
    may = int(np.floor((1 - pure) * len(points) + 1e-9))
    return float(np.sort(other)[min(may, len(points) - 1)])


class Balls:
    """Which slices lie nearer than the radius to which, and which of them are not covered.

    Args:
        points: `[n, D]`.
        radius: Of every ball, not negative; a slice is always in its own ball.

    Attributes:
        holds: `[n]`, how many slices that are not covered each ball holds.
    """

    def __init__(self, points: Floats, radius: float) -> None:
        self._points = points
        self._radius = radius
        self._near = np.zeros((len(points), len(points)), dtype=bool)
        for rows, apart in _distances(points):
            self._near[rows] = apart < radius
        np.fill_diagonal(self._near, True)
        self.uncover()

    def uncover(self) -> None:
        """Begin anew, with nothing covered."""
        self._covered = np.zeros(len(self._points), dtype=bool)
        self.holds = self._near.sum(axis=1, dtype=np.int64)

    def cover(self, row: int) -> None:
        """Count what the ball round a slice holds as covered."""
        self._count_out(self._near[row])

    def cover_round(self, points: Floats) -> None:
        """Count what the balls round points from elsewhere, `[m, D]`, hold as covered."""
        for _, apart in _distances(points, self._points):
            self._count_out(np.any(apart < self._radius, axis=0))

    def _count_out(self, inside: npt.NDArray[np.bool_]) -> None:
        fresh = inside & ~self._covered
        self._covered |= fresh
        # Nearness is mutual: the balls that hold a slice are those round the slices in its ball.
        self.holds -= self._near[fresh].sum(axis=0, dtype=np.int64)


def _distances(points: Floats, others: Floats | None = None) -> Iterator[tuple[slice, Floats]]:
    """Some rows at a time, and their distances from all others.

    Differences, not the shorter way over inner products: there a distance would depend on which
    of the two slices is asked.
    """
    from scipy.spatial.distance import cdist

    others = points if others is None else others
    step = max(_CHUNK // max(len(others), 1), 1)
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        yield rows, cdist(points[rows], others)
