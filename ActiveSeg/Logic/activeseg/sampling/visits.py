"""What is taken along where a volume is open anyway: a slice in each of its other planes.

Opening a volume costs more than looking at a slice of it, and slices that cross each other share
no more than a line, so a slice that crosses another one teaches nearly what one of a new volume
does (docs/experiments.md; slices in three planes: Zheng et al. 2020, hybrid sparse annotation). It
is taken along where that is worth what it spares: a slice that takes a minute by itself is better
asked for in a new volume.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import PLANES, Pool

__all__ = ["ALONG", "CROSSING", "Visits", "planes_of", "spares_enough"]

ALONG = "the same volume in another plane"
"""What the person is told of a slice that was taken along."""

CROSSING = 2 / 3
"""What a slice that crosses another one teaches, over what one of a new volume does
(docs/experiments.md)."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def planes_of(pool: Pool) -> int:
    """In how many planes the pool has slices."""
    return int((np.bincount(pool.plane, minlength=len(PLANES)) > 0).sum())


def spares_enough(pool: Pool) -> npt.NDArray[np.bool_]:
    """`[N]`, whether a slice teaches as much per second taken along as in a volume of its own.

    That is CROSSING / s >= 1 / (s + opening): with two thirds, up to twice the opening's seconds.
    """
    found: npt.NDArray[np.bool_] = (1 - CROSSING) * pool.seconds <= CROSSING * pool.first_slice_s
    return found


class Visits:
    """Takes along, of each volume that a batch opens, a slice in every plane that it lacks.

    Args:
        batch: The batch.
        ranks: `[N]`, the highest of a plane is taken if that spares enough (`spares_enough`);
            never one of minus infinity.
        values: `[N]`, what is noted as the slices' value.
    """

    def __init__(self, batch: Batch, ranks: Floats, values: Floats) -> None:
        self._batch = batch
        self._ranks = ranks
        self._values = values
        self._spares = spares_enough(batch.pool)

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
                if self._spares[best]:
                    self._batch.take(best, float(self._values[best]), ALONG)
