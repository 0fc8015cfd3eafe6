"""DICOM series: one volume made of the files of one folder.

A series is taken only where its slices stand at equal distances on one straight line at right
angles to their plane; a missing slice, a tilted gantry or several images at one position would
otherwise give an image whose geometry is wrong without a sign.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from activeseg.cohort.frame import check_frame
from activeseg.cohort.geometry import Geometry
from activeseg.cohort.packed import COPY_ANEW
from activeseg.errors import CohortError

if TYPE_CHECKING:
    import SimpleITK

__all__ = ["DicomSeries", "is_dicom", "read_series", "series_below", "series_modality"]

_SERIES_UID = "0020|000e"
_SERIES_NUMBER = "0020|0011"
_MODALITY = "0008|0060"

# Documents and objects that lie among images but are none.
_NO_IMAGES = frozenset({"RTSTRUCT", "RTPLAN", "RTDOSE", "SEG", "SR", "PR", "KO", "REG", "DOC"})

# The mark of a DICOM file (PS3.10 section 7.1), and where its header names the kind of object:
# Media Storage SOP Class UID (0002,0002), always explicit little endian.
_MARK = b"DICM"
_META_BYTES = 1024
_STORED_CLASS = re.compile(rb"\x02\x00\x02\x00UI(..)", re.DOTALL)
_SLICE_CLASSES = frozenset(
    b"1.2.840.10008.5.1.4.1.1." + kind
    for kind in (b"2", b"2.1", b"4", b"4.1", b"128", b"130")  # CT, MR, PET, old and enhanced
)

# Slice positions may stray from equal steps by this part of a step (headers are rounded).
_UNEVEN = 0.02


@dataclass(frozen=True)
class DicomSeries:
    """One series on disk.

    Attributes:
        id: The folder's name; with the series' number where the folder holds several.
        path: The folder, or the series' first file where the folder holds several.
    """

    id: str
    path: Path


def is_dicom(path: Path) -> bool:
    """Whether a file carries DICOM's mark."""
    if path.name.startswith(".") or not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(128)
        return file.read(4) == _MARK


def series_below(root: Path, leave_out: Path) -> list[DicomSeries]:
    """Every image series of a folder and the folders below it, in the order of their names.

    Args:
        root: Where to look.
        leave_out: A folder to pass over (where the labels are).
    """
    folders = _folders(root, {leave_out.resolve()})
    held = {folder: series for folder in folders if (series := _series_of(folder))}
    several_of_name = Counter(folder.name for folder in held)
    found = []
    for folder, series in held.items():
        name = folder.name
        if several_of_name[name] > 1 and folder != root:
            # patient_1/CT and patient_2/CT: the folder's name alone would be twice the same.
            name = "_".join(folder.relative_to(root).parts)
        if len(series) == 1:
            found.append(DicomSeries(name, folder))
            continue
        numbers = [_tags(ordered[0]).get(_SERIES_NUMBER, "") for ordered in series.values()]
        for number, (uid, ordered) in zip(numbers, series.items(), strict=True):
            alone = number.isdigit() and numbers.count(number) == 1
            suffix = f"s{int(number):03d}" if alone else uid.rsplit(".", 1)[-1][-8:]
            found.append(DicomSeries(f"{name}_{suffix}", Path(ordered[0])))
    return found


def series_modality(path: Path) -> str:
    """The Modality (0008,0060) of the series at a folder or file, such as ``CT`` or ``MR``."""
    files = _files_of(path)
    return _tags(files[0]).get(_MODALITY, "")


def read_series(path: Path) -> tuple[npt.NDArray[Any], Geometry]:
    """Read one DICOM series.

    Args:
        path: The folder of one series, or one file of a series.

    Returns:
        The pixels (rescaled to the modality's unit, Hounsfield for CT), native array
        ``[k, j, i]``, and their geometry.

    Raises:
        CohortError: If there is no such series, or its slices are not equally spaced on one line,
            or they are not one scalar volume.
    """
    files = _files_of(path)
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        first = _header(files[0])
        if len(files) == 1:
            if first.GetSize()[-1] < 2 or first.GetDimension() != 3:
                raise CohortError(
                    "the DICOM series has a single slice; expected a volume (move scouts and "
                    "localisers out of the cohort)",
                    path.name,
                )
            return SimpleITK.GetArrayFromImage(first.Execute()), check_frame(first, path.name)
        frame = check_frame(first, path.name)
        step = _step(files, frame, path.name)
        series = SimpleITK.ImageSeriesReader()
        series.SetFileNames(files)
        array = SimpleITK.GetArrayFromImage(series.Execute())
    except RuntimeError as error:  # what SimpleITK raises for everything
        raise CohortError(
            f"the DICOM series cannot be read; a file is damaged; {COPY_ANEW}", path.name
        ) from error
    i, j, _ = frame.size
    di, dj, _ = frame.spacing
    return array, Geometry((i, j, len(files)), (di, dj, step), frame.origin, frame.direction)


