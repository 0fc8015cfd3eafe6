"""Slicer's Segment Editor in the panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import slicer

from activeseg.cohort import Structure
from activeseg_slicer.scene.segments import segment_id

__all__ = ["Editor", "editor_node"]

_COLOURED = "ActiveSeg.Coloured"
"""Attribute of a segmentation whose segments have got the user's colours once."""


class Editor:
    """The widget, which follows the scene's one node of the Segment Editor.

    It is also the desk's `activeseg_slicer.scene.EditHistory`.

    Args:
        widget: The ``qMRMLSegmentEditorWidget`` of the ``.ui``.
    """

    def __init__(self, widget: slicer.qMRMLSegmentEditorWidget) -> None:
        self._widget = widget
        widget.setMaximumNumberOfUndoStates(20)
        # The slice on the desk decides on both.
        widget.setSegmentationNodeSelectorVisible(False)
        widget.setSourceVolumeNodeSelectorVisible(False)
        # Its source is what limits it to the slice, nothing to look at (`scene.limits`).
        widget.setAutoShowSourceVolumeNode(False)

    def enter(self) -> None:
        """The module is shown: the editor's keys work, and it follows the scene."""
        # The node first: the scene makes the widget keep its choices there.
        self._widget.setMRMLSegmentEditorNode(editor_node())
        self._widget.setMRMLScene(slicer.mrmlScene)
        self._widget.setupViewObservations()
        self._widget.installKeyboardShortcuts()
        self._widget.updateWidgetFromMRML()
        # It cannot paint in views that show several slices each.
        self._widget.turnOffLightboxes()

    def leave(self) -> None:
        """Another module is shown, or the scene goes."""
        self._widget.setActiveEffect(None)
        self._widget.uninstallKeyboardShortcuts()
        self._widget.removeViewObservations()

    def paint(self) -> None:
        """A slice was laid: take up the brush."""
        self._widget.updateWidgetFromMRML()
        self._widget.setActiveEffectByName("Paint")

    def rest(self) -> None:
        """No slice is on the desk: put the brush away."""
        self._widget.setActiveEffect(None)

    def save(self) -> None:
        """Remember the segmentation, so that undo comes back to it."""
        self._widget.saveStateForUndo()

    def forget(self) -> None:
        """Remember nothing."""
        # The widget has no call for it; switching undo on clears it, in 5.12 as in 4.10. Making
        # the room smaller does not: states that are there stay.
        self._widget.setUndoEnabled(True)

    def colour(self, structures: Sequence[Structure], colours: Mapping[str, str]) -> None:
        """Give the segments the colours that were chosen with the project.

        Once for each segmentation: a colour that is changed later in the editor stays.

        Args:
            structures: The project's.
            colours: ``#rrggbb`` by name; structures without one keep what they have.
        """
        node = editor_node().GetSegmentationNode()
        if node is None or node.GetAttribute(_COLOURED) or not colours:
            return
        for structure in structures:
            segment = node.GetSegmentation().GetSegment(segment_id(structure))
            chosen = colours.get(structure.name, "").lstrip("#")
            if segment is not None and len(chosen) == 6:
                segment.SetColor(*(int(chosen[k : k + 2], 16) / 255 for k in (0, 2, 4)))
        node.SetAttribute(_COLOURED, "1")


def editor_node() -> slicer.vtkMRMLSegmentEditorNode:
    """The scene's one node of the Segment Editor, made if it is not there yet."""
    scene = slicer.mrmlScene
    node = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag("SegmentEditor")
        node = scene.AddNode(node)
    return node
