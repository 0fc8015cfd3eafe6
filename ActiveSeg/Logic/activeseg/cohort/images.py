"""Image files in and out: NIfTI, NRRD, MetaImage and DICOM series, through SimpleITK.

Every image is refused here that the engine cannot treat as one scalar volume in a right-angled
frame; what SimpleITK would mend in silence (a negative spacing, missing pixels) is refused too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.cohort.frame import check_frame
from activeseg.cohort.geometry import Geometry
from activeseg.cohort.metaimage import metaimage_problem
from activeseg.cohort.nifti import nifti_problem
from activeseg.cohort.nrrd import nrrd_problem
from activeseg.cohort.packed import COPY_ANEW
from activeseg.errors import CohortError
from activeseg.files import atomic_path

__all__ = [
    "ONE_FILE",
    "SUFFIXES",
    "check_output",
    "image_stem",
    "read_image_file",
    "write_image",
    "write_label",
]

ONE_FILE: tuple[str, ...] = (".nii.gz", ".nii", ".nrrd", ".mha")
"""The formats whose images are one file each."""

# ITK's reader of each format, named so that it need not try them all, and what looks at the file
# before.
_FORMATS: dict[str, tuple[str, Callable[[Path, bool], str | None]]] = {
    ".nii.gz": ("NiftiImageIO", nifti_problem),
    ".nii": ("NiftiImageIO", nifti_problem),
    ".nrrd": ("NrrdImageIO", nrrd_problem),
    ".nhdr": ("NrrdImageIO", nrrd_problem),
    ".mha": ("MetaImageIO", metaimage_problem),
    ".mhd": ("MetaImageIO", metaimage_problem),
}

SUFFIXES: tuple[str, ...] = tuple(_FORMATS)
"""The image files that are read, DICOM aside; ``.nii.gz`` before what it contains."""


def image_stem(path: Path) -> str | None:
    """A file's name less its image suffix; None if it is no image file."""
    name = path.name
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return None


def read_image_file(path: Path, thorough: bool = False) -> tuple[npt.NDArray[Any], Geometry]:
    """Read one volume.

    Args:
        path: An image file, the folder of one DICOM series, or one file of a DICOM series.
        thorough: Whether to compare the checksum of packed files as well as their length; asked
            for once, when a cohort is opened.

    Returns:
        The pixels in the file's own type, native array ``[k, j, i]``, and their geometry.

    Raises:
        CohortError: If the file is missing, damaged, truncated, or not one scalar volume with
            positive spacing and axes at right angles; the message begins with the file's name.
    """
    if image_stem(path) is None:
        from activeseg.cohort.dicom import read_series

        return read_series(path)
    suffix = next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix))
    reader_name, check = _FORMATS[suffix]
    _check_file(path, check, thorough)
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO(reader_name)
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        geometry = check_frame(reader, path.name)
        image = reader.Execute()
    except RuntimeError as error:  # what SimpleITK raises for everything
        raise CohortError(_explain(error), path.name) from error
    array = SimpleITK.GetArrayFromImage(image)
    if array.dtype.kind not in "iuf":
        raise CohortError(f"holds {array.dtype} numbers; expected real ones", path.name)
    return array, geometry


def check_output(path: Path) -> None:
    """Refuse what no image can be written to; for whoever would compute it first.

    Raises:
        CohortError: If the suffix is none of a one-file format, or the folder is not there.
    """
    # A pair of header and pixels cannot be renamed into place in one step.
    if not path.name.lower().endswith(ONE_FILE):
        raise CohortError(f"cannot be written; expected a name in {', '.join(ONE_FILE)}", path.name)
    if not path.parent.is_dir():
        raise CohortError(
            f"cannot be written; there is no folder {path.parent}: make it first", path.name
        )


def write_image(path: Path, array: npt.NDArray[Any], geometry: Geometry) -> None:
    """Write a volume, compressed, whole or not at all.

    Args:
        path: The file; its suffix chooses the format; its folder must exist.
        array: Native array ``[k, j, i]``.
        geometry: The array's geometry.

    Raises:
        CohortError: As `check_output`, or if the array does not have the geometry's size, or the
            disk refuses.
    """
    check_output(path)
    if array.shape != geometry.shape:
        raise CohortError(
            f"an array of {array.shape} cannot have a geometry of {geometry.shape}", path.name
        )
    import SimpleITK

    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    try:
        with atomic_path(path) as temporary:
            SimpleITK.WriteImage(image, str(temporary), True)
    except (RuntimeError, OSError) as error:
        raise CohortError(f"cannot be written: {_last_line(error)}", str(path)) from error


def write_label(path: Path, array: npt.NDArray[np.uint8], geometry: Geometry) -> None:
    """Write a label image (bytes, compressed), whole or not at all; as `write_image`."""
    write_image(path, array.astype(np.uint8, casting="safe", copy=False), geometry)


def _check_file(path: Path, check: Callable[[Path, bool], str | None], thorough: bool) -> None:
    """Refuse what is wrong with the file itself."""
    if not path.is_file():
        raise CohortError(f"no such file: {path}", path.name)
    if path.stat().st_size == 0:
        raise CohortError(f"the file is empty (0 bytes); {COPY_ANEW}", path.name)
    try:
        problem = check(path, thorough)
    except OSError as error:
        raise CohortError(f"cannot be read: {error}", path.name) from error
    if problem is not None:
        raise CohortError(problem, path.name)


def _explain(error: RuntimeError) -> str:
    """SimpleITK's message in the user's words where the reason is known."""
    text = str(error)
    if "orthonormal" in text:
        return "its axes are not at right angles; resample it first"
    if "number of domain axes" in text:
        return "is a 4-D image; expected one 3-D volume in each file"
    if "spacing" in text and "invalid" in text:
        return f"the voxel spacing is not a positive number ({_last_line(error)})"
    reason = _last_line(error)
    return f"cannot be read; it is damaged, truncated or no image ({reason}); {COPY_ANEW}"


def _last_line(error: Exception) -> str:
    """The last line of a message, where ITK says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
