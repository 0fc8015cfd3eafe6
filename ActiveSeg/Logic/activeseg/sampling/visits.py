"""What is taken along where a volume is open anyway: a slice in each of its other planes.

Opening a volume costs more than looking at a slice of it, and slices that cross each other share
no more than a line. So three planes of one volume teach as much as three slices of three volumes,
for less, and the model, which answers by the mean of the planes, learns all of them alike
(docs/experiments.md; slices in three planes: Zheng et al. 2020, hybrid sparse annotation).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import PLANES, Pool

__all__ = ["ALONG", "Visits", "planes_of"]

ALONG = "the same volume in another plane"
"""What the person is told of a slice that was taken along."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def planes_of(pool: Pool) -> int:
    """In how many planes the pool has slices."""
    return int((np.bincount(pool.plane, minlength=len(PLANES)) > 0).sum())


class Visits:
    """Takes along, of each volume that a batch opens, a slice in every plane that it lacks.

    Args:
        batch: The batch.
        ranks: `[N]`, the highest of a plane is taken; never one of minus infinity.
        values: `[N]`, what is noted as the slices' value.
    """

    def __init__(self, batch: Batch, ranks: Floats, values: Floats) -> None:
        self._batch = batch
        self._ranks = ranks
        self._values = values

    def complete(self, row: int) -> None:
        """Take what fits of the other planes of a row's volume; the row is in the batch."""
        pool = self._batch.pool
        first, end = np.searchsorted(pool.volume, [pool.volume[row], pool.volume[row] + 1])
        inside = slice(int(first), int(end))
        free, planes = self._batch.free[inside], pool.plane[inside]
        worth = free & np.isfinite(self._ranks[inside])
        for plane in sorted(set(planes.tolist()) - set(planes[~free].tolist())):
            rows = inside.start + np.flatnonzero(worth & (planes == plane))
            if rows.size:
                best = int(rows[np.argmax(self._ranks[rows])])
                self._batch.take(best, float(self._values[best]), ALONG)
