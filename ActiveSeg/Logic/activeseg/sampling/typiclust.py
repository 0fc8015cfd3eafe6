"""TypiClust: the most typical slice of each kind of which nothing is annotated."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import k_means, reduced, typicality
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.diverse import known_features
from activeseg.sampling.one_shot import MOST_ROWS, affordable

__all__ = ["typiclust"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]

MOST_CLUSTERS = 500

TOO_SMALL = 5
"""Clusters of so many slices or fewer are left out."""


def typiclust(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The most typical slices of the largest clusters without annotated ones.

    Hacohen, Dekel and Weinshall, ICML 2022 (algorithm 1): all slices, annotated or not, fall into
    min(annotated + batch, 500) clusters by k-means; those of 5 slices or fewer are dropped; the
    cluster with the fewest annotated slices, the largest of them, gives its most typical slice
    (`typicality`), then the next, and round again. The features are frozen ones (`reduced`), for
    the paper's self-supervised network. The batch is as many slices as the minutes are expected to
    pay (`affordable`), and what they still pay after the clusters are used up comes from clusters
    of the rest.

    Raises:
        ValueError: If the pool has no features.
    """
    features, known = known_features(pool, "typiclust")
    batch = Batch(pool, budget_s)
    left = np.arange(len(pool))
    while True:
        left = left[batch.free[left] & (batch.cost_ms(left) <= batch.left_ms)]
        if left.size == 0:
            return Chosen(batch.choices())
        rows = left
        if left.size > MOST_ROWS:
            rows = np.sort(rng.choice(left, MOST_ROWS, replace=False))
        labelled = np.concatenate([known, features[np.array(batch.rows, dtype=np.intp)]])
        every = np.concatenate([features[rows], labelled]).astype(np.float64)
        seed = int(rng.integers(2**31))
        points = reduced(every, seed)
        count = min(len(labelled) + affordable(batch, rows), MOST_CLUSTERS, len(every))
        nearest, _ = k_means(points, np.ones(len(every)), count, seed)
        _fill(batch, rows, points[: rows.size], nearest)


def _fill(batch: Batch, rows: Rows, points: Floats, nearest: npt.NDArray[np.int64]) -> None:
    """Let the clusters give a slice each in turn, until none has any that fits.

    Args:
        batch: To be filled.
        rows: Slices that may be chosen.
        points: `[rows, D]`, where they lie.
        nearest: The cluster of each of them and, after them, of each annotated slice.
    """
    ours = nearest[: rows.size]
    size = np.bincount(nearest)
    annotated = np.bincount(nearest[rows.size :], minlength=size.size)
    # By the fewest annotated slices, then by size; the sort keeps equals in their order.
    order = [c for c in np.lexsort((-size, annotated)).tolist() if (ours == c).any()]
    order = [c for c in order if size[c] > TOO_SMALL] or order
    members = {c: np.flatnonzero(ours == c) for c in order}
    while order:
        for cluster in list(order):
            left = members[cluster]
            left = left[batch.free[rows[left]]]
            able = batch.cost_ms(rows[left]) <= batch.left_ms
            if not able.any():
                order.remove(cluster)
                continue
            typical = np.where(able, typicality(points[left]), -np.inf)
            row = int(rows[left[np.argmax(typical)]])
            batch.take(row, float(size[cluster]), f"typical of {size[cluster]} similar slices")
