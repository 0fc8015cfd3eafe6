"""Filling a batch by frozen features alone: what the rules for that share.

A rule is shown a `Look`, some slices of the pool, and takes from it; then it is shown another one,
until nothing fits the budget. The first look already uses up nearly all of it, unless the pool
is so large that a look is a sample. What is annotated, or in the batch from an earlier look,
counts as known. Slices that are nearly empty are in no look: they come last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import nearly_empty, reduced
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.one_shot import MOST_ROWS

__all__ = ["MORE", "Look", "Rule", "known_features", "look_by_look", "slices"]

Features: TypeAlias = npt.NDArray[np.float32]
Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]

MORE = "one more, as all kinds of slices are represented"

EMPTY = "nearly empty, and nothing fuller fits"


class Look:
    """Slices that a rule may take now; they are called by their place in the look.

    Args:
        batch: To be filled.
        rows: `[n]` rows of the pool, ascending, n at least 1; each of them fits by itself.
        features: `[n, D]`, theirs.
        known: `[m, D]`, those of the annotated slices and of the batch.
        information: `[n]`, how much there is to see, above 0.
        times: For how many slices of the pool each of them stands.
        rng: Decides between equals; the rule's only source of chance.

    Attributes:
        seed: Of a clustering.
    """

    def __init__(
        self,
        batch: Batch,
        rows: Rows,
        features: Features,
        known: Features,
        information: Floats,
        times: float,
        rng: np.random.Generator,
    ) -> None:
        self.batch = batch
        self.rows = rows
        self.features = features
        self.known = known
        self.information = information
        self.times = times
        self.rng = rng
        self.seed = int(rng.integers(2**31))
        self._tie = rng.permutation(rows.size)
        self._given = _given(batch)

    def points(self) -> tuple[Floats, Floats]:
        """Where the slices lie, `[n, d]`, and where what is known lies, `[m, d]` (`reduced`)."""
        every = np.concatenate([self.features, self.known]).astype(np.float64)
        found = reduced(every, self.seed)
        return found[: self.rows.size], found[self.rows.size :]

    def free(self, places: Rows) -> Rows:
        """Those of the places that nobody has taken."""
        left: Rows = places[self.batch.free[self.rows[places]]]
        return left

    def best(self, worth: npt.NDArray[np.number], places: Rows | None = None) -> int | None:
        """The place of the most worth that can be taken next; None where there is none.

        Equals are decided by their volumes: the one that has given least so far, annotated slices
        included, as slices of many volumes teach more; then by chance.

        Args:
            worth: `[n]`.
            places: Those to choose among; all where not given.
        """
        able = self.free(np.arange(self.rows.size) if places is None else places)
        able = able[self.batch.cost_ms(self.rows[able]) <= self.batch.left_ms]
        if able.size == 0:
            return None
        top = able[worth[able] == worth[able].max()]
        given = self._given[self.batch.pool.volume[self.rows[top]]]
        return int(top[np.lexsort((self._tie[top], given))[0]])

    def take(self, place: int, value: float, why: str) -> None:
        """Put a slice that can be taken into the batch; args as in `Batch.take`."""
        row = int(self.rows[place])
        if self.batch.take(row, value, why):
            self._given[self.batch.pool.volume[row]] += 1

    def fill(self, worth: npt.NDArray[np.number], value: float, why: str) -> None:
        """Take slices by falling worth, `[n]`, until none fits."""
        while (place := self.best(worth)) is not None:
            self.take(place, value, why)


Rule: TypeAlias = Callable[[Look], str]
"""Takes at least one slice of a look, and says in a line what is proven of that, or nothing."""


def look_by_look(
    pool: Pool, budget_s: float, rng: np.random.Generator, name: str, rule: Rule
) -> Chosen:
    """The batch of a rule.

    Args:
        pool: What there is to choose from.
        budget_s: Seconds that the batch may cost in all.
        rng: The only source of chance.
        name: Of the strategy, for errors.
        rule: Takes slices; what it says of the first look becomes the note.

    Raises:
        ValueError: If the pool or what is annotated has no features.
    """
    features, known = known_features(pool, name)
    batch = Batch(pool, budget_s)
    if not len(pool):
        return Chosen(())
    information = pool.information
    if information is None:
        information = np.ones(len(pool), dtype=np.float32)
    weight = np.maximum(information.astype(np.float64), np.finfo(np.float32).tiny)
    empty = nearly_empty(information)
    notes: list[str] = []
    left = np.flatnonzero(~empty)
    while True:
        left = left[batch.free[left] & (batch.cost_ms(left) <= batch.left_ms)]
        if left.size == 0:
            break
        rows = left
        if left.size > MOST_ROWS:
            rows = np.sort(rng.choice(left, MOST_ROWS, replace=False))
        seen = np.concatenate([known, features[np.array(batch.rows, dtype=np.intp)]])
        look = Look(batch, rows, features[rows], seen, weight[rows], left.size / rows.size, rng)
        notes.append(rule(look))
    poor = np.flatnonzero(empty)
    batch.fill(poor[np.argsort(-weight[poor], kind="stable")], np.zeros(len(pool)), EMPTY)
    return Chosen(batch.choices(), notes[0] if notes else "")


def known_features(pool: Pool, name: str) -> tuple[Features, Features]:
    """The features of the pool, `[N, D]`, and of what is annotated, `[A, D]`.

    Raises:
        ValueError: If nobody computed them.
    """
    if pool.features is None:
        raise ValueError(f"{name} needs the features of the pool")
    if pool.annotated_features is not None:
        return pool.features, pool.annotated_features
    if pool.annotated:
        raise ValueError(f"{name} needs the features of the annotated slices")
    return pool.features, pool.features[:0]


def slices(count: float, times: float, kind: str = "") -> str:
    """A number of slices in words, where each that was looked at stands for so many.

    ``1 slice``, ``12 similar slices``, ``about 34 slices``.
    """
    found = f"{count * times:.0f}"
    noun = "slice" if found == "1" else "slices"
    return " ".join(part for part in ("about" if times > 1 else "", found, kind, noun) if part)


def _given(batch: Batch) -> npt.NDArray[np.int64]:
    """How many slices each volume has given, annotated or in the batch, `[volumes]`."""
    pool = batch.pool
    number = {name: code for code, name in enumerate(pool.volumes)}
    annotated = [number[name] for name, _, _ in pool.annotated if name in number]
    chosen = pool.volume[np.array(batch.rows, dtype=np.intp)]
    codes = np.concatenate([np.array(annotated, dtype=np.intp), chosen.astype(np.intp)])
    return np.bincount(codes, minlength=len(pool.volumes)).astype(np.int64)
