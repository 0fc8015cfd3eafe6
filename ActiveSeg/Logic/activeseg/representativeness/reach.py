"""How dense the space is where a slice lies, and how far that goes: reach distances.

From Breunig, Kriegel, Ng and Sander, LOF, SIGMOD 2000, definitions 3 to 6: the distance at which
b is reached from a is never below b's own distance to its k-th neighbour, so that the density of
a crowd does not depend on a few slices that happen to be the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Reach", "reach"]

Floats = npt.NDArray[np.float64]

_NO_DISTANCE = 1e-5


class Reach(NamedTuple):
    """Of each point how dense it is there, `[n]`, and how far its neighbourhood goes, `[n]`."""

    density: Floats
    distance: Floats


def reach(points: Floats, neighbours: int) -> Reach:
    """Local reachability density and distance to the k-th neighbour.

    reach(a, b) = max(distance of b to its k-th neighbour, distance of a and b); the density at a
    is 1 / mean reach(a, b) over its k neighbours b. Of several that are equally far the first k
    count (the source takes all of them).

    Args:
        points: `[n, D]`.
        neighbours: k, at least 1; n - 1 if there are fewer others.

    Returns:
        Densities above 0, distances not negative; of a single point 1 and 0.
    """
    k = min(neighbours, len(points) - 1)
    if k < 1:
        return Reach(np.ones(len(points)), np.zeros(len(points)))
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        apart, others = NearestNeighbors(n_neighbors=k).fit(points).kneighbors()
    # From differences: the distances of the search are inexact where points nearly coincide.
    distance: Floats = np.linalg.norm(points - points[others[:, -1]], axis=1)
    reached = np.maximum(apart, distance[others]).mean(axis=1)
    return Reach(1.0 / (reached + _NO_DISTANCE), distance)
