"""Value per minute: the most worthwhile seconds first, spread over volumes and positions.

What a slice is worth falls next to an annotated slice, and with every slice that its volume has
in the batch already: the first-slice overhead alone would keep a whole batch in a few volumes,
while spread slices teach more (METHODS 1.3: Burmeister 2022, Zhang 2025).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from activeseg.keys import Plane
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Annotated, Candidate, Choice, Pool

__all__ = ["choose_per_minute", "per_minute", "redundancy"]


def redundancy(
    distance_mm: npt.NDArray[np.float64], redundancy_mm: float
) -> npt.NDArray[np.float64]:
    """What is left of a slice's value next to an annotated one: 1 - exp(-(d / r)^2).

    Args:
        distance_mm: Distance to the nearest annotated or chosen slice of the same volume and
            plane; infinite where there is none.
        redundancy_mm: The distance at which 63 % of the value is left.
    """
    # expm1 keeps the digits of small distances, where 1 - exp(-x) would lose them.
    left: npt.NDArray[np.float64] = -np.expm1(-np.square(distance_mm / redundancy_mm))
    return left


def per_minute(pool: Pool, budget_s: float, rng: np.random.Generator) -> list[Choice]:
    """`choose_per_minute` as a sampler."""
    return choose_per_minute(
        pool.candidates, budget_s, pool.first_slice_s, pool.redundancy_mm, rng, pool.annotated
    )


def choose_per_minute(
    candidates: Sequence[Candidate],
    budget_s: float,
    first_slice_s: float,
    redundancy_mm: float,
    rng: np.random.Generator,
    annotated: Sequence[Annotated] = (),
) -> list[Choice]:
    """Greedy on value / seconds until nothing fits the budget.

    The seconds are the candidate's, and the first-slice overhead while its volume is not in the
    batch; the value falls by `redundancy` with the distance to the nearest slice of the same
    volume and plane that is annotated or in the batch, and is divided by one more than the number
    of slices that the volume has in the batch. Slices of equal worth are taken in the
    order of their keys after a seeded shuffle, so the order of the arguments does not matter.

    Args:
        candidates: The pool, in any order.
        budget_s: Seconds that the batch may cost.
        first_slice_s: Overhead of the first slice of a volume.
        redundancy_mm: How far a slice speaks for its neighbours.
        rng: Decides between equals.
        annotated: Slices that are annotated already.
    """
    volumes = _volumes(candidates, redundancy_mm, rng, annotated)
    batch = Batch(budget_s, first_slice_s)
    # Lazy greedy: an entry of the heap is the best of its volume when that was last looked at.
    # What is left of the budget only shrinks, so an entry can only be too good, never too bad.
    heap = [
        entry
        for volume in volumes
        if (entry := volume.best(batch.left_s, first_slice_s)) is not None
    ]
    heapq.heapify(heap)
    by_name = {volume.name: volume for volume in volumes}
    while heap:
        _, _, name, row = heapq.heappop(heap)
        volume = by_name[name]
        chosen, value = volume.rows[row], float(volume.worth[row])
        if batch.take(chosen, value, _why(chosen)):
            volume.remove(row)
        entry = volume.best(batch.left_s, batch.opens(name))
        if entry is not None:
            heapq.heappush(heap, entry)
    return batch.choices()


class _Volume:
    """The candidates of one volume, with what each is worth at present."""

    def __init__(
        self, name: str, rows: list[Candidate], ranks: list[int], redundancy_mm: float
    ) -> None:
        self.name = name
        self.rows = rows
        self._ranks = np.array(ranks)
        self._redundancy_mm = redundancy_mm
        self._value = np.array([c.value for c in rows])
        self._seconds = np.array([c.seconds for c in rows])
        self._mm = np.array([c.position_mm for c in rows])
        self._plane = np.array([c.key.plane.value for c in rows])
        self._nearest = np.full(len(rows), np.inf)
        self._free = np.ones(len(rows), dtype=bool)
        self._taken = 0
        self.worth = self._value.copy()

    def near(self, plane: Plane, position_mm: float) -> None:
        """Let a slice that is annotated or chosen count against its neighbours."""
        distance = np.abs(self._mm - position_mm)
        distance[self._plane != plane.value] = np.inf
        self._nearest = np.minimum(self._nearest, distance)
        left = redundancy(self._nearest, self._redundancy_mm)
        self.worth = self._value * left / (1 + self._taken)

    def remove(self, row: int) -> None:
        """Take a slice into the batch."""
        self._free[row] = False
        self._taken += 1
        self.near(self.rows[row].key.plane, self.rows[row].position_mm)

    def best(self, left_s: float, opens_s: float) -> tuple[float, int, str, int] | None:
        """The heap's entry (minus value per second, rank, name, row); None if nothing fits."""
        seconds = self._seconds + opens_s
        rows = np.flatnonzero(self._free & (seconds <= left_s))
        if rows.size == 0:
            return None
        rate = self.worth[rows] / seconds[rows]
        # Rows are in the order of their ranks, and argmax returns the first of equals.
        row = int(rows[np.argmax(rate)])
        return -float(rate.max()), int(self._ranks[row]), self.name, row


def _volumes(
    candidates: Sequence[Candidate],
    redundancy_mm: float,
    rng: np.random.Generator,
    annotated: Sequence[Annotated],
) -> list[_Volume]:
    ordered = sorted(candidates, key=lambda c: c.key)
    rows: dict[str, list[Candidate]] = {}
    ranks: dict[str, list[int]] = {}
    for rank, place in enumerate(rng.permutation(len(ordered))):
        candidate = ordered[place]
        rows.setdefault(candidate.key.volume, []).append(candidate)
        ranks.setdefault(candidate.key.volume, []).append(rank)
    volumes = {name: _Volume(name, rows[name], ranks[name], redundancy_mm) for name in rows}
    for name, plane, position_mm in annotated:
        if name in volumes:
            volumes[name].near(plane, position_mm)
    return list(volumes.values())


def _why(candidate: Candidate) -> str:
    facts = []
    if candidate.entropy is not None:
        facts.append(f"entropy {candidate.entropy:.2f}")
    if candidate.expected_dice is not None:
        facts.append(f"expected Dice {candidate.expected_dice:.2f}")
    known = ", ".join(facts) if facts else f"value {candidate.value:.2f}"
    return f"uncertain round the predicted edge: {known}"
