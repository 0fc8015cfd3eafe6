"""Pools by hand: a few slices with their scores, put together as columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from activeseg.cost import How
from activeseg.keys import Plane
from activeseg.sampling import PLANES, Annotated, Choice, Chosen, Pool, Scored


@dataclass(frozen=True)
class Slice:
    """One row; what is not given ranks by `value`.

    `mm` is the distance between two neighbouring slices of its stack.
    """

    volume: str
    index: int
    value: float = 1.0
    seconds: float = 10.0
    plane: Plane = Plane.AXIAL
    mm: float = 1.0
    how: How = "correct"
    dice: float = 0.62
    shown: tuple[float, ...] = (1.0,)
    class_entropy: tuple[float, ...] | None = None
    doubt: str = ""
    features: tuple[float, ...] = ()
    information: float | None = None
    blank_seconds: float | None = None
    contour_mm: float = 40.0
    gradient: tuple[float, ...] | None = None
    truth: tuple[bool, ...] | None = None

    def place(self) -> tuple[str, int, int]:
        return self.volume, PLANES.index(self.plane), self.index


def pool_of(
    slices: Iterable[Slice],
    first_slice_s: float = 0.0,
    annotated: Sequence[Annotated] = (),
    redundancy_mm: float = 6.0,
    round_number: int = 1,
    scored: bool = True,
    structures: int = 1,
    islands: float = 0.0,
    annotated_features: Sequence[tuple[float, ...]] | None = None,
) -> Pool:
    """The columns of some slices; `structures` only matters where there are no slices."""
    rows = sorted(slices, key=Slice.place)
    volumes = tuple(sorted({row.volume for row in rows}))
    return Pool(
        volumes=volumes,
        volume=np.array([volumes.index(row.volume) for row in rows], dtype=np.intp),
        plane=np.array([PLANES.index(row.plane) for row in rows], dtype=np.intp),
        index=np.array([row.index for row in rows], dtype=np.intp),
        position_mm=np.array([row.index * row.mm for row in rows], dtype=np.float64),
        seconds=np.array([row.seconds for row in rows], dtype=np.float64),
        how=np.array([row.how for row in rows], dtype=np.str_),
        first_slice_s=first_slice_s,
        acquired=np.zeros(len(volumes), dtype=np.intp),
        annotated=annotated,
        scored=_scored(rows, round_number, structures, islands) if scored else None,
        features=_column(rows, "features", 2),
        information=_column(rows, "information", 1),
        blank_seconds=_column(rows, "blank_seconds", 1),
        redundancy_mm=redundancy_mm,
        annotated_features=(
            None if annotated_features is None else np.array(annotated_features, dtype=np.float32)
        ),
        truth_shown=_truth(rows, structures),
    )


ELSEWHERE = ("z", Plane.AXIAL, 0.0)
"""Where an annotated slice lies; only its features matter."""


def pool_at(
    points: object,
    *annotated: tuple[float, ...],
    information: list[float] | None = None,
    volumes: str = "",
    seconds: list[float] | None = None,
    first_slice_s: float = 0.0,
) -> Pool:
    """Slices with these features, `a0`, `a1`, ... or in the volumes named."""
    rows = np.atleast_2d(np.array(points, dtype=np.float64))
    return pool_of(
        [
            Slice(
                volumes[k] if volumes else "a",
                k,
                features=tuple(row),
                information=None if information is None else information[k],
                seconds=10.0 if seconds is None else seconds[k],
            )
            for k, row in enumerate(rows)
        ],
        first_slice_s,
        annotated=[ELSEWHERE] * len(annotated),
        scored=False,
        annotated_features=list(annotated) or None,
    )


def line(*places: float) -> list[tuple[float, float]]:
    """On a line; the other feature is the same for all."""
    return [(place, 7.0) for place in places]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def names(batch: Chosen | Sequence[Choice]) -> list[str]:
    """E.g. a12 for slice 12 of volume a, in the order of answering."""
    choices = batch.choices if isinstance(batch, Chosen) else batch
    return [f"{each.candidate.key.volume}{each.candidate.key.index}" for each in choices]


def chosen(batch: Chosen) -> set[str]:
    """`names`, in no order."""
    return set(names(batch))


def stacks(volumes: int, slices: int) -> list[Slice]:
    return [Slice(f"v{v}", k) for v in range(volumes) for k in range(slices)]


def _scored(rows: list[Slice], round_number: int, structures: int, islands: float) -> Scored:
    value = np.array([row.value for row in rows], dtype=np.float64)
    dice = np.array([row.dice for row in rows], dtype=np.float64)
    shown = np.array([row.shown for row in rows], dtype=np.float64)
    by_class = [row.class_entropy or (row.value,) * len(row.shown) for row in rows]
    if not rows:
        shown = np.zeros((0, structures))
        by_class = [()]
    return Scored(
        gain=value,
        uncertainty=value,
        band_entropy=value,
        whole_entropy=value,
        epistemic=value,
        expected_dice=dice,
        dice_low=np.maximum(dice - 0.16, 0.0),
        dice_high=np.minimum(dice + 0.16, 1.0),
        shown=shown.T,
        class_entropy=np.array(by_class, dtype=np.float64).T if rows else shown.T,
        doubt=np.array([row.doubt for row in rows], dtype=np.str_),
        round=round_number,
        islands=islands,
        energy=value,
        foreground_entropy=value,
        top_patches=value,
        contour_mm=np.array([row.contour_mm for row in rows], dtype=np.float64),
        gradient=_gradient(rows, value, 1 + shown.shape[1]),
    )


def _gradient(rows: list[Slice], value: np.ndarray, classes: int) -> np.ndarray:
    """`[C * C, N]`; where it is not given, all entries are the slice's value."""
    if not rows:
        return np.zeros((classes**2, 0))
    each = [row.gradient or (float(v),) * classes**2 for row, v in zip(rows, value, strict=True)]
    return np.array(each, dtype=np.float64).T


def _truth(rows: list[Slice], structures: int) -> np.ndarray | None:
    """The column if all rows have it; a pool without rows knows the truth of all of them."""
    if any(row.truth is None for row in rows):
        return None
    if not rows:
        return np.zeros((structures, 0), dtype=bool)
    return np.array([row.truth for row in rows], dtype=bool).T


def _column(rows: list[Slice], name: str, ndim: int) -> np.ndarray | None:
    """The column if any row has it; a pool without rows has features of width 2."""
    if not rows:
        return np.zeros((0, 2), dtype=np.float32) if ndim == 2 else None
    given = [getattr(row, name) for row in rows]
    if any(each is None or each == () for each in given):
        return None
    return np.array(given, dtype=np.float64 if name == "blank_seconds" else np.float32)
