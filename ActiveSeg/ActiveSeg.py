"""ActiveSeg in 3D Slicer: introduces the module to the application and computes nothing.

Slicer loads this file as a plain module named ``ActiveSeg``. The engine and the face are the
packages under ``Logic`` and ``Widgets``, two source roots put on the path here.
"""

import sys
import time
from pathlib import Path

from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

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
        self.parent.dependencies = []
        self.parent.contributors = ["ActiveSeg contributors"]
        self.parent.helpText = _(
            "Suggests which slices of a cohort to annotate next, under a budget of minutes. This "
            "panel shows the state of a project; the command line runs it."
        )
        self.parent.acknowledgementText = ""


class ActiveSegLogic(ScriptedLoadableModuleLogic):
    """Hands the face its worker."""

    def __init__(self) -> None:
        super().__init__()
        from activeseg_slicer.worker import Worker

        self.worker = Worker()


class ActiveSegWidget(ScriptedLoadableModuleWidget):
    """Puts the panel into the module's layout."""

    def setup(self) -> None:
        """Build the panel; the application calls it once, when the module is first shown."""
        super().setup()
        from activeseg_slicer.panel import StatusPanel

        self.logic = ActiveSegLogic()
        self.panel = StatusPanel(self.layout, self.logic.worker)

    def cleanup(self) -> None:
        """End what runs, before the application takes the widgets away."""
        self.panel.close()

    def onReload(self) -> None:
        """Load the packages anew, not this file alone."""
        self.cleanup()
        for name in list(sys.modules):
            if name.split(".")[0] in ("activeseg", "activeseg_slicer"):
                del sys.modules[name]
        super().onReload()


class ActiveSegTest(ScriptedLoadableModuleTest):
    """The self-test that the application offers: the engine answers across the process border."""

    def runTest(self) -> None:
        """Ask the engine for its commands, in a child process."""
        from activeseg_slicer.worker import Outcome, Worker

        ends: list[Outcome] = []
        worker = Worker()
        worker.start("--help", on_progress=lambda _line: None, on_end=ends.append)
        while worker.running:
            worker.poll()
            time.sleep(0.05)
        assert ends[0].code == 0, ends[0].messages
        assert "suggest" in ends[0].output
