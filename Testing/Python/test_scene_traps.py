"""The traps of Slicer's own classes that corrupt training data silently, each shown and avoided.

Where it is short, a test first shows the trap itself, so that it fails when Slicer changes.
"""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)

from activeseg.annotations import read_mask  # noqa: E402
from activeseg.cohort import CohortVolume  # noqa: E402
from activeseg.keys import Plane, SliceKey  # noqa: E402
from activeseg_slicer.scene.painting import (  # noqa: E402
    read,
    read_segment,
    reference_matrix,
    write,
)
from activeseg_slicer.scene.voxels import (  # noqa: E402
    Box,
    array_of,
    ijk_to_ras,
    oriented_image,
    put_image,
    slice_box,
    slice_centre,
)
from mrml_scene import MrmlScene, desk_on  # noqa: E402
from sheets import GEOMETRIES, STRUCTURES, image, pattern, shape_of, sheet  # noqa: E402

Logic = slicer.vtkSlicerSegmentationsModuleLogic
OBLIQUE = GEOMETRIES["oblique"]
WHOLE = Box((0, 0, 0), OBLIQUE.shape)


@pytest.fixture
def mrml():
    return MrmlScene()


@pytest.fixture
def desk(mrml):
    with desk_on(mrml) as desk:
        yield desk


def axial(values=(1, 2, 4), seed=0):
    return pattern(shape_of(OBLIQUE, Plane.AXIAL), values, seed)


def test_1_an_oblique_slice_has_no_index_until_the_view_is_turned(mrml, desk):
    volume = mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "oblique")
    put_image(volume, image(OBLIQUE), ijk_to_ras(OBLIQUE))
    logic, view = mrml.slice_logics[0], mrml.slice_nodes[0]
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
    view.SetOrientation("Axial")
    view.JumpSliceByOffsetting(*slice_centre(OBLIQUE, Plane.AXIAL, 3))
    assert logic.GetSliceIndexFromOffset(logic.GetSliceOffset(), volume) == -1

    for index in range(OBLIQUE.slice_count(Plane.AXIAL)):
        desk.lay(sheet(OBLIQUE, index=index))
        shown = mrml.scene.GetFirstNodeByName("case_003")
        assert logic.GetSliceIndexFromOffset(logic.GetSliceOffset(), shown) == index + 1


def test_2_the_view_follows_from_the_volume_and_not_from_the_array(mrml, desk):
    """In a coronal acquisition the slices [k] are coronal: Green shows them, not Red."""
    geometry = GEOMETRIES["coronal"]
    assert geometry.array_axis(Plane.CORONAL) == 0
    red, green, _yellow = mrml.slice_logics
    desk.lay(sheet(geometry, Plane.CORONAL, 3))
    centre = slice_centre(geometry, Plane.CORONAL, 3)
    assert green.GetSliceOffset() == pytest.approx(centre[1], abs=1e-6)
    before = red.GetSliceOffset()
    desk.lay(sheet(geometry, Plane.CORONAL, 1))
    assert red.GetSliceOffset() == before


def test_3_the_file_has_one_component(desk, tmp_path, mrml):
    """Slice by slice, structures over structures, and no second layer."""
    for seed, plane in enumerate((Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL, Plane.AXIAL)):
        desk.lay(sheet(OBLIQUE, plane, 2, mask=pattern(shape_of(OBLIQUE, plane), (1, 2, 4), seed)))
        desk.fill(pattern(shape_of(OBLIQUE, plane), (1, 2, 4), seed + 10))
        editor = slicer.vtkSlicerSegmentEditorLogic
        ones = oriented_image(
            pattern(OBLIQUE.shape, (1,), seed), WHOLE, reference_matrix(desk.segmentation)
        )
        mrml.editor.ModifySegmentByLabelmap(
            desk.segmentation, "ActiveSeg_2", ones, editor.ModificationModeAdd, False, False
        )
        assert desk.segmentation.GetSegmentation().GetNumberOfLayers() == 1
    header = save(mrml, desk.segmentation, tmp_path / "s.seg.nrrd").split(b"\n\n")[0]
    assert b"dimension: 3" in header


def test_3_overlapping_segments_give_the_later_structure(desk):
    """Painted with "allow overlap": each voxel has one label, in the project's order."""
    desk.lay(sheet(OBLIQUE, mask=np.full(shape_of(OBLIQUE, Plane.AXIAL), 1, np.uint8)))
    node = desk.segmentation
    box = slice_box(OBLIQUE, Plane.AXIAL, 2)
    half = np.zeros(box.shape, np.uint8)
    half[:, :3] = 1
    over = oriented_image(half, box, reference_matrix(node))
    Logic.SetBinaryLabelmapToSegment(over, node, "ActiveSeg_2", Logic.MODE_MERGE_MASK)
    assert node.GetSegmentation().GetNumberOfLayers() == 2
    assert np.array_equal(desk.mask(), np.where(half[0] > 0, 2, 1))
    # Written back as one label each, they overlap no more.
    desk.fill(desk.mask())
    assert not (read_segment(node, "ActiveSeg_1", box, "") & (half > 0)).any()


