"""A cohort as it was found: where its files are, how they lie in the body, what is labelled.

No pixel is kept here; `Cohort.read_image` and `Cohort.read_label` read one file when called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.cohort.geometry import Geometry
from activeseg.cohort.images import read_image_file
from activeseg.cohort.labels import as_label
from activeseg.cohort.mirror import Mirror, mirror_folder
from activeseg.cohort.remote import Remote, is_address
from activeseg.errors import CohortError

__all__ = ["Cohort", "CohortVolume", "Structure", "naming"]


@dataclass(frozen=True)
class Structure:
    """One thing to segment.

    Attributes:
        name: Its name, as people write it.
        value: Its value in label images, 1 to 255.
    """

    name: str
    value: int


@dataclass(frozen=True)
class CohortVolume:
    """One image of the cohort.

    Attributes:
        id: The volume's name; never holds a slash.
        image: The image file; of a DICOM series its folder, or its first file where the folder
            holds several series. Of a cohort at an address it is a name in the mirror's folder,
            and nothing to open: `Cohort.image_file` gives the file.
        label: The reference label image, if there is one; as `image`.
        geometry: The image's geometry as found when the cohort was opened.
        modality: ``ct`` (Hounsfield units), ``ct-offset`` (Hounsfield units + 1024, unsigned)
            or ``mr``; the same for the whole cohort.
    """

    id: str
    image: Path
    label: Path | None
    geometry: Geometry
    modality: str


@dataclass(frozen=True)
class Cohort:
    """The volumes of a folder or list, in the order of their ids.

    Attributes:
        root: The cohort's folder (of a list file: the folder that holds it); of a cohort at an
            address the folder of its mirror (`activeseg.cohort.mirror`).
        volumes: At least one volume.
        structures: At least one structure, in the order of their values.
        source: The address that holds the cohort's files; empty if its folder does.
    """

    root: Path
    volumes: tuple[CohortVolume, ...]
    structures: tuple[Structure, ...]
    source: str = ""

    @property
    def where(self) -> str:
        """The cohort's folder or address, as users know it."""
        return self.source or str(self.root)

    @cached_property
    def _by_id(self) -> dict[str, CohortVolume]:
        return {volume.id: volume for volume in self.volumes}

    def volume(self, volume_id: str) -> CohortVolume:
        """The volume of this name.

        Raises:
            CohortError: If the cohort has none of this name.
        """
        found = self._by_id.get(volume_id)
        if found is None:
            raise CohortError(
                f"no such volume among the {len(self.volumes)} of the cohort; expected a name as "
                f"{self.volumes[0].id}; 'activeseg status PROJECT --json' lists them",
                volume_id,
            )
        return found

    def image_file(self, volume_id: str) -> Path:
        """The image as it is now, on this machine; fetched if need be.

        Raises:
            CohortError: If there is no such volume, or its file cannot be fetched.
        """
        return self._file(volume_id, self.volume(volume_id).image)

    def label_file(self, volume_id: str) -> Path:
        """The reference label as it is now, on this machine; fetched if need be.

        Raises:
            CohortError: If there is no such volume, it has no label, or it cannot be fetched.
        """
        label = self.volume(volume_id).label
        if label is None:
            raise CohortError("has no reference label; only its image was found", volume_id)
        return self._file(volume_id, label)

    def image_place(self, volume_id: str) -> str:
        """The path or address of an image, as users know it.

        Raises:
            CohortError: If there is no such volume.
        """
        image = self.volume(volume_id).image
        if not self.source:
            return str(image)
        return Remote(self.source).address(image.relative_to(self.root).as_posix())

    def _file(self, volume_id: str, path: Path) -> Path:
        """The file of this machine that holds what a path stands for."""
        if not self.source:
            return path
        # Whoever reads may be another machine, whose mirror has its own folder.
        mirror = Mirror(Remote(self.source))
        try:
            return mirror.local(mirror.root / path.relative_to(self.root))
        except CohortError as error:
            raise naming(volume_id, error) from error

    def read_image(self, volume_id: str) -> npt.NDArray[np.float32]:
        """Read one image.

        Returns:
            Grey values, native array ``[k, j, i]``.

        Raises:
            CohortError: As `read_stored`.
        """
        return self.read_stored(volume_id).astype(np.float32, copy=False)

    def read_stored(self, volume_id: str) -> npt.NDArray[Any]:
        """Read one image as it is stored, which for most is half the memory of `read_image`.

        Returns:
            Grey values in the file's own type, native array ``[k, j, i]``.

        Raises:
            CohortError: If there is no such volume, or its file is gone, out of reach, damaged,
                or no longer has the geometry that was recorded.
        """
        volume = self.volume(volume_id)
        array, geometry = _read(self.image_file(volume_id), volume.id)
        _same_geometry(volume, geometry, volume.image)
        return array

    def read_label(self, volume_id: str) -> npt.NDArray[np.uint8]:
        """Read one volume's reference label.

        Returns:
            Label values (0 is background), native array ``[k, j, i]``.

        Raises:
            CohortError: If the volume has no label, or its file is gone, out of reach, damaged,
                or no longer has the geometry that was recorded.
        """
        volume = self.volume(volume_id)
        file = self.label_file(volume_id)
        array, geometry = _read(file, volume.id)
        _same_geometry(volume, geometry, file)
        return as_label(array, volume.id)

    def to_json(self) -> dict[str, Any]:
        """What a project file keeps; paths below the root are relative to it."""
        return {
            "root": self.where,
            "structures": [{"name": s.name, "value": s.value} for s in self.structures],
            "volumes": [
                {
                    "id": volume.id,
                    "image": _kept_path(volume.image, self.root),
                    "label": None if volume.label is None else _kept_path(volume.label, self.root),
                    "geometry": volume.geometry.to_json(),
                    "modality": volume.modality,
                }
                for volume in self.volumes
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], root: Path | None = None) -> Cohort:
        """Read what `to_json` wrote, without touching an image.

        Args:
            data: The recorded cohort.
            root: The folder in which the cohort lies now, if it moved; otherwise where it was.

        Raises:
            CohortError: If something is missing from the record.
        """
        try:
            kept = data["root"]
            source = kept if root is None and is_address(kept) else ""
            home = root or (mirror_folder(source) if source else Path(kept))
            structures = tuple(
                Structure(str(s["name"]), int(s["value"])) for s in data["structures"]
            )
            volumes = tuple(_volume_from_json(volume, home) for volume in data["volumes"])
        except (KeyError, TypeError, ValueError) as error:
            raise CohortError(f"the recorded cohort is damaged ({error!r})") from error
        if not volumes or not structures:
            raise CohortError("the recorded cohort is damaged (it holds no volume or structure)")
        return cls(home, volumes, structures, source)


