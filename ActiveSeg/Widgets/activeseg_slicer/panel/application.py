"""What the running application supplies to the panel: views, the scene, its logics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import qt
import slicer
import slicer.util

from activeseg_slicer.panel.editor import editor_node
from activeseg_slicer.panel.installer import Installer
from activeseg_slicer.panel.panel import Panel
from activeseg_slicer.panel.parameters import Parameters
from activeseg_slicer.process import Launcher, Process, launch
from activeseg_slicer.scene import EditHistory, SceneDesk
from activeseg_slicer.worker import Worker

__all__ = ["launcher_for", "make_panel", "scene_desk"]

_HIDDEN_DEVICES = {"CUDA_VISIBLE_DEVICES": "-1"}


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


def launcher_for(parameters: Callable[[], Parameters]) -> Launcher:
    """A launcher that trains where the parameters say, at the moment when a command starts.

    Args:
        parameters: The parameters in use.
    """

    def start(command: Sequence[str], folder: Path) -> Process:
        hidden = parameters().device == "cpu"
        return launch(command, folder, _HIDDEN_DEVICES if hidden else None)

    return start


def make_panel(widget: qt.QWidget, parameters: Parameters, requirements: Path) -> Panel:
    """The panel on the application's scene.

    Args:
        widget: What the ``.ui`` holds.
        parameters: Those of the scene.
        requirements: The module's ``requirements.txt``.
    """
    made: list[Panel] = []

    def current() -> Parameters:
        return made[0].parameters if made else parameters

    worker = Worker(launcher_for(current))
    ui = slicer.util.childWidgetVariables(widget)
    made.append(Panel(ui, parameters, worker, scene_desk, Installer(requirements)))
    return made[0]
