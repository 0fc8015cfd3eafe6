"""Slices that somebody put aside: nobody is asked for them again.

A skip is one small file, ``skips/<volume>/<plane>_<index>/<utc>_<author>.json``, written once.
Annotating the slice all the same is always possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from activeseg.errors import ActiveSegError, ProjectError
from activeseg.files import TEMPORARY, make_folder, read_json, write_json
from activeseg.keys import SliceKey
from activeseg.project.damaged import damaged
from activeseg.project.names import file_stem, slice_folder, timestamp

__all__ = ["Skip", "put_aside", "read_skips"]


@dataclass(frozen=True)
class Skip:
    """A slice that was put aside.

    Attributes:
        key: The slice.
        author: Who put it aside.
        time: When, ISO text in UTC (`activeseg.project.names.timestamp`).
        reason: Why, in the author's words; may be empty.
    """

    key: SliceKey
    author: str
    time: str
    reason: str


def put_aside(root: Path, key: SliceKey, author: str, reason: str = "") -> None:
    """Record that an author skips a slice.

    Args:
        root: The project's ``skips`` folder.
        key: The slice.
        author: Who skips it.
        reason: Why; may be empty.

    Raises:
        ProjectError: If the disk refuses.
    """
    now = datetime.now(timezone.utc)
    folder = slice_folder(root, key)
    record = {
        "key": str(key),
        "author": author,
        "time": timestamp(now),
        "reason": " ".join(reason.split()),
    }
    try:
        make_folder(folder)
        write_json(folder / f"{file_stem(now, author)}.json", record)
    except OSError as error:
        raise ProjectError(f"cannot skip {key} ({error})", str(root)) from error


def read_skips(root: Path) -> list[Skip]:
    """All skips, oldest first.

    Raises:
        ProjectError: If a record is damaged.
    """
    found = []
    for file in root.glob("*/*/*.json"):
        if file.name.startswith(TEMPORARY):
            continue
        try:
            data = read_json(file)
            reason = str(data.get("reason", ""))  # there is none in folders of before
            key = SliceKey.parse(data["key"])
            found.append(Skip(key, str(data["author"]), str(data["time"]), reason))
        except (OSError, KeyError, TypeError, ValueError, ActiveSegError) as error:
            raise damaged(file, error) from error
    return sorted(found, key=lambda skip: (skip.time, skip.key))
