"""The folder of a batch in 3D Slicer: its own classes load, change and save the segmentations."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)

import vtk  # noqa: E402

from activeseg.annotations import slice_geometry  # noqa: E402
from activeseg.offline import take_in  # noqa: E402
from activeseg_slicer.scene.voxels import Box, ijk_to_ras, matrix_array, oriented_image  # noqa: E402
from handed_batch import AUDIT, KEYS, handed, name_of, truth  # noqa: E402
from mrml_scene import MrmlScene  # noqa: E402
from tiny_cohort import write_tiny_cohort  # noqa: E402


@pytest.fixture
def mrml():
    return MrmlScene()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort")


@pytest.fixture
def given(tmp_path, cohort):
    return handed(tmp_path, cohort)


def opened(mrml, folder, key):
    """A slice and its segmentation as the Segment Editor has them; what saves the latter."""
    image = mrml.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    reader = mrml.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    reader.SetFileName(str(folder / "images" / f"{name_of(key)}.nii.gz"))
    assert reader.ReadData(image) == 1
    node = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(folder / "slicer" / f"{name_of(key)}.seg.nrrd"))
    assert storage.ReadData(node) == 1
    node.SetAndObserveStorageNodeID(storage.GetID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(image)  # as the editor does
    mrml.editor_node.SetAndObserveSegmentationNode(node)
    mrml.editor_node.SetAndObserveSourceVolumeNode(image)
    return image, node, storage


def modify(mrml, image, node, segment, voxels, place, mode):
    """Set or remove these voxels `[k, j, i]` of a slice, by the editor's own logic.

    Slicer turns the last axis of an image whose axes are left-handed, as the permuted volume's.
    """
    matrix = vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    theirs, ours = matrix_array(matrix), ijk_to_ras(place)
    if theirs[:3, 2] @ ours[:3, 2] < 0:
        voxels = voxels[::-1]
    whole = Box((0, 0, 0), voxels.shape)
    label = oriented_image(np.ascontiguousarray(voxels, np.uint8), whole, theirs)
    mode = getattr(slicer.vtkSlicerSegmentEditorLogic, f"ModificationMode{mode}")
    mrml.editor_node.SetSelectedSegmentID(segment)
    mrml.editor.ModifySegmentByLabelmap(node, segment, label, mode, False, False)


def segments(node):
    found = node.GetSegmentation()
    return {
        found.GetNthSegment(n).GetName(): found.GetNthSegmentID(n)
        for n in range(found.GetNumberOfSegments())
    }


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_what_slicer_saves_in_place_is_the_answer(mrml, given, key):
    project, folder = given
    image, node, storage = opened(mrml, folder, key)
    # Every structure is there by its name, also those of which nothing is proposed.
    assert set(segments(node)) == {"liver", "spleen"}
    wanted = truth(project, key)
    place = slice_geometry(project.cohort.volume(key.volume).geometry, key)
    for structure in project.structures:
        segment = segments(node)[structure.name]
        voxels = (wanted == structure.value).reshape(place.shape)
        modify(mrml, image, node, segment, voxels, place, "Set")
    assert storage.WriteData(node) == 1
    assert take_in(project, folder, "ada").accepted == (key,)
    np.testing.assert_array_equal(project.read_annotation(project.history(key)[0]), wanted)


def test_all_erased_in_slicer_is_an_empty_answer(mrml, given):
    project, folder = given
    image, node, storage = opened(mrml, folder, KEYS[0])
    place = slice_geometry(project.cohort.volume("v00").geometry, KEYS[0])
    for segment in segments(node).values():
        modify(mrml, image, node, segment, np.ones(place.shape, np.uint8), place, "Remove")
    assert storage.WriteData(node) == 1
    assert take_in(project, folder, "ada").accepted == (KEYS[0],)
    assert not project.read_annotation(project.history(KEYS[0])[0]).any()


@pytest.mark.parametrize("key", [KEYS[0], KEYS[4], AUDIT], ids=str)
def test_saved_without_a_change_it_answers_nothing(mrml, given, key):
    project, folder = given
    _, node, storage = opened(mrml, folder, key)
    before = (folder / "slicer" / f"{name_of(key)}.seg.nrrd").read_bytes()
    assert storage.WriteData(node) == 1
    assert (folder / "slicer" / f"{name_of(key)}.seg.nrrd").read_bytes() != before
    assert take_in(project, folder, "ada").accepted == ()
