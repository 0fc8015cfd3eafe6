"""Projects in the real panel: opened, made from a folder or from the scene, refused, left."""

from __future__ import annotations

import json

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)

import vtk  # noqa: E402
from PySide6 import QtGui  # noqa: E402

import qt_shim  # noqa: E402
from activeseg.errors import Cancelled  # noqa: E402
from activeseg.keys import SliceKey  # noqa: E402
from activeseg.project import Project  # noqa: E402
from activeseg_slicer.scene.voxels import ijk_to_ras, put_image  # noqa: E402
from panel_bench import Bench, ask, panel_bench  # noqa: E402, F401
from qt_shim import Dialogs  # noqa: E402
from tiny_cohort import GEOMETRIES, new_project, write_tiny_cohort  # noqa: E402


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("scans") / "cohort", 2)


@pytest.fixture
def project(cohort, tmp_path):
    made = new_project(tmp_path / "project", cohort)
    ask(made, "v00/axial/003")
    return made


def add_volume(bench: Bench, name: str, kind: str, seed: int = 0):
    """A volume in the scene, as a reader would leave it."""
    geometry = GEOMETRIES[kind]
    image = np.random.default_rng(seed).integers(-500, 500, geometry.shape).astype(np.float32)
    node = bench.mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    put_image(node, image, ijk_to_ras(geometry))
    return node, image


class TestOpening:
    def test_a_typed_folder(self, bench, project):
        bench.ui.projectEdit.setText(f" {project.folder} ")
        bench.ui.projectEdit.returnPressed.emit()
        assert bench.session.project == project
        assert bench.ui.projectSection.property("collapsed")
        assert bench.text("projectSection") == "Project: project"
        assert bench.text("messageLabel") == ""
        assert bench.shown("suggestionsSection")

    def test_a_chosen_folder(self, bench, project, monkeypatch):
        monkeypatch.setattr(Dialogs, "folder", str(project.folder))
        bench.click("openButton")
        assert bench.session.project == project

    def test_a_dialog_that_was_closed_changes_nothing(self, bench, monkeypatch):
        monkeypatch.setattr(Dialogs, "folder", "")
        bench.click("openButton")
        assert bench.session is None
        assert bench.text("messageLabel") == ""

    def test_no_folder(self, bench):
        bench.panel.open_project()
        assert bench.text("messageLabel") == "Choose a project folder first."

    def test_another_folder_is_refused_in_one_line(self, bench, tmp_path):
        bench.ui.projectEdit.setText(str(tmp_path))
        bench.panel.open_project()
        assert bench.text("messageLabel").startswith(f"{tmp_path}: not a project folder")
        assert not bench.ui.suggestButton.isEnabled()
        assert not bench.shown("suggestionsSection")

    def test_a_person_without_a_name_is_refused(self, bench, project):
        bench.open(project, author=" ")
        assert bench.session is None
        assert bench.text("messageLabel") != ""

    def test_the_one_before_is_left(self, bench, project, cohort, tmp_path):
        bench.open(project)
        bench.click("nextButton")
        other = new_project(tmp_path / "other", cohort)
        bench.open(other)
        assert project.working_on() == {}
        assert bench.session.current is None
        assert bench.table() == []

    def test_the_projects_strategy_is_shown(self, bench, project):
        bench.open(project)
        assert bench.ui.strategyCombo.property("currentText") == "entropy-band"

    def test_a_batch_that_is_damaged_is_said(self, bench, project):
        project.round(0).batch.write_text("{")
        bench.open(project)
        assert "batch.json" in bench.text("messageLabel")


class TestScene:
    def test_the_choices_come_back_with_the_scene(self, bench, project):
        bench.open(project)
        bench.ui.minutesSpin.setValue(45.0)
        bench.ui.retrainCheck.setChecked(False)
        node = bench.widget.logic.getParameterNode()
        assert node.GetParameter("project") == str(project.folder)
        assert node.GetParameter("minutes") == "45.0"
        saved = {name: node.GetParameter(name) for name in node.GetParameterNames()}
        bench.mrml.scene.Clear(True)  # the singletons too
        assert bench.session is None
        assert bench.ui.minutesSpin.property("value") == 30.0
        # As when the saved scene is loaded:
        bench.mrml.scene.StartState(bench.mrml.scene.ImportState)
        node = bench.widget.logic.getParameterNode()
        for name, value in saved.items():
            node.SetParameter(name, value)
        bench.mrml.scene.EndState(bench.mrml.scene.ImportState)
        assert bench.ui.minutesSpin.property("value") == 45.0
        assert not bench.ui.retrainCheck.property("checked")
        assert bench.session is None
        bench.widget.enter()
        assert bench.session.project == project

    def test_a_scene_that_is_closed_while_the_module_is_shown(self, bench, project):
        bench.widget.enter()
        bench.open(project)
        bench.mrml.scene.Clear(False)
        assert bench.session is None
        assert not bench.ui.projectSection.property("collapsed")
        bench.widget.exit()
        bench.widget.enter()

    def test_closing_ends_everything(self, bench, project):
        bench.open(project)
        bench.click("nextButton")
        bench.panel.close()
        assert project.working_on() == {}
        assert bench.session is None
        assert bench.panel._shortcuts._all == []


