"""Files that are either whole or not there.

Everything in a project is written under a temporary name beside its place, brought to the disk
with fsync and renamed, so that whoever looks at any moment (another process, or the next start
after a power cut) finds the old file or the new one, never a part.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = [
    "TEMPORARY",
    "atomic_path",
    "create_exclusive",
    "make_folder",
    "read_json",
    "sweep_temporary",
    "write_atomic",
    "write_json",
]

TEMPORARY = ".tmp-"
"""How the name of a file begins while it is being written."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` when the block ends well.

    Args:
        path: The file to make or replace; its folder must exist.

    Yields:
        A name in the same folder, ``.tmp-<pid>-<random>-<name>``, thus with the same suffixes;
        the block must write it. When the block fails, the temporary file is removed and `path`
        is as it was.

    Raises:
        OSError: If the disk refuses.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # there only if the block, or the disk, failed
    _sync_folder(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Make or replace `path` with `data`, whole or not at all.

    Raises:
        OSError: If the disk refuses.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, obj: Mapping[str, Any]) -> None:
    """Make or replace `path` with `obj` as indented UTF-8 JSON, whole or not at all.

    Raises:
        OSError: If the disk refuses.
        TypeError, ValueError: If `obj` is not JSON (NaN and infinity are not).
    """
    text = json.dumps(obj, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(path, f"{text}\n".encode())


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a JSON object in UTF-8.
    """
    data = json.loads(path.read_bytes())
    if not isinstance(data, dict):
        raise ValueError("expected a JSON object")
    return data


def create_exclusive(path: Path, data: bytes = b"") -> bool:
    """Create `path` with `data` unless it exists; of several at once exactly one succeeds.

    A kill between creating and writing can leave the file empty.

    Returns:
        Whether it was this call that created the file.

    Raises:
        OSError: If the disk refuses for another reason than that the file exists.
    """
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, 0o666)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return True


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they too survive a power cut.

    Raises:
        OSError: If the disk refuses, or if a file is in the way.
    """
    missing = [folder, *folder.parents]
    missing = missing[: next((n for n, f in enumerate(missing) if f.is_dir()), len(missing))]
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        _sync_folder(new.parent)


def sweep_temporary(folder: Path, older_than_s: float) -> int:
    """Remove temporary files that killed writers left anywhere below a folder.

    Args:
        folder: Where to look.
        older_than_s: Only files last written longer ago than this, in seconds; younger ones may
            be in use.

    Returns:
        How many were removed. What another process removes meanwhile, or keeps open, is left.
    """
    removed = 0
    oldest = time.time() - older_than_s
    for parent, _, names in os.walk(folder):
        for name in names:
            if not name.startswith(TEMPORARY):
                continue
            file = Path(parent, name)
            with suppress(OSError):
                if file.stat().st_mtime <= oldest:
                    file.unlink()
                    removed += 1
    return removed


def _sync(file: Path) -> None:
    """Wait until what was written is on the disk (opened for writing: Windows asks for it)."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Wait until a folder's entries are on the disk, where the system can do that."""
    with suppress(OSError):  # Windows opens no folders; some network shares sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
