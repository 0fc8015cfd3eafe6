"""The desk on real MRML: what is laid, painted and taken, on volumes of every orientation."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)

from activeseg.cohort import take_slice  # noqa: E402
from activeseg.errors import AnnotationError  # noqa: E402
from activeseg.keys import Plane, SliceKey  # noqa: E402
from activeseg_slicer.scene import SceneDesk, adopt_volume  # noqa: E402
from activeseg_slicer.scene.painting import read_segment, reference_matrix  # noqa: E402
from activeseg_slicer.scene.voxels import (  # noqa: E402
    Box,
    array_of,
    ijk_to_ras,
    node_matrix,
    oriented_image,
    put_image,
)
from mrml_scene import MrmlScene, desk_on  # noqa: E402
from sheets import (  # noqa: E402
    GEOMETRIES,
    STRUCTURES,
    image,
    pattern,
    shape_of,
    sheet,
)

Editor = slicer.vtkSlicerSegmentEditorLogic
LIVER, ELSE, SPLEEN = "ActiveSeg_1", "ActiveSeg_4", "ActiveSeg_2"
MODES = [
    Editor.ModificationModeAdd,
    Editor.ModificationModeSet,
    Editor.ModificationModeRemove,
    Editor.ModificationModeRemoveAll,
]
ORIENTED = [(name, plane) for name in GEOMETRIES for plane in Plane]


@pytest.fixture
def mrml():
    return MrmlScene()


@pytest.fixture
def desk(mrml):
    with desk_on(mrml, undo=True) as desk:
        yield desk


def whole(geometry):
    return Box((0, 0, 0), geometry.shape)


def stroke(mrml, desk, geometry, where, segment, mode=Editor.ModificationModeAdd):
    """Paint with the Segment Editor: `where` is a native array [k, j, i] of the volume."""
    node = desk.segmentation
    modifier = oriented_image(where.astype(np.uint8), whole(geometry), reference_matrix(node))
    mrml.editor_node.SetSelectedSegmentID(segment)
    mrml.editor.SaveStateForUndo()
    mrml.editor.ModifySegmentByLabelmap(node, segment, modifier, mode, False, False)


def voxels(node, segment, geometry):
    """All voxels of one segment [k, j, i]."""
    return read_segment(node, segment, whole(geometry), "")


def all_of(desk, geometry):
    return {
        s.value: voxels(desk.segmentation, f"ActiveSeg_{s.value}", geometry) for s in STRUCTURES
    }


def elsewhere(array, geometry, plane, index):
    """The array without one slice."""
    return np.delete(array, index, axis=geometry.array_axis(plane))


class TestOrientations:
    @pytest.mark.parametrize(("name", "plane"), ORIENTED)
    def test_what_is_painted_is_what_is_taken(self, mrml, desk, name, plane):
        """Lay, paint a random stroke over the whole volume, take: equal voxel for voxel."""
        geometry = GEOMETRIES[name]
        mask = pattern(shape_of(geometry, plane), (1, 2, 4))
        desk.lay(sheet(geometry, plane, 3, mask=mask))
        assert np.array_equal(desk.mask(), mask)

        brush = pattern(geometry.shape, (1,), seed=5) > 0
        stroke(mrml, desk, geometry, brush, ELSE)
        on_slice = take_slice(brush, geometry, plane, 3)
        assert on_slice.any()
        assert np.array_equal(desk.mask(), np.where(on_slice, 4, mask))
        assert desk.mask().dtype == np.uint8
        # The stroke spilled over into every other slice, and changed none.
        for voxel in all_of(desk, geometry).values():
            assert not elsewhere(voxel, geometry, plane, 3).any()

    @pytest.mark.parametrize(("name", "plane"), ORIENTED)
    def test_the_planes_own_view_shows_the_very_slice(self, mrml, desk, name, plane):
        """The view cuts through the centre of each of the slice's voxels."""
        geometry = GEOMETRIES[name]
        desk.lay(sheet(geometry, plane, 3))
        view = mrml.slice_nodes[list(Plane).index(plane)]
        to_ras = view.GetSliceToRAS()
        normal = np.array([to_ras.GetElement(row, 2) for row in range(3)])
        origin = np.array([to_ras.GetElement(row, 3) for row in range(3)])
        axis = geometry.array_axis(plane)
        corners = [
            np.insert(corner, axis, 3)[::-1]
            for corner in np.ndindex(*(2,) * 2)
            for corner in [np.array(corner) * (np.array(shape_of(geometry, plane)) - 1)]
        ]
        for ijk in corners:
            ras = (ijk_to_ras(geometry) @ [*ijk, 1])[:3]
            assert abs((ras - origin) @ normal) < 1e-3 * geometry.thickness(plane)
        logic = mrml.application.GetSliceLogic(view)
        volume = mrml.scene.GetFirstNodeByName("case_003")
        index = logic.GetSliceIndexFromOffset(logic.GetSliceOffset(), volume)
        counted_back = geometry.slice_count(plane) - 3
        assert index in (3 + 1, counted_back)

    @pytest.mark.parametrize("name", GEOMETRIES)
    def test_the_other_planes_come_to_a_new_volume_and_then_stay(self, mrml, desk, name):
        geometry = GEOMETRIES[name]
        desk.lay(sheet(geometry))
        middle = (np.array(geometry.size) - 1) / 2
        for node, plane in zip(mrml.slice_nodes, Plane, strict=True):
            axis = 2 - geometry.array_axis(plane)
            column = ijk_to_ras(geometry)[:3, axis] / geometry.spacing[axis]
            normal = np.array([node.GetSliceToRAS().GetElement(row, 2) for row in range(3)])
            origin = np.array([node.GetSliceToRAS().GetElement(row, 3) for row in range(3)])
            assert abs(normal @ column) == pytest.approx(1, abs=1e-5)
            ijk = np.where(np.arange(3) == 2 - geometry.array_axis(Plane.AXIAL), 2, middle)
            point = (ijk_to_ras(geometry) @ [*ijk, 1])[:3]
            assert (point - origin) @ normal == pytest.approx(0, abs=1e-3)
        green = mrml.slice_nodes[1]
        green.JumpSliceByOffsetting(*(green.GetSliceToRAS().GetElement(k, 3) + 1 for k in range(3)))
        before = green.GetSliceOffset()
        desk.lay(sheet(geometry, index=3))
        assert green.GetSliceOffset() == before

    @pytest.mark.parametrize("name", GEOMETRIES)
    def test_a_voxel_lies_where_the_engine_says(self, mrml, desk, name):
        """Slicer's node holds each voxel at the engine's position, LPS turned to RAS."""
        geometry = GEOMETRIES[name]
        desk.lay(sheet(geometry))
        node = mrml.scene.GetFirstNodeByName("case_003")
        cosines = np.reshape(geometry.direction, (3, 3))
        for kji in np.ndindex(*geometry.shape):
            ijk = np.array(kji[::-1], float)
            lps = np.asarray(geometry.origin) + cosines @ (ijk * geometry.spacing)
            ras = (node_matrix(node) @ [*ijk, 1])[:3]
            assert ras == pytest.approx([-lps[0], -lps[1], lps[2]], abs=1e-9)
            i, j, k = (int(n) for n in ijk)
            value = node.GetImageData().GetScalarComponentAsDouble(i, j, k, 0)
            assert value == image(geometry)[kji]


