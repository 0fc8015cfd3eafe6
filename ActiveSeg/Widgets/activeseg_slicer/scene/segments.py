"""The segmentation node of a volume: one segment a structure, on the volume's own voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer

from activeseg.cohort import Structure
from activeseg_slicer.scene.terms import describe
from activeseg_slicer.scene.volumes import find_marked, mark

__all__ = ["add_structures", "segment_id", "segmentation_node"]


def segment_id(structure: Structure) -> str:
    """The id of a structure's segment, the same in all segmentations of a project."""
    return f"ActiveSeg_{structure.value}"


def segmentation_node(scene: Any, project: str, volume: str, volume_node: Any) -> tuple[Any, bool]:
    """The segmentation that a project keeps for a volume, on the volume's own voxels.

    Args:
        scene: The `vtkMRMLScene`.
        project: The project's name.
        volume: The volume's id.
        volume_node: The volume's node, whose voxels the segmentation takes.

    Returns:
        The `vtkMRMLSegmentationNode`, and whether it was made now.
    """
    found = find_marked(scene, "vtkMRMLSegmentationNode", project, volume)
    if found:
        return found[0], False
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{volume} ActiveSeg")
    mark(node, project, volume)
    node.CreateDefaultDisplayNodes()
    # Without it the segments have voxels of their own, cropped to what was painted first.
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)
    return node, True


def add_structures(node: Any, structures: Sequence[Structure], terminologies: Any) -> None:
    """Add a segment for each structure that has none yet.

    Args:
        node: The `vtkMRMLSegmentationNode`.
        structures: The project's structures, in its order.
        terminologies: The application's `vtkSlicerTerminologiesModuleLogic`, or None.
    """
    segmentation = node.GetSegmentation()
    for position, structure in enumerate(structures):
        if segmentation.GetSegment(segment_id(structure)) is not None:
            continue
        name, colour, term = describe(structure.name, position, terminologies)
        segmentation.AddEmptySegment(segment_id(structure), name, colour)
        segment = segmentation.GetSegment(segment_id(structure))
        segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), term)
