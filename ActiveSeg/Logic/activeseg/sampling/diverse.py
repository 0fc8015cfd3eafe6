"""BADGE: slices that would pull at the model in different ways."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import reduced
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool, needed

__all__ = ["badge"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]


def badge(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Batch by diverse gradient embeddings: k-means++ on what each slice would pull at.

    BADGE (Ash et al., ICLR 2020, algorithm 1): an example's embedding is the gradient of its
    cross entropy with the pseudo-label at the last layer, (p - onehot(argmax p)) (x) h; the first
    is the longest, as in the authors' code, and the others are drawn with a chance in proportion
    to the squared distance from the nearest one taken. A slice has a gradient for each pixel, whose
    mean is approximated by the product of two means: that of p - onehot(argmax p), kept apart by
    pseudo-label (`Scored.gradient`), and the slice's frozen features for the penultimate layer's h,
    of mean square 1 with a 1 for the bias.

    Raises:
        ValueError: If no model has scored the pool, or it has no features. ProjectError: If an
            earlier version has scored it.
    """
    if pool.features is None:
        raise ValueError("badge needs the features of the pool")
    pull = needed(pool.model_scores().gradient, "gradients").T
    batch = Batch(pool, budget_s)
    if not len(pool):
        return Chosen(())
    given = _with_bias(reduced(pool.features.astype(np.float64), int(rng.integers(2**31))))
    length = np.square(pull).sum(axis=1) * np.square(given).sum(axis=1)
    nearest = length
    while (able := _able(batch)).size:
        if len(batch):
            row = _drawn(able, nearest[able], rng)
        else:
            row = int(able[np.argmax(nearest[able])])
        batch.take(row, float(np.sqrt(length[row])))
        # The embeddings are products, and so are the products of two of them.
        inner = (pull @ pull[row]) * (given @ given[row])
        squared = np.maximum(length + length[row] - 2 * inner, 0.0)
        nearest = np.minimum(nearest, squared) if len(batch) > 1 else squared
    return Chosen(batch.choices())


def _able(batch: Batch) -> Rows:
    """The slices that may be taken next."""
    free = np.flatnonzero(batch.free)
    able: Rows = free[batch.cost_ms(free) <= batch.left_ms]
    return able


def _drawn(rows: Rows, weight: Floats, rng: np.random.Generator) -> int:
    """One of the rows with a chance in proportion to its weight; any, where none has one."""
    total = float(weight.sum())
    return int(rng.choice(rows, p=weight / total if total > 0 else None))


def _with_bias(points: Floats) -> Floats:
    """Points brought to a mean squared length of 1, with a column of ones."""
    scale = float(np.sqrt(np.square(points).sum(axis=1).mean()))
    ones = np.ones((len(points), 1))
    return np.concatenate([points / scale if scale > 0 else points, ones], axis=1)