def _step(files: list[str], first: Geometry, name: str) -> float:
    """The distance between slices in mm, after making sure that there is one."""
    frames = [_slice_frame(file) for file in files]
    for size, spacing, direction, _ in frames:
        if (
            size != first.size[:2]
            or not np.allclose(spacing, first.spacing[:2], rtol=1e-3)
            or not np.allclose(direction, first.direction, rtol=0, atol=1e-3)
        ):
            raise CohortError(
                "the DICOM series mixes slices of different size, spacing or direction; expected "
                "one volume (split it into series)",
                name,
            )
    positions = np.array([origin for _, _, _, origin in frames], dtype=np.float64)
    normal = np.asarray(first.direction, dtype=np.float64).reshape(3, 3)[:, 2]
    along = (positions - positions[0]) @ normal
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    if usual <= 0 or gaps.min() < _UNEVEN * usual:
        raise CohortError(
            "the DICOM series has several slices at one position; expected one volume (split "
            "time points or echoes into series)",
            name,
        )
    if np.abs(gaps - usual).max() > _UNEVEN * usual:
        worst = int(np.abs(gaps - usual).argmax())
        raise CohortError(
            f"the slices of the DICOM series are not equally spaced: {gaps[worst]:g} mm between "
            f"slices {worst + 1} and {worst + 2}, {usual:g} mm elsewhere; a slice may be missing",
            name,
        )
    sideways = positions - positions[0] - along[:, None] * normal
    if np.linalg.norm(sideways, axis=1).max() > max(first.spacing[:2]):
        raise CohortError(
            "the slices of the DICOM series are shifted against each other (tilted gantry); "
            "resample it to axes at right angles first",
            name,
        )
    return float(along[-1]) / (len(files) - 1)


def _slice_frame(
    file: str,
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Size and spacing in the plane, direction and origin of one file."""
    reader = _header(file)
    return (
        tuple(reader.GetSize()[:2]),
        tuple(reader.GetSpacing()[:2]),
        tuple(reader.GetDirection()),
        tuple(reader.GetOrigin()),
    )


def _folders(root: Path, left_out: set[Path]) -> Iterator[Path]:
    """A folder and those below it, without hidden ones, in the order of their names."""
    place = root.resolve()
    if place in left_out:
        return
    left_out.add(place)  # links may lead here again
    yield root
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            yield from _folders(entry, left_out)


def _series_of(folder: Path) -> dict[str, list[str]]:
    """The image series of one folder by uid, each as its files in the order of position."""
    if not any(is_dicom(entry) for entry in sorted(folder.iterdir())):
        return {}
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageSeriesReader
    series = {
        uid: list(reader.GetGDCMSeriesFileNames(str(folder), uid))
        for uid in sorted(reader.GetGDCMSeriesIDs(str(folder)))
    }
    # GDCM leaves out what it cannot read; a first or last slice would be lost without a gap.
    listed = {Path(file).name for files in series.values() for file in files}
    for entry in sorted(folder.iterdir()):
        if entry.name not in listed and _is_lost_slice(entry):
            raise CohortError(
                f"the DICOM image {entry.name} is damaged or truncated; {COPY_ANEW}", folder.name
            )
    return {
        uid: files
        for uid, files in series.items()
        if files and _tags(files[0]).get(_MODALITY, "") not in _NO_IMAGES
    }


def _is_lost_slice(path: Path) -> bool:
    """Whether a file that GDCM did not take for an image should have been one."""
    if path.name.startswith(".") or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(_META_BYTES)
    if start[128:132] != _MARK:
        return path.suffix.lower() == ".dcm"
    kind = _STORED_CLASS.search(start)
    if kind is None:
        return False
    length = int.from_bytes(kind[1], "little")
    return start[kind.end() : kind.end() + length].rstrip(b"\0") in _SLICE_CLASSES


def _files_of(path: Path) -> list[str]:
    """The files of the series at a path, in the order of position."""
    if not path.exists():
        raise CohortError(f"no such file or folder: {path}", path.name)
    if path.is_file() and not is_dicom(path):
        raise CohortError("is no image that can be read here, nor DICOM", path.name)
    folder = path if path.is_dir() else path.parent
    series = _series_of(folder)
    if path.is_file():
        uid = _tags(str(path)).get(_SERIES_UID, "")
        series = {uid: series[uid]} if uid in series else {}
    if len(series) != 1:
        raise CohortError(f"holds {len(series)} DICOM series of images; expected one", path.name)
    return next(iter(series.values()))


def _header(file: str) -> SimpleITK.ImageFileReader:
    """A reader that has read a file's header, not its pixels."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(file)
    reader.ReadImageInformation()
    return reader


def _tags(file: str) -> dict[str, str]:
    """The tags of a file that matter here; missing ones are left out."""
    try:
        reader = _header(file)
    except RuntimeError:  # a DICOM file that holds no image
        return {_MODALITY: "DOC"}
    wanted = (_SERIES_UID, _SERIES_NUMBER, _MODALITY)
    return {
        tag: reader.GetMetaData(tag).strip(" \0") for tag in wanted if reader.HasMetaDataKey(tag)
    }
