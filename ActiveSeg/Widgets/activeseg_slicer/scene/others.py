"""The clinician's own segments of a segmentation, put away while a slice of it is worked on.

The editor leaves hidden segments alone, so what is painted on a slice cannot overwrite them.
Which ones were hidden is noted on the segmentation too: a scene may be saved by something that
announces nothing, and whoever opens the project in it again shall find them shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from activeseg.cohort import Structure
from activeseg_slicer.scene.segments import segment_id
from activeseg_slicer.scene.volumes import PROJECT

__all__ = ["bring_back_others", "hide_others", "show_others"]

HIDDEN = "ActiveSeg.Hidden"
"""Attribute of a segmentation: the ids of the segments that are put away."""


def hide_others(segmentation: Any, structures: Sequence[Structure]) -> None:
    """Hide every segment that is visible and not one of these structures'.

    Args:
        segmentation: The `vtkMRMLSegmentationNode`; what was hidden before stays noted.
        structures: The project's structures.
    """
    ours = {segment_id(structure) for structure in structures}
    display = segmentation.GetDisplayNode()
    hidden = _noted(segmentation)
    for segment in segmentation.GetSegmentation().GetSegmentIDs():
        if segment not in ours and display.GetSegmentVisibility(segment):
            display.SetSegmentVisibility(segment, False)
            hidden.append(segment)
    if hidden:
        segmentation.SetAttribute(HIDDEN, "\n".join(hidden))


def show_others(segmentation: Any) -> None:
    """Show what `hide_others` hid; segments that were removed meanwhile are left out."""
    display = segmentation.GetDisplayNode()
    for segment in _noted(segmentation):
        if display is not None and segmentation.GetSegmentation().GetSegment(segment) is not None:
            display.SetSegmentVisibility(segment, True)
    segmentation.RemoveAttribute(HIDDEN)


def bring_back_others(scene: Any, project: str) -> None:
    """Show the segments that are hidden since the scene was saved or the application fell."""
    kind = "vtkMRMLSegmentationNode"
    for position in range(scene.GetNumberOfNodesByClass(kind)):
        node = scene.GetNthNodeByClass(position, kind)
        if node.GetAttribute(PROJECT) == project:
            show_others(node)


def _noted(segmentation: Any) -> list[str]:
    return [line for line in (segmentation.GetAttribute(HIDDEN) or "").split("\n") if line]
