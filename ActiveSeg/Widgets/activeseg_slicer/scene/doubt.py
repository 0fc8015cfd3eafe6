"""What the model is unsure of, laid over one slice in one view."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk

from activeseg_slicer.scene.voxels import Box, put_image

__all__ = ["DoubtOverlay"]

# Entropy below this is not shown, so that the image is seen: with two structures it is reached
# where another answer has a probability of one in ten.
_LEAST = 0.3
_OPACITY = 0.45
_COLOUR_NAME = "ActiveSeg doubt"

# From amber (a little unsure) to magenta (cannot be less sure): neither is a grey of the image.
_AMBER = np.array([1.0, 0.75, 0.1])
_MAGENTA = np.array([0.85, 0.05, 0.55])


class DoubtOverlay:
    """The predictive entropy of one slice, in the foreground of its view.

    Args:
        scene: The `vtkMRMLScene`.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._node: Any = None
        self._composite: Any = None
        self._before: tuple[str | None, float] = (None, 0.0)
        self._shown = self._resting = False
        self._tag = 0

    def put(
        self,
        entropy: npt.NDArray[np.float32],
        box: Box,
        matrix: npt.NDArray[np.float64],
        composite: Any,
        shown: bool,
    ) -> None:
        """Lay the entropy of a slice over a view.

        Args:
            entropy: ``[k, j, i]`` from 0 to 1, one of the three being 1 voxel thick.
            box: Where the slice lies in the volume.
            matrix: The volume's, from voxel (i, j, k, 1) to RAS.
            composite: The view's `vtkMRMLSliceCompositeNode`.
            shown: Whether it is seen at once.
        """
        self.take_away()
        self._node = self._scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", _COLOUR_NAME)
        self._node.SetSaveWithScene(False)
        placed = matrix.copy()
        k, j, i = box.low
        placed[:, 3] = matrix @ (i, j, k, 1)
        put_image(self._node, np.asarray(entropy, np.float32), placed)
        self._node.CreateDefaultDisplayNodes()
        display = self._node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetAndObserveColorNodeID(self._colours().GetID())
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(0.0, 1.0)
        display.SetThreshold(_LEAST, 1.0)
        display.ApplyThresholdOn()
        display.InterpolateOff()
        self._composite = composite
        self._before = (composite.GetForegroundVolumeID(), composite.GetForegroundOpacity())
        self._tag = composite.AddObserver(vtk.vtkCommand.ModifiedEvent, self._keep)
        self.show(shown)

    def show(self, shown: bool) -> None:
        """Let the overlay be seen, or what the view's foreground showed before it."""
        if self._composite is None:
            return
        self._shown = shown
        if shown:
            self._composite.SetForegroundVolumeID(self._node.GetID())
            self._composite.SetForegroundOpacity(_OPACITY)
        elif self._composite.GetForegroundVolumeID() == self._node.GetID():
            # Anything else there is the clinician's later choice.
            before, opacity = self._before
            self._composite.SetForegroundVolumeID(before)
            self._composite.SetForegroundOpacity(opacity)

    def rest(self) -> None:
        """Be out of the view for a moment, such as while the scene is saved."""
        self._resting = self._composite is not None and (
            self._composite.GetForegroundVolumeID() == self._node.GetID()
        )
        if self._resting:
            self.show(False)

    def resume(self) -> None:
        """Be seen again, if it was before `rest`."""
        if self._resting:
            self.show(True)
        self._resting = False

    def take_away(self) -> None:
        """Remove the overlay; the view's foreground is again what it was."""
        if self._node is None:
            return
        self.show(False)
        self._composite.RemoveObserver(self._tag)
        display = self._node.GetDisplayNode()
        self._scene.RemoveNode(self._node)
        if display is not None:
            self._scene.RemoveNode(display)
        self._node = self._composite = None
        self._resting = False

    def _keep(self, *_event: Any) -> None:
        """Come back where the foreground was emptied: a Segment Editor does that by itself."""
        if self._shown and not self._composite.GetForegroundVolumeID():
            self.show(True)

    def _colours(self) -> Any:
        """The colour table, one for the scene."""
        found = self._scene.GetFirstNode(_COLOUR_NAME, "vtkMRMLColorTableNode")
        if found is not None:
            return found
        table = slicer.vtkMRMLColorTableNode()
        table.SetName(_COLOUR_NAME)
        table.SetTypeToUser()
        table.SetSaveWithScene(False)
        table.SetHideFromEditors(True)
        table.SetNumberOfColors(256)
        for step in range(256):
            red, green, blue = _AMBER + (_MAGENTA - _AMBER) * step / 255
            table.SetColor(step, red, green, blue, 1.0)
        return self._scene.AddNode(table)
