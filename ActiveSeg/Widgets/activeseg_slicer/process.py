"""A child process with its own process group: its lines, and its end with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

__all__ = ["ChildProcess", "Launcher", "Process", "launch"]


class Process(Protocol):
    """What the worker needs of a running command."""

    def output(self) -> Iterator[str]:
        """Yield the lines of standard output until the command closes it."""

    def messages(self) -> Iterator[str]:
        """Yield the lines of standard error until the command closes it."""

    def wait(self) -> int:
        """Wait for the command's end; return its exit code, negative for a signal."""

    def end(self) -> None:
        """End the command and every process that it started, without waiting."""


class Launcher(Protocol):
    """Whoever starts a command; handed to the worker, so that tests need no process."""

    def __call__(self, command: Sequence[str], folder: Path) -> Process:
        """Start `command` with `folder` as its working directory."""


class ChildProcess:
    """A command of the operating system, in a process group (Windows: a tree) of its own.

    Args:
        command: The program and its arguments.
        folder: The working directory.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._popen = subprocess.Popen(
            list(command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=os.name == "posix",
            # Windows would open a console window over the application.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )

    def output(self) -> Iterator[str]:
        """Yield the lines of standard output."""
        return _lines(self._popen.stdout)

    def messages(self) -> Iterator[str]:
        """Yield the lines of standard error."""
        return _lines(self._popen.stderr)

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        return self._popen.wait()

    def end(self) -> None:
        """Kill the whole tree at once.

        `PythonSlicer` is a launcher and the engine may have children of its own, so ending the
        direct child alone would leave them running. Nothing is asked to finish first: a project
        folder is valid after a kill at any moment.
        """
        # Only `wait` collects the child, so until then its id cannot be another process's, and
        # children that outlived it are still found.
        if self._popen.returncode is not None:
            return
        if sys.platform == "win32":
            tree = ["taskkill", "/T", "/F", "/PID", str(self._popen.pid)]
            subprocess.run(tree, check=False, capture_output=True)
        else:
            # The child leads its group (start_new_session): its id is the group's.
            # macOS answers with a PermissionError for a group that has ended.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)


def _lines(stream: IO[str] | None) -> Iterator[str]:
    if stream is None:  # never with PIPE above; tells the type checker so
        return
    with stream:
        for line in stream:
            yield line.rstrip("\r\n")


def launch(command: Sequence[str], folder: Path) -> Process:
    """Start `command` as a child process; the launcher that the worker uses by default."""
    return ChildProcess(command, folder)