class TestLimits:
    @pytest.fixture
    def laid(self, mrml, desk):
        """An axial slice with neighbours full of structures."""
        geometry = GEOMETRIES["oblique"]
        around = {
            SliceKey("case_003", Plane.AXIAL, index): pattern(
                shape_of(geometry, Plane.AXIAL), (1, 2, 4), seed=index
            )
            for index in (0, 1, 3, 4)
        }
        mask = pattern(shape_of(geometry, Plane.AXIAL), (1, 2, 4), seed=2)
        desk.lay(sheet(geometry, index=2, mask=mask, around=around))
        return geometry

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("segment", [LIVER, ELSE])
    def test_no_mode_of_the_editor_reaches_another_slice(self, mrml, desk, laid, mode, segment):
        before = all_of(desk, laid)
        mask = desk.mask()
        stroke(mrml, desk, laid, np.ones(laid.shape), segment, mode)
        after = all_of(desk, laid)
        for value in before:
            assert np.array_equal(
                elsewhere(before[value], laid, Plane.AXIAL, 2),
                elsewhere(after[value], laid, Plane.AXIAL, 2),
            )
        assert not np.array_equal(desk.mask(), mask)

    def test_they_come_back_when_something_else_sets_the_source(self, mrml, desk, laid):
        """The editor's widget takes the reference volume for its source when it can."""
        node = mrml.editor_node
        source = node.GetSourceVolumeNode()
        node.SetAndObserveSourceVolumeNode(mrml.scene.GetFirstNodeByName("case_003"))
        assert node.GetSourceVolumeNode() is source
        node.SetSourceVolumeIntensityMask(False)
        assert node.GetSourceVolumeIntensityMask()
        node.SetSourceVolumeIntensityMaskRange(-1e30, 1e30)
        stroke(mrml, desk, laid, np.ones(laid.shape), LIVER)
        assert voxels(desk.segmentation, LIVER, laid)[2].all()
        assert not voxels(desk.segmentation, LIVER, laid).all(axis=(1, 2))[[0, 1, 3, 4]].any()

    def test_a_narrower_range_is_the_clinicians_own_mask(self, mrml, desk, laid):
        values = image(laid)[2]
        middle = float(np.median(values))
        mrml.editor_node.SetSourceVolumeIntensityMaskRange(middle, float(values.max()))
        desk.fill(np.zeros_like(desk.mask()))
        stroke(mrml, desk, laid, np.ones(laid.shape), SPLEEN)
        assert np.array_equal(desk.mask() == 2, values >= middle)

    def test_they_hold_for_our_segmentation_alone(self, mrml, desk, laid):
        """The clinician works on another segmentation meanwhile, with the very same editor."""
        node = mrml.editor_node
        own = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "own")
        own.CreateDefaultDisplayNodes()
        volume = mrml.scene.GetFirstNodeByName("case_003")
        own.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        own.GetSegmentation().AddEmptySegment("cyst")
        ours = desk.segmentation
        node.SetAndObserveSegmentationNode(own)
        assert not node.GetSourceVolumeIntensityMask()
        assert node.GetSourceVolumeNode() is volume
        node.SetSelectedSegmentID("cyst")
        modifier = oriented_image(np.ones(laid.shape, np.uint8), whole(laid), reference_matrix(own))
        mrml.editor.ModifySegmentByLabelmap(
            own, "cyst", modifier, Editor.ModificationModeAdd, False, False
        )
        assert voxels(own, "cyst", laid).all()
        node.SetAndObserveSegmentationNode(ours)
        assert node.GetSourceVolumeIntensityMask()
        assert node.GetSourceVolumeNode() is not volume

    def test_they_end_with_the_slice(self, mrml, desk, laid):
        node = mrml.editor_node
        source = node.GetSourceVolumeNode()
        desk.clear()
        assert source.GetScene() is None
        assert node.GetSourceVolumeNode() is mrml.scene.GetFirstNodeByName("case_003")
        assert not node.GetSourceVolumeIntensityMask()
        assert node.GetOverwriteMode() == node.OverwriteAllSegments

    @pytest.mark.parametrize("constant", [0.0, -1024.0, 3e9])
    def test_a_slice_of_one_intensity_can_be_painted(self, mrml, desk, constant):
        geometry = GEOMETRIES["oblique"]
        made = sheet(geometry)
        flat = type(made)(**{**vars(made), "image": np.full(geometry.shape, constant, np.float32)})
        desk.lay(flat)
        stroke(mrml, desk, geometry, np.ones(geometry.shape), LIVER)
        assert (desk.mask() == 1).all()
        assert voxels(desk.segmentation, LIVER, geometry).sum() == desk.mask().size


