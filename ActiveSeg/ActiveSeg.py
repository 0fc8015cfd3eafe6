"""ActiveSeg in 3D Slicer: introduces the module to the application and computes nothing.

Slicer loads this file as a plain module named ``ActiveSeg``. The engine and the face are the
packages under ``Logic`` and ``Widgets``, two source roots put on the path here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from activeseg_slicer.panel.parameters import Parameters

for _root in ("Logic", "Widgets"):
    _folder = str(Path(__file__).resolve().parent / _root)
    if _folder not in sys.path:
        sys.path.append(_folder)


class ActiveSeg(ScriptedLoadableModule):
    """What the application shows of the module."""

    def __init__(self, parent: object) -> None:
        super().__init__(parent)
        self.parent.title = _("ActiveSeg")
        self.parent.categories = [_("Active Learning")]
        self.parent.dependencies = ["Segmentations", "Terminologies"]
        self.parent.contributors = ["ActiveSeg contributors"]
        picture = Path(__file__).resolve().parent / "Resources" / "Icons" / "ActiveSeg.png"
        self.parent.helpText = _(
            "<p><img src='{picture}' width='64'></p>"
            "<p>Which slices of a CT or MR cohort to annotate next, so that a model learns most "
            "from the minutes that you can give.</p>"
            "<p>Open a project or make a new one, say how many minutes you have and press "
            "<b>Suggest</b>. <b>Next</b> lays a slice in the Segment Editor with the model's "
            "proposal; correct it and press <b>Accept</b> (Ctrl+Enter). When the batch is "
            "answered, the model learns beside your work and the next batch comes.</p>"
        ).format(picture=picture.as_uri())
        self.parent.acknowledgementText = ""


class ActiveSegLogic(ScriptedLoadableModuleLogic):
    """Hands the panel its parameters, which are kept in the scene."""

    def parameters(self) -> Parameters:
        """The parameters of the scene; made if it has none yet."""
        from activeseg_slicer.panel.parameters import Parameters

        return Parameters(self.getParameterNode())


class ActiveSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Puts the panel into the module's layout, and tells it of the application's life."""

    def __init__(self, parent: object = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self) -> None:
        """Build the panel; the application calls it once, when the module is first shown."""
        super().setup()
        from activeseg_slicer.panel.application import make_panel

        self.logic = ActiveSegLogic()
        widget = slicer.util.loadUI(self.resourcePath("UI/ActiveSeg.ui"))
        self.layout.addWidget(widget)
        requirements = Path(self.resourcePath("requirements.txt"))
        self.panel = make_panel(widget, self.logic.parameters(), requirements)
        scene = slicer.mrmlScene
        # Before the desk's own observer, which puts the slice away.
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose, priority=1.0)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartClose, priority=1.0)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartSaveEvent, self.onSceneSave, priority=1.0)

    def enter(self) -> None:
        """The module is shown."""
        self.panel.enter()

    def exit(self) -> None:
        """Another module is shown."""
        self.panel.exit()

    def onSceneStartClose(self, _caller: object, _event: object) -> None:
        """The scene is about to change: keep what is painted, let go of its nodes."""
        self.panel.release()

    def onSceneEndClose(self, _caller: object, _event: object) -> None:
        """The scene has changed: follow the parameters that it has now."""
        self.panel.use(self.logic.parameters())

    def onSceneSave(self, _caller: object, _event: object) -> None:
        """The scene is about to be saved: keep what is painted in the project too."""
        self.panel.work.autosave()

    def cleanup(self) -> None:
        """End what runs, before the application takes the widgets away."""
        self.removeObservers()
        self.panel.close()

    def onReload(self) -> None:
        """Load the packages anew, not this file alone."""
        self.cleanup()
        for name in list(sys.modules):
            if name.split(".")[0] in ("activeseg", "activeseg_slicer"):
                del sys.modules[name]
        super().onReload()


class ActiveSegTest(ScriptedLoadableModuleTest):
    """The self-test that the application offers; its checks are `activeseg_slicer.selftest`."""

    def runTest(self) -> None:
        """Suggest, paint, accept and read back, on a phantom in the application's own scene."""
        from activeseg_slicer.panel.application import scene_desk
        from activeseg_slicer.selftest import run

        run(self.delayDisplay, lambda project: scene_desk(str(project.folder), history=None))
