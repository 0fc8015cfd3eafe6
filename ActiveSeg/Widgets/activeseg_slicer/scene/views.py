"""Which slice view shows a slice, turned to the volume's own plane and moved to the slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import vtk

from activeseg.cohort import Geometry
from activeseg.keys import Plane
from activeseg_slicer.scene.limits import LIMIT
from activeseg_slicer.scene.voxels import ijk_to_ras, matrix_array, slice_centre

__all__ = ["SliceViews"]

_Vector = npt.NDArray[np.float64]

# Across each plane, where the engine's arrays grow towards, in RAS.
_DIRECTIONS = {
    Plane.AXIAL: (0.0, 0.0, 1.0),
    Plane.CORONAL: (0.0, -1.0, 0.0),
    Plane.SAGITTAL: (-1.0, 0.0, 0.0),
}

# A view is turned to a plane when its normal lies within 0.06 degrees of the plane's.
_PARALLEL = 1 - 5e-7


class SliceViews:
    """The application's slice views.

    Args:
        application: The `vtkMRMLApplicationLogic`, which knows the logic of each view.
        nodes: The `vtkMRMLSliceNode` of each view, at least one of them shown once.
    """

    def __init__(self, application: Any, nodes: Sequence[Any]) -> None:
        self._application = application
        # The node of a view that no layout has shown yet has no logic.
        self._nodes = [node for node in nodes if application.GetSliceLogic(node) is not None]
        self._shown: tuple[str, Plane] | None = None
        self._kept: list[tuple[Any, int]] = []

    def logic(self, node: Any) -> Any:
        """The `vtkMRMLSliceLogic` of a view."""
        return self._application.GetSliceLogic(node)

    def show_volume(self, volume: Any) -> None:
        """Put a volume behind all views, and keep it there until `let_go`.

        A Segment Editor shows its source volume by itself, which here is no volume to look at.
        """
        self.let_go()
        for node in self._nodes:
            composite = self.logic(node).GetSliceCompositeNode()
            composite.SetBackgroundVolumeID(volume.GetID())

            def keep(*_event: Any, composite: Any = composite) -> None:
                shown = volume.GetScene() and composite.GetBackgroundVolumeID()
                behind = volume.GetScene().GetNodeByID(shown) if shown else None
                if behind is not None and behind.GetAttribute(LIMIT):
                    composite.SetBackgroundVolumeID(volume.GetID())

            tag = composite.AddObserver(vtk.vtkCommand.ModifiedEvent, keep)
            self._kept.append((composite, tag))

    def let_go(self) -> None:
        """Let the views show what they are told."""
        for composite, tag in self._kept:
            composite.RemoveObserver(tag)
        self._kept = []

    def show_slice(self, volume: Any, geometry: Geometry, plane: Plane, index: int) -> Any:
        """Turn the view of a plane to the volume's own axes and move it to a slice.

        Zoom and position stay while the volume and the plane are those of the slice before. In a
        volume that is new the other planes' views come to it too.

        Args:
            volume: The volume's node.
            geometry: Where the volume lies.
            plane: The anatomical plane.
            index: The native voxel index of the slice.

        Returns:
            The view's `vtkMRMLSliceNode`.
        """
        node = self._view_of(plane)
        before = self._shown
        self._shown = (volume.GetID(), plane)
        self._face(node, volume, geometry, plane)
        if before != self._shown:
            self.logic(node).FitSliceToBackground()
        centre = slice_centre(geometry, plane, index)
        if before is None or before[0] != volume.GetID():
            self._show_beside(node, volume, geometry, centre)
        node.JumpSliceByOffsetting(*centre)
        return node

    def _show_beside(
        self, node: Any, volume: Any, geometry: Geometry, centre: tuple[float, float, float]
    ) -> None:
        """Bring the views of the other planes to a volume that is new, through a point of it."""
        for plane in Plane:
            other = self._view_of(plane)
            if other is not node:
                self._face(other, volume, geometry, plane)
                self.logic(other).FitSliceToBackground()
                other.JumpSliceByOffsetting(*centre)

    def _face(self, node: Any, volume: Any, geometry: Geometry, plane: Plane) -> None:
        """Turn a view to a plane of the volume's own axes."""
        node.SetOrientation(plane.value.capitalize())
        node.RotateToVolumePlane(volume)
        if not _looks_along(node, geometry, plane):
            # In a volume turned by 45 degrees Slicer and the engine may pair axes differently.
            _turn(node, geometry, plane)

    def forget(self) -> None:
        """Fit the next slice into its view, whatever was shown before."""
        self._shown = None

    def _view_of(self, plane: Plane) -> Any:
        """The view that starts in this plane; where none does, the first."""
        name = plane.value.capitalize()
        return next((n for n in self._nodes if n.GetDefaultOrientation() == name), self._nodes[0])


def _looks_along(node: Any, geometry: Geometry, plane: Plane) -> bool:
    """Whether a view cuts the volume along the slices of a plane."""
    normal = matrix_array(node.GetSliceToRAS())[:3, 2]
    axis = _axes(geometry, plane)[0]
    return bool(abs(normal @ axis) > _PARALLEL)


def _turn(node: Any, geometry: Geometry, plane: Plane) -> None:
    """Turn a view to a plane of the volume, as radiologists look at it."""
    normal, across, down = _axes(geometry, plane)
    matrix = node.GetSliceToRAS()
    for row in range(3):
        matrix.SetElement(row, 0, across[row])
        matrix.SetElement(row, 1, -down[row])
        matrix.SetElement(row, 2, normal[row])
    node.UpdateMatrices()


def _axes(geometry: Geometry, plane: Plane) -> tuple[_Vector, _Vector, _Vector]:
    """Unit vectors in RAS: the plane's normal, rightwards and downwards in its picture."""
    columns = ijk_to_ras(geometry)[:3, :3] / np.asarray(geometry.spacing)
    superior, posterior, left = (
        _along(columns[:, 2 - geometry.array_axis(cut)], direction)
        for cut, direction in _DIRECTIONS.items()
    )
    if plane is Plane.AXIAL:
        return superior, left, posterior
    if plane is Plane.CORONAL:
        return -posterior, left, -superior
    return left, posterior, -superior


def _along(axis: _Vector, direction: tuple[float, float, float]) -> _Vector:
    """An axis of the volume, pointing the way of a direction of the body."""
    return axis if axis @ np.asarray(direction) >= 0 else -axis
