"""What was computed of the images once, by their content.

One file for each volume and purpose, named by a checksum of everything that its content follows
from. A file begins with the checksum of the rest: whatever is not whole counts as not there, and is
made anew. The whole folder may be deleted at any moment, and any number of processes may use it at
once; where nothing can be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.caches import VARIABLE, user_cache_folder
from activeseg.cohort import Cohort
from activeseg.files import make_folder, sweep_temporary, write_atomic

__all__ = ["FeatureCache", "file_checksum", "project_cache", "user_cache"]

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

_OFF = "off"
_FOLDER = "cache"
_DIGEST = hashlib.sha256().digest_size
_BLOCK = 1 << 20
_DAY_S = 24 * 3600.0
_UNUSED_S = 90 * _DAY_S
"""After so long without use a file of the user's folder is removed."""


@dataclass(frozen=True)
class FeatureCache:
    """A folder of arrays by what they follow from.

    Attributes:
        folder: The folder; made when something is kept in it.
    """

    folder: Path

    def read(self, kind: str, *follows_from: object) -> dict[str, npt.NDArray[Any]] | None:
        """What was kept; None if nothing was, or if it is damaged.

        Args:
            kind: What it is.
            follows_from: Everything that it depends on; equal words, equal arrays.
        """
        file = self._file(kind, follows_from)
        try:
            content = file.read_bytes()
            os.utime(file)
        except OSError:
            return None
        whole, packed = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(packed).digest() != whole:
            return None
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            return dict(arrays)

    def keep(self, arrays: Arrays, kind: str, *follows_from: object) -> None:
        """Keep arrays; where the disk refuses they are not kept."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        packed = buffer.getvalue()
        with suppress(OSError):
            make_folder(self.folder)
            whole = hashlib.sha256(packed).digest()
            write_atomic(self._file(kind, follows_from), whole + packed)

    def tidy(self) -> None:
        """Remove what was not used for long, and what killed writers left."""
        sweep_temporary(self.folder, _DAY_S)
        oldest = time.time() - _UNUSED_S
        for file in self.folder.glob("*-*.bin"):
            with suppress(OSError):
                if file.stat().st_mtime < oldest:
                    file.unlink()

    def _file(self, kind: str, follows_from: tuple[object, ...]) -> Path:
        name = hashlib.sha256("\n".join(map(str, follows_from)).encode()).hexdigest()
        return self.folder / f"{kind}-{name}.bin"


def project_cache(project: Path) -> FeatureCache | None:
    """The cache of a project's folder; None where `VARIABLE` switches caches off."""
    return None if os.environ.get(VARIABLE) == _OFF else FeatureCache(project / _FOLDER)


def user_cache() -> FeatureCache | None:
    """The cache of the user (`activeseg.caches`), for work without a project.

    Returns:
        None where `VARIABLE` switches caches off, or the user has no home.
    """
    folder = None if os.environ.get(VARIABLE) == _OFF else user_cache_folder()
    return None if folder is None else FeatureCache(folder)


def file_checksum(cohort: Cohort, volume: str) -> str | None:
    """SHA-256 of a volume's image file, where one file is the whole image.

    Returns:
        None for all but NIfTI: other headers may name a file of pixels, and a DICOM series is a
        folder; and where the file cannot be read, which whoever reads the image will say.

    Raises:
        CohortError: If the file lies elsewhere and cannot be fetched.
    """
    if not cohort.volume(volume).image.name.lower().endswith((".nii", ".nii.gz")):
        return None
    digest = hashlib.sha256()
    file = cohort.image_file(volume)
    try:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()
