"""Slicer's scene, views and editor in this process, as the desk that a session lays slices on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer as mrml
import vtk
from trame_slicer.core import SlicerApp

from activeseg.errors import AnnotationError
from activeseg.project import Project
from activeseg_slicer.flow import Sheet
from activeseg_slicer.scene import SceneDesk
from activeseg_slicer.scene.terms import describe
from activeseg_slicer.scene.volumes import find_marked
from activeseg_web.strokes import Strokes
from activeseg_web.tools import Tools
from activeseg_web.views import Views

__all__ = ["KEPT", "Stage"]

KEPT = 3
"""Volumes that stay in the scene, as many as the session keeps in memory."""


class Stage:
    """Shows one slice at a time in four views and lets it be painted on; a `Desk`.

    To be made inside the event loop, where the views draw.

    Args:
        server: The trame server whose page shows the views.
        project: The project whose slices are laid.
        changed: Called after something was painted, and after the large view was moved.

    Attributes:
        views: The four views.
        tools: What the mouse does.
        strokes: Undo and redo.
        colours: Of the project's structures, in their order: red, green, blue; 0 to 1.
    """

    def __init__(self, server: Any, project: Project, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._slicer = SlicerApp()
        _hush()
        self._project = str(project.folder)
        self._shown: list[str] = []  # volumes in the scene, the last one last
        self._watched: tuple[Any, int] | None = None
        self._looking = False
        self.views = Views(self._slicer, server, changed)
        self.tools = Tools(self._slicer)
        self.strokes = Strokes(self._painted, self._paint)
        terms = self._slicer.app_logic.GetModuleLogic("Terminologies")
        self.colours = [
            describe(structure.name, position, terms)[1]
            for position, structure in enumerate(project.structures)
        ]
        self._desk = SceneDesk(
            self._slicer.scene,
            self._slicer.app_logic,
            self.views.slice_nodes,
            self._slicer.segmentation_editor.editor_node,
            project=self._project,
            history=self.strokes,
        )

    # A desk

    def lay(self, sheet: Sheet) -> None:
        """Show a slice with its mask, editable in this slice alone.

        Raises:
            AnnotationError: As `SceneDesk.lay`.
        """
        self._desk.lay(sheet)
        self._watch(self._desk.segmentation)
        self.tools.take_up(sheet, self._desk.segmentation, self.views.volume)
        self.views.arrange(sheet)
        self.strokes.forget()
        self._put_back(sheet.key.volume)

    def mask(self) -> npt.NDArray[np.uint8]:
        """The slice as it is painted now.

        Raises:
            AnnotationError: As `SceneDesk.mask`.
        """
        return self._desk.mask()

    def fill(self, mask: npt.NDArray[np.uint8]) -> None:
        """Replace what is painted, as one step that can be undone.

        Raises:
            AnnotationError: As `SceneDesk.fill`.
        """
        self._desk.fill(mask)

    def changed(self) -> bool:
        """Whether anything was painted since `lay` or the last call."""
        return self._desk.changed()

    def clear(self) -> None:
        """Put the slice away."""
        self._desk.clear()
        self.tools.put_down()
        self.views.put_away()
        self.strokes.forget()

    # What the page does

    def show_doubt(self, shown: bool) -> None:
        """Show or hide what the model is unsure of."""
        self._desk.show_doubt(shown)

    def close(self) -> None:
        """End the work with the scene."""
        self._watch(None)
        self._desk.close()

    def _put_back(self, volume: str) -> None:
        """Keep only the last volumes in the scene: a CT takes hundreds of megabytes.

        Their segmentations hold nothing that the project does not.
        """
        self._shown = [*(name for name in self._shown if name != volume), volume]
        scene = self._slicer.scene
        for name in self._shown[:-KEPT]:
            for kind in ("vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"):
                for node in find_marked(scene, kind, self._project, name):
                    for position in reversed(range(node.GetNumberOfDisplayNodes())):
                        scene.RemoveNode(node.GetNthDisplayNode(position))
                    scene.RemoveNode(node)
        self._shown = self._shown[-KEPT:]

    def _painted(self) -> npt.NDArray[np.uint8] | None:
        try:
            return self._desk.mask()
        except AnnotationError:  # nothing is laid, or its segments are gone: nothing to undo
            return None

    def _paint(self, mask: npt.NDArray[np.uint8]) -> None:
        self._desk.fill(mask)

    def _watch(self, segmentation: Any) -> None:
        """Look after each change of a segmentation's voxels, once for all that come together."""
        if self._watched is not None:
            node, tag = self._watched
            node.RemoveObserver(tag)
            self._watched = None
        if segmentation is not None:
            voxels = segmentation.GetSegmentation()
            tag = voxels.AddObserver(
                mrml.vtkSegmentation.SourceRepresentationModified, self._voxels_changed
            )
            self._watched = (voxels, tag)

    def _voxels_changed(self, *_event: Any) -> None:
        if not self._looking:
            self._looking = True
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        self.strokes.look()
        self._changed()


def _hush() -> None:
    """Let VTK tell its errors and keep its warnings, which speak of other programs' code."""
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_ERROR)
    # The logger tells them already; the window would tell them, and the warnings, once more.
    vtk.vtkOutputWindow.GetInstance().SetDisplayModeToNever()
