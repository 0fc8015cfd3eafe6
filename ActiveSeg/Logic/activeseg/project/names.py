"""Names of files and moments in a project folder."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

from activeseg.errors import ProjectError
from activeseg.keys import SliceKey

__all__ = [
    "author_name",
    "file_stem",
    "moment",
    "slice_folder",
    "slice_name",
    "timestamp",
    "volume_name",
]

_LONGEST_AUTHOR = 64

# Letters of every script stay readable; what some file system refuses, a leading dot (hidden,
# or "..") and a trailing dot or space (dropped by Windows) are percent-encoded.
_UNSAFE = re.compile(r"[^\w.\- ]|^\.|[. ]$")


def slice_folder(root: Path, key: SliceKey) -> Path:
    """The folder ``<root>/<volume>/<plane>_<index>`` of one slice.

    Volume ids that no file system would take are percent-encoded; the key is therefore read
    from the files inside, never from the folder's name.
    """
    return root / volume_name(key.volume) / slice_name(key)


def slice_name(key: SliceKey) -> str:
    """A slice's folder within its volume's: ``<plane>_<index>``."""
    return f"{key.plane}_{key.index:03d}"


def volume_name(volume: str) -> str:
    """A volume's id as a file or folder name on every file system."""
    return _UNSAFE.sub(lambda m: "".join(f"%{b:02X}" for b in m[0].encode()), volume)


def author_name(author: str) -> str:
    """An author's name as it is recorded: without spaces round it.

    Raises:
        ProjectError: If it is empty, longer than 64 characters or not printable.
    """
    name = author.strip()
    if not name or not name.isprintable():
        raise ProjectError(f"{author!r} is not an author's name; give one with --author")
    if len(name) > _LONGEST_AUTHOR:
        raise ProjectError(
            f"the author's name has {len(name)} characters; give one of at most {_LONGEST_AUTHOR}"
        )
    return name


def file_stem(time: datetime, author: str) -> str:
    """``<utc>_<author>``, sortable by time and fit for every file system."""
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", author).strip("-.") or "author"
    return f"{time:%Y%m%dT%H%M%S.%fZ}_{safe}"


def timestamp(time: datetime) -> str:
    """A moment as ISO text in UTC with microseconds; the texts sort as the moments do."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """Read what `timestamp` wrote.

    Raises:
        ValueError: If the text is not such a moment.
    """
    if not text.endswith("Z"):
        raise ValueError(f"'{text}' is not a moment in UTC")
    return datetime.fromisoformat(f"{text[:-1]}+00:00")
