"""Farthest first: slices unlike all that is known."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.looks import Look, look_by_look

__all__ = ["farthest_first"]

Floats: TypeAlias = npt.NDArray[np.float64]


def farthest_first(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Always the slice that is farthest from all that is annotated or chosen.

    The k-centre greedy of Sener and Savarese, ICLR 2018 (algorithm 1), until the budget is spent;
    the benchmark's arm `coreset` is the same. Distances are Euclidean on the frozen features'
    principal components (`reduced`); the paper takes those of the trained network. With nothing
    annotated the first slice is a random one. Nearly empty slices come last: they are few and
    unlike all others, so the paper's rule would ask for them first.

    Raises:
        ValueError: If the pool has no features.
    """
    return look_by_look(pool, budget_s, rng, "farthest-first", _farthest)


def _farthest(look: Look) -> str:
    points, known = look.points()
    nearest = np.full(len(points), np.inf)
    for point in known:
        nearest = np.minimum(nearest, _squared(points, point))
    while (place := look.best(nearest)) is not None:
        distance = float(np.sqrt(nearest[place]))
        look.take(place, distance if np.isfinite(distance) else 0.0, "unlike what is annotated")
        nearest = np.minimum(nearest, _squared(points, points[place]))
    return ""


def _squared(points: Floats, point: Floats) -> Floats:
    """Squared distance of each point from one, `[n]`."""
    squared: Floats = np.square(points - point).sum(axis=1)
    return squared