class TestNew:
    def test_the_form_opens_and_closes(self, bench):
        assert not bench.shown("newForm")
        bench.click("newButton")
        assert bench.shown("newForm")
        assert not bench.shown("sceneVolumes")
        bench.click("newButton")
        assert not bench.shown("newForm")

    def test_from_a_folder(self, bench, cohort, tmp_path, monkeypatch):
        bench.click("newButton")
        for name, folder in (("cohortButton", cohort), ("folderButton", tmp_path / "new")):
            monkeypatch.setattr(Dialogs, "folder", str(folder))
            bench.click(name)
        bench.ui.planesCombo.setCurrentIndex(2)
        bench.click("createButton")
        assert not bench.ui.createButton.isEnabled()
        assert bench.shown("workFrame")
        bench.finish()
        project = Project.open(tmp_path / "new")
        assert project.plane_policy == "coronal"
        assert [s.name for s in project.structures] == ["liver", "spleen"]
        assert bench.session.project == project
        assert bench.text("messageLabel").startswith("The project is made.")
        assert not bench.shown("newForm")
        assert not bench.shown("workFrame")
        assert bench.text("reasonLabel") == "Say how many minutes you have and press Suggest."

    def test_what_the_engine_refuses_is_said(self, bench, tmp_path):
        (tmp_path / "empty").mkdir()
        bench.ui.cohortEdit.setText(str(tmp_path / "empty"))
        bench.ui.folderEdit.setText(str(tmp_path / "new"))
        bench.click("createButton")
        bench.finish()
        assert "no image found" in bench.text("messageLabel")
        assert bench.ui.createButton.isEnabled()
        assert not (tmp_path / "new" / "project.json").exists()

    @pytest.mark.parametrize(
        ("cohort_text", "folder_text", "said"),
        [("", "x", "folder of the scans"), ("x", "", "new folder for the project")],
    )
    def test_a_folder_is_missing(self, bench, cohort_text, folder_text, said):
        bench.ui.cohortEdit.setText(cohort_text)
        bench.ui.folderEdit.setText(folder_text)
        bench.click("createButton")
        assert said in bench.text("messageLabel")
        assert not bench.panel.computing.running

    def test_cancelling(self, bench, cohort, tmp_path):
        bench.ui.cohortEdit.setText(str(cohort))
        bench.ui.folderEdit.setText(str(tmp_path / "new"))
        bench.click("createButton")
        bench.click("cancelButton")
        bench.finish()
        assert bench.text("messageLabel") == "Cancelled."
        assert bench.session is None

    def test_no_other_project_is_opened_meanwhile(self, bench, cohort, project, tmp_path):
        bench.ui.cohortEdit.setText(str(cohort))
        bench.ui.folderEdit.setText(str(tmp_path / "new"))
        bench.click("createButton")
        bench.open(project)
        assert "is running" in bench.text("messageLabel")
        assert bench.session is None
        bench.panel.computing.cancel()
        bench.finish()


