"""Whether somebody is at work: the pointer moves, and the application is in front."""

from __future__ import annotations

import qt
import slicer

from activeseg_slicer.flow import Clock

__all__ = ["Activity"]


class Activity:
    """Tells the clock of signs of life; asked once a second.

    Watching the pointer costs less than a filter on every event of the application, and whoever
    paints moves it.

    Args:
        clock: The clock of the session.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._behind = False
        self._pointer = self._position()

    def look(self, shown: bool) -> None:
        """Tell the clock what is seen now.

        Args:
            shown: Whether the module is the one that is shown.
        """
        behind = not shown or slicer.app.activeWindow() is None
        if behind != self._behind:  # coming back is a sign of life, being there is none
            self._behind = behind
            self._clock.background(behind)
        pointer = self._position()
        if pointer != self._pointer:
            self._pointer = pointer
            self._clock.touch()

    @staticmethod
    def _position() -> tuple[int, int]:
        position = qt.QCursor.pos()
        return position.x(), position.y()
