"""Runs ``python -m activeseg VERB ...`` beside the application, the command a user would type.

The worker's threads only read; every callback is made by `Worker.poll`, on the thread that calls
it. A Qt timer does so in Slicer, where only the main thread may touch widgets.
"""

from __future__ import annotations

import json
import queue
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import activeseg
from activeseg_slicer.process import Launcher, Process, launch

__all__ = ["Outcome", "ProgressLine", "Worker", "python_command"]


@dataclass(frozen=True)
class ProgressLine:
    """One line of ``--progress json``.

    Attributes:
        stage: What is being done.
        done: Parts done.
        total: Parts in all.
        eta_s: Seconds left, None while unknown.
    """

    stage: str
    done: int
    total: int
    eta_s: float | None

    @classmethod
    def parse(cls, line: str) -> ProgressLine | None:
        """Read a line; None if it is anything else. Keys not known here are passed over."""
        try:
            fields = json.loads(line)
        except ValueError:
            return None
        if not isinstance(fields, dict):
            return None
        stage, done, total = fields.get("stage"), fields.get("done"), fields.get("total")
        eta = fields.get("eta_s")
        if not (isinstance(stage, str) and isinstance(done, int) and isinstance(total, int)):
            return None
        return cls(stage, done, total, float(eta) if isinstance(eta, int | float) else None)


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: Its exit code: 0 done, 2 refused for the user's reason, negative for a signal.
        output: Standard output without progress lines.
        messages: Standard error without progress lines; for code 2 the one line to show.
        cancelled: Whether `Worker.cancel` ended it.
    """

    code: int
    output: str
    messages: str
    cancelled: bool


def python_command() -> str:
    """The Python to run the engine with: Slicer's launcher inside Slicer, else this one.

    ``PythonSlicer`` sets up the library paths that Slicer's own Python needs.
    """
    return shutil.which("PythonSlicer") or sys.executable


class Worker:
    """One command at a time in a child process.

    Args:
        launcher: Starts the process.
        python: The interpreter to run the engine with.
    """

    def __init__(self, launcher: Launcher = launch, python: str | None = None) -> None:
        self._launcher = launcher
        self._python = python or python_command()
        self._run: _Run | None = None

    @property
    def running(self) -> bool:
        """Whether a command was started whose end `poll` has not yet told."""
        return self._run is not None

    def start(
        self,
        verb: str,
        *arguments: str,
        on_progress: Callable[[ProgressLine], None],
        on_end: Callable[[Outcome], None],
    ) -> None:
        """Start ``python -m activeseg VERB ARGUMENTS``.

        Args:
            verb: The engine's command, e.g. ``status``.
            arguments: What follows it; paths absolute, as the working directory is the folder
                that holds the engine (that makes ``-m activeseg`` find it, installed or not).
            on_progress: Told each progress line, in order.
            on_end: Told once, after the last progress line.

        Raises:
            RuntimeError: If a command is still running.
        """
        if self._run is not None:
            raise RuntimeError("the worker runs one command at a time; cancel it or wait")
        folder = Path(activeseg.__file__).resolve().parents[1]
        command = [self._python, "-m", "activeseg", verb, *arguments]
        self._run = _Run(self._launcher(command, folder), on_progress, on_end)

    def poll(self) -> None:
        """Make the callbacks for what has arrived since the last call; never waits."""
        run = self._run
        if run is None:
            return
        outcome = run.deliver()
        if outcome is not None:
            self._run = None  # first, so that on_end may start the next command
            run.on_end(outcome)

    def cancel(self) -> None:
        """End the command with all its processes; `poll` then tells `on_end`."""
        if self._run is not None:
            self._run.cancel()


class _Run:
    """A started command: two threads read it, a queue carries what they read to `deliver`."""

    def __init__(
        self,
        process: Process,
        on_progress: Callable[[ProgressLine], None],
        on_end: Callable[[Outcome], None],
    ) -> None:
        self.on_end = on_end
        self._on_progress = on_progress
        self._process = process
        self._cancelled = False
        self._arrived: queue.SimpleQueue[ProgressLine | Outcome] = queue.SimpleQueue()
        self._messages: list[str] = []
        self._reader = threading.Thread(target=self._read_messages, daemon=True)
        self._reader.start()
        threading.Thread(target=self._read_output, daemon=True).start()

    def cancel(self) -> None:
        self._cancelled = True
        self._process.end()

    def deliver(self) -> Outcome | None:
        """Tell the progress that has arrived; return the outcome once it has."""
        while True:
            try:
                item = self._arrived.get_nowait()
            except queue.Empty:
                return None
            if isinstance(item, Outcome):
                return item
            self._on_progress(item)

    def _keep(self, line: str, others: list[str]) -> None:
        progress = ProgressLine.parse(line)
        if progress is None:
            others.append(line)
        else:
            self._arrived.put(progress)

    def _read_messages(self) -> None:
        for line in self._process.messages():
            self._keep(line, self._messages)

    def _read_output(self) -> None:
        output: list[str] = []
        for line in self._process.output():
            self._keep(line, output)
        self._reader.join()
        code = self._process.wait()
        # A command that was done before the cancelling reached it has done its work.
        cancelled = self._cancelled and code != 0
        self._arrived.put(Outcome(code, "\n".join(output), "\n".join(self._messages), cancelled))
