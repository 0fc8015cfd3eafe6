"""How work in progress tells of itself.

The engine calls a `Progress`; who listens decides what it looks like. One JSON object a line
(``{"stage", "done", "total", "eta_s"}``) for programs, a rich bar on a terminal, one line a
stage elsewhere.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

__all__ = ["JsonProgress", "LineProgress", "Progress", "RichProgress", "Silent", "Stage"]


class Stage:
    """One stage of known length; `advance` as parts of it are done."""

    def __init__(self, name: str, total: int, tell: Callable[[Stage], None]) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.started = time.monotonic()
        self._tell = tell
        tell(self)

    def advance(self, parts: int = 1) -> None:
        """Count `parts` more as done."""
        self.done = min(self.total, self.done + parts)
        self._tell(self)

    @property
    def eta_s(self) -> float | None:
        """Seconds left at the present pace; None before the first part is done."""
        if self.done == 0:
            return None
        elapsed = time.monotonic() - self.started
        return elapsed / self.done * (self.total - self.done)


class Progress(Protocol):
    """Whoever is told about work in progress."""

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """Announce a stage of `total` equal parts."""
        yield Stage(name, total, lambda _: None)


class Silent(Progress):
    """Tells nobody."""


class JsonProgress(Progress):
    """One JSON object a line, at most ten a second for each stage."""

    def __init__(self, stream: IO[str], interval_s: float = 0.1) -> None:
        self._stream = stream
        self._interval_s = interval_s
        self._last = 0.0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """Announce a stage; the first and the last line are always written."""
        yield Stage(name, total, self._tell)

    def _tell(self, stage: Stage) -> None:
        now = time.monotonic()
        ends = stage.done in (0, stage.total)
        if not ends and now - self._last < self._interval_s:
            return
        self._last = now
        eta = stage.eta_s
        line = {
            "stage": stage.name,
            "done": stage.done,
            "total": stage.total,
            "eta_s": None if eta is None else round(eta, 1),
        }
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()


class LineProgress(Progress):
    """One plain line when a stage ends, for logs and pipes."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """Announce a stage and say how long it took."""
        stage = Stage(name, total, lambda _: None)
        yield stage
        seconds = time.monotonic() - stage.started
        if seconds >= 1:
            self._stream.write(f"{name}: {stage.done} of {total} in {seconds:.0f} s\n")
            self._stream.flush()


class RichProgress(Progress):
    """A bar with the time left, on a terminal; it goes away when the stage ends."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """Show a bar for as long as the stage runs."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=Console(file=self._stream), transient=True) as bars:
            task = bars.add_task(name, total=total)
            yield Stage(name, total, lambda s: bars.update(task, completed=s.done))
