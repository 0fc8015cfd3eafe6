"""ActiveSeg in a real Slicer: the checks of `activeseg_slicer.selftest`, and Slicer's own parts.

    Slicer --testing --additional-module-paths ActiveSeg \
        --python-script Testing/Slicer/ActiveSegInSlicerTest.py

The same checks run on slicer-core and under the shim in Testing/Python/test_slicer_face.py; what
only the application has (its Segment Editor widget, PythonQt, parameter nodes) is checked here.
"""

from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

import slicer
import slicer.util


class ActiveSegInSlicerTest(unittest.TestCase):
    """The module as the user finds it."""

    def setUp(self):
        slicer.mrmlScene.Clear(False)
        slicer.util.selectModule("ActiveSeg")
        self.widget = slicer.modules.activeseg.widgetRepresentation().self()

    def tearDown(self):
        self.widget.panel.release()

    def test_slices_in_three_planes(self):
        slicer.selfTests["ActiveSeg"]()

    def test_the_panel_with_its_buttons(self):
        from activeseg_slicer.selftest import check_panel, phantom_project

        with tempfile.TemporaryDirectory() as scratch:
            check_panel(self.widget.panel, phantom_project(Path(scratch)), slicer.util.delayDisplay)

    def test_the_segment_editor_follows_the_slice(self):
        from activeseg_slicer.selftest import phantom_project

        with tempfile.TemporaryDirectory() as scratch:
            project = phantom_project(Path(scratch))
            panel = self.widget.panel
            panel.ui.projectEdit.setText(str(project.folder))
            panel.open_project()
            panel.ui.nextButton.click()
            editor = panel.ui.editor
            assert editor.segmentationNode() == panel.desk.segmentation
            assert editor.activeEffect().name == "Paint"
            assert editor.currentSegmentID() == "ActiveSeg_1"
            # The editor's source is the limit; what is shown is the volume, under the doubts.
            assert editor.sourceVolumeNode().GetAttribute("ActiveSeg.Limit")
            for name in slicer.app.layoutManager().sliceViewNames():
                logic = slicer.app.layoutManager().sliceWidget(name).sliceLogic()
                shown = logic.GetBackgroundLayer().GetVolumeNode()
                assert shown.GetAttribute("ActiveSeg.Volume"), f"{name} shows {shown.GetName()}"
            panel.release()

    def test_a_scene_saved_meanwhile_holds_no_limit(self):
        from activeseg_slicer.selftest import phantom_project

        with tempfile.TemporaryDirectory() as scratch:
            panel = self.widget.panel
            panel.ui.projectEdit.setText(str(phantom_project(Path(scratch)).folder))
            panel.open_project()
            panel.ui.nextButton.click()
            said = []
            slicer.mrmlScene.AddObserver(
                slicer.mrmlScene.StartSaveEvent, lambda *_: said.append(True)
            )
            file = Path(scratch) / "scene.mrml"
            assert slicer.util.saveScene(str(file))
            slicer.util.delayDisplay(f"The application says that it saves: {bool(said)}")
            text = file.read_text("utf-8")
            assert "(this slice)" not in text
            assert 'IntensityMask="true"' not in text
            assert panel.desk.segmentation is not None
            panel.release()

    def test_parameters_are_kept_in_the_scene(self):
        self.widget.panel.ui.minutesSpin.setValue(45)
        node = self.widget.logic.getParameterNode()
        assert float(node.GetParameter("minutes")) == 45.0
        slicer.mrmlScene.Clear(True)
        assert self.widget.panel.parameters.minutes == 30.0

    def test_every_shortcut_is_in_the_main_window(self):
        from activeseg_slicer.panel.shortcuts import KEYS

        main = slicer.util.mainWindow()
        if main is None:
            self.skipTest("Slicer runs without a main window")
        wanted = {keys for each in KEYS.values() for keys in each}
        found = {
            child.property("key").toString()
            for child in main.children()
            if child.className() == "QShortcut"
        }
        assert wanted <= found


if __name__ == "__main__":
    loaded = unittest.defaultTestLoader.loadTestsFromTestCase(ActiveSegInSlicerTest)
    succeeded = unittest.TextTestRunner(verbosity=2).run(loaded).wasSuccessful()
    if "--testing" in sys.argv:
        slicer.util.exit(0 if succeeded else 1)
