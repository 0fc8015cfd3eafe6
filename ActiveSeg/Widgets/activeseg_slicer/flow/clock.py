"""How long a person works on a slice: time away from it is not counted."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["IDLE_S", "Clock", "clock_text"]

IDLE_S = 60.0
"""Seconds without any input after which nobody is taken to be at work."""


class Clock:
    """Counts the seconds of work on one slice.

    It runs between `start` and `stop`, except while paused by hand or while the application is in
    the background. Of the time since the last sign of life (`touch`, and every call that lets it
    run) at most `IDLE_S` count.

    Args:
        now: The present moment in seconds, never going back, e.g. ``time.monotonic``.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._counted = 0.0
        self._since: float | None = None  # last sign of life; None while time does not count
        self._started = False
        self._paused = False
        self._behind = False

    @property
    def seconds(self) -> float:
        """Seconds of work since `start`, those it began with included."""
        return self._counted + self._open_seconds()

    @property
    def started(self) -> bool:
        """Whether it is between `start` and `stop`."""
        return self._started

    @property
    def paused(self) -> bool:
        """Whether it was paused by hand."""
        return self._paused

    @property
    def counting(self) -> bool:
        """Whether time counts at this moment: started, not paused, in front, not idle."""
        return self._since is not None and self.now() - self._since < IDLE_S

    def start(self, seconds: float = 0.0) -> None:
        """Begin a slice; a pause by hand ends, as whoever opens a slice is at work.

        Args:
            seconds: What was worked on it before.
        """
        self._counted = seconds
        self._started = True
        self._paused = False
        self._since = None
        self._follow()

    def stop(self) -> float:
        """End the slice; `seconds` stays as it is, and is returned."""
        self._fold()
        self._started = False
        return self._counted

    def pause(self) -> None:
        """Count nothing until `resume`."""
        self._paused = True
        self._follow()

    def resume(self) -> None:
        """Count again."""
        self._paused = False
        self._follow()

    def background(self, behind: bool) -> None:
        """Tell whether the application is in the background, where no time counts."""
        self._behind = behind
        self._follow()

    def touch(self) -> None:
        """Tell of a sign of life: a key, a click, a stroke."""
        self._follow()

    def _follow(self) -> None:
        """Count up to now, and go on from now if time counts."""
        self._fold()
        if self._started and not self._paused and not self._behind:
            self._since = self.now()

    def _fold(self) -> None:
        """Count up to now; from then on nothing does."""
        self._counted += self._open_seconds()
        self._since = None

    def _open_seconds(self) -> float:
        """What counts of the time since the last sign of life."""
        return 0.0 if self._since is None else min(self.now() - self._since, IDLE_S)


def clock_text(seconds: float) -> str:
    """Minutes and seconds, ``12:05``."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
