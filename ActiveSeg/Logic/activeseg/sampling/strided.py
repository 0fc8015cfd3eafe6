"""Slices evenly over all volumes and positions: the simplest baseline that is hard to beat."""

from __future__ import annotations

import heapq
from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import PLANES, Chosen, Pool, run_of

__all__ = ["strided_slices"]

Rows: TypeAlias = npt.NDArray[np.intp]

_GOLDEN = (5**0.5 - 1) / 2


def strided_slices(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Slices evenly over all volumes and positions.

    One slice of each volume (least annotated first, else in a seeded order), then a second of
    each, and so on. A slice is of the plane of which its volume has given least, planes taking
    turns, and lies in the middle of the widest gap that the answered and chosen ones leave in its
    stack, the stack closed to a ring: so the gaps halve, over all batches. The position of a
    stack's first slice moves by the golden ratio from one volume to the next, so that few slices
    already cover every height.
    """
    batch = Batch(pool, budget_s)
    every = np.arange(len(pool))
    refused, patience = 0, 64
    for row in _strided(pool, rng):
        if batch.take(row, 0.0, "evenly spaced"):
            continue
        refused += 1
        if refused == patience:
            if batch.next_fitting(every, 0, batch.left_ms) == len(pool):
                break
            patience *= 2
    return Chosen(batch.choices())


def _strided(pool: Pool, rng: np.random.Generator) -> Iterator[int]:
    codes = np.unique(pool.volume)
    shift = float(rng.random())
    answered: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for name, plane, position_mm in pool.annotated:
        answered[name].append((PLANES.index(plane), position_mm))
    order = [int(code) for code in rng.permutation(codes)]
    given = [answered[pool.volumes[code]] for code in order]
    slices = [
        _volume(pool, code, given[rank], rank, (shift + rank * _GOLDEN) % 1)
        for rank, code in enumerate(order)
    ]
    waiting = [(len(each), rank) for rank, each in enumerate(given)]
    heapq.heapify(waiting)
    while waiting:
        count, rank = heapq.heappop(waiting)
        following = next(slices[rank], None)
        if following is not None:
            yield following
            heapq.heappush(waiting, (count + 1, rank))


def _volume(
    pool: Pool, code: int, answered: Sequence[tuple[int, float]], rank: int, start: float
) -> Iterator[int]:
    """All slices of a volume, its planes in turn, each stack spread over its height."""
    rows = np.arange(*run_of(pool.volume, code))
    stacks = [
        _Stack(pool, rows[pool.plane[rows] == plane], [mm for at, mm in answered if at == plane])
        for plane in np.unique(pool.plane[rows])
    ]
    while stacks:
        turns = np.roll(np.arange(len(stacks)), -(rank % len(stacks)))
        turn = int(min(turns, key=lambda each: stacks[each].given))
        yield stacks[turn].take(start)
        if not stacks[turn].left:
            del stacks[turn]


class _Stack:
    """The slices of a volume in one plane, as a ring.

    Attributes:
        given: How many slices of it are answered or chosen.
        left: How many are not.
    """

    def __init__(self, pool: Pool, rows: Rows, answered_mm: Sequence[float]) -> None:
        self._rows, self._mm = rows, pool.position_mm[rows].astype(np.float64)
        self._low = float(min([self._mm.min(), *answered_mm]))
        high = float(max([self._mm.max(), *answered_mm]))
        self._round = max(high - self._low, 1e-6)
        self._known = sorted(mm - self._low for mm in answered_mm)
        self.given, self.left = len(self._known), int(rows.size)

    def take(self, start: float) -> int:
        """The row of the next slice; `start` is where the first one lies, 0 to 1."""
        place = start * self._round
        if self._known:
            following = [*self._known[1:], self._known[0] + self._round]
            gaps = np.subtract(following, self._known)
            widest = int(gaps.argmax())
            place = (self._known[widest] + gaps[widest] / 2) % self._round
        nearest = int(np.argmin(np.abs(self._mm - self._low - place)))
        insort(self._known, float(self._mm[nearest]) - self._low)
        self._mm[nearest] = np.inf
        self.given, self.left = self.given + 1, self.left - 1
        return int(self._rows[nearest])