class TestOthers:
    """Whatever else is in the scene survives voxel for voxel."""

    def test_other_segments_of_the_same_segmentation(self, mrml, desk):
        geometry = GEOMETRIES["oblique"]
        mask = pattern(shape_of(geometry, Plane.AXIAL), (1, 2, 4))
        desk.lay(sheet(geometry, index=1, mask=mask))
        node = desk.segmentation
        own = pattern(geometry.shape, (1,), seed=9)
        cyst = oriented_image(own, whole(geometry), reference_matrix(node))
        node.AddSegmentFromBinaryLabelmapRepresentation(cyst, "cyst")
        cyst_id = node.GetSegmentation().GetSegmentIdBySegmentName("cyst")
        for index, plane in ((1, Plane.AXIAL), (2, Plane.AXIAL), (3, Plane.CORONAL)):
            desk.lay(sheet(geometry, plane, index, mask=pattern(shape_of(geometry, plane), (1, 4))))
            # "Erase all segments" means all, and takes them all.
            for mode in MODES[:3]:
                stroke(mrml, desk, geometry, pattern(geometry.shape, (1,), seed=index), ELSE, mode)
            desk.fill(pattern(shape_of(geometry, plane), (1, 2), seed=3))
            assert np.array_equal(voxels(node, cyst_id, geometry), own > 0)
        assert not node.GetDisplayNode().GetSegmentVisibility(cyst_id)
        desk.clear()
        assert node.GetDisplayNode().GetSegmentVisibility(cyst_id)

    def test_each_volume_and_project_has_a_segmentation_of_its_own(self, mrml, desk):
        geometry = GEOMETRIES["flipped"]
        first = pattern(shape_of(geometry, Plane.AXIAL), (1, 2, 4), seed=1)
        desk.lay(sheet(geometry, mask=first))
        one = desk.segmentation
        desk.lay(sheet(geometry, mask=first[::-1], volume="case_004"))
        assert desk.segmentation is not one
        assert not one.GetDisplayVisibility()
        desk.clear()
        with desk_on(mrml, "two") as other:
            other.lay(sheet(geometry, mask=first * 0))
            assert other.segmentation is not one
        desk.lay(sheet(geometry, mask=first))
        assert desk.segmentation is one
        assert desk.segmentation.GetDisplayVisibility()
        assert mrml.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 3

    def test_the_window_leaves_out_one_voxel_in_a_thousand(self, mrml, desk):
        geometry = GEOMETRIES["oblique"]
        desk.lay(sheet(geometry))
        display = mrml.scene.GetFirstNodeByName("case_003").GetDisplayNode()
        low, high = np.percentile(image(geometry), (0.1, 99.9))
        assert display.GetWindowLevelMin() == pytest.approx(low)
        assert display.GetWindowLevelMax() == pytest.approx(high)

    def test_a_ct_is_shown_in_the_window_that_the_last_was_given(self, mrml, desk):
        """Whole numbers down to air are Hounsfield units: soft tissue, until it is changed."""
        made = sheet(GEOMETRIES["oblique"])
        ct = made.image - 924

        def lay(volume, image):
            desk.lay(replace(made, key=SliceKey(volume, Plane.AXIAL, 2), image=image))
            display = mrml.scene.GetFirstNodeByName(volume).GetDisplayNode()
            return display, (display.GetWindowLevelMin(), display.GetWindowLevelMax())

        first, window = lay("ct_1", ct)
        assert window == (-160, 240)
        first.SetWindowLevelMinMax(-1400, 200)
        assert lay("ct_2", ct)[1] == (-1400, 200)
        assert lay("mr_1", ct + np.float32(0.5))[1] != (-1400, 200)
        assert lay("mr_2", made.image)[1][0] == pytest.approx(-100, abs=1)

    def test_a_volume_of_the_scene_is_used_where_it_fits(self, mrml, desk):
        geometry = GEOMETRIES["oblique"]
        loaded = mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT abdomen")
        put_image(loaded, image(geometry), ijk_to_ras(geometry))
        adopt_volume(loaded, "one", "case_003")
        desk.lay(sheet(geometry))
        composite = mrml.slice_logics[0].GetSliceCompositeNode()
        assert composite.GetBackgroundVolumeID() == loaded.GetID()
        moved = GEOMETRIES["flipped"]
        adopt_volume(loaded, "one", "case_009")
        desk.lay(sheet(moved, volume="case_009"))
        assert composite.GetBackgroundVolumeID() != loaded.GetID()
        assert np.array_equal(array_of(loaded.GetImageData()), image(geometry))


