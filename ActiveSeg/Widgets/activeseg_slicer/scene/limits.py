"""Editing limited to one slice, through the Segment Editor's own intensity mask.

The editor may change a voxel only where the source volume lies in the editable range. Its source
volume, while a slice is laid, is a volume of that slice alone with a rim below the range: the
editor takes the rim's value for everything outside. The slice keeps its intensities, so that
Threshold and the like work on it as ever.

Why not a mask segment: the editor never masks the selected segment's own voxels (erasing would
reach through the whole volume, and add what it erased to the mask), and a mask segment is one
more layer in the clinician's segmentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk

from activeseg_slicer.scene.voxels import Box, put_image

__all__ = ["LIMIT", "EditingLimits"]

LIMIT = "ActiveSeg.Limit"
"""Attribute of the volume that limits the editor: nothing to look at, and never to be saved."""


@dataclass(frozen=True)
class _Settings:
    """What the limits change on the editor's node."""

    masked: bool
    range: tuple[float, float]
    overwrite: int
    saved: bool


class EditingLimits:
    """Holds the editor to one slice for as long as it works on our segmentation.

    Args:
        scene: The `vtkMRMLScene`.
        editor_node: The `vtkMRMLSegmentEditorNode`.
    """

    def __init__(self, scene: Any, editor_node: Any) -> None:
        self._scene = scene
        self._editor = editor_node
        self._segmentation: Any = None
        self._volume: Any = None
        self._source: Any = None
        self._range = (0.0, 0.0)
        self._wanted = (0.0, 0.0)  # within it: the clinician's own mask on top
        self._before: _Settings | None = None
        self._busy = self._resting = False
        self._tag = 0

    def set(
        self,
        segmentation: Any,
        volume: Any,
        values: npt.NDArray[np.float32],
        box: Box,
        matrix: npt.NDArray[np.float64],
    ) -> None:
        """Let the editor change one slice alone.

        Args:
            segmentation: The segmentation node that is limited; others are left alone.
            volume: The volume's node: the source volume when the limits end.
            values: The slice's intensities ``[k, j, i]``, one of the three being 1.
            box: Where the slice lies in the volume.
            matrix: The volume's, from voxel (i, j, k, 1) to RAS.
        """
        self.release()
        rimmed, self._range = _rimmed(values)
        self._wanted, self._resting = self._range, False
        placed = matrix.copy()
        first_k, first_j, first_i = (start - 1 for start in box.low)
        placed[:, 3] = matrix @ (first_i, first_j, first_k, 1)
        self._source = self._scene.AddNewNodeByClass(
            "vtkMRMLScalarVolumeNode", f"{volume.GetName()} (this slice)"
        )
        self._source.SetSaveWithScene(False)
        self._source.SetAttribute(LIMIT, "1")
        put_image(self._source, rimmed, placed)
        self._segmentation, self._volume = segmentation, volume
        self._tag = self._editor.AddObserver(vtk.vtkCommand.ModifiedEvent, self._keep)
        self._keep()

    def release(self) -> None:
        """Give the editor back as it was, with the whole volume as its source."""
        if self._source is None:
            return
        self._editor.RemoveObserver(self._tag)
        self._loosen()
        self._scene.RemoveNode(self._source)
        self._segmentation = self._volume = self._source = None

    def rest(self) -> None:
        """Give the editor back for a moment, such as while the scene is saved."""
        if self._before is not None:
            self._wanted = self._editor.GetSourceVolumeIntensityMaskRange()
        self._resting = True
        self._loosen()

    def resume(self) -> None:
        """Limit the editor again, as before `rest`."""
        self._resting = False
        if self._source is not None:
            self._keep()

    def _keep(self, *_event: Any) -> None:
        """Set what limits the editor again whenever something else has set it otherwise."""
        if self._busy or self._resting:
            return
        self._busy = True
        if self._editor.GetSegmentationNode() is self._segmentation:
            self._tighten()
        else:
            self._loosen()
        self._busy = False

    def _tighten(self) -> None:
        node = self._editor
        wanted = node.GetSourceVolumeIntensityMaskRange()
        if self._before is None:
            self._before = _Settings(
                bool(node.GetSourceVolumeIntensityMask()),
                wanted,
                node.GetOverwriteMode(),
                bool(node.GetSaveWithScene()),
            )
            wanted = self._wanted
            # A scene that holds the mask and not the volume it is for would confuse whoever
            # loads it; not every way of saving a scene is announced.
            node.SetSaveWithScene(False)
        # The source before the range: the editor's slider takes the source's range, and what it
        # held until then, cut to that, becomes the range.
        if node.GetSourceVolumeNode() is not self._source:
            node.SetAndObserveSourceVolumeNode(self._source)
        # A narrower range is the clinician's own mask on top; a wider one would open the rim.
        low = max(wanted[0], self._range[0])
        node.SetSourceVolumeIntensityMaskRange(low, max(low, wanted[1]))
        node.SetSourceVolumeIntensityMask(True)
        # Hidden segments are the clinician's own, put away while the slice is worked on.
        if node.GetOverwriteMode() == slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments:
            node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteVisibleSegments)

    def _loosen(self) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        node = self._editor
        if node.GetSourceVolumeNode() is self._source:
            node.SetAndObserveSourceVolumeNode(self._volume)
        node.SetSourceVolumeIntensityMask(before.masked)
        node.SetSourceVolumeIntensityMaskRange(*before.range)
        node.SetOverwriteMode(before.overwrite)
        node.SetSaveWithScene(before.saved)


def _rimmed(
    values: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], tuple[float, float]]:
    """A slice with a rim one voxel wide on all sides, and the range that the rim lies outside.

    One voxel of the rim, in the slice next to this one, lies above the range: the editor's
    slider spans what the volume holds, and must not cut the range's own upper end.
    """
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    # Wide enough for 32-bit numbers to keep the rim apart.
    margin = max(1.0, (high - low) / 100, abs(low) * 1e-5, abs(high) * 1e-5)
    filled = np.nan_to_num(values, nan=low)
    rimmed = np.pad(filled, 1, constant_values=np.float32(low - 2 * margin))
    middle = [n // 2 for n in rimmed.shape]
    middle[values.shape.index(1)] = 0
    rimmed[tuple(middle)] = high + 2 * margin
    return rimmed, (low - margin, high + margin)
