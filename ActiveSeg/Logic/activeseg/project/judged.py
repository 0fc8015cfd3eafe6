"""What earlier proposals turned out to be: the answers that the Dice estimate learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from activeseg.keys import SliceKey
from activeseg.project.folder import Project
from activeseg.project.score_file import open_scores
from activeseg.project.score_table import ScoreRows, mean_sizes
from activeseg.quality import (
    EVIDENCE,
    DiceEstimator,
    Judged,
    Trend,
    islands_at_least,
    sizes_over,
    trust_in,
)

__all__ = ["DiceLedger", "JudgedSlice", "with_trend"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class JudgedSlice:
    """A proposal and what came of it.

    Attributes:
        key: The slice.
        round: The round whose model proposed.
        dice: Dice with the answer by the structure's name; None where neither has it.
        expected: What had been expected of the slice; None if nothing.
        audit: Whether the slice was drawn by chance.
        islands: Parts of the proposal that are no part of what they were proposed as; None of an
            answer by an earlier version, which did not count them.
    """

    key: SliceKey
    round: int
    dice: Mapping[str, float | None]
    expected: float | None
    audit: bool
    islands: int | None = None

    @property
    def mean(self) -> float | None:
        """Mean Dice over the structures that either mask has; None if there is none."""
        known = [float(value) for value in self.dice.values() if value is not None]
        return sum(known) / len(known) if known else None


class DiceLedger:
    """All judged proposals of a project, with the evidence that there was.

    Args:
        project: The project; its folder is read once.

    Raises:
        ProjectError: If a file is damaged.
    """

    def __init__(self, project: Project) -> None:
        self._names = [structure.name for structure in project.structures]
        self._rounds: list[int] = []
        newest: dict[tuple[SliceKey, int], JudgedSlice] = {}
        for annotation in project.all_annotations():
            shown = annotation.shown
            self._rounds.append(0 if shown is None else int(shown["round"]))
            if shown is None or shown["dice"] is None:
                continue
            found = JudgedSlice(
                annotation.key,
                int(shown["round"]),
                shown["dice"],
                shown["expected_dice"],
                bool(shown["audit"]),
                shown.get("islands"),
            )
            newest[found.key, found.round] = found  # a revised answer judges the proposal anew
        self.slices = list(newest.values())
        files = {each.number: each for each in project.rounds() if each.scores.is_file()}
        used = sorted({each.round for each in self.slices} & set(files))
        self._tables = {number: open_scores(files[number]) for number in used}

    @property
    def trust(self) -> float:
        """How far what was expected of the slices may decide, 0 to 1 (`activeseg.quality`)."""
        known = [(each.expected, each.mean) for each in self.slices]
        pairs = [(e, d) for e, d in known if e is not None and d is not None]
        expected, actual = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        return trust_in(expected, actual)

    @property
    def islands(self) -> float:
        """False islands of a proposal, at the least (`activeseg.quality.islands_at_least`)."""
        return islands_at_least([s.islands for s in self.slices if s.islands is not None])

    def trend(self, structure: int, before: int) -> float:
        """The Dice of a structure that the rounds before one let expect of it; NaN if none does."""
        rounds = [number for number in self._tables if number < before]
        points = [(self._amount(r), self._mean(structure, r)) for r in rounds]
        known = [(n, dice) for n, dice in points if n > 0 and dice is not None]
        if not known:
            return float("nan")
        return Trend.fit(*zip(*known, strict=True)).at(self._amount(before))

    def _amount(self, number: int) -> int:
        """How many answers there were before a round."""
        return sum(each < number for each in self._rounds)

    def learn(self, several_views: bool) -> DiceEstimator:
        """An estimator that knows all of it."""
        parts = [self._judged(number, table) for number, table in self._tables.items()]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        if not columns:
            return self.prior(several_views)
        return DiceEstimator.learn(Judged(*columns), several_views)

    @staticmethod
    def prior(several_views: bool) -> DiceEstimator:
        """An estimator that knows none of it."""
        none = np.zeros(0)
        flags, ages = none.astype(bool), none.astype(int)
        evidence = np.zeros((0, len(EVIDENCE)))
        empty = Judged(evidence, none, none.astype(str), none, flags, ages)
        return DiceEstimator.learn(empty, several_views)

    def _mean(self, structure: int, number: int) -> float | None:
        name = self._names[structure]
        found = [s.dice.get(name) for s in self.slices if s.round == number]
        known = [value for value in found if value is not None]
        return sum(known) / len(known) if known else None

    def _judged(self, number: int, table: ScoreRows) -> tuple[npt.NDArray[np.generic], ...]:
        """The judged slices of one round: evidence, size, volume, Dice, audit, age."""
        row_of = table.find([s.key for s in self.slices if s.round == number])
        slices = [s for s in self.slices if s.round == number and s.key in row_of]
        where = np.array([row_of[each.key] for each in slices], dtype=int)
        of = len(self._names)
        stored = np.zeros((0, of, len(EVIDENCE) - 1)), np.zeros((0, of))
        if slices:
            columns = table.take(where, "evidence", "size")
            stored = columns["evidence"].astype(np.float64), columns["size"].astype(np.float64)
        size = sizes_over(stored[1], mean_sizes(table))
        evidence = with_trend(stored[0], self, number)
        dice = np.array(
            [[_or_nan(each.dice.get(name)) for name in self._names] for each in slices]
        ).reshape(len(slices), of)
        volume = np.repeat([each.key.volume for each in slices], of)
        audit = np.repeat(np.array([each.audit for each in slices], dtype=bool), of)
        flat = evidence.reshape(-1, len(EVIDENCE))
        age = np.full(len(flat), max(self._tables) - number)
        return flat, size.ravel(), volume.astype(str), dice.ravel(), audit, age


def with_trend(evidence: Floats, ledger: DiceLedger, number: int) -> Floats:
    """Evidence `[n, structures, stored]` of a round's slices with the trend as last column."""
    count, structures, _ = evidence.shape
    trends = np.array([ledger.trend(structure, number) for structure in range(structures)])
    column = np.broadcast_to(trends[None, :, None], (count, structures, 1))
    return np.concatenate([evidence, column], axis=2)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else float(value)
