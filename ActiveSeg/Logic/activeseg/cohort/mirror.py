"""The files of a cohort at an address, kept on this machine.

::

    <cache>/mirror/<folder's name>-<checksum of the address>/<path below it>/<version>/<file name>

A file is fetched by whoever reads it first, and again when its file system says that it is
another one: the version follows from size, entity tag and time of change. So a file that is there
is whole and is the one that was asked for, any number of processes may fetch at once, and the
whole folder may be deleted whenever nobody reads.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from activeseg.caches import VARIABLE, user_cache_folder
from activeseg.cohort.images import ONE_FILE
from activeseg.cohort.remote import Remote
from activeseg.errors import CohortError
from activeseg.files import TEMPORARY, atomic_path, make_folder, sweep_temporary

__all__ = ["LISTS", "Mirror", "mirror_folder"]

LISTS = (".csv", ".json")
"""Files that say which the volumes are."""

_TWO_FILES = (".nhdr", ".mhd")
_OLD_TEMPORARY_S = 24 * 3600.0


def mirror_folder(source: str) -> Path:
    """Where this machine keeps what it fetched from an address.

    Raises:
        CohortError: If the user has no place for it.
    """
    cache = user_cache_folder()
    if cache is None:
        raise CohortError(
            f"there is no home to keep its files in; name a folder with {VARIABLE}", source
        )
    name = source.rpartition("/")[2]
    plain = "".join(letter if letter.isalnum() else "_" for letter in name)[:32]
    return cache / "mirror" / f"{plain}-{hashlib.sha256(source.encode()).hexdigest()[:16]}"


class Mirror:
    """The tree at an address, by paths in its mirror's folder.

    Folders are listed once; whether a file is another one is asked each time.

    Attributes:
        source: The address.
        root: The mirror's folder.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._listed: dict[str, dict[str, bool] | None] = {}
        self.source = remote.url
        self.root = mirror_folder(remote.url)

    @classmethod
    def opened(cls, url: str) -> tuple[Mirror, Path]:
        """The mirror of what somebody typed, and the path in it: the root, or a list in it.

        Raises:
            CohortError: As `Remote.at` and `mirror_folder`.
        """
        whole = Remote.at(url)
        above, _, name = whole.url.rpartition("/")
        is_list = name.lower().endswith(LISTS) and not above.endswith("/")
        found = cls(Remote.at(above) if is_list else whole)
        sweep_temporary(found.root, _OLD_TEMPORARY_S)
        return found, found.root / name if is_list else found.root

    def is_file(self, path: Path) -> bool:
        """Whether there is such a file."""
        name = self._relative(path)
        facts = self._remote.facts(name, perhaps=True) if name else None
        return facts is not None and not facts.folder

    def is_dir(self, path: Path) -> bool:
        """Whether there is such a folder."""
        if not self._relative(path):
            return self._entries(path) is not None
        return (self._entries(path.parent) or {}).get(path.name, False)

    def files(self, folder: Path) -> list[Path]:
        """The files directly in a folder, in the order of their names; none without a folder."""
        found = self._entries(folder) or {}
        return [folder / name for name in sorted(found) if not found[name]]

    def called(self, path: Path) -> str:
        """Its address."""
        return self._remote.address(self._relative(path))

    def local(self, path: Path) -> Path:
        """The file of this machine that holds what the file at the address holds now.

        Args:
            path: Its path in the mirror's folder, as discovery gave it.

        Raises:
            CohortError: If it is not there, is not one file, cannot be reached, comes in part, or
                the disk refuses. Nothing is left half written.
        """
        name = self._relative(path)
        _check_kind(path)
        facts = self._remote.facts(name)
        if facts is None or facts.folder:
            raise CohortError(f"no such file: {self.called(path)}", path.name)
        file = self.root / name / facts.version / path.name
        if file.is_file():
            return file
        try:
            make_folder(file.parent)
            with atomic_path(file) as temporary:
                self._remote.fetch(name, temporary)
                came = temporary.stat().st_size
                if facts.size is not None and came != facts.size:
                    raise CohortError(
                        f"came as {came} of {facts.size} bytes; run the command again", path.name
                    )
                if self._remote.facts(name) != facts:
                    raise CohortError(
                        "changed while it was fetched; run the command again", path.name
                    )
        except OSError as error:
            raise CohortError(f"cannot be kept in {file.parent}: {error}", path.name) from error
        _forget_others(file.parent)
        return file

    def _relative(self, path: Path) -> str:
        """A path below the root, with slashes; empty for the root."""
        if not path.is_relative_to(self.root) or ".." in path.parts:
            raise CohortError(
                f"lies outside of {self.source}; expected names of files in it or below it",
                path.name,
            )
        name = path.relative_to(self.root).as_posix()
        return "" if name == "." else name

    def _entries(self, folder: Path) -> dict[str, bool] | None:
        """The names in a folder; asked for once."""
        name = self._relative(folder)
        if name not in self._listed:
            self._listed[name] = self._remote.entries(name)
        return self._listed[name]


def _check_kind(path: Path) -> None:
    """Refuse what is not one file: it would have to be guessed which others belong to it."""
    if path.name.lower().endswith(_TWO_FILES):
        raise CohortError(
            "has its pixels in another file; at an address each image must be one file: save it "
            "as .nrrd or .mha",
            path.name,
        )
    if not path.name.lower().endswith((*ONE_FILE, *LISTS)):
        raise CohortError(
            f"is no image that is read at an address; expected {', '.join(ONE_FILE)} files (DICOM "
            "series are read from folders alone)",
            path.name,
        )


def _forget_others(kept: Path) -> None:
    """Remove the other versions of a file, but nothing that is being written."""
    for other in kept.parent.iterdir():
        if other == kept:
            continue
        with suppress(OSError):  # somebody reads or writes there
            for file in other.iterdir():
                if not file.name.startswith(TEMPORARY):
                    file.unlink()
            other.rmdir()
