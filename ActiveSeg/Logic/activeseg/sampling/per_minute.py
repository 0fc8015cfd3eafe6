"""Value per minute: the most worthwhile seconds first, spread over volumes and positions.

What a slice is worth falls next to an annotated slice, and with every slice that its volume has
in the batch already: the first-slice overhead alone would keep a whole batch in a few volumes,
while spread slices teach more (METHODS 1.3: Burmeister 2022, Zhang 2025).
"""

from __future__ import annotations

import heapq
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.errors import ProjectError
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool, run_of
from activeseg.sampling.redundancy import left_by_annotated, nearest_annotated_mm, redundancy

__all__ = ["by_energy", "by_uncertainty", "fill_per_minute"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Rows: TypeAlias = npt.NDArray[np.intp]
Entry: TypeAlias = tuple[float, int]
"""Of the heap: minus the value per millisecond of a volume's best slice, and that slice's rank."""


def by_uncertainty(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """`fill_per_minute` by the entropy round the predicted edge (`Scored.uncertainty`).

    Raises:
        ValueError: If no model has scored the pool.
    """
    batch = Batch(pool, budget_s)
    fill_per_minute(batch, pool.model_scores().uncertainty, rng)
    return Chosen(batch.choices())


def by_energy(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """`fill_per_minute` by how unlike what the model learned from a slice is (`Scored.energy`).

    The free energy of a network's logits is high where its input lies far from its training data
    (Liu et al., NeurIPS 2020); as a choice of what shows a shift: Xie et al., EADA, AAAI 2022.
    It counts as far as the slice shows a structure: what is strange beyond the structures' ends
    is strange to any model, and a batch of it teaches the network to find nothing.

    Raises:
        ValueError: If no model has scored the pool. ProjectError: If the model has no energy.
    """
    scored = pool.model_scores()
    energy = scored.energy
    if energy is None:
        raise ProjectError(
            "this model answers with probabilities and has no energy; choose with --strategy clue "
            "or entropy-band"
        )
    batch = Batch(pool, budget_s)
    fill_per_minute(batch, energy * np.clip(scored.shown, 0.0, 1.0).max(axis=0, initial=0.0), rng)
    return Chosen(batch.choices())


def fill_per_minute(batch: Batch, values: Floats, rng: np.random.Generator) -> None:
    """Greedy on value / seconds until nothing fits the budget.

    The seconds are the slice's, and the first-slice overhead while its volume is not in the
    batch; the value falls by `redundancy` with the distance to the nearest slice of the same
    volume and plane that is annotated or in the batch, and is divided by one more than the number
    of slices that the volume has in the batch. Slices of equal worth are taken in a random order.

    Args:
        batch: What is in it already counts as chosen.
        values: `[N]`, not negative.
        rng: Decides between equals.
    """
    if values.size == 0:
        return
    order = rng.permutation(values.size)
    rank = np.empty_like(order)
    rank[order] = np.arange(values.size)
    stacks = _Volumes(batch, values, rank)
    # Lazy greedy: an entry of the heap is the best of its volume when that was last looked at.
    # What is left of the budget only shrinks, so an entry can only be too good, never too bad.
    heap = stacks.entries()
    heapq.heapify(heap)
    while heap:
        row = int(order[heapq.heappop(heap)[1]])
        volume = stacks.volume(int(batch.pool.volume[row]))
        if batch.take(row, float(volume.worth[row - volume.first])):
            volume.remove(row)
        entry = volume.best()
        if entry is not None:
            heapq.heappush(heap, entry)


class _Volume:
    """The slices of one volume, with what each is worth at present."""

    def __init__(
        self, batch: Batch, rows: Rows, values: Floats, nearest_mm: Floats, rank: Rows
    ) -> None:
        self.first = int(rows[0])
        self._batch = batch
        self._rows = rows
        self._values = values
        self._nearest_mm = nearest_mm
        self._rank = rank
        self._taken = 0
        self.worth = values * redundancy(nearest_mm, batch.pool.redundancy_mm)

    def remove(self, row: int) -> None:
        """Let a slice of the batch count against the others."""
        pool, place = self._batch.pool, row - self.first
        distance = np.abs(pool.position_mm[self._rows] - pool.position_mm[row])
        distance[pool.plane[self._rows] != pool.plane[row]] = np.inf
        self._nearest_mm = np.minimum(self._nearest_mm, distance)
        self._nearest_mm[place] = 0.0
        self._taken += 1
        left = redundancy(self._nearest_mm, pool.redundancy_mm)
        self.worth = self._values * left / (1 + self._taken)

    def best(self) -> Entry | None:
        """The volume's entry; None if nothing of it fits."""
        cost = self._batch.cost_ms(self._rows)
        able = np.flatnonzero(self._batch.free[self._rows] & (cost <= self._batch.left_ms))
        if able.size == 0:
            return None
        rate = self.worth[able] / cost[able]
        best = float(rate.max())
        return -best, int(self._rank[able[rate == best]].min())


class _Volumes:
    """All volumes of a pool; each is only looked at closely when it is the best one."""

    def __init__(self, batch: Batch, values: Floats, rank: Rows) -> None:
        self._batch = batch
        self._values = values
        self._rank = rank
        self._nearest_mm = nearest_annotated_mm(batch.pool)
        self._starts = np.flatnonzero(np.diff(batch.pool.volume, prepend=-1))
        self._known: dict[int, _Volume] = {}
        for row in batch.rows:
            self.volume(int(batch.pool.volume[row])).remove(row)

    def volume(self, code: int) -> _Volume:
        """The volume of a number."""
        if code not in self._known:
            rows = np.arange(*run_of(self._batch.pool.volume, code))
            self._known[code] = _Volume(
                self._batch,
                rows,
                self._values[rows],
                self._nearest_mm[rows],
                self._rank[rows],
            )
        return self._known[code]

    def entries(self) -> list[Entry]:
        """One of each volume of which anything fits."""
        batch, pool = self._batch, self._batch.pool
        worth = self._values * left_by_annotated(pool)
        cost = batch.cost_ms(np.arange(len(pool)))
        rate = np.where(batch.free & (cost <= batch.left_ms), worth / cost, -1.0)
        best = np.maximum.reduceat(rate, self._starts)
        size = np.diff(np.append(self._starts, len(pool)))
        ranks = np.where(rate == np.repeat(best, size), self._rank, len(pool))
        first = np.minimum.reduceat(ranks, self._starts)
        fresh = best >= 0
        fresh &= ~np.isin(pool.volume[self._starts], list(self._known))
        found = list(zip((-best[fresh]).tolist(), first[fresh].tolist(), strict=True))
        known = (volume.best() for volume in self._known.values())
        return found + [entry for entry in known if entry is not None]
