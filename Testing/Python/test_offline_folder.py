"""The folder of a batch: what lies in it, where each slice lies in space, and what is refused."""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK

from activeseg.annotations import structure_colour
from activeseg.cohort import Structure, picture, take_slice
from activeseg.errors import CohortError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.offline import check_target, write_folder
from activeseg.offline.wording import label_description, read_me
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.project.handed_out import mask_checksum
from handed_batch import (
    AUDIT,
    KEYS,
    asked_project,
    handed,
    mask_file,
    name_of,
    proposed,
    read_voxels,
    rows,
)
from rounds_by_hand import batch, suggestion
from tiny_cohort import new_project, write_tiny_cohort

EVERY_SLICE = pytest.mark.parametrize("key", KEYS, ids=str)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort")


@pytest.fixture(scope="module")
def given(tmp_path_factory, cohort):
    """A project and its folder; not to be changed."""
    return handed(tmp_path_factory.mktemp("given"), cohort)


def test_the_folder_holds_what_it_says(given):
    _, folder = given
    names = {name_of(key) for key in KEYS}
    parts = {"images": ".nii.gz", "masks": ".nii.gz", "slicer": ".seg.nrrd", "previews": ".png"}
    for part, suffix in parts.items():
        assert {file.name for file in (folder / part).iterdir()} == {n + suffix for n in names}
    texts = {"slices.csv", "labels.txt", "README.txt", "batch.json"}
    assert {entry.name for entry in folder.iterdir()} == texts | set(parts)


def test_the_table_lists_the_slices_in_the_order_of_answering(given):
    _, folder = given
    table = rows(folder)
    assert list(table[0]) == [
        *("number", "key", "volume", "plane", "index"),
        *("minutes", "reason", "image", "mask", "seconds"),
    ]
    assert [row["key"] for row in table] == [str(key) for key in KEYS]
    assert [int(row["number"]) for row in table] == list(range(1, len(KEYS) + 1))
    for row, key in zip(table, KEYS, strict=True):
        assert (row["volume"], row["plane"]) == (key.volume, key.plane)
        assert int(row["index"]) == key.index
        assert (row["minutes"], row["reason"]) == ("1.2", "uncertain at the border")
        assert row["image"] == f"images/{name_of(key)}.nii.gz"
        assert row["mask"] == f"masks/{name_of(key)}.nii.gz"
        assert (folder / row["image"]).is_file()
        assert row["seconds"] == ""


@EVERY_SLICE
def test_each_file_lies_where_the_slice_lies_in_the_volume(given, key):
    """Each voxel centre of the one-slice image is a voxel centre of the volume with its value."""
    project, folder = given
    volume = SimpleITK.ReadImage(str(project.cohort.volume(key.volume).image))
    axis = 2 - project.cohort.volume(key.volume).geometry.array_axis(key.plane)
    image = SimpleITK.ReadImage(str(folder / "images" / f"{name_of(key)}.nii.gz"))
    assert image.GetDimension() == 3
    assert image.GetPixelID() == SimpleITK.sitkInt16  # as small as the volume's own
    sizes = list(volume.GetSize())
    sizes[axis] = 1
    assert list(image.GetSize()) == sizes
    np.testing.assert_allclose(image.GetSpacing(), volume.GetSpacing(), atol=1e-5)
    np.testing.assert_allclose(image.GetDirection(), volume.GetDirection(), atol=1e-6)
    for cell in np.ndindex(*image.GetSize()):
        cell = tuple(int(n) for n in cell)
        there = volume.TransformPhysicalPointToContinuousIndex(
            image.TransformIndexToPhysicalPoint(cell)
        )
        nearest = tuple(round(n) for n in there)
        np.testing.assert_allclose(there, nearest, atol=1e-3)
        assert nearest[axis] == key.index
        assert image[cell] == volume[nearest]
    for file in (mask_file(folder, key), folder / "slicer" / f"{name_of(key)}.seg.nrrd"):
        mask = SimpleITK.ReadImage(str(file))
        assert mask.GetSize() == image.GetSize()
        np.testing.assert_allclose(mask.GetOrigin(), image.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(mask.GetDirection(), image.GetDirection(), atol=1e-6)


@EVERY_SLICE
def test_masks_are_the_proposal_and_an_audit_is_blank(given, key):
    project, folder = given
    expected = proposed(project, key)
    assert expected.any()
    if key == AUDIT:
        expected[:] = 0
    for file in (mask_file(folder, key), folder / "slicer" / f"{name_of(key)}.seg.nrrd"):
        np.testing.assert_array_equal(read_voxels(project, file, key), expected)


def test_before_any_model_every_mask_is_blank(tmp_path, cohort):
    project, _ = asked_project(tmp_path / "project", cohort)
    made = batch(0, [suggestion(KEYS[0]), suggestion(KEYS[1], 2)])
    project.round(0).write_batch(made)
    write_folder(project, made, tmp_path / "folder", Silent())
    for name in ("001_v00_axial_004", "002_v00_coronal_009"):
        mask = SimpleITK.ReadImage(str(tmp_path / "folder" / "masks" / f"{name}.nii.gz"))
        assert not SimpleITK.GetArrayFromImage(mask).any()


@EVERY_SLICE
def test_a_preview_shows_the_slice_as_the_faces_do(given, key):
    """Soft-tissue window, patient's right at the left; thick slices are as high as they are."""
    project, folder = given
    geometry = project.cohort.volume(key.volume).geometry
    grey = take_slice(project.cohort.read_image(key.volume), geometry, key.plane, key.index)
    shown = np.rint(255 * np.clip((picture(grey, geometry, key.plane) + 160) / 400, 0, 1))
    if key.plane is not Plane.AXIAL:  # 3 mm from one row to the next, 1 mm between columns
        shown = np.repeat(shown, 3, axis=0)
    larger = 400 // max(shown.shape)
    shown = shown.repeat(larger, axis=0).repeat(larger, axis=1)
    file = folder / "previews" / f"{name_of(key)}.png"
    drawn = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file)))
    np.testing.assert_array_equal(drawn, shown)
    assert drawn.max() > drawn.min()
    assert 200 < max(drawn.shape) <= 400


