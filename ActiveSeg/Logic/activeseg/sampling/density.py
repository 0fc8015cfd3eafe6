"""Dense slices, no two of which are neighbours."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import reach
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.looks import MORE, Look, look_by_look
from activeseg.sampling.one_shot import affordable

__all__ = ["density"]

Floats: TypeAlias = npt.NDArray[np.float64]

LEAST_NEIGHBOURS, MOST_NEIGHBOURS = 10, 500
"""Fewer neighbours say little of how dense it is (Breunig et al., section 6.2); more of them for
each slice would fill the memory."""


def density(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """By falling density, passing over what lies within the reach of a slice that is known.

    The density is the local reachability density of Breunig et al., SIGMOD 2000 (`reach`): a slice
    in the midst of many similar ones comes first and a singular one last, and a few doublets do
    not pass for a crowd. How far a slice reaches is the distance to its k-th neighbour, so each
    speaks for a neighbourhood of k slices. One-shot choice by density alone is that of Jin et al.,
    Density-based one-shot active learning for image segmentation, EAAI 2023; how far apart its
    slices must lie is our own rule: k is the number of slices that there are for each that the
    minutes are expected to pay (`affordable`), so that the neighbourhoods fill the pool; 10 to
    500, and no more than half of all.

    The reach of annotated slices counts too. Once everything lies within reach, what is left is
    taken by density.

    Raises:
        ValueError: If the pool has no features.
    """
    return look_by_look(pool, budget_s, rng, "density", _dense)


def _dense(look: Look) -> str:
    points, known = look.points()
    every = np.concatenate([points, known])
    share = round(len(every) / affordable(look.batch, look.rows))
    neighbours = min(max(share, LEAST_NEIGHBOURS), MOST_NEIGHBOURS, max(len(every) // 2, 1))
    found = reach(every, neighbours)
    dense, usual = found.density[: len(points)], float(np.median(found.density))
    # Rounding must not put one of the k neighbours outside.
    reached = found.distance + 1e-9 * float(np.abs(every).max())
    outside = np.ones(len(points), dtype=bool)
    for point, distance in zip(known, reached[len(points) :], strict=True):
        outside &= _apart(points, point) > distance
    while (place := look.best(dense, np.flatnonzero(outside))) is not None:
        times = float(dense[place]) / usual
        look.take(place, times, f"slices lie {times:.1f} times as dense round it as is usual")
        outside &= _apart(points, points[place]) > reached[place]
    look.fill(dense, 0.0, MORE)
    return ""


def _apart(points: Floats, point: Floats) -> Floats:
    """Distance of each point from one, `[n]`."""
    apart: Floats = np.linalg.norm(points - point, axis=1)
    return apart
