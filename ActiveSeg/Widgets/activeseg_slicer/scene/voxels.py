"""Between the engine's arrays and VTK's images.

The engine keeps native arrays ``[k, j, i]`` and positions in LPS; VTK keeps i fastest, which is
the same memory, and MRML positions in RAS: the first two axes of space change sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util import numpy_support

from activeseg.cohort import Geometry
from activeseg.keys import Plane

__all__ = [
    "Box",
    "array_of",
    "ijk_to_ras",
    "matrix_array",
    "new_image",
    "node_matrix",
    "oriented_image",
    "put_image",
    "same_place",
    "slice_box",
    "slice_centre",
]

# Positions agree below this part of a voxel: what headers and Slicer's texts round away.
_CLOSE = 0.05


@dataclass(frozen=True)
class Box:
    """A block of voxels of a volume.

    Attributes:
        low: The first voxel ``(k, j, i)``.
        high: One past the last voxel ``(k, j, i)``.
    """

    low: tuple[int, int, int]
    high: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along k, j, i."""
        (k, j, i), (past_k, past_j, past_i) = self.low, self.high
        return (past_k - k, past_j - j, past_i - i)

    @property
    def extent(self) -> tuple[int, int, int, int, int, int]:
        """The same as VTK writes it: first and last voxel along i, j, k."""
        (k, j, i), (past_k, past_j, past_i) = self.low, self.high
        return (i, past_i - 1, j, past_j - 1, k, past_k - 1)

    @classmethod
    def of_extent(cls, extent: tuple[int, int, int, int, int, int]) -> Box:
        """The block that a VTK extent names; empty where the extent is."""
        i, last_i, j, last_j, k, last_k = extent
        return cls((k, j, i), (last_k + 1, last_j + 1, last_i + 1))

    def meet(self, other: Box) -> Box | None:
        """The voxels that both blocks hold; None where there are none."""
        k, j, i = (max(a, b) for a, b in zip(self.low, other.low, strict=True))
        past_k, past_j, past_i = (min(a, b) for a, b in zip(self.high, other.high, strict=True))
        met = Box((k, j, i), (past_k, past_j, past_i))
        return met if min(met.shape) > 0 else None

    def within(self, outer: Box) -> tuple[slice, slice, slice]:
        """The index of this block in an array that holds `outer`."""
        k, j, i = (
            slice(low - start, high - start)
            for low, high, start in zip(self.low, self.high, outer.low, strict=True)
        )
        return (k, j, i)


def slice_box(geometry: Geometry, plane: Plane, index: int) -> Box:
    """The block of one slice of a volume, one voxel thick."""
    axis = geometry.array_axis(plane)
    low, high = [0, 0, 0], list(geometry.shape)
    low[axis], high[axis] = index, index + 1
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def ijk_to_ras(geometry: Geometry) -> npt.NDArray[np.float64]:
    """The 4 x 4 matrix from voxel (i, j, k, 1) to millimetres (R, A, S, 1)."""
    matrix = np.eye(4)
    cosines = np.asarray(geometry.direction, dtype=np.float64).reshape(3, 3)
    matrix[:3, :3] = cosines * np.asarray(geometry.spacing)
    matrix[:3, 3] = geometry.origin
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    return np.asarray(lps_to_ras @ matrix, dtype=np.float64)


def slice_centre(geometry: Geometry, plane: Plane, index: int) -> tuple[float, float, float]:
    """The middle of a slice, in RAS millimetres."""
    box = slice_box(geometry, plane, index)
    k, j, i = ((low + high - 1) / 2 for low, high in zip(box.low, box.high, strict=True))
    r, a, s, _one = (ijk_to_ras(geometry) @ (i, j, k, 1.0)).tolist()
    return (r, a, s)


def matrix_array(matrix: Any) -> npt.NDArray[np.float64]:
    """A `vtkMatrix4x4` as an array."""
    return np.array([[matrix.GetElement(row, col) for col in range(4)] for row in range(4)])


def node_matrix(node: Any) -> npt.NDArray[np.float64]:
    """A volume node's 4 x 4 matrix from voxel (i, j, k, 1) to RAS."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix_array(matrix)


def same_place(
    found: npt.NDArray[np.float64],
    expected: npt.NDArray[np.float64],
    size: tuple[int, int, int],
) -> bool:
    """Whether two matrices put no corner of a volume further apart than a 20th of a voxel.

    Args:
        found: From voxel (i, j, k, 1) to RAS.
        expected: The other.
        size: Voxels along i, j, k.
    """
    voxels = np.linalg.solve(expected, found) - np.eye(4)
    return bool((np.abs(voxels[:3]) @ (*size, 1)).max() < _CLOSE)


def vtk_matrix(array: npt.NDArray[np.float64]) -> Any:
    """A `vtkMatrix4x4` with the numbers of a 4 x 4 array."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(array.ravel().tolist())
    return matrix


def array_of(image: Any) -> npt.NDArray[Any]:
    """The voxels of a `vtkImageData` with one component, as a writable view ``[k, j, i]``."""
    i, j, k = image.GetDimensions()
    flat = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    view: npt.NDArray[Any] = flat.reshape(k, j, i)
    return view


def new_image(array: npt.NDArray[Any]) -> Any:
    """A `vtkImageData` with a copy of a native array, of the same number type."""
    k, j, i = array.shape
    image = vtk.vtkImageData()
    image.SetDimensions(i, j, k)
    image.AllocateScalars(numpy_support.get_vtk_array_type(array.dtype), 1)
    array_of(image)[...] = array
    return image


def oriented_image(array: npt.NDArray[np.uint8], box: Box, matrix: npt.NDArray[np.float64]) -> Any:
    """A `vtkOrientedImageData` that holds a block of a volume.

    Args:
        array: The block's voxels ``[k, j, i]``.
        box: Where the block lies in the volume.
        matrix: Of the whole volume, from voxel (i, j, k, 1) to RAS.
    """
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*box.extent)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    array_of(image)[...] = array
    image.SetImageToWorldMatrix(vtk_matrix(matrix))
    return image


def put_image(node: Any, array: npt.NDArray[Any], matrix: npt.NDArray[np.float64]) -> None:
    """Give a volume node voxels (native ``[k, j, i]``, copied) and a place in RAS."""
    node.SetIJKToRASMatrix(vtk_matrix(matrix))
    node.SetAndObserveImageData(new_image(array))