def test_grey_values_that_are_no_16_bit_numbers_stay_as_they_are(tmp_path):
    folder = write_tiny_cohort(tmp_path / "cohort", volumes=1)
    file = folder / "images/v00.nrrd"
    image = SimpleITK.ReadImage(str(file))
    SimpleITK.WriteImage(SimpleITK.Cast(image, SimpleITK.sitkFloat32) + 0.25, str(file))
    project, _ = asked_project_of_one(tmp_path, folder)
    written = tmp_path / "folder/images/001_v00_axial_004.nii.gz"
    read = read_voxels(project, written, KEYS[0])
    assert read.dtype == np.float32
    expected = SimpleITK.GetArrayFromImage(image)[4] + 0.25
    np.testing.assert_array_equal(read, expected)


def asked_project_of_one(tmp_path, cohort):
    """A project of one volume, whose round 0 asks for one slice, and its folder."""
    project = new_project(tmp_path / "project", cohort)
    made = batch(0, [suggestion(KEYS[0])])
    project.round(0).write_batch(made)
    write_folder(project, made, tmp_path / "folder", Silent())
    return project, tmp_path / "folder"


def test_volumes_of_any_name_get_files(tmp_path):
    folder = tmp_path / "cohort"
    write_tiny_cohort(folder, volumes=1)
    for part in ("images", "labels"):
        (folder / part / "v00.nrrd").rename(folder / part / "Bauch: 1 % ä.nrrd")
    project = new_project(tmp_path / "project", folder)
    key = SliceKey("Bauch: 1 % ä", Plane.AXIAL, 4)
    made = batch(0, [suggestion(key)])
    project.round(0).write_batch(made)
    write_folder(project, made, tmp_path / "folder", Silent())
    (row,) = rows(tmp_path / "folder")
    assert (row["key"], row["volume"]) == (str(key), key.volume)
    assert row["mask"] == "masks/001_Bauch%3A 1 %25 ä_axial_004.nii.gz"
    assert (tmp_path / "folder" / row["mask"]).is_file()


# The texts