def _volume_from_json(data: Mapping[str, Any], root: Path) -> CohortVolume:
    """One volume of a recorded cohort."""
    label = data["label"]
    return CohortVolume(
        id=str(data["id"]),
        image=root / data["image"],
        label=None if label is None else root / label,
        geometry=Geometry.from_json(data["geometry"]),
        modality=str(data["modality"]),
    )


def _kept_path(path: Path, root: Path) -> str:
    """A path relative to the root where it lies below it, so that the cohort may move."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def naming(volume_id: str, error: CohortError) -> CohortError:
    """The same error with the volume's id before the file's name, where these differ."""
    return error if error.volume == volume_id else CohortError(str(error), volume_id)


def _read(path: Path, volume_id: str) -> tuple[npt.NDArray[Any], Geometry]:
    """Read a file; an error names the volume too."""
    try:
        return read_image_file(path)
    except CohortError as error:
        raise naming(volume_id, error) from error


def _same_geometry(volume: CohortVolume, geometry: Geometry, path: Path) -> None:
    """Refuse a file that is not the one the cohort was opened with."""
    difference = geometry.mismatch(volume.geometry)
    if difference is not None:
        raise CohortError(
            f"{path.name} changed since the cohort was opened: {difference}; "
            "put the former file back or start a new project",
            volume.id,
        )