class TestFromTheScene:
    def fill(self, bench: Bench, tmp_path) -> None:
        """Ask for a project of the scene's volumes, with two structures."""
        bench.click("newButton")
        bench.ui.fromScene.click()
        bench.ui.cohortEdit.setText(str(tmp_path / "cohort"))
        bench.ui.folderEdit.setText(str(tmp_path / "new"))
        for line, name in enumerate(("liver", "left kidney")):
            bench.click("addStructure")
            bench.ui.structureTable.item(line, 0).setText(name)

    def test_the_volumes_become_a_cohort(self, bench, tmp_path):
        nodes = [add_volume(bench, name, "oblique", k) for k, name in enumerate(("CT: 1", "CT_ 1"))]
        add_volume(bench, "not this one", "plain")
        self.fill(bench, tmp_path)
        bench.ui.sceneVolumes.item(2).setCheckState(qt_shim.qt.Qt.Unchecked)
        bench.click("createButton")
        bench.finish()
        project = Project.open(tmp_path / "new")
        assert [volume.id for volume in project.cohort.volumes] == ["CT_ 1", "CT_ 1_2"]
        assert [(s.name, s.value) for s in project.structures] == [("liver", 1), ("left kidney", 2)]
        assert bench.session.project == project
        # Nothing is loaded twice: the volume that is there is the one that is worked on.
        ask(project, "CT_ 1/axial/003")
        bench.panel.computing.look()
        bench.panel.refresh()
        bench.click("nextButton")
        sheet = bench.session.current
        assert np.array_equal(sheet.image, nodes[0][1])
        composite = bench.mrml.slice_logics[0].GetSliceCompositeNode()
        assert composite.GetBackgroundVolumeID() == nodes[0][0].GetID()

    def test_the_chosen_colours_are_the_segments(self, bench, tmp_path, monkeypatch):
        add_volume(bench, "CT", "plain")
        self.fill(bench, tmp_path)
        monkeypatch.setattr(Dialogs, "colour", QtGui.QColor("#102030"))
        bench.ui.structureTable.setCurrentCell(1, 1)
        bench.ui.structureTable.doubleClicked.emit(bench.ui.structureTable.currentIndex())
        bench.click("createButton")
        bench.finish()
        project = bench.session.project
        ask(project, "CT/axial/003")
        bench.panel.work.next()
        segmentation = bench.panel.desk.segmentation.GetSegmentation()
        colour = segmentation.GetSegment("ActiveSeg_2").GetColor()
        assert colour == pytest.approx((0x10 / 255, 0x20 / 255, 0x30 / 255))
        # A colour that is changed in the editor later stays.
        segmentation.GetSegment("ActiveSeg_2").SetColor(1.0, 0.0, 0.0)
        bench.panel.work.open(SliceKey.parse("CT/axial/003"))
        assert segmentation.GetSegment("ActiveSeg_2").GetColor() == (1.0, 0.0, 0.0)

    def test_a_folder_that_holds_files_is_left_alone(self, bench, tmp_path):
        add_volume(bench, "CT", "plain")
        (tmp_path / "cohort").mkdir()
        (tmp_path / "cohort" / "thesis.txt").write_text("x")
        self.fill(bench, tmp_path)
        bench.click("createButton")
        assert "thesis.txt" in bench.text("messageLabel")
        assert [path.name for path in (tmp_path / "cohort").iterdir()] == ["thesis.txt"]

    def test_nothing_is_written_before_the_packages_are_there(self, bench, tmp_path, monkeypatch):
        """Else the folder would be refused the next time, as it holds files."""

        def missing() -> None:
            raise Cancelled("Not installed.")

        add_volume(bench, "CT", "plain")
        self.fill(bench, tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(bench.panel.computing._installer, "ensure", missing)
            bench.click("createButton")
            assert bench.text("messageLabel") == "Not installed."
        assert not (tmp_path / "cohort").exists()
        bench.click("createButton")
        bench.finish()
        assert bench.session.project == Project.open(tmp_path / "new")

    def test_a_volume_under_a_transform_is_refused(self, bench, tmp_path):
        node, _image = add_volume(bench, "CT", "plain")
        transform = bench.mrml.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(vtk.vtkMatrix4x4())
        node.SetAndObserveTransformNodeID(transform.GetID())
        self.fill(bench, tmp_path)
        bench.click("createButton")
        assert bench.text("messageLabel").startswith("CT: is moved by a transform")

    def test_without_volumes_or_names(self, bench, tmp_path):
        self.fill(bench, tmp_path)
        bench.click("createButton")
        assert "no volume is chosen" in bench.text("messageLabel")
        for _ in range(2):
            bench.click("removeStructure")
        bench.click("createButton")
        assert "at least one structure" in bench.text("messageLabel")

    def test_label_maps_and_overlays_are_not_offered(self, bench):
        from activeseg_slicer.panel.exporting import scalar_volumes

        scene = bench.mrml.scene
        node, _image = add_volume(bench, "CT", "plain")
        scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
        overlay, _image = add_volume(bench, "overlay", "plain")
        overlay.SetSaveWithScene(False)
        assert scalar_volumes(scene) == [node]


def test_the_colours_are_kept_in_the_scene(bench, cohort, tmp_path):
    bench.ui.cohortEdit.setText(str(cohort))
    bench.ui.folderEdit.setText(str(tmp_path / "new"))
    bench.ui.addStructure.click()
    bench.ui.structureTable.item(0, 0).setText("liver")
    bench.ui.addStructure.click()
    bench.ui.structureTable.item(1, 0).setText("spleen")
    bench.click("createButton")
    bench.finish()
    kept = json.loads(bench.widget.logic.getParameterNode().GetParameter("colours"))
    assert kept == {str(tmp_path / "new"): {"liver": "#dd8265", "spleen": "#6fb8d2"}}


def test_a_scene_that_is_replaced_while_the_module_is_shown(bench, cohort, tmp_path):
    """The project that the new scene names is opened at once, the old one is left."""
    projects = [new_project(tmp_path / name, cohort) for name in ("one", "two")]
    bench.widget.enter()
    bench.open(projects[0])
    scene = bench.mrml.scene
    scene.StartState(scene.ImportState)
    assert bench.session is None
    bench.widget.logic.getParameterNode().SetParameter("project", str(projects[1].folder))
    scene.EndState(scene.ImportState)
    assert bench.session.project == projects[1]
