"""One lock for a project folder: only one process trains, scores or chooses at a time."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from activeseg.errors import ProjectError
from activeseg.files import read_json, write_json

__all__ = ["LOCK_FILES", "hold"]

_LOCK = ".working.lock"
_AT_WORK = ".working.json"

LOCK_FILES = frozenset({_LOCK, _AT_WORK})
"""The names that `hold` uses in the folder."""


@contextmanager
def hold(folder: Path, verb: str) -> Iterator[None]:
    """Hold the folder's lock, which the system frees when its process ends, however it ends."""
    from filelock import FileLock, Timeout

    note = folder / _AT_WORK
    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ProjectError(
            f"another activeseg is at work here ({_who(note)}); wait for it or end it",
            str(folder),
        ) from None
    try:
        write_json(note, {"verb": verb, "pid": os.getpid(), "host": platform.node()})
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _who(note: Path) -> str:
    """Who holds the lock, as far as the note says."""
    try:
        data = read_json(note)
        return f"{data['verb']}, process {data['pid']} on {data['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said which"  # it took the lock a moment ago
