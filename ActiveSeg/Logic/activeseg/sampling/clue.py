"""Clusters of what the model is unsure of: for a model that meets scans of another kind.

CLUE (Prabhu et al., ICCV 2021) clusters features with the entropy as weight, one cluster for each
label that can be paid, and asks for what is nearest to a centre: uncertain slices that differ from
each other. Here a label has its price, and a centre's slice is the one with the most of entropy
and nearness for its seconds.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import clusters
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.one_shot import MOST_ROWS, affordable
from activeseg.sampling.redundancy import left_by_annotated

__all__ = ["clue"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Rows: TypeAlias = npt.NDArray[np.intp]


def clue(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """One slice of each cluster, until nothing fits; the heaviest cluster first.

    A slice weighs its mean entropy times what annotated neighbours leave of it; slices without
    weight come last.

    Raises:
        ValueError: If no model has scored the pool, or it has no features.
    """
    if pool.features is None:
        raise ValueError("clue needs the features of the pool")
    weights = pool.model_scores().whole_entropy * left_by_annotated(pool)
    batch = Batch(pool, budget_s)
    left = np.arange(len(pool))
    while True:
        left = left[batch.free[left] & (batch.cost_ms(left) <= batch.left_ms)]
        if left.size == 0:
            return Chosen(batch.choices())
        rows = left[weights[left] > 0] if (weights[left] > 0).any() else left
        if rows.size > MOST_ROWS:
            rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
        _fill(batch, rows, np.maximum(weights[rows], np.finfo(np.float32).tiny), rng)


def _fill(batch: Batch, rows: Rows, weight: Floats, rng: np.random.Generator) -> None:
    """Take one slice of each cluster of some rows."""
    features = batch.pool.features
    assert features is not None  # `clue` has looked
    nearest, squared = clusters(
        features[rows].astype(np.float64),
        weight.astype(np.float64),
        affordable(batch, rows),
        int(rng.integers(2**31)),
    )
    total = np.bincount(nearest, weights=weight)
    for cluster in np.argsort(-total, kind="stable"):
        members = np.flatnonzero(nearest == cluster)
        if members.size == 0:
            continue
        scale = max(float(squared[members].mean()), float(np.finfo(np.float32).tiny))
        cost = np.log(np.maximum(batch.cost_ms(rows[members]), 1))
        score = np.log(weight[members]) - squared[members] / scale - cost
        why = f"stands for {members.size} slices that the model is unsure of"
        if members.size == 1:
            why = "the model is unsure of it, and no other slice is like it"
        batch.take(int(rows[members[np.argmax(score)]]), float(total[cluster]), why)
