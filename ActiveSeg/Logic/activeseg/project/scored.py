"""The slices that a model has scored, as columns: only what a choice needs is read, in parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from activeseg.cost import How
from activeseg.keys import SliceKey
from activeseg.minutes import Work
from activeseg.project.estimating import estimate_slices
from activeseg.project.folder import Project
from activeseg.project.rounds import RoundFiles
from activeseg.project.score_table import Doubts, ScoreRows
from activeseg.project.unscored import Places, Slices
from activeseg.sampling import PLANES, Coded, Scored, Strategy

__all__ = ["scored_slices"]

Floats = npt.NDArray[np.floating[Any]]

_HOWS: tuple[str, ...] = get_args(How)
_PLANES = [plane.value for plane in PLANES]

_NUMBERS = (
    *("uncertainty", "band_entropy", "whole_entropy", "epistemic", "class_entropy"),
    *("seconds", "blank_seconds", "contour_mm", "drawn"),
)
"""What every pool holds, besides the expected Dice."""


def scored_slices(
    project: Project,
    files: RoundFiles,
    table: ScoreRows,
    taken: Collection[SliceKey],
    chosen_by: Strategy,
) -> Slices:
    """The slices of a score table, in order, less those that are taken.

    Args:
        project: The project.
        files: The round.
        table: Its scores, or those that there are so far.
        taken: Slices that are left out.
        chosen_by: Says which columns are read.

    Raises:
        ProjectError: If a file of the project is damaged.
    """
    places, rows = _places(table, taken)
    found = estimate_slices(project, files, table, chosen_by.calibrated)
    dice = found.dice[rows]
    columns = _columns(table, rows, {*_NUMBERS, *chosen_by.reads})
    work = Work(
        columns["seconds"],
        columns["contour_mm"],
        columns["drawn"],
        np.zeros(len(rows), dtype=bool),
        dice,
    )
    blank = replace(work, prior_s=columns["blank_seconds"], drawn=np.ones(len(rows), dtype=bool))
    scored = Scored(
        gain=found.gain[rows],
        uncertainty=columns["uncertainty"],
        band_entropy=columns["band_entropy"],
        whole_entropy=columns["whole_entropy"],
        epistemic=columns["epistemic"],
        expected_dice=dice,
        dice_low=found.low[rows],
        dice_high=found.high[rows],
        shown=np.ascontiguousarray(found.shown[rows].T),
        class_entropy=columns["class_entropy"],
        doubt=Doubts(table, rows),
        trust=found.trust,
        islands=found.islands,
        round=max(1, files.number),  # of round 0 a model that exists may speak
        **_also(columns, chosen_by.reads),
    )
    return Slices(places, work, blank, _how(table, rows), scored)


def _places(
    table: ScoreRows, taken: Collection[SliceKey]
) -> tuple[Places, npt.NDArray[np.integer]]:
    """The slices in order, and the row of the table of each."""
    number: dict[str, int] = {}
    volume = np.empty(len(table), dtype=np.int32)
    plane = np.empty(len(table), dtype=np.int8)
    index = np.empty(len(table), dtype=np.int32)
    for part in table.parts("volume", "plane", "index"):
        names = part.words("volume")
        codes = [number.setdefault(word, len(number)) for word in names.words]
        volume[part.rows] = np.array(codes, dtype=np.int32)[names.codes]
        plane[part.rows] = part.words("plane").as_numbers(_PLANES)
        index[part.rows] = part.numbers("index")
    volumes = sorted(number)
    rank = np.empty(len(volumes), dtype=np.int32)
    rank[[number[name] for name in volumes]] = np.arange(len(volumes))
    volume = rank[volume]
    # One number a slice: sorting by it is sorting by volume, plane and index.
    place = (volume.astype(np.int64) * len(PLANES) + plane) << 32 | index
    order = np.argsort(place, kind="stable").astype(np.int32)
    del place
    every = Places(tuple(volumes), volume[order], plane[order], index[order])
    left = every.without(taken)
    return every.only(left), order[left]


def _columns(
    table: ScoreRows, rows: npt.NDArray[np.integer], names: Collection[str]
) -> dict[str, npt.NDArray[Any]]:
    """Columns of numbers of some rows of the table; `[..., N]`, single precision."""
    target = np.full(len(table), -1, dtype=np.int32)
    target[rows] = np.arange(len(rows), dtype=np.int32)
    found: dict[str, npt.NDArray[Any]] = {}
    for part in table.parts(*sorted(names)):
        place = target[part.rows]
        here = np.flatnonzero(place >= 0)
        for name in names:
            values = part.numbers(name)
            if name not in found:
                kind = np.float32 if values.dtype.kind == "f" else values.dtype
                found[name] = np.empty((*values.shape[1:], len(rows)), dtype=kind)
            found[name][..., place[here]] = values[here].T
    return found


def _how(table: ScoreRows, rows: npt.NDArray[np.integer]) -> Coded:
    """How the answer to each of some rows is expected to be given."""
    codes = np.empty(len(table), dtype=np.int8)
    for part in table.parts("how"):
        codes[part.rows] = part.words("how").as_numbers(_HOWS)
    return Coded(_HOWS, codes[rows])


def _also(columns: Mapping[str, Floats], names: Sequence[str]) -> dict[str, Any]:
    """What the strategy reads besides; None where the scores lack it."""
    return {
        name: _above_least(columns[name]) if name == "energy" else _if_known(columns[name])
        for name in names
    }


def _if_known(column: Floats) -> Floats | None:
    """A column of scores; None where an earlier version wrote some of them without it."""
    return None if np.isnan(column).any() else column


def _above_least(energy: Floats) -> Floats | None:
    """Energies above the least of them, 0 where there is none; None where there is none at all."""
    known = ~np.isnan(energy)
    if not known.any():
        return None
    return np.where(known, energy - np.nanmin(energy), 0.0)
