"""Who works on which slice, so that two people are never given the same one.

A claim is a chain of small files, ``claims/<volume>/<plane>_<index>/<number>.json``, of which
the highest number counts. To claim, renew or take over an expired claim is to create the next
number exclusively, which exactly one of several processes can do; nothing is ever rewritten.
Older numbers are swept by whoever holds the highest, all but the one before it, so that a
listing made while the chain grows still shows a link of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from activeseg.errors import ActiveSegError, ProjectError
from activeseg.files import create_exclusive, make_folder, read_json
from activeseg.keys import SliceKey
from activeseg.project.listing import with_folder
from activeseg.project.names import moment, slice_folder, timestamp

__all__ = ["CLAIM_MINUTES", "Claim", "held", "holder", "holders", "release", "release_own", "take"]

CLAIM_MINUTES = 60.0
"""How long a claim holds unless it is renewed."""

# A claim is created and then filled; a kill in between leaves it empty. Such a claim is honoured
# for as long as its writer may still be at it.
_GRACE = timedelta(seconds=30)


@dataclass(frozen=True)
class Claim:
    """Somebody works on a slice.

    Attributes:
        author: Who; empty when the writer was killed before it could say.
        until: When the claim expires.
    """

    author: str
    until: datetime


def take(root: Path, key: SliceKey, author: str, minutes: float = CLAIM_MINUTES) -> bool:
    """Claim a slice, or renew one's own claim.

    Args:
        root: The project's ``claims`` folder.
        key: The slice.
        author: Who works on it.
        minutes: How long the claim holds.

    Returns:
        Whether the slice is the author's now; False when somebody else holds it.

    Raises:
        ProjectError: If the disk refuses.
    """
    folder = slice_folder(root, key)
    until = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    text = json.dumps({"key": str(key), "author": author, "until": timestamp(until)})
    try:
        make_folder(folder)
        while True:
            number = _highest(folder)
            claim = _read(folder, number)
            if claim is not None and claim.author != author and _holds(claim):
                return False
            if not create_exclusive(_file(folder, number + 1), text.encode()):
                continue  # another was quicker; look at what it wrote
            if _highest(folder) == number + 1:
                _sweep(folder, number - 1)
                return True
            # What was read had been overtaken and swept before the file was created.
            _file(folder, number + 1).unlink(missing_ok=True)
    except OSError as error:
        raise ProjectError(f"cannot claim {key} ({error})", str(root)) from error


def holder(root: Path, key: SliceKey) -> Claim | None:
    """Who works on a slice now; None when nobody does."""
    folder = slice_folder(root, key)
    claim = _read(folder, _highest(folder))
    return claim if claim is not None and _holds(claim) else None


def holders(root: Path, keys: Iterable[SliceKey]) -> dict[SliceKey, Claim]:
    """Who works on which of many slices now; those on which nobody does are left out."""
    try:
        touched = with_folder(root, keys)
    except OSError:
        return {}
    found = {key: holder(root, key) for key in touched}
    return {key: claim for key, claim in found.items() if claim is not None}


def held(root: Path) -> frozenset[SliceKey]:
    """Every slice that somebody works on now, of whatever batch."""
    found = set()
    for folder in root.glob("*/*"):
        number = _highest(folder)
        claim = _read(folder, number)
        if claim is not None and claim.author and _holds(claim):
            with suppress(OSError, KeyError, ValueError, ActiveSegError):  # released meanwhile
                found.add(SliceKey.parse(read_json(_file(folder, number))["key"]))
    return frozenset(found)


def release(root: Path, key: SliceKey) -> None:
    """End the claim on a slice, whoever held it."""
    folder = slice_folder(root, key)
    _sweep(folder, _highest(folder))


def release_own(root: Path, key: SliceKey, author: str) -> None:
    """End the claim on a slice if it is the author's."""
    folder = slice_folder(root, key)
    number = _highest(folder)
    claim = _read(folder, number)
    if claim is not None and claim.author == author:
        _sweep(folder, number)  # a link that another made meanwhile has a higher number


def _holds(claim: Claim) -> bool:
    """Whether a claim has not expired."""
    return datetime.now(timezone.utc) < claim.until


def _file(folder: Path, number: int) -> Path:
    """One link of the chain."""
    return folder / f"{number:06d}.json"


def _numbers(folder: Path) -> list[int]:
    """The links that are there."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
    stems = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return [int(stem) for stem in stems if stem.isdecimal()]


def _highest(folder: Path) -> int:
    """The link that counts; 0 when there is none."""
    return max(_numbers(folder), default=0)


def _read(folder: Path, number: int) -> Claim | None:
    """One link; None when it is not there (any more)."""
    file = _file(folder, number)
    try:
        data = read_json(file)
        return Claim(str(data["author"]), moment(data["until"]))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError):
        with suppress(FileNotFoundError):
            written = datetime.fromtimestamp(file.stat().st_mtime, timezone.utc)
            return Claim("", written + _GRACE)
        return None


def _sweep(folder: Path, number: int) -> None:
    """Remove the links up to a number; what another process removes meanwhile is gone too."""
    for old in _numbers(folder):
        if old <= number:
            with suppress(OSError):
                _file(folder, old).unlink()
