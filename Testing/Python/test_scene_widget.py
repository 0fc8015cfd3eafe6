"""The desk under the habits of the real Segment Editor widget, which does not run here.

`Habits` does to the scene what the sources of qMRMLSegmentEditorWidget (5.10 to 5.12) do when
their node changes: it takes the segmentation's reference volume for its source, shows its source
in every view, and cuts the range of its slider to the source's. Slicer's own Segment Editor
module keeps such a widget on the same node, also while another module is shown.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)

import vtk  # noqa: E402

from activeseg.keys import Plane  # noqa: E402
from activeseg_slicer.scene.painting import reference_matrix  # noqa: E402
from activeseg_slicer.scene.voxels import Box, oriented_image  # noqa: E402
from mrml_scene import MrmlScene, desk_on  # noqa: E402
from sheets import GEOMETRIES, shape_of, sheet  # noqa: E402

GEOMETRY = GEOMETRIES["oblique"]
ENTROPY = np.full(shape_of(GEOMETRY, Plane.AXIAL), 0.5, np.float32)


class Habits:
    """A Segment Editor widget's hands on the scene."""

    def __init__(self, mrml: MrmlScene) -> None:
        self.mrml, self.node = mrml, mrml.editor_node
        self.segmentation = self.source = None
        self.span, self.values = (0.0, 99.0), (0.0, 99.0)
        self.node.AddObserver(vtk.vtkCommand.ModifiedEvent, self.update)

    def update(self, *_event) -> None:
        blocked = self.node.StartModify()
        if self.node.GetSegmentationNode() is not self.segmentation:
            self.segmentation = self.node.GetSegmentationNode()
            if self.segmentation is not None:
                role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
                self.node.SetAndObserveSourceVolumeNode(self.segmentation.GetNodeReference(role))
        if self.node.GetSourceVolumeNode() is not self.source:
            self.source = self.node.GetSourceVolumeNode()
            if self.source is not None:
                self.show()
                self.respan()
        low, high = self.node.GetSourceVolumeIntensityMaskRange()
        if self.node.GetSourceVolumeIntensityMask() and low == high and self.source is not None:
            start, end = self.source.GetImageData().GetScalarRange()
            quarter = (end - start) / 4
            self.node.SetSourceVolumeIntensityMaskRange(start + quarter, end - quarter)
        self.values = self.cut(self.node.GetSourceVolumeIntensityMaskRange())
        self.node.EndModify(blocked)

    def show(self) -> None:
        for logic in self.mrml.slice_logics:
            composite = logic.GetSliceCompositeNode()
            shown = (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
            if self.source.GetID() not in shown:
                composite.SetBackgroundVolumeID(self.source.GetID())
                composite.SetForegroundVolumeID(None)
                composite.SetLabelVolumeID(None)

    def respan(self) -> None:
        self.span = self.source.GetImageData().GetScalarRange()
        cut = self.cut(self.values)
        if cut != self.values:
            self.values = cut
            self.node.SetSourceVolumeIntensityMaskRange(*cut)

    def cut(self, values):
        return tuple(min(max(value, self.span[0]), self.span[1]) for value in values)


@pytest.fixture
def mrml():
    return MrmlScene()


@pytest.fixture
def alone():
    """No widget is there."""


@pytest.fixture
def desk(mrml, request):
    """The desk beside a widget; a test that asks for `alone` has none."""
    if "alone" not in request.fixturenames:
        Habits(mrml)
    with desk_on(mrml, undo=True) as made:
        yield made


def lay(desk, shift: float, volume: str, **more) -> None:
    """A sheet of a volume whose intensities lie around a level."""
    made = sheet(GEOMETRY, volume=volume, entropy=ENTROPY, **more)
    desk.lay(replace(made, image=made.image + np.float32(shift)))


def paint_everywhere(mrml, desk) -> None:
    node = desk.segmentation
    whole = Box((0, 0, 0), GEOMETRY.shape)
    brush = oriented_image(np.ones(GEOMETRY.shape, np.uint8), whole, reference_matrix(node))
    add = slicer.vtkSlicerSegmentEditorLogic.ModificationModeAdd
    mrml.editor_node.SetSelectedSegmentID("ActiveSeg_1")
    mrml.editor.ModifySegmentByLabelmap(node, "ActiveSeg_1", brush, add, False, False)


@pytest.mark.parametrize(
    "levels", [(0, 0), (0, 5000), (5000, 0), (-3000, 4000), (2000, 2400)], ids=str
)
def test_the_whole_slice_can_be_painted_whatever_the_slider_held(mrml, desk, levels):
    for number, level in enumerate(levels):
        lay(desk, level, f"case_{number}")
        paint_everywhere(mrml, desk)
        assert (desk.mask() == 1).all()
        assert mrml.editor_node.GetSourceVolumeNode().GetName().endswith("slice)")


def test_the_views_show_the_volume_and_the_doubts(mrml, desk):
    for volume in ("case_1", "case_2", "case_1"):
        lay(desk, 0, volume)
        shown = mrml.scene.GetFirstNodeByName(volume).GetID()
        composites = [logic.GetSliceCompositeNode() for logic in mrml.slice_logics]
        assert [each.GetBackgroundVolumeID() for each in composites] == [shown] * 3
        doubt = mrml.scene.GetFirstNode("ActiveSeg doubt", "vtkMRMLScalarVolumeNode")
        assert composites[0].GetForegroundVolumeID() == doubt.GetID()


def test_a_volume_that_the_clinician_chooses_is_shown(mrml, alone, desk):
    lay(desk, 0, "case_1")
    other = mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T2")
    composite = mrml.slice_logics[0].GetSliceCompositeNode()
    composite.SetBackgroundVolumeID(other.GetID())
    composite.SetForegroundVolumeID(other.GetID())
    assert composite.GetBackgroundVolumeID() == other.GetID()
    desk.clear()
    assert composite.GetForegroundVolumeID() == other.GetID()


def test_doubts_that_were_switched_off_stay_off(mrml, desk):
    desk.show_doubt(False)
    lay(desk, 0, "case_1")
    assert not mrml.slice_logics[0].GetSliceCompositeNode().GetForegroundVolumeID()


def test_a_widget_that_comes_later_finds_all_as_it_is(mrml, alone, desk):
    """The Segment Editor module is opened for the first time while a slice lies open."""
    lay(desk, 0, "case_1")
    source = mrml.editor_node.GetSourceVolumeNode()
    Habits(mrml).update()
    assert mrml.editor_node.GetSourceVolumeNode() is source
    composite = mrml.slice_logics[0].GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == mrml.scene.GetFirstNodeByName("case_1").GetID()
    paint_everywhere(mrml, desk)
    assert (desk.mask() == 1).all()


def test_after_the_slice_the_views_are_free(mrml, desk):
    lay(desk, 0, "case_1")
    desk.clear()
    other = mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T2")
    mrml.editor_node.SetAndObserveSourceVolumeNode(other)
    composite = mrml.slice_logics[0].GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == other.GetID()
