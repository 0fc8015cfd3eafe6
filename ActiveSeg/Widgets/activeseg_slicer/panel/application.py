"""What the running application supplies to the panel: views, the scene, its logics."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
import slicer.util

from activeseg_slicer.panel.editor import editor_node
from activeseg_slicer.panel.installer import Installer
from activeseg_slicer.panel.panel import Panel
from activeseg_slicer.panel.parameters import Parameters
from activeseg_slicer.scene import EditHistory, SceneDesk
from activeseg_slicer.worker import Worker

__all__ = ["make_panel", "scene_desk"]


def scene_desk(project: str, history: EditHistory | None) -> SceneDesk:
    """A desk in the application's scene, with its slice views.

    Args:
        project: The project's folder.
        history: The editor's undo; None to do without.
    """
    scene = slicer.mrmlScene
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")
    views = [scene.GetNthNodeByClass(k, "vtkMRMLSliceNode") for k in range(count)]
    return SceneDesk(
        scene,
        slicer.app.applicationLogic(),
        views,
        editor_node(),
        project=project,
        history=history,
    )


def make_panel(widget: qt.QWidget, parameters: Parameters, requirements: Path) -> Panel:
    """The panel on the application's scene.

    Args:
        widget: What the ``.ui`` holds.
        parameters: Those of the scene.
        requirements: The module's ``requirements.txt``.
    """
    ui = slicer.util.childWidgetVariables(widget)
    return Panel(ui, parameters, Worker(), scene_desk, Installer(requirements))
