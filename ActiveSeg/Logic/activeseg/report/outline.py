"""The edge of a mask as an SVG path that runs exactly between its pixels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["outline_path"]

_Corner: TypeAlias = tuple[int, int]


def outline_path(mask: npt.NDArray[np.bool_]) -> str:
    """All edges of a mask as closed loops; holes are loops of their own.

    Args:
        mask: `[H, W]`; outside the array counts as background.

    Returns:
        The ``d`` of an SVG path in pixels: x to the right, y down, pixel (row r, column c) covers
        x from c to c + 1 and y from r to r + 1. Empty for an empty mask.
    """
    steps = _steps(mask)
    loops = []
    while steps:
        start = min(steps)
        loops.append(_path(_loop(steps, start)))
    return "".join(loops)


def _steps(mask: npt.NDArray[np.bool_]) -> dict[_Corner, list[_Corner]]:
    """From each corner (x, y), the unit steps along the edge with the mask on the right hand."""
    padded = np.pad(mask, 1).astype(np.int8)
    steps: dict[_Corner, list[_Corner]] = {}
    down = np.diff(padded, axis=0)[:, 1:-1]  # [H + 1, W]: 1 where the mask begins below
    across = np.diff(padded, axis=1)[1:-1]  # [H, W + 1]: 1 where it begins at the right
    for value, edges, move in (
        (1, down, ((0, 0), (1, 0))),  # along the top, to the right
        (-1, down, ((1, 0), (0, 0))),  # along the bottom, to the left
        (1, across, ((0, 1), (0, 0))),  # along the left, up
        (-1, across, ((0, 0), (0, 1))),  # along the right, down
    ):
        (x0, y0), (x1, y1) = move
        for row, col in np.argwhere(edges == value).tolist():
            steps.setdefault((col + x0, row + y0), []).append((col + x1, row + y1))
    return steps


def _loop(steps: dict[_Corner, list[_Corner]], start: _Corner) -> list[_Corner]:
    """Walk from a corner until it is reached again, using the steps up."""
    loop, here = [start], _take(steps, start, None)
    while here != start:
        loop.append(here)
        here = _take(steps, here, loop[-2])
    return loop


def _take(steps: dict[_Corner, list[_Corner]], here: _Corner, before: _Corner | None) -> _Corner:
    """The next corner; where two pixels touch at a corner, turn right to stay with one of them."""
    choices = steps[here]
    chosen = choices[0]
    if before is not None and len(choices) == 2:
        dx, dy = here[0] - before[0], here[1] - before[1]
        right = (here[0] - dy, here[1] + dx)
        chosen = right if right in choices else chosen
    choices.remove(chosen)
    if not choices:
        del steps[here]
    return chosen


def _path(loop: list[_Corner]) -> str:
    """One loop as absolute moves; corners on a straight line are left out."""
    turns = [
        corner
        for before, corner, after in zip(
            [loop[-1], *loop[:-1]], loop, [*loop[1:], loop[0]], strict=True
        )
        if not (before[0] == corner[0] == after[0] or before[1] == corner[1] == after[1])
    ]
    y, text = turns[0][1], f"M{turns[0][0]} {turns[0][1]}"
    for nx, ny in turns[1:]:
        text += f"H{nx}" if ny == y else f"V{ny}"
        y = ny
    return text + "Z"
