"""Undo and redo of what is painted on one slice.

trame-slicer's own commands copy the whole segmentation, twice a stroke. Here its stack holds the
one slice, before and after: a few kilobytes, whatever tool painted it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from undo_stack import UndoCommand, UndoStack

__all__ = ["Strokes"]

Mask: TypeAlias = npt.NDArray[np.uint8]

_KEPT = 100
"""Strokes that can be undone."""


class Strokes:
    """The history of the slice on the desk; an `activeseg_slicer.scene.EditHistory`.

    Args:
        take: The slice as it is painted; None while none is laid.
        put: Paints the slice.
    """

    def __init__(self, take: Callable[[], Mask | None], put: Callable[[Mask], None]) -> None:
        self._take = take
        self._put = put
        self._last: Mask | None = None
        self._showing = False
        self._stack = UndoStack(undo_limit=_KEPT)

    @property
    def can_undo(self) -> bool:
        """Whether there is a stroke to take back."""
        return bool(self._stack.can_undo())

    @property
    def can_redo(self) -> bool:
        """Whether there is a stroke that was taken back."""
        return bool(self._stack.can_redo())

    def look(self) -> None:
        """Take in what was painted since the last look, as one step."""
        if self._showing:
            return
        now = self._take()
        if now is None:
            self.forget()
            return
        before, self._last = self._last, now
        if before is not None and not np.array_equal(before, now):
            self._stack.push(_Stroke(self, before, now))

    def save(self) -> None:
        """What was painted so far is a step of its own."""
        self.look()

    def forget(self) -> None:
        """Begin with the slice as it is now."""
        self._stack.clear()
        self._last = self._take()

    def undo(self) -> None:
        """Take the last stroke back, if there is one."""
        self.look()
        self._stack.undo()

    def redo(self) -> None:
        """Paint the stroke again that was taken back, if there is one."""
        self.look()
        self._stack.redo()

    def show(self, mask: Mask) -> None:
        """Paint a state of the slice that is in the history already."""
        self._showing = True
        try:
            self._put(mask)
        finally:
            self._showing = False
            self._last = self._take()


class _Stroke(UndoCommand):
    """One step: the slice before and after."""

    def __init__(self, strokes: Strokes, before: Mask, after: Mask) -> None:
        super().__init__()
        self._strokes = strokes
        self._before = before
        self._after = after

    def undo(self) -> None:
        self._strokes.show(self._before)

    def redo(self) -> None:
        self._strokes.show(self._after)
