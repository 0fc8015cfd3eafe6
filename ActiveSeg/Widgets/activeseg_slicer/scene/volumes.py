"""The volume nodes of a project's cohort, each found again by what it is marked with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Geometry
from activeseg_slicer.scene.voxels import ijk_to_ras, node_matrix, put_image, same_place

__all__ = ["PROJECT", "VOLUME", "adopt_volume", "find_marked", "mark", "volume_node"]

# Attributes of nodes: which project and which of its volumes they belong to.
PROJECT = "ActiveSeg.Project"
VOLUME = "ActiveSeg.Volume"
_CT = "ActiveSeg.CT"

# Voxels that tell the range of intensities well enough.
_LOOKED_AT = 200_000

# Hounsfield units, if whole numbers go as low as air: soft tissue is what most structures are.
_AIR = -500.0
_SOFT_TISSUE = (-160.0, 240.0)


def mark(node: Any, project: str, volume: str) -> None:
    """Record on a node which volume of which project it belongs to."""
    node.SetAttribute(PROJECT, project)
    node.SetAttribute(VOLUME, volume)


def find_marked(scene: Any, kind: str, project: str, volume: str) -> list[Any]:
    """The nodes of a class (`GetNodesByClass`) that are marked for a volume, oldest first."""
    found = []
    for position in range(scene.GetNumberOfNodesByClass(kind)):
        node = scene.GetNthNodeByClass(position, kind)
        if node.GetAttribute(PROJECT) == project and node.GetAttribute(VOLUME) == volume:
            found.append(node)
    return found


def adopt_volume(node: Any, project: str, volume: str) -> None:
    """Use a volume that the scene already holds as a volume of a project.

    The desk shows it instead of a node of its own, as long as it has the geometry that the
    project recorded; the node itself is never changed.

    Args:
        node: A `vtkMRMLScalarVolumeNode`.
        project: The project's name, as `SceneDesk` was given.
        volume: The volume's id in the cohort.
    """
    mark(node, project, volume)


def volume_node(
    scene: Any, project: str, volume: str, image: npt.NDArray[np.float32], geometry: Geometry
) -> Any:
    """The node that shows a volume; made where the scene has none with its geometry.

    Args:
        scene: The `vtkMRMLScene`.
        project: The project's name.
        volume: The volume's id.
        image: ``[k, j, i]`` intensities.
        geometry: Where the volume lies.

    Returns:
        The `vtkMRMLScalarVolumeNode`.
    """
    for node in find_marked(scene, "vtkMRMLScalarVolumeNode", project, volume):
        if _lies_at(node, geometry):
            return node
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", volume)
    mark(node, project, volume)
    # Before the voxels come: with them Slicer would look at each for the window, which takes
    # longer than a person should wait for the next slice.
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    flat = image.reshape(-1)
    some = flat[:: max(1, flat.size // _LOOKED_AT)]
    if np.nanmin(some) <= _AIR and np.array_equal(some, np.rint(some)):
        display.SetWindowLevelMinMax(*_ct_window(scene, project))
        node.SetAttribute(_CT, "1")
    else:
        display.SetWindowLevelMinMax(*_window(some))
    put_image(node, image, ijk_to_ras(geometry))
    return node


def _ct_window(scene: Any, project: str) -> tuple[float, float]:
    """Soft tissue, or what the clinician has made of it in the newest CT of the project."""
    kind = "vtkMRMLScalarVolumeNode"
    for position in reversed(range(scene.GetNumberOfNodesByClass(kind))):
        node = scene.GetNthNodeByClass(position, kind)
        if node.GetAttribute(PROJECT) == project and node.GetAttribute(_CT):
            display = node.GetDisplayNode()
            return display.GetWindowLevelMin(), display.GetWindowLevelMax()
    return _SOFT_TISSUE


def _window(some: npt.NDArray[np.float32]) -> tuple[float, float]:
    """All intensities but one in a thousand at each end."""
    low, high = np.nanpercentile(some, (0.1, 99.9))
    return float(low), float(max(high, low + 1e-6))


def _lies_at(node: Any, geometry: Geometry) -> bool:
    """Whether a node has the geometry's size and place, its parent transform included."""
    image = node.GetImageData()
    if image is None or node.GetParentTransformNode() is not None:
        return False
    if tuple(image.GetDimensions()) != tuple(geometry.size):
        return False
    return same_place(node_matrix(node), ijk_to_ras(geometry), geometry.size)
