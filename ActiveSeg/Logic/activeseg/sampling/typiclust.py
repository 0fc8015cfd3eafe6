"""TypiClust: the most typical slice of each kind of which nothing is annotated."""

from __future__ import annotations

import numpy as np

from activeseg.representativeness import k_means, typicality
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.looks import Look, look_by_look, slices
from activeseg.sampling.one_shot import affordable

__all__ = ["typiclust"]

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
    of the rest. Nearly empty slices come last.

    Raises:
        ValueError: If the pool has no features.
    """
    return look_by_look(pool, budget_s, rng, "typiclust", _typical)


def _typical(look: Look) -> str:
    """Let the clusters give a slice each in turn, until none has any that fits."""
    points, known = look.points()
    every = np.concatenate([points, known])
    count = min(len(known) + affordable(look.batch, look.rows), MOST_CLUSTERS, len(every))
    nearest, _ = k_means(every, np.ones(len(every)), count, look.seed)
    ours = nearest[: len(points)]
    size = np.bincount(nearest)
    annotated = np.bincount(nearest[len(points) :], minlength=size.size)
    # By the fewest annotated slices, then by size; the sort keeps equals in their order.
    order = [c for c in np.lexsort((-size, annotated)).tolist() if (ours == c).any()]
    order = [c for c in order if size[c] > TOO_SMALL] or order
    members = {c: np.flatnonzero(ours == c) for c in order}
    typical = np.zeros(len(points))
    while order:
        for cluster in list(order):
            left = look.free(members[cluster])
            typical[left] = typicality(points[left])
            place = look.best(typical, left)
            if place is None:
                order.remove(cluster)
                continue
            why = f"typical of {slices(size[cluster], look.times, 'similar')}"
            look.take(place, float(size[cluster]) * look.times, why)
    return ""
