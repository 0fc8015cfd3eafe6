"""The space in which slices are near or far from each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["reduced"]

COMPONENTS = 32
"""Principal components that are kept; k-means gains nothing from the small ones."""


def reduced(features: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """Standardised columns on their first principal components; constant columns are dropped.

    Args:
        features: `[N, D]`, any scale; N at least 1.
        seed: Of the randomised decomposition of large pools.

    Returns:
        `[N, at most COMPONENTS]`, each column of mean 0.
    """
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    deviation = features.std(axis=0)
    varies = deviation > 1e-9 * np.maximum(1.0, np.abs(features).max(axis=0, initial=0.0))
    if not varies.any():
        return np.zeros((len(features), 1))
    scaled = (features[:, varies] - features[:, varies].mean(axis=0)) / deviation[varies]
    kept = min(COMPONENTS, *scaled.shape)
    # One thread: with more, the order of the sums, and so a choice, could differ from run to run.
    with threadpool_limits(limits=1):
        points: npt.NDArray[np.float64] = PCA(kept, random_state=seed).fit_transform(scaled)
    return points
