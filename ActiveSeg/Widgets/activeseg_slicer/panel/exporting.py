"""Volumes of the scene as a cohort on the disk."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import slicer

from activeseg.errors import CohortError

__all__ = ["scalar_volumes", "write_cohort"]

_KEPT = re.compile(r"[^\w .+-]+")


def scalar_volumes(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """The scene's images: volumes with one value a voxel, label maps and overlays left out."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    nodes = [scene.GetNthNodeByClass(k, "vtkMRMLScalarVolumeNode") for k in range(count)]
    return [
        node
        for node in nodes
        if node.GetClassName() == "vtkMRMLScalarVolumeNode"
        and node.GetImageData() is not None
        and node.GetSaveWithScene()  # the desk's overlay is not
    ]


def write_cohort(
    scene: slicer.vtkMRMLScene, nodes: Sequence[slicer.vtkMRMLScalarVolumeNode], folder: Path
) -> list[str]:
    """Write each volume as ``<name>.nrrd``.

    Args:
        scene: The scene of the nodes.
        nodes: The volumes.
        folder: A new or empty folder; others' files are never written over.

    Returns:
        The volumes' ids in the cohort, in the order of the nodes.

    Raises:
        CohortError: If no volume is given, one is moved by a transform, the folder holds files, or
            the disk refuses.
    """
    if not nodes:
        raise CohortError("no volume is chosen; tick at least one")
    moved = [node.GetName() for node in nodes if node.GetParentTransformNode() is not None]
    if moved:
        raise CohortError("is moved by a transform; harden it first, then try again", moved[0])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = sorted(os.listdir(folder))
    except OSError as error:
        raise CohortError(f"cannot be used ({error.strerror})", str(folder)) from error
    if held:
        raise CohortError(f"not empty (it holds '{held[0]}'); choose a new folder", str(folder))
    ids = _ids(node.GetName() for node in nodes)
    for node, name in zip(nodes, ids, strict=True):
        _write(scene, node, folder / f"{name}.nrrd")
    return ids


def _write(scene: slicer.vtkMRMLScene, node: slicer.vtkMRMLScalarVolumeNode, file: Path) -> None:
    """Write one volume; the node's own storage, if it has one, stays as it is."""
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetScene(scene)
    storage.SetFileName(str(file))
    storage.SetUseCompression(True)
    if not storage.WriteData(node):
        raise CohortError("cannot be written; is the disk full or read-only?", str(file))


def _ids(names: Iterable[str]) -> list[str]:
    """File names made of node names: no two alike on any disk."""
    found: list[str] = []
    for name in names:
        stem = _KEPT.sub("_", name).strip(" .") or "volume"
        given, number = stem, 2
        while given.casefold() in {other.casefold() for other in found}:
            given, number = f"{stem}_{number}", number + 1
        found.append(given)
    return found
