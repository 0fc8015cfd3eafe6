"""Whether an image's header describes one scalar volume in a right-angled frame."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from activeseg.cohort.geometry import Geometry
from activeseg.errors import CohortError

if TYPE_CHECKING:
    import SimpleITK

__all__ = ["check_frame"]

_ORTHOGONAL = 1e-3


def check_frame(reader: SimpleITK.ImageFileReader, name: str) -> Geometry:
    """The geometry of an image whose header was read.

    Args:
        reader: A reader after ``ReadImageInformation``.
        name: The file's name, for the message.

    Raises:
        CohortError: If the image is not one scalar volume with positive spacing and axes at
            right angles.
    """
    dimension = reader.GetDimension()
    if dimension != 3:
        raise CohortError(f"is a {dimension}-D image; expected one 3-D volume in each file", name)
    components = reader.GetNumberOfComponents()
    if components != 1:
        raise CohortError(
            f"has {components} numbers in each voxel (colour or vectors); expected one", name
        )
    i, j, k = reader.GetSize()
    di, dj, dk = reader.GetSpacing()
    x, y, z = reader.GetOrigin()
    geometry = Geometry((i, j, k), (di, dj, dk), (x, y, z), tuple(reader.GetDirection()))
    if not all(math.isfinite(mm) and mm > 0 for mm in geometry.spacing):
        spacing = " x ".join(f"{mm:g}" for mm in geometry.spacing)
        raise CohortError(f"the voxel spacing is {spacing} mm; expected positive numbers", name)
    cosines = np.asarray(geometry.direction, dtype=np.float64).reshape(3, 3)
    if not np.allclose(cosines.T @ cosines, np.eye(3), rtol=0, atol=_ORTHOGONAL):
        raise CohortError("its axes are not at right angles; resample it first", name)
    if not all(math.isfinite(mm) for mm in geometry.origin):
        raise CohortError("its origin is not a number; expected three millimetres", name)
    return geometry
