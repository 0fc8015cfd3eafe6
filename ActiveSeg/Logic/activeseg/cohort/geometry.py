"""Where the voxels of an image lie in the body, kept exactly.

Arrays are numpy in SimpleITK's order ``[k, j, i]`` ("native"); coordinates are millimetres in
LPS (the first axis grows towards the patient's Left, the second towards Posterior, the third
towards Superior), as in DICOM and ITK.

"Canonical" arrays have the axes ``[S, P, L]``: axis 0 grows towards Superior, axis 1 towards
Posterior, axis 2 towards Left, reached by transposes and flips alone, so no voxel is ever
interpolated. Axial slices cut canonical axis 0, coronal axis 1, sagittal axis 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from activeseg.errors import CohortError
from activeseg.keys import PLANE_POLICIES, Plane

__all__ = ["Geometry", "picture", "picture_spacing", "take_slice"]

Scalar = TypeVar("Scalar", bound=np.generic)

# The order of planes is the order of canonical axes.
_PLANES: tuple[Plane, Plane, Plane] = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)

# Assignments of ITK axes to body axes count as equally good below this difference in the sum of
# cosines, so that rounding in a header (float32: 1e-7) cannot choose between 45-degree ties.
_TIE = 1e-4

# Axes whose spacing differs by less than this ratio are taken as equal.
_SAME_SPACING = 1.01

# Geometries agree when no number differs by more than this part of the spacing.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Geometry:
    """Size, spacing, origin and direction of one image, as in its header.

    Attributes:
        size: Voxels along i, j, k (ITK order; numpy shape reversed).
        spacing: Millimetres between voxels along i, j, k.
        origin: Centre of voxel (0, 0, 0) in LPS millimetres.
        direction: Nine cosines, row-major; column c is the direction of index axis c in LPS.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The numpy shape ``(k, j, i)``."""
        i, j, k = self.size
        return (k, j, i)

    @property
    def array_spacing(self) -> tuple[float, float, float]:
        """Millimetres between voxels along the native array axes ``(k, j, i)``."""
        i, j, k = self.spacing
        return (k, j, i)

    @cached_property
    def _axes(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """For canonical axes S, P, L: the native array axis, and whether it runs backwards.

        Of the six ways to pair axes, the one with the largest sum of absolute cosines; always a
        permutation, also where two axes lie at 45 degrees (then the first of equals wins).
        """
        cosines = np.asarray(self.direction, dtype=np.float64).reshape(3, 3)
        # Row s of `paired`: canonical axis s (S, P, L); column a: native array axis a (k, j, i).
        paired = cosines[::-1, ::-1]
        choices = list(permutations(range(3)))
        sums = [sum(abs(paired[s, axis]) for s, axis in enumerate(axes)) for axes in choices]
        best = max(sums)
        first, second, third = next(
            axes for axes, total in zip(choices, sums, strict=True) if total > best - _TIE
        )
        backwards = (
            bool(paired[0, first] < 0),
            bool(paired[1, second] < 0),
            bool(paired[2, third] < 0),
        )
        return (first, second, third), backwards

    def array_axis(self, plane: Plane) -> int:
        """The native array axis (0 to 2) that slices of this plane are cut along."""
        return self._axes[0][_PLANES.index(Plane(plane))]

    def plane_of(self, array_axis: int) -> Plane:
        """The plane of the slices ``array[..., index, ...]`` along a native array axis (0-2)."""
        return _PLANES[self._axes[0].index(array_axis)]

    def slice_count(self, plane: Plane) -> int:
        """How many slices the volume has in this plane."""
        return self.shape[self.array_axis(plane)]

    def slice_spacing(self, plane: Plane) -> tuple[float, float]:
        """Millimetres between rows and between columns of what `take_slice` returns."""
        axis = self.array_axis(plane)
        row, col = (mm for a, mm in enumerate(self.array_spacing) if a != axis)
        return (row, col)

    def slice_extent(self, plane: Plane) -> tuple[float, float]:
        """Millimetres that the rows and the columns of what `take_slice` returns span."""
        axis = self.array_axis(plane)
        row, col = (
            n * mm
            for a, (n, mm) in enumerate(zip(self.shape, self.array_spacing, strict=True))
            if a != axis
        )
        return (row, col)

    def thickness(self, plane: Plane) -> float:
        """Millimetres from one slice of this plane to the next."""
        return self.array_spacing[self.array_axis(plane)]

    @property
    def acquisition_plane(self) -> Plane:
        """The plane in which the scanner took the slices, judged by the spacing.

        Its normal is the axis whose spacing stands out most from the other two, thicker or
        thinner (of equals the thicker); with equal spacings the plane that cuts array axis 0.
        """
        logs = [math.log(mm) for mm in self.array_spacing]
        stands_out = [
            min(abs(logs[axis] - logs[other]) for other in range(3) if other != axis)
            for axis in range(3)
        ]
        most = max(stands_out)
        if most < math.log(_SAME_SPACING):
            return self.plane_of(0)
        candidates = [axis for axis in range(3) if stands_out[axis] > most - 1e-6]
        return self.plane_of(max(candidates, key=lambda axis: logs[axis]))

    @property
    def near_isotropic(self) -> bool:
        """Whether the largest spacing is less than twice the smallest."""
        return max(self.spacing) / min(self.spacing) < 2

    def planes(self, policy: str) -> tuple[Plane, ...]:
        """The planes in which slices are asked for.

        Args:
            policy: ``auto`` (all three where the voxels are nearly isotropic, else the
                acquisition plane), ``all``, or the name of one plane.

        Raises:
            CohortError: If the policy is none of these.
        """
        if policy == "auto":
            return _PLANES if self.near_isotropic else (self.acquisition_plane,)
        if policy == "all":
            return _PLANES
        if policy not in PLANE_POLICIES:
            raise CohortError(f"no plane policy '{policy}'; expected {', '.join(PLANE_POLICIES)}")
        return (Plane(policy),)

    def to_canonical(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """A view of a native array ``[k, j, i]`` with the axes ``[S, P, L]``."""
        axes, backwards = self._axes
        return array.transpose(axes)[_flips(backwards)]

    def from_canonical(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """A view of a canonical array ``[S, P, L]`` with the native axes ``[k, j, i]``."""
        axes, backwards = self._axes
        inverse = tuple(axes.index(axis) for axis in range(3))
        return array[_flips(backwards)].transpose(inverse)

    @property
    def canonical_shape(self) -> tuple[int, int, int]:
        """The shape of the canonical array (S, P, L)."""
        (s, p, left), _ = self._axes
        return (self.shape[s], self.shape[p], self.shape[left])

    @property
    def canonical_spacing(self) -> tuple[float, float, float]:
        """Millimetres between voxels of the canonical array (S, P, L)."""
        (s, p, left), _ = self._axes
        mm = self.array_spacing
        return (mm[s], mm[p], mm[left])

    def canonical_index(self, plane: Plane, index: int) -> int:
        """The slice of the canonical array that holds native slice `index` of a plane."""
        backwards = self._axes[1][_PLANES.index(Plane(plane))]
        return self.slice_count(plane) - 1 - index if backwards else index

    def native_index(self, plane: Plane, canonical_index: int) -> int:
        """The native slice that canonical slice `canonical_index` of a plane holds."""
        # Counting from the other end undoes itself.
        return self.canonical_index(plane, canonical_index)

    def to_json(self) -> dict[str, Any]:
        """What a project file keeps; `from_json` reads it back without loss."""
        return {
            "size": list(self.size),
            "spacing": list(self.spacing),
            "origin": list(self.origin),
            "direction": list(self.direction),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Geometry:
        """Read what `to_json` wrote.

        Raises:
            CohortError: If a number is missing.
        """
        try:
            i, j, k = (int(n) for n in data["size"])
            di, dj, dk = (float(mm) for mm in data["spacing"])
            x, y, z = (float(mm) for mm in data["origin"])
            direction = tuple(float(c) for c in data["direction"])
        except (KeyError, TypeError, ValueError) as error:
            raise CohortError(f"a recorded geometry is damaged ({error})") from error
        if len(direction) != 9:
            raise CohortError(f"a recorded geometry has {len(direction)} cosines; expected 9")
        return cls((i, j, k), (di, dj, dk), (x, y, z), direction)

    def mismatch(self, other: Geometry) -> str | None:
        """What differs from another geometry, in one phrase; None when they agree.

        Sizes must be equal; spacing and origin may differ by 1e-3 of the spacing, cosines by
        1e-3.
        """
        if self.size != other.size:
            return f"size {_times(self.size)} instead of {_times(other.size)} voxels"
        fine = _TOLERANCE * min(other.spacing)
        if _furthest(self.spacing, other.spacing) > fine:
            return f"spacing {_times(self.spacing)} instead of {_times(other.spacing)} mm"
        if _furthest(self.origin, other.origin) > fine:
            return f"origin {_listed(self.origin)} instead of {_listed(other.origin)} mm"
        if _furthest(self.direction, other.direction) > _TOLERANCE:
            return f"direction {_listed(self.direction)} instead of {_listed(other.direction)}"
        return None


def take_slice(
    array: npt.NDArray[Scalar], geometry: Geometry, plane: Plane, index: int
) -> npt.NDArray[Scalar]:
    """One slice of a native array, as a view.

    Args:
        array: Native array ``[k, j, i]``.
        geometry: The array's geometry.
        plane: The anatomical plane.
        index: Native voxel index along the axis that the plane cuts, as in `SliceKey.index`.

    Returns:
        The two remaining native axes in array order.

    Raises:
        CohortError: If the volume has no such slice.
    """
    count = geometry.slice_count(plane)
    if not 0 <= index < count:
        raise CohortError(f"no {plane} slice {index}; the volume has 0 to {count - 1}")
    selection: list[int | slice] = [slice(None)] * 3
    selection[geometry.array_axis(plane)] = index
    return array[tuple(selection)]


def picture(slice2d: npt.NDArray[Scalar], geometry: Geometry, plane: Plane) -> npt.NDArray[Scalar]:
    """A slice turned as radiologists look at it, as a view.

    Axial: rows run from anterior to posterior, columns from the patient's right to left (the
    patient's right is at the left of the picture). Coronal: rows from superior to inferior,
    columns as axial. Sagittal: rows from superior to inferior, columns from anterior to
    posterior.

    Args:
        slice2d: What `take_slice` returned for this plane.
        geometry: The volume's geometry.
        plane: The anatomical plane.
    """
    transposed, flips = _picture_turn(geometry, plane)
    return (slice2d.T if transposed else slice2d)[_flips(flips)]


def picture_spacing(geometry: Geometry, plane: Plane) -> tuple[float, float]:
    """Millimetres between rows and between columns of what `picture` returns."""
    row, col = geometry.slice_spacing(plane)
    return (col, row) if _picture_turn(geometry, plane)[0] else (row, col)


def _picture_turn(geometry: Geometry, plane: Plane) -> tuple[bool, tuple[bool, bool]]:
    """Whether the slice is transposed, and which axes of the result run backwards."""
    axes, backwards = geometry._axes
    rows, cols = (s for s in range(3) if _PLANES[s] != plane)
    # Pictures have superior at the top, while canonical axis 0 grows towards superior.
    rows_backwards = backwards[rows] != (rows == 0)
    return axes[rows] > axes[cols], (rows_backwards, backwards[cols])


def _flips(backwards: tuple[bool, ...]) -> tuple[slice, ...]:
    """The index that turns round the axes that run backwards."""
    return tuple(slice(None, None, -1 if flip else 1) for flip in backwards)


def _furthest(ours: tuple[float, ...], theirs: tuple[float, ...]) -> float:
    """The largest absolute difference."""
    return max(abs(a - b) for a, b in zip(ours, theirs, strict=True))


def _times(numbers: tuple[float, ...]) -> str:
    """Numbers as ``a x b x c``."""
    return " x ".join(f"{n:g}" for n in numbers)


def _listed(numbers: tuple[float, ...]) -> str:
    """Numbers as ``(a, b, c)``."""
    return f"({', '.join(f'{n:.4g}' for n in numbers)})"
