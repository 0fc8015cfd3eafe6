"""The four views: the plane that is asked for large, the other two and space beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import vtk
from trame_slicer.core import SlicerApp
from trame_slicer.rca_view.rca_view_factory import RemoteViewFactory
from trame_slicer.views import SliceView, ThreeDView, ViewLayoutDefinition, ViewType
from trame_slicer.views.render_scheduler import NoScheduleRendering

from activeseg.cohort import Geometry
from activeseg.keys import Plane, SliceKey
from activeseg_slicer.flow import Sheet
from activeseg_slicer.scene.voxels import ijk_to_ras

__all__ = ["SPACE", "Views", "view_name"]

SPACE = "space"
"""The name of the view that shows the planes in space."""

# Frames a second while a view is looked at; a page that is not touched costs nothing.
_FRAMES = 30.0
# JPEG quality of the frames while something moves; standing pictures get 90.
_MOVING = 80
_BLACK = "#000000"
# Where space is seen from, in RAS, for a volume with a diagonal of 1.
_FROM = np.array([-0.65, 1.2, 0.75])
_COLOURS = {Plane.AXIAL: "#f0776a", Plane.CORONAL: "#7cc46a", Plane.SAGITTAL: "#e6cf5c"}


def view_name(plane: Plane) -> str:
    """The name of a plane's view, on the page and in the scene."""
    return plane.value


class Views:
    """The views of one desk.

    Args:
        slicer: The scene and its logics.
        server: The trame server that shows them.
        moved: Called when the large view was moved to another slice, or back.
    """

    def __init__(self, slicer: SlicerApp, server: Any, moved: Callable[[], None]) -> None:
        self._slicer = slicer
        self._moved = moved
        self._key: SliceKey | None = None
        self._thickness = 1.0
        self._offset = 0.0
        for kind, type_ in ((SliceView, ViewType.SLICE_VIEW), (ThreeDView, ViewType.THREE_D_VIEW)):
            slicer.view_manager.register_factory(_factory(server, kind, type_))
        self._planes = {plane: self._slice_view(plane) for plane in Plane}
        self._space = slicer.view_manager.create_view(
            ViewLayoutDefinition.threed_view(name=SPACE, label=SPACE, background_color=_BLACK)
        )
        for view in self._planes.values():
            # Smoothing of edges doubles the time of each picture where no graphics card is.
            view.render_window().SetMultiSamples(0)
        node = self._space.get_view_node()
        node.SetOrientationMarkerType(node.OrientationMarkerTypeCube)
        node.SetOrientationMarkerSize(node.OrientationMarkerSizeMedium)
        slicer.view_manager.set_current_view_ids([*map(view_name, Plane), SPACE])

    @property
    def slice_nodes(self) -> list[Any]:
        """The `vtkMRMLSliceNode` of each plane's view."""
        return [view.get_view_node() for view in self._planes.values()]

    @property
    def volume(self) -> Any:
        """The `vtkMRMLScalarVolumeNode` behind all views; None before the first slice."""
        composite = self._logic(Plane.AXIAL).GetSliceCompositeNode()
        return self._slicer.scene.GetNodeByID(composite.GetBackgroundVolumeID() or "")

    @property
    def away(self) -> int:
        """How many slices the large view is from the one on the desk; 0 without one."""
        if self._key is None:
            return 0
        moved = float(self._logic(self._key.plane).GetSliceOffset()) - self._offset
        return round(moved / self._thickness)

    def arrange(self, sheet: Sheet) -> None:
        """Show what lies around a slice that was laid in its own view."""
        key, geometry = sheet.key, sheet.geometry
        new = self._key is None or self._key.volume != key.volume
        self._key = None  # nothing that moves now is the person's doing
        volume = self.volume
        middle = _middle(sheet.mask, geometry, key)
        for plane in Plane:
            node = self._planes[plane].get_view_node()
            node.SetSliceVisible(plane is key.plane)
            if plane is not key.plane:
                node.JumpSliceByOffsetting(*middle)
        if new:
            self._look_at(volume)
        self._key = key
        self._thickness = geometry.thickness(key.plane)
        self._offset = self._logic(key.plane).GetSliceOffset()
        self._moved()

    def home(self) -> None:
        """Bring the large view back to the slice, fitted into it."""
        if self._key is not None:
            logic = self._logic(self._key.plane)
            logic.FitSliceToBackground()
            logic.SetSliceOffset(self._offset)

    def put_away(self) -> None:
        """Nothing is laid any more."""
        self._key = None

    def _slice_view(self, plane: Plane) -> Any:
        definition = ViewLayoutDefinition.slice_view(
            plane.value.capitalize(), label=view_name(plane), color=_COLOURS[plane]
        )
        view = self._slicer.view_manager.create_view(definition)
        node = view.get_view_node()
        node.SetDefaultOrientation(plane.value.capitalize())
        node.SetOrientation(plane.value.capitalize())
        node.SetLayoutLabel("")
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, partial(self._has_moved, plane))
        # Added after the view's own: by now its slice node has the new size.
        view.interactor().AddObserver(
            vtk.vtkCommand.WindowResizeEvent, partial(self._fit_again, plane)
        )
        return view

    def _logic(self, plane: Plane) -> Any:
        return self._slicer.app_logic.GetSliceLogic(self._planes[plane].get_view_node())

    def _fit_again(self, plane: Plane, *_event: Any) -> None:
        """A view of another size shows the whole slice again."""
        logic = self._logic(plane)
        offset = logic.GetSliceOffset()
        logic.FitSliceToBackground()
        logic.SetSliceOffset(offset)

    def _look_at(self, volume: Any) -> None:
        """See a volume in space from the left, the front and above."""
        bounds = [0.0] * 6
        volume.GetRASBounds(bounds)
        low, high = np.array(bounds[::2]), np.array(bounds[1::2])
        middle = (low + high) / 2
        camera = self._space.get_camera_node()
        camera.SetFocalPoint(*middle)
        camera.SetPosition(*(middle + _FROM * np.linalg.norm(high - low)))
        camera.SetViewUp(0, 0, 1)
        camera.ResetClippingRange()

    def _has_moved(self, plane: Plane, *_event: Any) -> None:
        if self._key is not None and self._key.plane is plane:
            self._moved()


def _factory(server: Any, kind: type, view_type: ViewType) -> Any:
    """What makes the views of a kind, without trame-slicer's own buttons on them."""
    return RemoteViewFactory(
        server,
        # A view draws at each change until the page's own drawing is set: seconds for nothing.
        partial(kind, scheduled_render_strategy=NoScheduleRendering()),
        view_type,
        target_fps=_FRAMES,
        blur_fps=_FRAMES,
        interactive_quality=_MOVING,
    )


def _middle(
    mask: npt.NDArray[np.uint8], geometry: Geometry, key: SliceKey
) -> tuple[float, float, float]:
    """The middle of what is proposed, else of the slice, in RAS millimetres."""
    marked = np.argwhere(mask)
    inside = marked.mean(axis=0) if len(marked) else np.asarray(mask.shape) // 2
    k, j, i = np.insert(np.rint(inside), geometry.array_axis(key.plane), key.index)
    r, a, s, _one = (ijk_to_ras(geometry) @ (i, j, k, 1.0)).tolist()
    return (r, a, s)
