"""How well chosen slices speak for all others: facility location on frozen features.

Each place x of the pool counts with the similarity of the chosen slice that is most like it,
sum_x w_x max(0, max_s sim(x, s)). Similar is what points the same way from the middle of
the pool: the cosine of standardised features, and nothing where that is negative. Frozen features
have no natural scale, so a kernel of distances would need a width to be tuned; the cosine
has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Facility", "Scale", "directions", "product", "standardise"]

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.floating]
Rows = npt.NDArray[np.intp]

CHUNK = 1 << 19
"""Similarities that are worked on at once; they stay in the processor's cache."""


@dataclass(frozen=True)
class Scale:
    """The middle and the spread of each feature."""

    middle: Features
    spread: Features


def standardise(features: Features) -> Scale:
    """The middle and the spread of each column, spread 1 where it does not vary.

    Args:
        features: `[N, D]`, N at least 1.
    """
    middle = features.mean(axis=0, dtype=np.float64)
    squared = np.square(features - middle.astype(features.dtype))
    spread = np.sqrt(squared.mean(axis=0, dtype=np.float64))
    varies = spread > 1e-6 * np.abs(middle)
    spread = np.where(varies, spread, 1.0)
    return Scale(middle.astype(features.dtype), spread.astype(features.dtype))


def product(left: Features, right: Features) -> Features:
    """The matrix product of finite numbers.

    Single-precision kernels of OpenBLAS now and then set the processor's flag "invalid" over
    finite numbers (numpy issue 24067), and numpy warns of what the flag says.
    """
    with np.errstate(invalid="ignore"):
        found: Features = left @ right
    return found


def directions(features: Features, scale: Scale) -> Features:
    """Where each row points from the middle: `[N, D]`, length 1, or 0 for the middle itself."""
    found = (features - scale.middle) / scale.spread
    length = np.sqrt(np.einsum("nd,nd->n", found, found))
    found /= np.where(length > 0, length, 1).astype(found.dtype)[:, None]
    return found


@dataclass(frozen=True)
class Facility:
    """What is to be covered, and what could cover it.

    Args:
        points: `[N, D]` directions of the candidates.
        places: `[L, D]` directions of the places to be covered.
        weights: `[L]`, what covering each place fully is worth.
        reached: `[L]`, how well each is covered from the start.
    """

    points: Features
    places: Features
    weights: Floats
    reached: Features

    def similar(self, rows: Rows) -> Features:
        """`[R, L]`, how well candidates cover the places, at least what is reached."""
        found = self._products(rows)
        return np.maximum(found, self.reached, out=found)

    def gains(self, rows: Rows, reached: Features) -> Floats:
        """What each candidate would add to what is reached.

        Args:
            rows: `[R]` candidates.
            reached: `[K, L]` several states of coverage; the similarities are computed once
                for all of them.

        Returns:
            `[K, R]`, never negative.
        """
        found = np.zeros((len(reached), rows.size))
        weights = self.weights.astype(self.points.dtype)
        step = max(CHUNK // max(weights.size, 1), 1)
        for start in range(0, rows.size, step):
            part = slice(start, start + step)
            similar = self._products(rows[part])
            more = np.empty_like(similar)
            for row, state in enumerate(reached):
                np.subtract(similar, state, out=more)
                np.maximum(more, 0, out=more)
                found[row, part] = product(more, weights)
        return found

    def _products(self, rows: Rows) -> Features:
        """`[R, L]`, cosines of candidates and places."""
        return product(self.points[rows], self.places.T)

    def worth(self, rows: Rows) -> float:
        """What some candidates together add to what is covered from the start."""
        if rows.size == 0:
            return 0.0
        more = (self.similar(rows).max(axis=0) - self.reached).astype(np.float64)
        return float(more @ self.weights)
