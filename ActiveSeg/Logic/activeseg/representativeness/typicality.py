"""How typical a slice is of its kind: how near its nearest neighbours are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["typicality"]

NEIGHBOURS = 20

_NO_DISTANCE = 1e-5


def typicality(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / mean distance to the nearest neighbours, 20 or half of the points if there are fewer.

    Hacohen, Dekel and Weinshall, TypiClust, ICML 2022, section 3.

    Args:
        points: `[n, D]`, the points of one cluster.

    Returns:
        `[n]`, above 0; all alike where there is but one point.
    """
    neighbours = min(NEIGHBOURS, len(points) // 2)
    if neighbours == 0:
        return np.ones(len(points))
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        distance, _ = NearestNeighbors(n_neighbors=neighbours).fit(points).kneighbors()
    found: npt.NDArray[np.float64] = 1.0 / (distance.mean(axis=1) + _NO_DISTANCE)
    return found
