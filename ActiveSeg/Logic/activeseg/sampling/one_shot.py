"""The first batch, before any annotation: representative slices, spread over the volumes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import spread
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool

__all__ = ["MOST_ROWS", "affordable", "one_shot"]

Rows: TypeAlias = npt.NDArray[np.intp]

MOST_ROWS = 10_000
"""A larger pool is represented by as many of its slices, drawn by chance."""


def one_shot(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """As many representatives of the pool (`spread`) as the budget affords.

    Where the representatives cost less than expected, those of the rest of the pool follow,
    until nothing fits.

    Raises:
        ValueError: If the pool has no features.
    """
    if pool.features is None:
        raise ValueError("one-shot needs the features of the pool")
    information = pool.information
    if information is None:
        information = np.ones(len(pool), dtype=np.float32)
    names = np.array(pool.volumes)
    batch = Batch(pool, budget_s)
    taken = [volume for volume, _, _ in pool.annotated]
    left = np.arange(len(pool))
    while True:
        left = left[batch.free[left] & (batch.cost_ms(left) <= batch.left_ms)]
        if left.size == 0:
            return Chosen(batch.choices())
        rows, times = left, 1.0
        if left.size > MOST_ROWS:
            rows = np.sort(rng.choice(left, MOST_ROWS, replace=False))
            times = left.size / MOST_ROWS
        found = spread(
            pool.features[rows],
            names[pool.volume[rows]],
            information[rows],
            affordable(batch, rows),
            rng,
            taken=taken,
        )
        for each in found:
            row = int(rows[each.row])
            why = _why(each.stands_for, times)
            if batch.take(row, each.stands_for * times, why):
                taken.append(str(names[pool.volume[row]]))


def _why(stands_for: int, times: float) -> str:
    """What a representative stands for, where each row stands for so many slices itself."""
    if stands_for == 0:
        return "one more, as all kinds of slices are represented"
    if times > 1:
        return f"representative of about {stands_for * times:.0f} similar slices"
    if stands_for == 1:
        return "unlike every other slice"
    return f"representative of {stands_for} similar slices"


def affordable(batch: Batch, rows: Rows) -> int:
    """How many slices of mean cost fit, each opening a volume while there are unopened ones."""
    pool = batch.pool
    mean_ms = 1000 * float(pool.seconds[rows].mean())
    _, first = np.unique(pool.volume[rows], return_index=True)
    spent = np.cumsum(mean_ms + batch.opening_ms(rows[first]))
    count = int(np.searchsorted(spent, batch.left_ms, side="right"))
    if count == spent.size:
        count += int((batch.left_ms - spent[-1]) / mean_ms)
    return min(max(1, count), rows.size)
