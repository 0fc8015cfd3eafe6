"""Reading and writing the voxels of a segmentation, block by block.

Slicer keeps segments that do not overlap in one shared labelmap ("layer"), cropped to what is
painted. Writing must leave the other segments, the other slices and the layers alone:

- Voxels that come are added by `vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment`
  with MODE_MERGE_MASK, which makes room and keeps segments that overlap apart. MODE_REPLACE would
  wipe the segment's other slices, and MODE_MERGE_MAX writes the number 1 into a shared labelmap,
  whoever owns that number.
- Voxels that go are set to zero in the labelmap itself, where they certainly lie.
  MODE_MERGE_MIN would part each segment from the shared labelmap, and the file would be written
  with a component each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk

from activeseg.cohort import Structure
from activeseg.errors import AnnotationError
from activeseg_slicer.scene.segments import segment_id
from activeseg_slicer.scene.voxels import (
    Box,
    array_of,
    matrix_array,
    oriented_image,
    same_place,
)

__all__ = ["read", "read_segment", "reference_matrix", "write"]


def read(node: Any, structures: Sequence[Structure], box: Box, key: str) -> npt.NDArray[np.uint8]:
    """The label values that a segmentation holds in a block.

    Where segments of two structures overlap, the one that comes later in the project counts.

    Args:
        node: The `vtkMRMLSegmentationNode`.
        structures: The project's structures, in its order.
        box: The block.
        key: What is read, for the message.

    Returns:
        ``[k, j, i]`` label values, zero where no structure is.

    Raises:
        AnnotationError: If a structure's segment is gone or no longer on the volume's voxels.
    """
    labels = np.zeros(box.shape, np.uint8)
    for structure in structures:
        labels[_structure(node, structure, box, key)] = structure.value
    return labels


def write(
    node: Any,
    structures: Sequence[Structure],
    box: Box,
    labels: npt.NDArray[np.uint8],
    key: str,
) -> None:
    """Make the structures' segments hold these label values in a block, and change no other.

    Args:
        node: The `vtkMRMLSegmentationNode`.
        structures: The project's structures; other values in `labels` are left out.
        box: The block.
        labels: ``[k, j, i]`` label values, zero where no structure is.
        key: What is written, for the message.

    Raises:
        AnnotationError: If a structure's segment is gone or no longer on the volume's voxels.
    """
    wanted = [labels == structure.value for structure in structures]
    held = [_structure(node, structure, box, key) for structure in structures]
    # All that goes goes first, so that nothing overlaps at any time.
    for structure, want, have in zip(structures, wanted, held, strict=True):
        if (have & ~want).any():
            _take(node, segment_id(structure), have & ~want, box)
    for structure, want, have in zip(structures, wanted, held, strict=True):
        if (want & ~have).any():
            _add(node, segment_id(structure), want & ~have, box)


def _take(node: Any, segment: str, goes: npt.NDArray[np.bool_], box: Box) -> None:
    """Take away voxels of a block, all of which the segment holds."""
    image = _labelmap(node, segment)
    whole = Box.of_extent(image.GetExtent())
    met = box.meet(whole)
    if met is None:
        return
    array_of(image)[met.within(whole)][goes[met.within(box)]] = 0
    image.GetPointData().GetScalars().Modified()
    # Tells the segmentation, and with it the views and the undo.
    image.Modified()


def _add(node: Any, segment: str, comes: npt.NDArray[np.bool_], box: Box) -> None:
    """Add voxels of a block, none of which another structure holds."""
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    image = oriented_image(comes.astype(np.uint8), box, reference_matrix(node))
    if not logic.SetBinaryLabelmapToSegment(image, node, segment, logic.MODE_MERGE_MASK):
        raise RuntimeError(f"Slicer did not write the segment {segment}")


def _labelmap(node: Any, segment: str) -> Any:
    """The `vtkOrientedImageData` that holds a segment, perhaps with others; may be None."""
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    return node.GetSegmentation().GetSegment(segment).GetRepresentation(name)


def _structure(node: Any, structure: Structure, box: Box, key: str) -> npt.NDArray[np.bool_]:
    if node.GetSegmentation().GetSegment(segment_id(structure)) is None:
        raise AnnotationError(
            f"the segment of '{structure.name}' was removed from {node.GetName()}; undo that, "
            "or open the slice again",
            key,
        )
    return read_segment(node, segment_id(structure), box, key)


def read_segment(node: Any, segment: str, box: Box, key: str) -> npt.NDArray[np.bool_]:
    """Which voxels of a block belong to one segment, whoever made it.

    Args:
        node: The `vtkMRMLSegmentationNode`.
        segment: The segment's id.
        box: The block.
        key: What is read, for the message.

    Returns:
        ``[k, j, i]``, True where the segment is.

    Raises:
        AnnotationError: If the segment is no longer on the volume's voxels.
    """
    found = np.zeros(box.shape, bool)
    image = _labelmap(node, segment)
    if image is None or image.IsEmpty():
        return found
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    whole = Box.of_extent(image.GetExtent())
    k, j, i = whole.high
    if not same_place(matrix_array(matrix), reference_matrix(node), (i, j, k)):
        raise AnnotationError(
            f"the segmentation {node.GetName()} no longer has the volume's voxels (its geometry "
            "was changed in the Segment Editor); delete it and open the slice again",
            key,
        )
    met = box.meet(whole)
    if met is not None:
        voxels = array_of(image)[met.within(whole)]
        found[met.within(box)] = (
            voxels == node.GetSegmentation().GetSegment(segment).GetLabelValue()
        )
    return found


def reference_matrix(node: Any) -> npt.NDArray[np.float64]:
    """From voxel (i, j, k, 1) to RAS, as the segmentation itself records its volume.

    Slicer keeps it as a text, which rounds; images written with these very numbers are taken
    as they are, where others would be resampled.
    """
    converter = slicer.vtkSegmentationConverter
    text = node.GetSegmentation().GetConversionParameter(
        converter.GetReferenceImageGeometryParameterName()
    )
    matrix = vtk.vtkMatrix4x4()
    converter.DeserializeImageGeometry(text, matrix, [0] * 6)
    return matrix_array(matrix)