class TestAnnotating:
    geometry = GEOMETRIES["anisotropic"]

    @pytest.fixture
    def mask(self):
        return pattern(shape_of(self.geometry, Plane.AXIAL), (1, 2, 4))

    def test_undo_and_redo(self, mrml, desk, mask):
        desk.lay(sheet(self.geometry, mask=mask))
        assert not mrml.editor.CanUndo()
        stroke(mrml, desk, self.geometry, np.ones(self.geometry.shape), LIVER)
        mrml.editor.Undo()
        assert np.array_equal(desk.mask(), mask)
        mrml.editor.Redo()
        assert (desk.mask() == 1).all()

    def test_fill_is_one_step_of_undo(self, mrml, desk, mask):
        desk.lay(sheet(self.geometry, mask=mask))
        desk.fill(mask[::-1])
        assert np.array_equal(desk.mask(), mask[::-1])
        mrml.editor.Undo()
        assert np.array_equal(desk.mask(), mask)
        assert not mrml.editor.CanUndo()

    def test_undo_stops_at_the_slice_that_was_laid(self, mrml, desk, mask):
        desk.lay(sheet(self.geometry, index=1, mask=mask))
        stroke(mrml, desk, self.geometry, np.ones(self.geometry.shape), LIVER)
        desk.lay(sheet(self.geometry, index=2, mask=mask))
        assert not mrml.editor.CanUndo()

    def test_changed(self, mrml, desk, mask):
        assert not desk.changed()
        desk.lay(sheet(self.geometry, mask=mask))
        assert not desk.changed()
        stroke(mrml, desk, self.geometry, np.ones(self.geometry.shape), LIVER)
        assert desk.changed()
        assert not desk.changed()
        mrml.editor.Undo()
        assert desk.changed()
        desk.segmentation.GetDisplayNode().SetSegmentVisibility(LIVER, False)
        assert not desk.changed()

    def test_the_first_structure_is_selected(self, mrml, desk):
        desk.lay(sheet(self.geometry))
        assert mrml.editor_node.GetSelectedSegmentID() == LIVER
        assert mrml.editor_node.GetSegmentationNode() is desk.segmentation

    def test_structures_have_names_colours_and_terms(self, desk):
        desk.lay(sheet(self.geometry))
        segments = [
            desk.segmentation.GetSegmentation().GetSegment(i) for i in (LIVER, ELSE, SPLEEN)
        ]
        assert [s.GetName() for s in segments] == ["liver", "something_else", "spleen"]
        terms = [s.GetTerminology() for s in segments]
        assert "SCT^85756007^Tissue" in terms[1]
        if "Liver" in terms[0]:
            assert "SCT^10200004^Liver" in terms[0]
            assert segments[0].GetColor() == pytest.approx((221 / 255, 130 / 255, 101 / 255))
        assert len({s.GetColor() for s in segments}) == 3

    def test_accepted_slices_are_shown_and_stay(self, desk, mask):
        """Those of another plane too; the slice on the desk holds its own mask alone."""
        coronal = pattern(shape_of(self.geometry, Plane.CORONAL), (1, 2, 4), seed=8)
        around = {
            SliceKey("case_003", Plane.AXIAL, 0): mask[:, ::-1],
            SliceKey("case_003", Plane.CORONAL, 4): coronal,
        }
        desk.lay(sheet(self.geometry, index=2, mask=mask, around=around))
        assert np.array_equal(desk.mask(), mask)
        labels = sum(v * np.uint8(value) for value, v in all_of(desk, self.geometry).items())
        expected = np.zeros(self.geometry.shape, np.uint8)
        expected[0] = mask[:, ::-1]
        expected[:, 4] = coronal
        expected[2] = mask
        assert np.array_equal(labels, expected)
        desk.clear()
        assert np.array_equal(
            sum(
                voxels(node, f"ActiveSeg_{s.value}", self.geometry) * np.uint8(s.value)
                for node in [desk_node(desk, "case_003 ActiveSeg")]
                for s in STRUCTURES
            ),
            expected,
        )

    def test_a_newer_mask_of_another_slice_is_shown(self, desk, mask):
        key = SliceKey("case_003", Plane.AXIAL, 0)
        for newer in (mask, mask[::-1], np.zeros_like(mask)):
            desk.lay(sheet(self.geometry, around={key: newer}))
            shown = sum(v * np.uint8(value) for value, v in all_of(desk, self.geometry).items())
            assert np.array_equal(shown[0], newer)


