"""Slices that somebody put aside: nobody is asked for them again.

A skip is one small file, ``skips/<volume>/<plane>_<index>/<utc>_<author>.json``, written once.
Annotating the slice all the same is always possible.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from activeseg.errors import ActiveSegError, ProjectError
from activeseg.files import TEMPORARY, make_folder, read_json, write_json
from activeseg.keys import SliceKey
from activeseg.project.damaged import damaged
from activeseg.project.names import file_stem, slice_folder, timestamp

__all__ = ["put_aside", "skipped_slices"]


def put_aside(root: Path, key: SliceKey, author: str) -> None:
    """Record that an author skips a slice.

    Args:
        root: The project's ``skips`` folder.
        key: The slice.
        author: Who skips it.

    Raises:
        ProjectError: If the disk refuses.
    """
    now = datetime.now(timezone.utc)
    folder = slice_folder(root, key)
    record = {"key": str(key), "author": author, "time": timestamp(now)}
    try:
        make_folder(folder)
        write_json(folder / f"{file_stem(now, author)}.json", record)
    except OSError as error:
        raise ProjectError(f"cannot skip {key} ({error})", str(root)) from error


def skipped_slices(root: Path) -> frozenset[SliceKey]:
    """The slices that somebody skipped.

    Raises:
        ProjectError: If a record is damaged.
    """
    found = set()
    for file in root.glob("*/*/*.json"):
        if file.name.startswith(TEMPORARY):
            continue
        try:
            found.add(SliceKey.parse(read_json(file)["key"]))
        except (OSError, KeyError, TypeError, ValueError, ActiveSegError) as error:
            raise damaged(file, error) from error
    return frozenset(found)
