"""A scene saved while a slice lies open is the clinician's scene, without what the desk adds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)

from activeseg.keys import Plane  # noqa: E402
from activeseg_slicer.scene.painting import reference_matrix  # noqa: E402
from activeseg_slicer.scene.voxels import Box, oriented_image  # noqa: E402
from mrml_scene import MrmlScene, desk_on  # noqa: E402
from sheets import GEOMETRIES, pattern, shape_of, sheet  # noqa: E402

GEOMETRY = GEOMETRIES["oblique"]


@pytest.fixture
def mrml():
    return MrmlScene()


@pytest.fixture
def desk(mrml):
    with desk_on(mrml) as desk:
        yield desk


@pytest.fixture
def laid(desk):
    """A slice with doubts, in a segmentation that holds the clinician's own cyst too."""
    entropy = np.full(shape_of(GEOMETRY, Plane.AXIAL), 0.5, np.float32)
    desk.lay(sheet(GEOMETRY))
    node = desk.segmentation
    own = oriented_image(
        pattern(GEOMETRY.shape, (1,)), Box((0, 0, 0), GEOMETRY.shape), reference_matrix(node)
    )
    node.AddSegmentFromBinaryLabelmapRepresentation(own, "cyst")
    desk.lay(sheet(GEOMETRY, index=1, entropy=entropy))
    return desk


def saved(mrml: MrmlScene, folder: Path) -> str:
    """What Slicer writes into the scene's file."""
    file = folder / "scene.mrml"
    mrml.scene.SetRootDirectory(str(folder))
    assert mrml.scene.Commit(str(file))
    return file.read_text("utf-8")


def announced(mrml: MrmlScene, folder: Path) -> str:
    """The same as the application does it, which says so before and after."""
    mrml.scene.InvokeEvent(mrml.scene.StartSaveEvent)
    text = saved(mrml, folder)
    mrml.scene.InvokeEvent(mrml.scene.EndSaveEvent)
    return text


def cyst(node) -> str:
    return node.GetSegmentation().GetSegmentIdBySegmentName("cyst")


def shown(node) -> bool:
    return bool(node.GetDisplayNode().GetSegmentVisibility(cyst(node)))


def visible_in(text: str, segment: str) -> bool:
    """Whether a scene's file says that a segment is shown."""
    (properties,) = re.findall(r'SegmentationDisplayProperties="([^"]*)"', text)
    (line,) = [one for one in properties.split("|") if one.startswith(f"{segment} ")]
    return "Visible:true" in line.split()


SAVERS = pytest.mark.parametrize("save", [saved, announced])


def test_the_clinicians_own_segments_are_saved_as_they_were_shown(mrml, laid, tmp_path):
    node = laid.segmentation
    assert not shown(node)
    assert visible_in(announced(mrml, tmp_path), cyst(node))
    # Afterwards they are put away again, and come back with the slice's end.
    assert not shown(node)
    laid.clear()
    assert shown(node)


def test_a_segment_that_the_clinician_had_hidden_stays_hidden(mrml, laid, tmp_path):
    node = laid.segmentation
    laid.clear()
    node.GetDisplayNode().SetSegmentVisibility(cyst(node), False)
    laid.lay(sheet(GEOMETRY, index=2))
    assert not visible_in(announced(mrml, tmp_path), cyst(node))
    laid.clear()
    assert not shown(node)


def test_saved_without_a_word_they_come_back_with_the_project(mrml, laid, tmp_path):
    """The library's own saving announces nothing; the scene is loaded again elsewhere."""
    node = laid.segmentation
    storage = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "one.seg.nrrd"))
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert storage.WriteData(node)
    saved(mrml, tmp_path)
    again = MrmlScene()
    again.scene.SetURL(str(tmp_path / "scene.mrml"))
    again.scene.SetRootDirectory(str(tmp_path))
    assert again.scene.Import()
    loaded = again.scene.GetFirstNodeByName("case_003 ActiveSeg")
    assert not shown(loaded)
    for project, expected in (("another", False), ("one", True)):
        with desk_on(again, project):
            assert shown(loaded) is expected


@SAVERS
def test_nothing_of_the_desk_is_saved(mrml, laid, tmp_path, save):
    added = {"ActiveSeg doubt", "case_003 (this slice)"}
    present = {mrml.scene.GetNthNode(k).GetName() for k in range(mrml.scene.GetNumberOfNodes())}
    assert added <= present
    text = save(mrml, tmp_path)
    assert not added & set(re.findall(r'name="([^"]*)"', text))
    # One display node each for the volume and the segmentation, none for the overlay.
    assert text.count("<VolumeDisplay") == text.count("<SegmentationDisplay") == 1
    assert text.count("<ColorTable") == 0


@SAVERS
def test_no_limit_of_the_editor_is_saved(mrml, laid, tmp_path, save):
    assert 'masterVolumeIntensityMask="true"' not in save(mrml, tmp_path)
    node = mrml.editor_node
    assert node.GetSourceVolumeIntensityMask(), "the slice lies open: its limits hold again"
    laid.clear()
    assert "<SegmentEditor" in saved(mrml, tmp_path)


def test_a_narrower_mask_and_the_overlay_are_as_before(mrml, laid, tmp_path):
    low, high = mrml.editor_node.GetSourceVolumeIntensityMaskRange()
    mrml.editor_node.SetSourceVolumeIntensityMaskRange(low + 2, high - 2)
    composite = mrml.slice_logics[0].GetSliceCompositeNode()
    overlay = composite.GetForegroundVolumeID()
    assert overlay
    text = announced(mrml, tmp_path)
    assert overlay not in text
    assert composite.GetForegroundVolumeID() == overlay
    assert mrml.editor_node.GetSourceVolumeIntensityMaskRange() == (low + 2, high - 2)


def test_a_scene_without_an_open_slice_is_saved_as_ever(mrml, laid, tmp_path):
    laid.clear()
    before = mrml.editor_node.GetSourceVolumeNode()
    announced(mrml, tmp_path)
    assert mrml.editor_node.GetSourceVolumeNode() is before
    assert not mrml.editor_node.GetSourceVolumeIntensityMask()
