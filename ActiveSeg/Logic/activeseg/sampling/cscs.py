"""CSCS: of each kind of slice one that is typical and not easy."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import (
    composite,
    difficulty_coverage,
    k_means,
    pacing,
    typicality,
)
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.looks import Look, look_by_look, slices
from activeseg.sampling.one_shot import affordable

__all__ = ["cscs"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]

LEAST_MEMBERS = 3
"""A cluster of fewer gives no slice of its own."""


def cscs(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """One slice a cluster, the best by typicality^(1 - gamma) * difficulty^gamma.

    Curriculum-Stratified Cold Start, Hattat et al., arXiv 2606.20765 (2026): as many clusters as
    can be paid; both factors are ranks within the cluster (`composite`); gamma follows from how
    much can be paid and from how far typical slices are difficult ones (`pacing`). Clusters of
    fewer than 3 slices give none; what is still to be paid goes by the same score over all slices.

    Departures: slices for volumes. Typicality (`typicality`) is that of frozen features
    (`reduced`). The paper's difficulty is how uncertain a self-supervised network is when it
    fills in what was cut out of the image; here no network is trained, and difficult is what has
    much to see (`Pool.information`; without it gamma has nothing to weigh, and typicality alone
    ranks). Annotated slices, which the paper has none of, fall into clusters too, and the
    clusters with the fewest of them come first, the largest of these.

    Raises:
        ValueError: If the pool has no features.
    """
    return look_by_look(pool, budget_s, rng, "cscs", _stratified)


def _stratified(look: Look) -> str:
    points, known = look.points()
    every = np.concatenate([points, known])
    count = affordable(look.batch, look.rows)
    nearest, _ = k_means(every, np.ones(len(every)), min(count + len(known), len(every)), look.seed)
    typical = typicality(every)[: len(points)]
    ratio = difficulty_coverage(look.information, typical)
    weight = pacing(count, len(points), ratio)

    ours = nearest[: len(points)]
    size = np.bincount(ours, minlength=int(nearest.max()) + 1)
    annotated = np.bincount(nearest[len(points) :], minlength=size.size)
    for cluster in np.lexsort((-size, annotated)).tolist():
        members = np.flatnonzero(ours == cluster)
        if members.size < LEAST_MEMBERS:
            continue
        score = np.zeros(len(points))
        score[members] = composite(typical[members], look.information[members], weight)
        if (place := look.best(score, members)) is not None:
            alike = slices(members.size, look.times, "similar")
            why = f"typical and rich in detail among {alike}"
            look.take(place, members.size * look.times, why)
    look.fill(composite(typical, look.information, weight), 0.0, "typical and rich in detail")
    return ""
