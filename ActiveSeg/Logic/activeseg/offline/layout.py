"""What lies where in the folder of a batch, and which folders are fit for one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from activeseg.errors import ProjectError

__all__ = ["PARTS", "Layout", "check_target"]

PARTS = ("images", "masks", "slicer", "previews")
"""The folders in it; each holds one file a slice."""


@dataclass(frozen=True)
class Layout:
    """The files in the folder of a batch; `name` is `HandedSlice.name` throughout.

    Attributes:
        folder: The folder.
    """

    folder: Path

    @property
    def mark(self) -> Path:
        """Whose batch it is; written last, so that a folder with it is whole."""
        return self.folder / "batch.json"

    @property
    def table(self) -> Path:
        """One row a slice, with a column that the annotator fills in."""
        return self.folder / "slices.csv"

    @property
    def labels(self) -> Path:
        """The structures, for ITK-SNAP."""
        return self.folder / "labels.txt"

    @property
    def readme(self) -> Path:
        """What to do, for the annotator."""
        return self.folder / "README.txt"

    def image(self, name: str) -> Path:
        """The grey values of a slice."""
        return self.folder / "images" / f"{name}.nii.gz"

    def mask(self, name: str) -> Path:
        """The mask of a slice, which the annotator edits."""
        return self.folder / "masks" / f"{name}.nii.gz"

    def segmentation(self, name: str) -> Path:
        """The same mask for 3D Slicer, which saves no segmentation as NIfTI."""
        return self.folder / "slicer" / f"{name}.seg.nrrd"

    def preview(self, name: str) -> Path:
        """A slice as a picture."""
        return self.folder / "previews" / f"{name}.png"

    def shown(self, file: Path) -> str:
        """A file's name as the annotator knows it."""
        return file.relative_to(self.folder).as_posix()


def check_target(folder: Path) -> None:
    """Refuse a folder that a batch cannot be written to, before anything is chosen.

    Raises:
        ProjectError: If it is a file, holds anything, or cannot be written to or made.
    """
    try:
        held = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        held = []
    except NotADirectoryError:
        raise ProjectError("is no folder; name a new or empty one", str(folder)) from None
    except OSError as error:
        raise ProjectError(f"cannot be read ({error.strerror})", str(folder)) from error
    if held:
        raise ProjectError(
            f"not empty (it holds '{held[0]}'); name a new or empty folder", str(folder)
        )
    above = folder.absolute()
    nearest = next(each for each in (above, *above.parents) if each.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise ProjectError(f"{nearest} cannot be written to; name another folder", str(folder))
