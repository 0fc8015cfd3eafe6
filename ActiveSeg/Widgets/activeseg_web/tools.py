"""The tools: what the mouse does on a slice, with what brush, for which structure."""

from __future__ import annotations

from enum import Enum
from typing import Any

import slicer as mrml
from trame_slicer.core import SlicerApp
from trame_slicer.segmentation import SegmentationEffectNoTool

from activeseg.cohort import Geometry, Structure
from activeseg.keys import Plane
from activeseg_slicer.flow import Sheet
from activeseg_slicer.scene.segments import segment_id
from activeseg_web.brushes import EraseHere, OutlineHere, PaintHere
from activeseg_web.views import view_name
from activeseg_web.ways import Ways

__all__ = ["Tool", "Tools"]

_STEP = 1.25
"""What one press of a key makes the brush larger."""

_WIDE = 20
"""A brush to begin with crosses a slice this many times over."""


class Tool(str, Enum):
    """What the left button does."""

    PAINT = "paint"
    ERASE = "erase"
    DRAW = "draw"
    """Fill what is circled."""
    WINDOW = "window"
    """Brightness and contrast."""

    def __str__(self) -> str:
        return self.value


_EFFECTS = {
    Tool.PAINT: PaintHere,
    Tool.ERASE: EraseHere,
    Tool.DRAW: OutlineHere,
    Tool.WINDOW: SegmentationEffectNoTool,
}


class Tools:
    """Holds trame-slicer's editor to what was chosen on the page.

    Args:
        slicer: The scene and its editor.

    Attributes:
        tool: What the left button does.
        diameter: The brush's, in millimetres.
        least, most: Between which the diameter may be.
        structure: The chosen structure's label value; 0 before the first slice.
        ways: Where the mouse was, as the page tells it.
        opacity: Of what is painted, 0 to 1; its outline is always seen.
    """

    def __init__(self, slicer: SlicerApp) -> None:
        self._slicer = slicer
        self._editor = slicer.segmentation_editor
        self._sheet: Sheet | None = None
        self._touched = False
        self.ways = Ways()
        self.tool = Tool.PAINT
        self.diameter = 5.0
        self.least, self.most = 0.5, 50.0
        self.structure = 0
        self.opacity = 0.35
        self._interaction = slicer.scene.GetFirstNodeByClass("vtkMRMLInteractionNode")
        if self._interaction is None:
            node = mrml.vtkMRMLInteractionNode()
            self._interaction = slicer.scene.AddNode(node)

    def take_up(self, sheet: Sheet, segmentation: Any, volume: Any) -> None:
        """Work on a slice that was laid, with the tool, brush and structure of the last.

        Args:
            sheet: The slice.
            segmentation: Its `vtkMRMLSegmentationNode`.
            volume: Its `vtkMRMLScalarVolumeNode`.
        """
        self._sheet = sheet
        if self._editor.active_segmentation_node is not segmentation:
            self._let_go()
            self._editor.set_active_segmentation(segmentation, volume)
        values = [structure.value for structure in sheet.structures]
        self.choose(self.structure if self.structure in values else values[0])
        self._set_range(sheet.geometry, sheet.key.plane)
        self.use(self.tool)
        self.show_opacity(self.opacity)

    def put_down(self) -> None:
        """Nothing is laid any more: the mouse paints nothing."""
        self._sheet = None
        self._editor.deactivate_effect()

    def use(self, tool: Tool) -> None:
        """Change what the left button does."""
        self.tool = tool
        window = tool is Tool.WINDOW
        self._interaction.SetCurrentInteractionMode(
            mrml.vtkMRMLInteractionNode.AdjustWindowLevel
            if window
            else mrml.vtkMRMLInteractionNode.ViewTransform
        )
        if self._sheet is not None:
            effect = self._editor.set_active_effect_type(_EFFECTS[tool])
            if not window:
                view = self._slicer.view_manager.get_view(view_name(self._sheet.key.plane))
                effect.take_up(view, self._sheet, self.ways)
            self.resize(self.diameter)

    def choose(self, value: int) -> None:
        """Paint another structure from now on; unknown values are passed over."""
        structure = self._structure(value)
        if structure is not None:
            self.structure = value
            self._editor.editor_node.SetSelectedSegmentID(segment_id(structure))
            self._editor.set_active_segment_id(segment_id(structure))
            if self.tool is Tool.ERASE:
                self.use(Tool.PAINT)

    def grow(self, steps: int) -> None:
        """Make the brush larger, or smaller, by steps of a quarter."""
        self._touched = True
        self.resize(self.diameter * _STEP**steps)

    def set_diameter(self, diameter: float) -> None:
        """Give the brush a diameter in millimetres; it keeps it on the next slices."""
        self._touched = True
        self.resize(diameter)

    def resize(self, diameter: float) -> None:
        """Give the brush a diameter within its limits."""
        self.diameter = round(min(max(diameter, self.least), self.most), 1)
        for kind in (PaintHere, EraseHere):
            self._editor.get_effect(kind).set_size(self.diameter)

    def show_opacity(self, opacity: float) -> None:
        """Make what is painted more or less see-through."""
        self.opacity = min(max(opacity, 0.0), 1.0)
        node = self._editor.active_segmentation_node
        if node is not None:
            node.GetDisplayNode().SetOpacity2DFill(self.opacity)
            node.GetDisplayNode().SetOpacity2DOutline(1.0)

    def show_space(self, shown: bool) -> None:
        """Show what is painted as surfaces in space."""
        self._editor.show_3d(shown)

    def _structure(self, value: int) -> Structure | None:
        known = self._sheet.structures if self._sheet is not None else ()
        return next((each for each in known if each.value == value), None)

    def _set_range(self, geometry: Geometry, plane: Plane) -> None:
        """Brushes from one voxel to a third of the slice."""
        axis = geometry.array_axis(plane)
        sides = [
            (count, step)
            for position, (count, step) in enumerate(
                zip(geometry.shape, geometry.spacing[::-1], strict=True)
            )
            if position != axis
        ]
        width = min(count * step for count, step in sides)
        self.least = round(max(0.2, min(step for _count, step in sides)), 1)
        self.most = max(round(width / 3, 1), 4 * self.least)
        longest = max(step for _count, step in sides)
        self.resize(self.diameter if self._touched else max(width / _WIDE, 1.5 * longest))

    def _let_go(self) -> None:
        """Stop trame-slicer's watching of the segmentation before; it never does itself."""
        before = self._editor.active_segmentation
        if before is not None and before.segmentation_node.GetScene() is not None:
            before.segmentation_node.RemoveObserver(before._node_obs)
