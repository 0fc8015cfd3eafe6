"""``rounds/<NNN>/scores.parquet``: the score table as it is kept, written volume by volume.

An earlier version kept ``scores.npz``, which is still read.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from activeseg.errors import ProjectError
from activeseg.files import atomic_path
from activeseg.project.damaged import damaged
from activeseg.project.predictions import Scores, scores_in
from activeseg.project.rounds import RoundFiles
from activeseg.project.score_table import WORDS, Column, ScoreRows, ScoreTable
from activeseg.sampling import Coded

__all__ = ["GROUP_ROWS", "ScoreWriter", "open_scores", "score_writer", "write_scores"]

GROUP_ROWS = 65_536
"""A group of rows ends with the volume that brings it to so many: it is read within
milliseconds, and ten million rows are 150 groups."""

_STRUCTURES = b"structures"


class ScoreWriter:
    """Takes the scores of one volume after the other; make one with `score_writer`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._writer: Any = None
        self._waiting: dict[str, Scores] = {}

    def add(self, volume: str, scores: Scores) -> None:
        """Take the scores of a volume that was not there yet; native indices."""
        self._waiting[volume] = scores
        if sum(len(part.index) for part in self._waiting.values()) >= GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting as one group of rows."""
        if self._waiting:
            table = _arrow(ScoreTable.join(self._waiting))
            if self._writer is None:
                from pyarrow import parquet

                self._writer = parquet.ParquetWriter(
                    self._file, table.schema, compression="zstd", use_dictionary=list(WORDS)
                )
            self._writer.write_table(table, row_group_size=len(table))
            self._waiting.clear()

    def close(self) -> None:
        """Let go of the file, which is whole if all was flushed."""
        if self._writer is not None:
            self._writer.close()


@contextmanager
def score_writer(files: RoundFiles) -> Iterator[ScoreWriter]:
    """Write a round's score table; it is there, whole, once the block has ended well.

    At most `GROUP_ROWS` rows and one volume are in memory.

    Raises:
        ProjectError: If the disk refuses.
    """
    file = files.new_scores
    try:
        with atomic_path(file) as temporary:
            writer = ScoreWriter(temporary)
            try:
                yield writer
                writer.flush()
            finally:
                writer.close()
    except OSError as error:
        raise ProjectError(f"cannot write the scores ({error})", str(file)) from error


def write_scores(files: RoundFiles, parts: Mapping[str, Scores]) -> None:
    """Write the score table of volumes whose scores are all here.

    Raises:
        ProjectError: If the disk refuses.
    """
    with score_writer(files) as table:
        for volume, scores in parts.items():
            table.add(volume, scores)


def open_scores(files: RoundFiles) -> ScoreRows:
    """The score table of a round.

    Raises:
        ProjectError: If the file is damaged.
    """
    if files.scores.suffix != ".npz":
        return _ScoreFile(files.scores)
    try:
        # Opened here, since numpy leaves a damaged archive open.
        with files.scores.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return ScoreTable(archive["volumes"], scores_in(archive))
    except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise damaged(files.scores, error) from error


class _ScoreFile(ScoreRows):
    """A table in a file, which is open while something of it is read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._opened() as parquet:
            meta = parquet.metadata
            self._sizes = tuple(meta.row_group(g).num_rows for g in range(meta.num_row_groups))
            self._structures = int(parquet.schema_arrow.metadata[_STRUCTURES])

    def sizes(self) -> Sequence[int]:
        return self._sizes

    def read(self, group: int, names: Sequence[str]) -> Mapping[str, Column]:
        with self._opened() as parquet:
            table = parquet.read_row_group(group, columns=list(names), use_threads=False)
            table = table.unify_dictionaries().combine_chunks()
            return {name: self._column(table, name) for name in names}

    def _column(self, table: Any, name: str) -> Column:
        """A column of a group, which is one piece."""
        column = table.column(name).chunk(0)
        if name in WORDS:
            words = tuple(column.dictionary.to_pylist())
            return Coded(words, column.indices.to_numpy())
        if name not in _SHAPES:
            found: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
            return found
        flat: npt.NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
        shape = (self._structures, -1) if name == "evidence" else (-1,)
        return flat.reshape(len(column), *shape) if len(column) else flat

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self._file, read_dictionary=list(WORDS)) as file:
                yield file
        except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
            raise damaged(self._file, error) from error


_SHAPES = ("size", "shows", "evidence", "class_entropy", "gradient")
"""Columns with several numbers a row."""


def _arrow(table: ScoreTable) -> Any:
    """The rows as Arrow has them: single precision, lists of one length, words with codes."""
    import pyarrow

    columns = {}
    for name, values in {"volume": table.volume, **table.scores.arrays()}.items():
        if name in WORDS:
            coded = Coded.of(np.asarray(values, dtype=np.str_))
            columns[name] = pyarrow.DictionaryArray.from_arrays(
                pyarrow.array(coded.codes), pyarrow.array(coded.words, pyarrow.string())
            )
            continue
        flat = pyarrow.array(np.ascontiguousarray(values, _stored(values)).reshape(-1))
        if name in _SHAPES:
            flat = pyarrow.FixedSizeListArray.from_arrays(flat, math.prod(values.shape[1:]))
        columns[name] = flat
    made = pyarrow.table(columns)
    return made.replace_schema_metadata({_STRUCTURES: str(table.scores.size.shape[1])})


def _stored(values: npt.NDArray[Any]) -> type[np.generic]:
    return {"b": np.bool_, "i": np.int32, "f": np.float32}[values.dtype.kind]