def read_labels(text):
    """What ITK-SNAP makes of a label description: numbers, then a name between quotation marks."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        numbers, _, rest = line.partition('"')
        value, *colour, alpha, shown, meshed = numbers.split()
        found[int(value)] = (rest.partition('"')[0], [int(c) for c in colour])
        assert (float(alpha), shown, meshed) == ((1.0, "1", "1") if int(value) else (0.0, "0", "0"))
    return found


def test_labels_are_those_of_the_project(given):
    project, folder = given
    text = (folder / "labels.txt").read_text("utf-8")
    assert "# ITK-SnAP Label Description File" in text.splitlines()  # some readers ask for it
    found = read_labels(text)
    assert {value: name for value, (name, _) in found.items()} == {
        0: "Clear Label",
        1: "liver",
        4: "spleen",
    }
    # The same colours as in the file for Slicer.
    header = SimpleITK.ReadImage(str(next((folder / "slicer").iterdir())))
    for number, structure in enumerate(project.structures):
        parts = [float(p) for p in header.GetMetaData(f"Segment{number}_Color").split()]
        assert found[structure.value][1] == [round(255 * part) for part in parts]
    assert structure_colour(0) != structure_colour(1)


def test_a_quotation_mark_does_not_end_a_name():
    found = read_labels(label_description([Structure('the "big" one', 255)]))
    assert found[255][0] == "the 'big' one"


def test_the_readme_is_ten_lines_about_this_batch(given):
    project, folder = given
    text = (folder / "README.txt").read_text("utf-8")
    assert len(text.splitlines()) == 10
    assert text.startswith(f"{len(KEYS)} slices to annotate, about 16 minutes;")
    assert "Label values: 1 is liver, 4 is spleen; everything else is 0." in text
    assert "A PNG or another picture is not read back" in text
    assert "activeseg annotate PROJECT --from" in text
    odd = [replace(project.structures[0], name="{0}")]
    assert "1 is {0};" in read_me(batch(0, [suggestion(KEYS[0])]), odd)


def test_the_mark_says_whose_batch_it_is(given):
    project, folder = given
    mark = json.loads((folder / "batch.json").read_text())
    assert set(mark) == {"format_version", "cohort", "structures", "round", "number"}
    assert re.fullmatch("[0-9a-f]{64}", mark["cohort"])
    assert (mark["structures"], mark["round"]) == ({"liver": 1, "spleen": 4}, 1)
    noted = project.folder / "rounds/001/offline" / f"{mark['number']}.json"
    kept = json.loads(noted.read_text())
    assert [each["suggestion"]["key"] for each in kept["slices"]] == [str(key) for key in KEYS]
    assert kept["slices"][0]["sha256"] == mask_checksum(proposed(project, KEYS[0]))
    assert kept["slices"][-1]["sha256"] != mask_checksum(proposed(project, AUDIT))
    # The round is as complete as it was.
    opened = Project.open(project.folder)
    assert [files.number for files in opened.rounds()] == [1]
    assert len(opened.open_suggestions()) == len(KEYS)


# Refusals


def refused(target, *words):
    with pytest.raises(ProjectError) as caught:
        check_target(target)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_only_a_new_or_empty_folder_will_do(tmp_path):
    check_target(tmp_path)
    check_target(tmp_path / "new")
    check_target(tmp_path / "far" / "away")
    assert list(tmp_path.iterdir()) == []  # looking makes nothing
    (tmp_path / "letter.txt").write_text("dear")
    refused(tmp_path, str(tmp_path), "it holds 'letter.txt'", "name a new or empty folder")
    refused(tmp_path / "letter.txt", "is no folder")
    refused(tmp_path / "letter.txt" / "below", "is no folder")


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    refused(tmp_path / "far" / "away", f"{tmp_path} cannot be written to")
    refused(tmp_path, f"{tmp_path} cannot be written to")
    monkeypatch.undo()
    check_target(tmp_path / "far" / "away")


def test_what_is_not_finished_is_taken_away(tmp_path, cohort, monkeypatch):
    project, made = asked_project(tmp_path / "project", cohort)
    target = tmp_path / "folder"
    image = replace(project.cohort.volume("v03"), image=tmp_path / "gone.nrrd")
    gone = replace(project.cohort, volumes=(*project.cohort.volumes[:3], image))
    broken = Project(project.folder, replace(project.settings, cohort=gone))
    with pytest.raises(CohortError, match="no such file"):
        write_folder(broken, made, target, Silent())
    assert list(target.iterdir()) == []

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("activeseg.offline.writing.write_table", full)
        with pytest.raises(ProjectError, match=r"No space left on device.*name another folder"):
            write_folder(project, made, target, Silent())
    assert list(target.iterdir()) == []
    write_folder(project, made, target, Silent())
    assert (target / "batch.json").is_file()


def test_a_mask_that_would_not_come_back_is_not_handed_out(tmp_path):
    """NIfTI keeps places in single precision: 4 km from the centre 0.1 mm are lost."""
    folder = write_tiny_cohort(tmp_path / "cohort", volumes=1)
    for part in ("images", "labels"):
        image = SimpleITK.ReadImage(str(folder / part / "v00.nrrd"))
        image.SetOrigin((4e6 + 0.3, 0.0, 0.0))
        image.SetSpacing((0.1, 0.1, 0.3))
        SimpleITK.WriteImage(image, str(folder / part / "v00.nrrd"))
    with pytest.raises(ProjectError, match=r"does not read back as written .*v00/axial/004"):
        asked_project_of_one(tmp_path, folder)
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_reason_with_commas_stays_one_cell(tmp_path, cohort):
    project, _ = asked_project(tmp_path / "project", cohort)
    made = batch(0, [suggestion(KEYS[0], reason='unsure of "liver", and of its edge')])
    project.round(0).write_batch(made)
    write_folder(project, made, tmp_path / "folder", Silent())
    with (tmp_path / "folder/slices.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["reason"] == 'unsure of "liver", and of its edge'
