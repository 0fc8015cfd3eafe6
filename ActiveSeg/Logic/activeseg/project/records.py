"""Annotations on disk: a pair of files for each acceptance, never overwritten.

``annotations/<volume>/<plane>_<index>/<utc>_<author>.seg.nrrd`` holds the mask and is written
first; the ``.json`` beside it is written last and makes the acceptance count. A kill between
the two leaves an image that nobody looks at. A ``.withdrawn`` beside both takes it back
(`activeseg.project.withdrawals`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from activeseg.annotations import write_slice
from activeseg.errors import ActiveSegError, AnnotationError, ProjectError
from activeseg.files import TEMPORARY, create_exclusive, make_folder, read_json, write_json
from activeseg.keys import SliceKey
from activeseg.project.damaged import damaged
from activeseg.project.names import file_stem, moment, slice_folder, timestamp, volume_name

if TYPE_CHECKING:
    from activeseg.cohort import Geometry, Structure

__all__ = ["Annotation", "read_record", "read_records", "slice_records", "store"]

_FORMAT = 1
_IMAGE_SUFFIX = ".seg.nrrd"
_WITHDRAWN_SUFFIX = ".withdrawn"


@dataclass(frozen=True)
class Annotation:
    """One accepted mask of one slice.

    Attributes:
        key: The slice.
        author: Who accepted it.
        seconds: How long the author worked on it; 0 when nobody measured.
        time: When it was accepted, ISO text in UTC with microseconds.
        image: The one-slice label image.
        sha256: Checksum of that file.
        shown: What the author had been shown (`activeseg.project.accept.what_was_shown`);
            None when the slice was not asked for.
        withdrawn: Whether it was taken back, when it was read.
    """

    key: SliceKey
    author: str
    seconds: float
    time: str
    image: Path
    sha256: str
    shown: Mapping[str, Any] | None
    withdrawn: bool = False

    @property
    def record(self) -> Path:
        """The ``.json`` that makes it count."""
        return _beside(self.image, ".json")

    @property
    def withdrawal(self) -> Path:
        """The file whose presence takes it back."""
        return _beside(self.image, _WITHDRAWN_SUFFIX)

    @property
    def order(self) -> tuple[str, str]:
        """Sorts annotations of a slice by time, then by the name of the file; newest last."""
        return (self.time, self.image.name)

    def verify(self) -> None:
        """Compare the image with the checksum that was recorded when it was accepted.

        Raises:
            ProjectError: If the image is missing or was changed.
        """
        try:
            found = _checksum(self.image)
        except OSError as error:
            raise ProjectError(
                f"the accepted mask of {self.key} cannot be read ({error.strerror}); restore it",
                str(self.image),
            ) from error
        if found != self.sha256:
            raise ProjectError(
                f"the accepted mask of {self.key} was changed after it was accepted; restore it",
                str(self.image),
            )


def store(
    root: Path,
    key: SliceKey,
    mask: npt.NDArray[np.uint8],
    geometry: Geometry,
    structures: Sequence[Structure],
    author: str,
    seconds: float,
    shown: Mapping[str, Any] | None,
) -> Annotation:
    """Write one acceptance; when this returns, it is on the disk and nothing can replace it.

    Args:
        root: The project's ``annotations`` folder.
        key: The slice.
        mask: Native 2-D slice of label values, already checked.
        geometry: The volume's geometry.
        structures: The project's structures.
        author: Who accepted it, as `author_name` returns it.
        seconds: How long it took.
        shown: What the author had been shown.

    Raises:
        AnnotationError: If the disk refuses; nothing was accepted then.
    """
    try:
        folder = slice_folder(root, key)
        make_folder(folder)
        image, time = _reserve(folder, author)
        write_slice(image, mask, geometry, key, structures)
        annotation = Annotation(
            key, author, seconds, timestamp(time), image, _checksum(image), shown
        )
        write_json(annotation.record, _to_json(annotation))
    except OSError as error:
        raise AnnotationError(
            f"nothing was accepted: {error.strerror or error} ({error.filename or root})",
            str(key),
        ) from error
    return annotation


def read_records(root: Path, volume: str | None = None) -> Iterator[Annotation]:
    """Every acceptance below ``annotations``, those taken back too, in no order.

    Temporary files, images without a record and files of other kinds are passed over.

    Args:
        root: The project's ``annotations`` folder.
        volume: Only of this volume.

    Raises:
        ProjectError: If a record is damaged.
    """
    for folder in _folders(root) if volume is None else [root / volume_name(volume)]:
        for slice_ in _folders(folder):
            for found in _records_in(slice_):
                if volume in (None, found.key.volume):
                    yield found


def slice_records(root: Path, key: SliceKey) -> list[Annotation]:
    """The acceptances of one slice, those taken back too, oldest first.

    Raises:
        ProjectError: If a record is damaged.
    """
    # Keys are compared too: on a disk that ignores case two volumes may share a folder.
    records = (a for a in _records_in(slice_folder(root, key)) if a.key == key)
    return sorted(records, key=lambda annotation: annotation.order)


def read_record(file: Path) -> Annotation:
    """Read one ``.json`` of an acceptance.

    Raises:
        ProjectError: If it is damaged; acceptance never leaves it so.
    """
    try:
        data = read_json(file)
        shown = data["shown"]
        if not (shown is None or isinstance(shown, dict)):
            raise TypeError("'shown' is not an object")
        seconds = float(data["seconds"])
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"{seconds} seconds")
        moment(data["time"])
        return Annotation(
            SliceKey.parse(data["key"]),
            str(data["author"]),
            seconds,
            str(data["time"]),
            file.with_name(Path(data["image"]).name),
            str(data["sha256"]),
            shown,
        )
    except (OSError, KeyError, TypeError, ValueError, ActiveSegError) as error:
        remedy = "restore it, or remove it to give the annotation up"
        raise damaged(file, error, remedy) from error


def _reserve(folder: Path, author: str) -> tuple[Path, datetime]:
    """An image name that is this writer's alone, and the moment in it.

    The moment is later than every earlier acceptance of the slice, also where the clocks of two
    machines differ: who accepts later is newer.
    """
    records = list(_records_in(folder))
    latest = max((moment(a.time) for a in records), default=None)
    time = datetime.now(timezone.utc)
    if latest is not None:
        time = max(time, latest + timedelta(microseconds=1))
    while True:
        image = folder / f"{file_stem(time, author)}{_IMAGE_SUFFIX}"
        if create_exclusive(image):
            return image, time
        time += timedelta(microseconds=1)


def _records_in(folder: Path) -> Iterator[Annotation]:
    """The acceptances in one slice's folder."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return
    taken_back = {name for name in names if name.endswith(_WITHDRAWN_SUFFIX)}
    for name in names:
        if name.endswith(".json") and not name.startswith(TEMPORARY):
            found = read_record(folder / name)
            yield replace(found, withdrawn=found.withdrawal.name in taken_back)


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name."""
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []


def _beside(image: Path, suffix: str) -> Path:
    """The file beside an image with another suffix."""
    return image.with_name(image.name.removesuffix(_IMAGE_SUFFIX) + suffix)


def _checksum(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _to_json(annotation: Annotation) -> dict[str, Any]:
    """What the record holds."""
    return {
        "format_version": _FORMAT,
        "key": str(annotation.key),
        "author": annotation.author,
        "seconds": annotation.seconds,
        "time": annotation.time,
        "image": annotation.image.name,
        "sha256": annotation.sha256,
        "shown": None if annotation.shown is None else dict(annotation.shown),
    }
