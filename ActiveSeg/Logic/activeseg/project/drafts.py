"""Strokes that nobody has accepted yet, kept so that a crash or a change of place costs none.

``drafts/<author>/<volume>/<plane>_<index>.npz`` holds the slice as it is painted and the seconds
worked on it; only its author writes it, and each keeping replaces the one before, whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from activeseg.errors import AnnotationError, ProjectError
from activeseg.files import TEMPORARY, atomic_path, make_folder
from activeseg.keys import SliceKey
from activeseg.project.damaged import damaged
from activeseg.project.names import moment, slice_folder, volume_name

__all__ = ["Draft", "draft_file", "drafts_of", "load", "remove", "save"]

_REMEDY = "remove it to give the strokes up"


@dataclass(frozen=True)
class Draft:
    """A slice as somebody has painted it so far.

    Attributes:
        key: The slice.
        author: Whose it is.
        mask: Native 2-D slice of label values.
        seconds: How long the author has worked on it.
        time: When it was kept, ISO text in UTC (`activeseg.project.names.timestamp`).
    """

    key: SliceKey
    author: str
    mask: npt.NDArray[np.uint8]
    seconds: float
    time: str


def draft_file(root: Path, key: SliceKey, author: str) -> Path:
    """Where an author's draft of a slice is.

    Args:
        root: The project's ``drafts`` folder.
        key: The slice.
        author: As `author_name` returns it.
    """
    folder = slice_folder(root / volume_name(author), key)
    return folder.with_name(f"{folder.name}.npz")


def save(root: Path, draft: Draft) -> None:
    """Keep a draft in place of the author's earlier one of the slice.

    Raises:
        AnnotationError: If the disk refuses; the earlier one is still there then.
    """
    file = draft_file(root, draft.key, draft.author)
    try:
        make_folder(file.parent)
        with atomic_path(file) as temporary:
            np.savez_compressed(
                temporary,
                allow_pickle=False,
                key=np.array(str(draft.key)),
                author=np.array(draft.author),
                mask=draft.mask,
                seconds=np.array(draft.seconds),
                time=np.array(draft.time),
            )
    except OSError as error:
        raise AnnotationError(
            f"the strokes were not kept: {error.strerror or error} ({error.filename or root})",
            str(draft.key),
        ) from error


def load(root: Path, key: SliceKey, author: str) -> Draft | None:
    """An author's draft of a slice; None when there is none.

    Raises:
        ProjectError: If the file is damaged.
    """
    draft = _read(draft_file(root, key, author))
    # On a disk that ignores case, two authors or two volumes may share a file's name.
    return draft if draft is not None and (draft.key, draft.author) == (key, author) else None


def remove(root: Path, key: SliceKey, author: str) -> None:
    """Give an author's draft of a slice up; nothing happens when there is none.

    Raises:
        ProjectError: If the disk refuses.
    """
    file = draft_file(root, key, author)
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise ProjectError(f"cannot be removed ({error.strerror or error})", str(file)) from error


def drafts_of(root: Path, author: str) -> Iterator[Draft]:
    """Every draft of an author, in no order.

    Raises:
        ProjectError: If a file is damaged.
    """
    for file in (root / volume_name(author)).glob("*/*.npz"):
        if not file.name.startswith(TEMPORARY):
            draft = _read(file)
            if draft is not None and draft.author == author:
                yield draft


def _read(file: Path) -> Draft | None:
    """One draft; None when it is not there (any more)."""
    try:
        # Opened here, since numpy leaves a damaged archive open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            time = str(archive["time"])
            moment(time)
            return Draft(
                SliceKey.parse(str(archive["key"])),
                str(archive["author"]),
                np.asarray(archive["mask"], dtype=np.uint8),
                float(archive["seconds"]),
                time,
            )
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise damaged(file, error, _REMEDY) from error
    except AnnotationError as error:  # its key is none
        raise damaged(file, error, _REMEDY) from error
