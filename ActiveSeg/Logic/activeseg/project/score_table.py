"""The scores of all slices of a round, read part by part: millions of rows are never all here.

A table is asked for columns by name: those of `activeseg.project.predictions.Scores`, and
``volume``. Words come as `Coded`. A part holds whole volumes; the order of the volumes is that in
which they were scored and means nothing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from activeseg.keys import Plane, SliceKey
from activeseg.project.predictions import Scores
from activeseg.sampling import Coded

__all__ = ["WORDS", "Column", "Doubts", "ScorePart", "ScoreRows", "ScoreTable", "mean_sizes"]

WORDS = ("volume", "plane", "how", "doubt")
"""The columns that hold words."""

Column = npt.NDArray[Any] | Coded
Rows = npt.NDArray[np.integer]


@dataclass(frozen=True)
class ScorePart:
    """Some rows of a table that follow each other.

    Attributes:
        first: The row of the table that comes first.
        columns: Those that were asked for.
    """

    first: int
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @property
    def rows(self) -> slice:
        """Where the part lies in the table."""
        return slice(self.first, self.first + len(self))

    def words(self, name: str) -> Coded:
        """A column of words."""
        found = self.columns[name]
        assert isinstance(found, Coded)  # as `WORDS` says
        return found

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """A column of numbers or truth values."""
        found = self.columns[name]
        assert not isinstance(found, Coded)  # as `WORDS` says
        return found

    def floats(self, name: str) -> npt.NDArray[np.float64]:
        """A column of numbers in double precision, to reckon with."""
        return self.numbers(name).astype(np.float64, copy=False)


class ScoreRows(ABC):
    """A table of scores; what it holds is `read` group by group."""

    @abstractmethod
    def sizes(self) -> Sequence[int]:
        """Rows of each group; a volume's rows lie in one group."""

    @abstractmethod
    def read(self, group: int, names: Sequence[str]) -> Mapping[str, Column]:
        """The named columns of a group.

        Raises:
            ProjectError: If the table is damaged.
        """

    def __len__(self) -> int:
        return sum(self.sizes())

    def parts(self, *names: str) -> Iterator[ScorePart]:
        """The table in parts, with these columns alone."""
        first = 0
        for group, size in enumerate(self.sizes()):
            if size:
                yield ScorePart(first, self.read(group, names))
            first += size

    def take(self, rows: Rows, *names: str) -> Mapping[str, npt.NDArray[Any]]:
        """Columns of numbers of some rows, in the order of `rows`; other groups are not read."""
        starts = np.array([0, *accumulate(self.sizes())])
        group = np.searchsorted(starts, rows, side="right") - 1
        found: dict[str, npt.NDArray[Any]] = {}
        for number in np.unique(group).tolist():
            here = np.flatnonzero(group == number)
            part = ScorePart(int(starts[number]), self.read(number, names))
            for name in names:
                values = part.numbers(name)[rows[here] - part.first]
                whole = found.setdefault(
                    name, np.empty((len(rows), *values.shape[1:]), values.dtype)
                )
                whole[here] = values
        return found

    def find(self, keys: Collection[SliceKey]) -> dict[SliceKey, int]:
        """The rows of some slices; those that the table does not hold are left out."""
        wanted, found = set(keys), dict[SliceKey, int]()
        volumes = {key.volume for key in wanted}
        for part in self.parts("volume", "plane", "index"):
            volume, plane = part.words("volume"), part.words("plane")
            theirs = np.array([word in volumes for word in volume.words])
            for row in np.flatnonzero(theirs[volume.codes]).tolist():
                key = SliceKey(volume[row], Plane(plane[row]), int(part.numbers("index")[row]))
                if key in wanted:
                    found[key] = part.first + row
        return found


@dataclass(frozen=True)
class ScoreTable(ScoreRows):
    """A table in memory; ``volume`` is `[n]`, the volume of each row."""

    volume: npt.NDArray[np.str_]
    scores: Scores

    @classmethod
    def join(cls, parts: Mapping[str, Scores]) -> ScoreTable:
        """The table of the scores of some volumes, of at least one."""
        names = [np.full(len(part.index), name) for name, part in parts.items()]
        return cls(np.concatenate(names), Scores.join(list(parts.values())))

    def sizes(self) -> Sequence[int]:
        """One group."""
        return (len(self.volume),)

    def read(self, group: int, names: Sequence[str]) -> Mapping[str, Column]:
        """The columns as they are; `group` is 0."""
        arrays: dict[str, Any] = {"volume": self.volume, **self.scores.arrays()}
        return {name: Coded.of(arrays[name]) if name in WORDS else arrays[name] for name in names}


class Doubts(Sequence[str]):
    """What the model doubts in each slice of a pool, read when somebody asks for it.

    Args:
        table: The scores.
        rows: `[N]` the row of each slice of the pool.
    """

    def __init__(self, table: ScoreRows, rows: Rows) -> None:
        self._table = table
        self._rows = rows
        self._starts = np.array([0, *accumulate(table.sizes())])
        self._read: dict[int, Coded] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        place = int(self._rows[row])
        group = int(np.searchsorted(self._starts, place, side="right")) - 1
        if group not in self._read:
            words = self._table.read(group, ("doubt",))["doubt"]
            assert isinstance(words, Coded)  # as `WORDS` says
            self._read[group] = words
        return self._read[group][place - int(self._starts[group])]


def mean_sizes(table: ScoreRows) -> npt.NDArray[np.float64]:
    """Mean size of each structure over the slices that show it, `[structures]`; 0 where none does.

    The sum over the volumes is exact, so their order does not show in the last digit either.
    """
    sums: list[tuple[float, ...]] = []
    shown: list[npt.NDArray[np.int64]] = []
    for part in table.parts("volume", "size", "shows"):
        volume, shows = part.words("volume"), part.numbers("shows")
        size = np.where(shows, part.floats("size"), 0.0)
        sums += zip(*(np.bincount(volume.codes, each) for each in size.T), strict=True)
        shown.append(shows.sum(axis=0))
    total = np.array([math.fsum(each) for each in zip(*sums, strict=True)])
    number: npt.NDArray[np.int64] = np.sum(shown, axis=0)
    return total / np.maximum(number, 1)