def desk_node(desk, name):
    return desk._scene.GetFirstNodeByName(name)


def test_views_that_no_layout_has_shown_are_left_out(mrml):
    unshown = mrml.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    desk = SceneDesk(
        mrml.scene,
        mrml.application,
        [unshown, *mrml.slice_nodes],
        mrml.editor_node,
        project="one",
    )
    before = unshown.GetSliceToRAS().GetElement(2, 3)
    desk.lay(sheet(GEOMETRIES["anisotropic"]))
    assert unshown.GetSliceToRAS().GetElement(2, 3) == before
    desk.close()


class TestDoubt:
    geometry = GEOMETRIES["oblique"]

    def entropy(self):
        shape = shape_of(self.geometry, Plane.CORONAL)
        return np.linspace(0, 1, shape[0] * shape[1], dtype=np.float32).reshape(shape)

    def test_it_lies_on_the_slice_in_its_view_alone(self, mrml, desk):
        entropy = self.entropy()
        desk.lay(sheet(self.geometry, Plane.CORONAL, 3, entropy=entropy))
        red, green, yellow = (logic.GetSliceCompositeNode() for logic in mrml.slice_logics)
        assert red.GetForegroundVolumeID() is None
        assert yellow.GetForegroundVolumeID() is None
        node = mrml.scene.GetNodeByID(green.GetForegroundVolumeID())
        assert np.array_equal(array_of(node.GetImageData())[:, 0, :], entropy)
        here = (node_matrix(node) @ [2, 0, 1, 1])[:3]
        there = (ijk_to_ras(self.geometry) @ [2, 3, 1, 1])[:3]
        assert here == pytest.approx(there, abs=1e-6)

    def test_it_can_be_switched_off_and_on(self, mrml, desk):
        green = mrml.slice_logics[1].GetSliceCompositeNode()
        desk.show_doubt(False)
        desk.lay(sheet(self.geometry, Plane.CORONAL, 3, entropy=self.entropy()))
        assert green.GetForegroundVolumeID() is None
        desk.show_doubt(True)
        assert green.GetForegroundVolumeID() is not None
        assert green.GetForegroundOpacity() > 0

    def test_what_the_view_showed_before_comes_back(self, mrml, desk):
        other = mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "PET")
        put_image(other, image(self.geometry), ijk_to_ras(self.geometry))
        green = mrml.slice_logics[1].GetSliceCompositeNode()
        green.SetForegroundVolumeID(other.GetID())
        green.SetForegroundOpacity(0.25)
        volumes = mrml.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
        desk.lay(sheet(self.geometry, Plane.CORONAL, 3, entropy=self.entropy()))
        desk.clear()
        assert green.GetForegroundVolumeID() == other.GetID()
        assert green.GetForegroundOpacity() == 0.25
        now = mrml.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
        assert now == volumes + 1  # the volume itself

    def test_an_audit_is_blank(self, mrml, desk):
        desk.lay(sheet(self.geometry, Plane.CORONAL, 3, entropy=self.entropy()))
        desk.lay(sheet(self.geometry, Plane.CORONAL, 3))
        assert mrml.slice_logics[1].GetSliceCompositeNode().GetForegroundVolumeID() is None


