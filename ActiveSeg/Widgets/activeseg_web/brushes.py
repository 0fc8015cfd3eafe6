"""trame-slicer's brushes, held to one view: the one that shows the slice that is asked for.

A stroke in another view would cross the slice in a line, as nothing else may be painted on; and
each of the others would be drawn anew wherever the mouse goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import vtk
from slicer import vtkMRMLSliceNode
from trame_slicer.segmentation import (
    SegmentationEffectDraw,
    SegmentationEffectErase,
    SegmentationEffectPaint,
)
from trame_slicer.segmentation.paint_effect_parameters import BrushDiameterMode
from trame_slicer.segmentation.segmentation_effect_scissors_widget import (
    SegmentationScissorsPipeline,
)
from trame_slicer.segmentation.segmentation_paint_pipeline import SegmentationPaintPipeline2D
from vtk.util import numpy_support

from activeseg_slicer.flow import Sheet
from activeseg_slicer.scene.painting import reference_matrix
from activeseg_slicer.scene.voxels import matrix_array, oriented_image, slice_box
from activeseg_web.dabs import dense, touched
from activeseg_web.views import view_name
from activeseg_web.ways import Ways

__all__ = ["EraseHere", "OutlineHere", "PaintHere"]


class _Here:
    """What a tool of trame-slicer is given besides.

    Attributes:
        view: The id of the node in whose view it works.
    """

    view = ""
    _shown: Any = None
    _sheet: Sheet | None = None
    _ways: Ways | None = None

    def take_up(self, view: Any, sheet: Sheet, ways: Ways) -> None:
        """Work on a slice, in this view alone.

        Args:
            view: trame-slicer's `SliceView`.
            sheet: The slice.
            ways: Where the mouse is, as the page tells it.
        """
        self.view, self._shown = view.get_view_node_id(), view
        self._sheet, self._ways = sheet, ways

    def _told(self, start: npt.ArrayLike, end: npt.ArrayLike) -> npt.NDArray[np.float64] | None:
        """The whole way of the stroke between two pixels of the view, in its pixels."""
        if self._sheet is None or self._ways is None:
            return None
        size = self._shown.render_window().GetSize()
        return self._ways.take(view_name(self._sheet.key.plane), size, start, end)


class _Brush(_Here):
    """A round brush."""

    def set_size(self, diameter: float) -> None:
        """Give the brush a diameter in millimetres."""
        effect: Any = self
        effect.set_brush_diameter(diameter, BrushDiameterMode.Absolute)

    def take_up(self, view: Any, sheet: Sheet, ways: Ways) -> None:
        """Paint on a slice, in this view alone, and show the brush there; as `_Here.take_up`."""
        super().take_up(view, sheet, ways)
        effect: Any = self
        parameters = effect._get_paint_parameters()
        for node in (parameters.brush_model_node, parameters.paint_feedback_model_node):
            if node is not None:
                node.GetDisplayNode().SetViewNodeIDs([self.view])

    def paint_glyph_at_world_coordinates(self, _shape: Any, points: Any) -> None:
        """Paint along a way; called by trame-slicer when the button is released.

        Args:
            points: `vtkPoints` in RAS millimetres.
        """
        effect: Any = self
        if self._sheet is None or points.GetNumberOfPoints() == 0:
            return
        key, geometry = self._sheet.key, self._sheet.geometry
        radius = effect.get_brush_diameter() / 2
        way = self._whole(numpy_support.vtk_to_numpy(points.GetData()).astype(np.float64))
        found = touched(dense(way, radius / 5), radius, geometry, key.plane, key.index)
        if not found.any():
            return
        block = np.expand_dims(found.astype(np.uint8), geometry.array_axis(key.plane))
        matrix = reference_matrix(effect.modifier.segmentation.segmentation_node)
        box = slice_box(geometry, key.plane, key.index)
        effect.modifier.apply_labelmap(oriented_image(block, box, matrix))

    def _whole(self, seen: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The way as the page told it, or as it was seen here; RAS millimetres."""
        to_ras = matrix_array(self._shown.get_view_node().GetXYToRAS())
        ends = np.column_stack([seen[[0, -1]], np.ones(2)])
        start, end = np.linalg.solve(to_ras, ends.T).T
        # A wheel may have turned meanwhile: the view's pixels would be places of another slice.
        told = self._told(start[:2], end[:2]) if abs(start[2]) < 0.5 else None
        if told is None:
            return seen
        flat = np.column_stack([told, np.zeros(len(told)), np.ones(len(told))])
        return np.asarray((flat @ to_ras.T)[:, :3])

    def _create_pipeline(self, view_node: Any, _parameter: Any) -> Any:
        return _pipeline(_Strokes, view_node)


class PaintHere(_Brush, SegmentationEffectPaint):
    """Paint with a round brush."""


class EraseHere(_Brush, SegmentationEffectErase):
    """Erase with a round brush."""


class OutlineHere(_Here, SegmentationEffectDraw):
    """Fill what is circled."""

    def apply_points_display_coordinates(self, points: Any, view: Any) -> None:
        """Fill; called by trame-slicer when the button is released.

        Args:
            points: `vtkPoints` in pixels of the view.
            view: trame-slicer's `SliceView`.
        """
        last = points.GetNumberOfPoints() - 1
        told = self._told(points.GetPoint(0)[:2], points.GetPoint(last)[:2])
        if told is not None:
            points = vtk.vtkPoints()
            for place in told:
                points.InsertNextPoint(*place, 0.0)
        super().apply_points_display_coordinates(points, view)

    def _create_pipeline(self, view_node: Any, _parameter: Any) -> Any:
        return _pipeline(_Outline, view_node)


class _Strokes(SegmentationPaintPipeline2D):
    def CanProcessInteractionEvent(self, event: Any) -> tuple[bool, float]:  # noqa: N802
        if not _is_here(self):
            return False, 0.0
        able, distance = super().CanProcessInteractionEvent(event)
        return bool(able), distance


class _Outline(SegmentationScissorsPipeline):
    def CanProcessInteractionEvent(self, event: Any) -> tuple[bool, float]:  # noqa: N802
        if not _is_here(self):
            return False, 0.0
        able, distance = super().CanProcessInteractionEvent(event)
        return bool(able), distance


def _is_here(pipeline: Any) -> bool:
    view, effect = pipeline._view, pipeline._effect
    return effect is not None and view is not None and view.get_view_node_id() == effect.view


def _pipeline(kind: type, view_node: Any) -> Any:
    """A pipeline for a plane; space is looked at only."""
    return kind() if isinstance(view_node, vtkMRMLSliceNode) else None
