"""The accounting that every sampler shares: seconds, budget, order of the answers.

Seconds are counted in whole milliseconds, as the knapsack counts them (`optimise.goods`): what a
solver packed always fits here, and no budget is exceeded by a rounding error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.candidates import Candidate, Choice, Chosen, Pool
from activeseg.sampling.optimise.goods import Integers, budget_ms, counted_ms
from activeseg.sampling.reasons import reason

__all__ = ["Batch", "descending", "highest"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Rows: TypeAlias = npt.NDArray[np.intp]

_LOOK = 64
"""Rows that are looked at first for the next one that fits; then twice as many, and so on."""


@dataclass(frozen=True)
class _Pick:
    row: int
    value: float
    why: str
    audit: bool


class Batch:
    """A batch under construction: what is in it, and what is left of the budget.

    Args:
        pool: What there is to choose from.
        budget_s: Seconds that the batch may cost in all.

    Attributes:
        pool: As given.
        free: `[N]` whether a slice is not in the batch yet.
        left_ms: What is left of the budget, in milliseconds.
    """

    def __init__(self, pool: Pool, budget_s: float) -> None:
        self.pool = pool
        self.free = np.ones(len(pool), dtype=bool)
        self.left_ms = budget_ms(budget_s)
        self._ms = counted_ms(pool.seconds)
        self._least_ms = int(self._ms.min(initial=self.left_ms + 1))
        self._first_ms = int(counted_ms(np.array([pool.first_slice_s]))[0])
        self._opened = np.zeros(len(pool.volumes), dtype=bool)
        self._picks: dict[int, list[_Pick]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._picks.values()))

    @property
    def rows(self) -> list[int]:
        """The slices in the batch, in no order that means anything."""
        return [pick.row for picks in self._picks.values() for pick in picks]

    def opening_ms(self, rows: Rows) -> Integers:
        """What opening each slice's volume would cost next: the overhead or nothing."""
        opened = self._opened[self.pool.volume[rows]]
        return np.where(opened, 0, self._first_ms).astype(np.int64)

    def cost_ms(self, rows: Rows) -> Integers:
        """What each slice would cost next: its own time and, to open its volume, the overhead."""
        cost: Integers = self._ms[rows] + self.opening_ms(rows)
        return cost

    def audit_ms(self, row: int) -> int:
        """What a slice would cost next if it were shown blank."""
        rows = np.array([row])
        if self.pool.blank_seconds is None:
            return int(self.cost_ms(rows)[0])
        own = counted_ms(self.pool.blank_seconds[rows])
        return int((own + self.opening_ms(rows))[0])

    def take(self, row: int, value: float, why: str = "", audit: bool = False) -> bool:
        """Put a slice into the batch if it fits.

        Args:
            row: A slice that is not in the batch yet.
            value: What it is ranked by.
            why: What the strategy adds to the reason (`activeseg.sampling.reasons`).
            audit: Whether it is shown blank, to check the estimate.

        Returns:
            Whether it fitted.
        """
        ms = self.audit_ms(row) if audit else int(self.cost_ms(np.array([row]))[0])
        if ms > self.left_ms:
            return False
        volume = int(self.pool.volume[row])
        self.left_ms -= ms
        self.free[row] = False
        self._opened[volume] = True
        self._picks.setdefault(volume, []).append(_Pick(row, value, why, audit))
        return True

    def next_fitting(self, order: Rows, start: int, left_ms: int) -> int:
        """The place in `order`, from `start` on, of the first free slice that fits `left_ms`.

        Returns:
            The length of `order` if there is none.
        """
        look = _LOOK
        if left_ms < self._least_ms:  # a spent budget: no need to look through millions
            return int(order.size)
        while start < order.size:
            rows = order[start : start + look]
            fits = self.free[rows] & (self.cost_ms(rows) <= left_ms)
            if fits.any():
                return start + int(fits.argmax())
            start, look = start + look, 2 * look
        return int(order.size)

    def fill(
        self,
        order: Rows,
        values: Floats,
        why: str = "",
        taken: Callable[[int], None] | None = None,
    ) -> None:
        """Take slices in this order, passing over those that do not fit.

        Args:
            order: Rows, each once.
            values: `[N]`, what each slice of the pool is ranked by.
            why: As in `take`.
            taken: Called with each row that is taken; it may take others along.
        """
        place = self.next_fitting(order, 0, self.left_ms)
        while place < order.size:
            row = int(order[place])
            self.take(row, float(values[row]), why)
            if taken is not None:
                taken(row)
            # What does not fit now never will: opening its volume costs what it would save.
            place = self.next_fitting(order, place + 1, self.left_ms)

    def choices(self) -> tuple[Choice, ...]:
        """The batch in the order of answering.

        Slices of one volume follow each other by plane and index; the volume with the most value
        per second comes first (as they were opened, where those are equal), so whoever stops
        early has done what was worth most. The first slice of each volume carries the overhead.
        """
        ranked = sorted(self._picks.values(), key=lambda picks: -self._value_per_second(picks))
        return tuple(choice for picks in ranked for choice in self._volume(picks))

    def _value_per_second(self, picks: list[_Pick]) -> float:
        seconds = sum(self._seconds(pick) for pick in picks) + self.pool.first_slice_s
        return sum(pick.value for pick in picks) / seconds

    def _volume(self, picks: list[_Pick]) -> list[Choice]:
        found = []
        for place, pick in enumerate(sorted(picks, key=lambda pick: pick.row)):
            candidate = self._candidate(pick)
            seconds = candidate.seconds + (0.0 if place else self.pool.first_slice_s)
            sentence = reason(candidate, seconds, pick.why, pick.audit)
            found.append(Choice(candidate, seconds, sentence, pick.value, pick.audit))
        return found

    def _candidate(self, pick: _Pick) -> Candidate:
        candidate = self.pool.candidate(pick.row)
        if not pick.audit:
            return candidate
        return replace(candidate, how="draw", seconds=self._seconds(pick))

    def _seconds(self, pick: _Pick) -> float:
        blank = self.pool.blank_seconds
        seconds = blank if pick.audit and blank is not None else self.pool.seconds
        return float(seconds[pick.row])


def highest(pool: Pool, budget_s: float, values: Floats, rng: np.random.Generator) -> Chosen:
    """The slices of the highest values, whatever they cost; what does not fit is passed over.

    Args:
        pool: What there is to choose from.
        budget_s: Seconds that the batch may cost in all.
        values: `[N]`.
        rng: Decides between equals.
    """
    batch = Batch(pool, budget_s)
    batch.fill(descending(values, rng), values)
    return Chosen(batch.choices())


def descending(values: Floats, rng: np.random.Generator) -> Rows:
    """The rows by falling value, `[N]`; equals in a random order."""
    order = rng.permutation(values.size)
    found: Rows = order[np.argsort(-values[order], kind="stable")]
    return found
