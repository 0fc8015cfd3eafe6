"""trame-slicer's brushes, held to one view: the one that shows the slice that is asked for.

A stroke in another view would cross the slice in a line, as nothing else may be painted on; and
each of the others would be drawn anew wherever the mouse goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
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
from activeseg_slicer.scene.voxels import oriented_image, slice_box
from activeseg_web.dabs import touched

__all__ = ["EraseHere", "OutlineHere", "PaintHere"]


class _Brush:
    """What a brush of trame-slicer is given besides.

    Attributes:
        view: The name in the scene of the node whose view it works in.
        sheet: The slice that it paints on.
    """

    view = ""
    sheet: Sheet | None = None

    def set_size(self, diameter: float) -> None:
        """Give the brush a diameter in millimetres."""
        effect: Any = self
        effect.set_brush_diameter(diameter, BrushDiameterMode.Absolute)

    def take_up(self, view: str, sheet: Sheet) -> None:
        """Paint on a slice, in this view alone, and show the brush there."""
        self.view, self.sheet = view, sheet
        effect: Any = self
        parameters = effect._get_paint_parameters()
        for node in (parameters.brush_model_node, parameters.paint_feedback_model_node):
            if node is not None:
                node.GetDisplayNode().SetViewNodeIDs([view])

    def paint_glyph_at_world_coordinates(self, _shape: Any, points: Any) -> None:
        """Paint along a way; called by trame-slicer when the button is released.

        Args:
            points: `vtkPoints` in RAS millimetres.
        """
        effect: Any = self
        if self.sheet is None or points.GetNumberOfPoints() == 0:
            return
        key, geometry = self.sheet.key, self.sheet.geometry
        way = numpy_support.vtk_to_numpy(points.GetData()).astype(np.float64)
        radius = effect.get_brush_diameter() / 2
        found = touched(way, radius, geometry, key.plane, key.index)
        if not found.any():
            return
        block = np.expand_dims(found.astype(np.uint8), geometry.array_axis(key.plane))
        matrix = reference_matrix(effect.modifier.segmentation.segmentation_node)
        box = slice_box(geometry, key.plane, key.index)
        effect.modifier.apply_labelmap(oriented_image(block, box, matrix))

    def _create_pipeline(self, view_node: Any, _parameter: Any) -> Any:
        return _pipeline(_Strokes, view_node)


class PaintHere(_Brush, SegmentationEffectPaint):
    """Paint with a round brush."""


class EraseHere(_Brush, SegmentationEffectErase):
    """Erase with a round brush."""


class OutlineHere(SegmentationEffectDraw):
    """Fill what is circled.

    Attributes:
        view: The name in the scene of the node whose view it works in.
    """

    view = ""

    def take_up(self, view: str, _sheet: Sheet) -> None:
        """Work in this view alone."""
        self.view = view

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
