"""How far an annotated slice speaks for its neighbours in the same volume and plane."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.candidates import PLANES, Pool, run_of

__all__ = ["beside", "left_by_annotated", "nearest_annotated_mm", "redundancy", "within_reach"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Rows: TypeAlias = npt.NDArray[np.intp]


def redundancy(distance_mm: Floats, redundancy_mm: float) -> Floats:
    """What is left of a slice's value next to an annotated one: 1 - exp(-(d / r)^2).

    Args:
        distance_mm: Distance to the nearest annotated or chosen slice of the same volume and
            plane; infinite where there is none.
        redundancy_mm: The distance at which 63 % of the value is left.
    """
    # expm1 keeps the digits of small distances, where 1 - exp(-x) would lose them.
    left: Floats = -np.expm1(-np.square(distance_mm / redundancy_mm))
    return left


def left_by_annotated(pool: Pool) -> Floats:
    """What the annotated slices leave of each slice's value, `[N]`, 0 to 1."""
    return redundancy(nearest_annotated_mm(pool), pool.redundancy_mm)


def nearest_annotated_mm(pool: Pool) -> Floats:
    """Distance of each slice to the nearest annotated one of its volume and plane.

    Returns:
        `[N]` mm; infinite where the volume has no annotated slice in that plane.
    """
    found = np.full(len(pool), np.inf)
    number = {name: code for code, name in enumerate(pool.volumes)}
    annotated: dict[int, list[float]] = defaultdict(list)
    for name, plane, position_mm in pool.annotated:
        if name in number:
            annotated[number[name] * len(PLANES) + PLANES.index(plane)].append(position_mm)
    # Rows ascend by volume and plane, so those of one stack lie together.
    stack = pool.volume.astype(np.int64) * len(PLANES) + pool.plane
    for code, positions in annotated.items():
        first, end = np.searchsorted(stack, [code, code + 1])
        mm, known = pool.position_mm[first:end], np.array([-np.inf, *sorted(positions), np.inf])
        above = np.searchsorted(known, mm)
        found[first:end] = np.minimum(mm - known[above - 1], known[above] - mm)
    return found


def within_reach(pool: Pool, rows: Rows, others: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which rows one of the others speaks for: same volume and plane, nearer than the reach.

    Args:
        pool: The pool.
        rows: `[n]` of the pool.
        others: Rows of the pool.

    Returns:
        `[n]`.
    """
    found = np.zeros(len(rows), dtype=bool)
    volume, plane, mm = pool.volume[rows], pool.plane[rows], pool.position_mm[rows]
    for other in others:
        near = np.abs(mm - pool.position_mm[other]) < pool.redundancy_mm
        found |= near & (volume == pool.volume[other]) & (plane == pool.plane[other])
    return found


def beside(pool: Pool, row: int) -> Rows:
    """The rows of the pool that a row speaks for, itself among them; see `within_reach`."""
    rows = np.arange(*run_of(pool.volume, int(pool.volume[row])))
    found: Rows = rows[within_reach(pool, rows, [row])]
    return found
