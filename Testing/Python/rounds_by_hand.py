"""What a round leaves, by hand: suggestions, batches and scores; tests say what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime, timezone
from typing import Any

import numpy as np

from activeseg.keys import Plane, SliceKey
from activeseg.project import Batch, Suggestion, timestamp
from activeseg.project.predictions import Scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.score_file import open_scores
from activeseg.project.score_table import ScoreTable
from activeseg.quality import EVIDENCE

NOW = timestamp(datetime.now(timezone.utc))

WORK = {
    "prior_s": 40.0,
    "contour_mm": 100.0,
    "drawn": False,
    "first": False,
    "expected_dice": None,
}
"""A row of `activeseg.minutes.Work`."""

TYPICAL = (0.66, 0.91, 0.83, 0.78, 0.89, 0.92, 0.89)
"""Evidence from which an estimator that has learned nothing expects a Dice of 0.81."""


def suggestion(key: SliceKey, rank: int = 1, dice: float | None = None, **changes: Any) -> Any:
    """A suggestion of 1.25 minutes; with a `dice` it was expected by a model."""
    known = dice is not None
    made = Suggestion(
        key=key,
        rank=rank,
        value=0.5,
        minutes=1.25,
        expected_dice=dice,
        entropy=None,
        reason="uncertain at the border",
        how="correct" if known else "draw",
        minutes_low=0.5,
        minutes_high=3.0,
        dice_low=dice - 0.1 if known else None,
        dice_high=dice + 0.1 if known else None,
        audit=False,
        work=dict(WORK),
    )
    return replace(made, **changes)


def batch(number: int, suggestions: Sequence[Suggestion], **changes: Any) -> Batch:
    """The batch of a round."""
    made = Batch(
        round=number,
        strategy="activeseg",
        seed=3,
        budget_minutes=30.0,
        time=NOW,
        suggestions=tuple(suggestions),
        author=None,
        note="",
    )
    return replace(made, **changes)


def scores(
    plane: str, index: Sequence[int], structures: int = 2, **changes: np.ndarray | list[Any]
) -> Scores:
    """Slices of one plane that all show all structures as much, with typical evidence."""
    count = len(index)
    made = Scores(
        plane=np.full(count, plane, dtype="U8"),
        index=np.array(index, dtype=np.int64),
        size=np.full((count, structures), 20.0),
        shows=np.ones((count, structures), dtype=bool),
        evidence=np.tile(TYPICAL, (count, structures, 1)).reshape(count, structures, len(TYPICAL)),
        class_entropy=np.full((count, structures), 0.1),
        uncertainty=np.full(count, 0.2),
        band_entropy=np.full(count, 0.3),
        whole_entropy=np.full(count, 0.05),
        epistemic=np.full(count, 0.02),
        seconds=np.full(count, 30.0),
        blank_seconds=np.full(count, 45.0),
        contour_mm=np.full(count, 60.0),
        drawn=np.zeros(count, dtype=bool),
        how=np.full(count, "correct", dtype="U7"),
        doubt=np.full(count, "", dtype="U160"),
        energy=np.full(count, np.nan),
        foreground_entropy=np.full(count, 0.04),
        top_patches=np.full(count, 0.1),
        gradient=np.full((count, (1 + structures) ** 2), 0.01),
    )
    assert made.evidence.shape[2] == len(EVIDENCE) - 1  # the trend is not stored
    return replace(made, **{name: np.asarray(value) for name, value in changes.items()})


def read_scores(files: RoundFiles) -> ScoreTable:
    """The whole score table of a round, in memory."""
    names = [field.name for field in fields(Scores)]
    parts = [part.columns for part in open_scores(files).parts("volume", *names)]
    columns = {
        name: np.concatenate([np.asarray(part[name]) for part in parts])
        for name in ("volume", *names)
    }
    return ScoreTable(columns.pop("volume"), Scores(**columns))


def row_numbers(table: ScoreTable) -> dict[SliceKey, int]:
    """Where each slice's row is."""
    columns = (table.volume.tolist(), table.scores.plane.tolist(), table.scores.index.tolist())
    return {
        SliceKey(volume, Plane(plane), index): row
        for row, (volume, plane, index) in enumerate(zip(*columns, strict=True))
    }


def as_formerly(files: RoundFiles, without: Sequence[str] = ()) -> None:
    """Keep a round's scores as an earlier version did, which did not know some columns."""
    table = read_scores(files)
    columns = {"volumes": table.volume, **table.scores.arrays()}
    former = {name: column for name, column in columns.items() if name not in without}
    files.scores.unlink()
    np.savez_compressed(files.folder / "scores.npz", allow_pickle=False, **former)