def test_4_writing_a_slice_leaves_the_other_slices(desk):
    desk.lay(sheet(OBLIQUE, index=1, mask=axial()))
    desk.lay(sheet(OBLIQUE, index=2, mask=axial(seed=1)))
    desk.fill(axial(seed=2))
    node = desk.segmentation
    assert np.array_equal(read(node, STRUCTURES, WHOLE, "")[1], axial())

    box = slice_box(OBLIQUE, Plane.AXIAL, 2)
    one = oriented_image(np.ones(box.shape, np.uint8), box, reference_matrix(node))
    Logic.SetBinaryLabelmapToSegment(one, node, "ActiveSeg_1", Logic.MODE_REPLACE, box.extent)
    assert not (read(node, STRUCTURES, WHOLE, "")[1] == 1).any()


def test_4_merging_by_the_larger_number_writes_into_another_segment(desk):
    """Why voxels are added with MODE_MERGE_MASK: the number 1 is the liver's."""
    desk.lay(sheet(OBLIQUE, index=2, mask=axial((4,))))
    node = desk.segmentation
    box = slice_box(OBLIQUE, Plane.AXIAL, 4)
    one = oriented_image(np.ones(box.shape, np.uint8), box, reference_matrix(node))
    Logic.SetBinaryLabelmapToSegment(one, node, "ActiveSeg_4", Logic.MODE_MERGE_MAX)
    assert read_segment(node, "ActiveSeg_1", box, "").any()


@pytest.mark.parametrize("name", GEOMETRIES)
def test_5_arrays_are_cropped_and_files_number_segments_anew(mrml, desk, tmp_path, name):
    """One voxel painted: the labelmap holds that voxel alone, the mask the whole slice; and the
    file is read by the mapping that it carries."""
    geometry = GEOMETRIES[name]
    mask = np.zeros(shape_of(geometry, Plane.AXIAL), np.uint8)
    mask[1, 2] = 4
    desk.lay(sheet(geometry, index=2, mask=mask))
    segment = desk.segmentation.GetSegmentation().GetSegment("ActiveSeg_4")
    labelmap = segment.GetRepresentation("Binary labelmap")
    assert array_of(labelmap).size < mask.size
    assert np.array_equal(desk.mask(), mask)

    desk.fill(pattern(mask.shape, (1, 2, 4), seed=3))
    path = tmp_path / "s.seg.nrrd"
    save(mrml, desk.segmentation, path)
    volume = CohortVolume("case_003", path, None, geometry, "ct")
    found = read_mask(path, volume, SliceKey("case_003", Plane.AXIAL, 2), STRUCTURES)
    assert np.array_equal(found, desk.mask())


@pytest.mark.parametrize("name", GEOMETRIES)
def test_5_a_file_read_back_holds_the_same_voxels(mrml, desk, tmp_path, name):
    geometry = GEOMETRIES[name]
    desk.lay(sheet(geometry))
    whole = Box((0, 0, 0), geometry.shape)
    labels = pattern(geometry.shape, (1, 2, 4), seed=6)
    write(desk.segmentation, STRUCTURES, whole, labels, "")
    save(mrml, desk.segmentation, tmp_path / "s.seg.nrrd")
    again = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "again")
    storage = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "s.seg.nrrd"))
    assert storage.ReadData(again) == 1
    assert np.array_equal(read(again, STRUCTURES, whole, ""), labels)


def test_6_slice_nodes_made_beside_the_scene_have_no_presets(mrml):
    assert slicer.vtkMRMLSliceNode().GetNumberOfSliceOrientationPresets() == 0
    for node in mrml.slice_nodes:
        assert node.HasSliceOrientationPreset("Axial")


def test_the_editors_mask_segment_would_not_limit_erasing(mrml, desk):
    """Why the limits are an intensity mask: inside a mask segment the editor never masks the
    selected segment's own voxels."""
    around = {SliceKey("case_003", Plane.AXIAL, 4): axial((1,))}
    desk.lay(sheet(OBLIQUE, index=2, mask=axial((1,)), around=around))
    node = desk.segmentation
    desk.clear()
    box = slice_box(OBLIQUE, Plane.AXIAL, 2)
    ones = oriented_image(np.ones(box.shape, np.uint8), box, reference_matrix(node))
    node.AddSegmentFromBinaryLabelmapRepresentation(ones, "mask")
    editor = mrml.editor_node
    editor.SetMaskMode(node.EditAllowedInsideSingleSegment)
    editor.SetMaskSegmentID(node.GetSegmentation().GetSegmentIdBySegmentName("mask"))
    editor.SetSelectedSegmentID("ActiveSeg_1")
    everything = oriented_image(np.ones(OBLIQUE.shape, np.uint8), WHOLE, reference_matrix(node))
    mode = slicer.vtkSlicerSegmentEditorLogic.ModificationModeRemove
    mrml.editor.ModifySegmentByLabelmap(node, "ActiveSeg_1", everything, mode, False, False)
    assert not read_segment(node, "ActiveSeg_1", WHOLE, "")[4].any()


def save(mrml, node, path) -> bytes:
    """Write a segmentation through its MRML storage node; the file's bytes."""
    storage = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(node) == 1
    return path.read_bytes()
