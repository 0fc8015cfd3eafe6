"""Words of millions of rows: kept once each, with one small number a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

__all__ = ["Coded"]


@dataclass(frozen=True, eq=False)
class Coded(Sequence[str]):
    """A column of words.

    Attributes:
        words: Each word once.
        codes: `[N]` number of each row's word.
    """

    words: tuple[str, ...]
    codes: npt.NDArray[np.integer]

    @classmethod
    def of(cls, column: npt.NDArray[np.str_]) -> Coded:
        """The column `[N]` with each word once, in their order."""
        words, codes = np.unique(column, return_inverse=True)
        return cls(tuple(words.tolist()), codes.reshape(-1).astype(np.int32))

    def as_numbers(self, of: Sequence[str]) -> npt.NDArray[Any]:
        """The codes counted in other words.

        Args:
            of: All words that there may be, less than 128 of them.

        Raises:
            ValueError: If a word is not among them.
        """
        table = np.array([list(of).index(word) for word in self.words], dtype=np.int8)
        found: npt.NDArray[np.int8] = table[self.codes]
        return found

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self.words[code] for code in self.codes[row]]
        return self.words[int(self.codes[row])]
