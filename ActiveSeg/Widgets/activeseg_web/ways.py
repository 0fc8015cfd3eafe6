"""Where the mouse was during strokes, as the page tells it: every place, however busy the desk.

trame's views send one event after the other, each when the desk has answered the one before, and
of the moves that wait meanwhile only the last. While the desk was drawing or saving, a curve
would become a straight line. The page keeps the places itself and tells them right before the
button's release.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Ways"]

_NEAR = 3.0
"""Pixels that a way may begin and end from where a stroke did: places are rounded on the road."""

_WAITING = 8
"""Strokes whose release has not come yet, at most."""


class Ways:
    """The ways that were told and are not painted yet."""

    def __init__(self) -> None:
        self._told: deque[tuple[str, npt.NDArray[np.float64]]] = deque(maxlen=_WAITING)

    def hear(self, view: str, places: Sequence[Sequence[float]]) -> None:
        """Keep a way until its stroke ends.

        Args:
            view: The view's name.
            places: From the press to the release; each as the part of the view's width from the
                left and of its height from the bottom.
        """
        way = np.asarray(places, np.float64)
        if way.ndim == 2 and way.shape[0] > 0 and way.shape[1] == 2:
            self._told.append((view, way))

    def take(
        self, view: str, size: tuple[int, int], start: npt.ArrayLike, end: npt.ArrayLike
    ) -> npt.NDArray[np.float64] | None:
        """The way of a stroke that has ended; those told before it will not be asked for.

        Args:
            view: The view's name.
            size: The view's width and height in pixels.
            start: Where the stroke began, in pixels from the lower left.
            end: Where it ended.

        Returns:
            ``[n, 2]`` pixels from the lower left; None if no way from there to there was told.
        """
        while self._told:
            name, way = self._told.popleft()
            pixels = way * size
            off = pixels[[0, -1]] - np.asarray([start, end])
            if name == view and np.hypot(*off.T).max() <= _NEAR:
                return np.asarray(pixels)
        return None
