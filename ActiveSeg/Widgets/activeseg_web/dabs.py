"""Which voxels of a slice a round brush touches on its way.

trame-slicer cuts a cylinder of triangles with the voxels' planes. Where it stands exactly along
the volume's axes, as in coronal views of most volumes, the cut finds nothing and the stroke is
lost; brushes are moved by whole voxels, too. Here the distance to each voxel's middle decides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Geometry
from activeseg.keys import Plane
from activeseg_slicer.scene.voxels import ijk_to_ras

__all__ = ["dense", "touched"]


def touched(
    way: npt.NDArray[np.float64], radius: float, geometry: Geometry, plane: Plane, index: int
) -> npt.NDArray[np.bool_]:
    """The voxels whose middle lies under the brush somewhere on its way.

    Args:
        way: ``[n, 3]`` places in RAS millimetres, close to each other; those on other slices
            touch nothing.
        radius: The brush's, in millimetres.
        geometry: Where the volume lies.
        plane: The slice's plane.
        index: The native voxel index of the slice.

    Returns:
        Native 2-D slice; the voxels that the way itself runs through are always among them.
    """
    across = geometry.array_axis(plane)
    matrix = ijk_to_ras(geometry)
    homogeneous = np.column_stack([way, np.ones(len(way))])
    k_j_i = np.linalg.solve(matrix, homogeneous.T)[2::-1].T
    here = np.abs(k_j_i[:, across] - index) <= 0.5
    places = np.delete(k_j_i[here], across, axis=1)
    size = np.delete(geometry.shape, across)
    steps = np.delete(np.asarray(geometry.spacing[::-1]), across)
    found = np.zeros(size, bool)
    reach = np.ceil(radius / steps).astype(int)
    for place in places:
        middle = np.rint(place).astype(int)
        low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, size)
        if (low >= high).any():
            continue
        rows, columns = (
            (np.arange(first, past) - at) * step
            for first, past, at, step in zip(low, high, place, steps, strict=True)
        )
        under = rows[:, None] ** 2 + columns[None, :] ** 2 <= radius**2
        found[low[0] : high[0], low[1] : high[1]] |= under
        if ((middle >= 0) & (middle < size)).all():
            found[middle[0], middle[1]] = True
    return found


def dense(way: npt.NDArray[np.float64], step: float) -> npt.NDArray[np.float64]:
    """A way with places between its own, so that none is further from the next than a step.

    Args:
        way: ``[n, 3]`` places, at least one.
        step: In the way's unit.

    Returns:
        ``[m, 3]``, the way's own places among them.
    """
    lengths = np.linalg.norm(np.diff(way, axis=0), axis=1)
    counts = np.maximum(np.ceil(lengths / step).astype(int), 1)
    parts = [
        start + (end - start) * (np.arange(count) / count)[:, None]
        for start, end, count in zip(way[:-1], way[1:], counts, strict=True)
    ]
    return np.concatenate([*parts, way[-1:]])
