"""A child process with its own process group: its lines, and its end with all it started.

`kill_tree` ends the browser workbench's desks too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

__all__ = ["ChildProcess", "Launcher", "Process", "kill_tree", "launch"]


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
        # Only `wait` collects the child, so until then its id cannot be another process's.
        if self._popen.returncode is None:
            kill_tree(self._popen.pid)


def kill_tree(pid: int) -> None:
    """Kill a process that leads a group of its own, and everything that it has started.

    Args:
        pid: The process; its end was not collected yet, so that the id is still its own.
    """
    if sys.platform == "win32":
        tree = ["taskkill", "/T", "/F", "/PID", str(pid)]
        subprocess.run(tree, check=False, capture_output=True)
        return
    # A desk's worker leads a group of its own, so the group alone is not all; children that
    # outlived their parent are found by the group alone.
    for each in (pid, *_descendants(pid)):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(each, signal.SIGKILL)
    # macOS answers with a PermissionError for a group that has ended.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """The ids of a process's children, their children, and so on."""
    parents = _parents()
    found = [pid]
    for each in found:  # grows while it is walked
        found.extend(child for child, parent in parents.items() if parent == each)
    return found[1:]


def _parents() -> dict[int, int]:
    """Each process's parent."""
    if Path("/proc/self/stat").exists():
        pairs = {}
        for file in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # The second field is a name in parentheses that may hold anything.
                after = file.read_text("utf-8", "replace").rpartition(")")[2].split()
                pairs[int(file.parent.name)] = int(after[1])
        return pairs
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], check=False, capture_output=True, text=True
    )
    rows = (line.split() for line in listed.stdout.splitlines())
    return {int(child): int(parent) for child, parent in rows}


def _lines(stream: IO[str] | None) -> Iterator[str]:
    if stream is None:  # never with PIPE above; tells the type checker so
        return
    with stream:
        for line in stream:
            yield line.rstrip("\r\n")


def launch(command: Sequence[str], folder: Path) -> Process:
    """Start `command` as a child process; the launcher that the worker uses by default."""
    return ChildProcess(command, folder)