class TestLoss:
    """Nodes go away under the desk's hands; it says so in one line."""

    geometry = GEOMETRIES["flipped"]

    def test_nothing_is_laid(self, desk):
        with pytest.raises(AnnotationError, match="no slice lies open"):
            desk.mask()
        desk.clear()

    def test_the_scene_is_closed(self, mrml, desk):
        desk.lay(sheet(self.geometry, entropy=np.ones(shape_of(self.geometry, Plane.AXIAL))))
        mrml.scene.Clear(0)
        assert desk.segmentation is None
        assert not desk.changed()
        with pytest.raises(AnnotationError, match="scene may have been closed"):
            desk.mask()
        mask = pattern(shape_of(self.geometry, Plane.AXIAL), (1, 2, 4))
        desk.lay(sheet(self.geometry, mask=mask))
        assert np.array_equal(desk.mask(), mask)

    def test_the_segmentation_is_deleted(self, mrml, desk):
        desk.lay(sheet(self.geometry))
        mrml.scene.RemoveNode(desk.segmentation)
        for call in (desk.mask, desk.changed, partial(desk.fill, desk._laid.sheet.mask)):
            with pytest.raises(AnnotationError, match=r"case_003/axial/002.*deleted"):
                call()
        desk.lay(sheet(self.geometry))
        assert not desk.mask().any()

    def test_a_structures_segment_is_removed(self, desk):
        """Not the same as nothing painted: a mask without it would teach that nothing is there."""
        desk.lay(sheet(self.geometry))
        desk.segmentation.GetSegmentation().RemoveSegment(SPLEEN)
        with pytest.raises(AnnotationError, match="'spleen' was removed"):
            desk.mask()

    def test_the_segmentation_was_resampled(self, mrml, desk):
        desk.lay(sheet(self.geometry))
        coarse = oriented_image(
            np.ones((2, 2, 2), np.uint8), Box((0, 0, 0), (2, 2, 2)), np.diag([5.0, 5, 5, 1])
        )
        segment = desk.segmentation.GetSegmentation().GetSegment(SPLEEN)
        segment.AddRepresentation("Binary labelmap", coarse)
        with pytest.raises(AnnotationError, match="no longer has the volume's voxels"):
            desk.mask()
