"""Slices evenly over all volumes and positions: the simplest baseline that is hard to beat."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool, run_of

__all__ = ["strided_slices"]

Rows: TypeAlias = npt.NDArray[np.intp]

_GOLDEN = (5**0.5 - 1) / 2


def strided_slices(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Slices evenly over all volumes and positions.

    One slice of each volume (least annotated first, else in a seeded order), then a second of
    each, and so on; a volume's planes take turns. The positions within a volume halve the gaps
    (0, 1/2, 1/4, 3/4, ... of the stack, shifted round its end) and the shift moves by the golden
    ratio from one volume to the next, so that few slices already cover every height.
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
    answered = Counter(volume for volume, _, _ in pool.annotated)
    order = rng.permutation(codes)
    slices = [
        _volume(pool, int(code), rank, (shift + rank * _GOLDEN) % 1)
        for rank, code in enumerate(order)
    ]
    waiting = [(answered[pool.volumes[int(code)]], rank) for rank, code in enumerate(order)]
    heapq.heapify(waiting)
    while waiting:
        count, rank = heapq.heappop(waiting)
        following = next(slices[rank], None)
        if following is not None:
            yield following
            heapq.heappush(waiting, (count + 1, rank))


def _volume(pool: Pool, code: int, rank: int, shift: float) -> Iterator[int]:
    """All slices of a volume, its planes in turn, each stack spread over its height."""
    rows = np.arange(*run_of(pool.volume, code))
    planes = np.unique(pool.plane[rows])
    stacks = [rows[pool.plane[rows] == plane] for plane in np.roll(planes, -(rank % planes.size))]
    left = [pool.position_mm[stack].copy() for stack in stacks]
    bounds = [(float(mm.min()), float(mm.max())) for mm in left]
    for step in range(rows.size):
        fraction = (shift + _halving(step)) % 1
        for stack, mm, (low, high) in zip(stacks, left, bounds, strict=True):
            if step < stack.size:
                nearest = int(np.argmin(np.abs(mm - (low + fraction * (high - low)))))
                mm[nearest] = np.inf
                yield int(stack[nearest])


def _halving(step: int) -> float:
    """The van der Corput sequence to base 2: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    value, unit = 0.0, 0.5
    while step:
        value += unit * (step & 1)
        step >>= 1
        unit /= 2
    return value
