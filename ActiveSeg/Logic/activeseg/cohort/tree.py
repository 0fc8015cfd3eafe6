"""What discovery asks of the place where a cohort lies."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

__all__ = ["DISK", "Disk", "Tree"]


class Tree(Protocol):
    """Folders and files by their paths."""

    @property
    def source(self) -> str:
        """The address of the cohort's folder; empty for a folder of this machine."""

    def is_file(self, path: Path) -> bool:
        """Whether there is such a file."""

    def is_dir(self, path: Path) -> bool:
        """Whether there is such a folder."""

    def files(self, folder: Path) -> list[Path]:
        """The files directly in a folder, in the order of their names; none without a folder."""

    def local(self, path: Path) -> Path:
        """The file of this machine that holds what a file of the tree holds now."""

    def called(self, path: Path) -> str:
        """What the user calls a file or folder."""


class Disk:
    """The disks of this machine."""

    source = ""

    def is_file(self, path: Path) -> bool:
        """Whether there is such a file."""
        return path.is_file()

    def is_dir(self, path: Path) -> bool:
        """Whether there is such a folder."""
        return path.is_dir()

    def files(self, folder: Path) -> list[Path]:
        """The files directly in a folder, in the order of their names; none without a folder."""
        if not folder.is_dir():
            return []
        return [entry for entry in sorted(folder.iterdir()) if entry.is_file()]

    def local(self, path: Path) -> Path:
        """The file itself."""
        return path

    def called(self, path: Path) -> str:
        """Its path."""
        return str(path)


DISK = Disk()
