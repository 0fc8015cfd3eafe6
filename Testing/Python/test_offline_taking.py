"""Taking an answered folder back in: what counts as an answer, what is recorded or refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import SimpleITK

from activeseg.errors import AnnotationError, ProjectError
from activeseg.offline import take_in, write_folder
from activeseg.progress import Silent
from activeseg.project import Project, skip
from activeseg.project.judged import DiceLedger
from handed_batch import (
    AUDIT,
    KEYS,
    asked_project,
    chosen_anew,
    draw,
    edit,
    fill_in,
    handed,
    mask_file,
    name_of,
    proposed,
    rows,
    truth,
    write_rows,
)
from rounds_by_hand import batch, suggestion
from tiny_cohort import write_tiny_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory, cohort):
    place = tmp_path_factory.mktemp("untouched")
    handed(place, cohort)
    return place


@pytest.fixture
def given(untouched, tmp_path):
    """A project and its folder, to be changed."""
    shutil.copytree(untouched, tmp_path, dirs_exist_ok=True)
    return Project.open(tmp_path / "project"), tmp_path / "folder"


def segmentation(folder, key):
    return folder / "slicer" / f"{name_of(key)}.seg.nrrd"


def accepted_of(project):
    return {each.key: each for each in project.all_annotations()}


# What counts as an answer


def test_a_folder_that_nobody_touched_answers_nothing(given):
    project, folder = given
    taken = take_in(project, folder, "ada")
    assert (taken.accepted, taken.unchanged, taken.open) == ((), (), tuple(KEYS))
    assert project.all_annotations() == []


def test_every_slice_comes_back_as_it_was_drawn(given):
    """In every plane of volumes that lie oblique, flipped and permuted in their files."""
    project, folder = given
    drawn = {key: draw(project, folder, key) for key in KEYS}
    taken = take_in(project, folder, "ada")
    assert (taken.accepted, taken.unchanged, taken.open) == (tuple(KEYS), (), ())
    found = accepted_of(project)
    assert set(found) == set(KEYS)
    for key, annotation in found.items():
        np.testing.assert_array_equal(project.read_annotation(annotation), drawn[key])
        assert (annotation.author, annotation.seconds) == ("ada", 0.0)
    assert project.open_suggestions() == []


def test_a_changed_voxel_or_filled_in_seconds_are_an_answer(given):
    project, folder = given

    def one_voxel(array):
        array[0, 0, 0] = 4

    edit(mask_file(folder, KEYS[0]), one_voxel)
    fill_in(folder, {KEYS[1]: "0", KEYS[2]: "12.5", AUDIT: " 30 "})
    taken = take_in(project, folder, "ada")
    assert taken.accepted == (KEYS[0], KEYS[1], KEYS[2], AUDIT)
    assert taken.open == tuple(KEYS[3:-1])
    found = accepted_of(project)
    assert {key: each.seconds for key, each in found.items()} == {
        KEYS[0]: 0.0,
        KEYS[1]: 0.0,
        KEYS[2]: 12.5,
        AUDIT: 30.0,
    }
    first = proposed(project, KEYS[0])
    first[0, 0] = 4
    expected = {KEYS[0]: first} | {key: proposed(project, key) for key in KEYS[1:3]}
    expected[AUDIT] = np.zeros_like(first)  # shown blank, and said to be right
    for key, mask in expected.items():
        np.testing.assert_array_equal(project.read_annotation(found[key]), mask)


def test_voxels_count_and_not_the_bytes_of_the_file(given):
    """A program that saves all it has open, as another type and uncompressed, answers nothing."""
    project, folder = given
    image = SimpleITK.ReadImage(str(mask_file(folder, KEYS[0])))
    before = mask_file(folder, KEYS[0]).read_bytes()
    SimpleITK.WriteImage(
        SimpleITK.Cast(image, SimpleITK.sitkInt16), str(mask_file(folder, KEYS[0]))
    )
    assert mask_file(folder, KEYS[0]).read_bytes() != before
    assert take_in(project, folder, "ada").open == tuple(KEYS)


def test_the_mask_for_slicer_counts_as_well(given):
    project, folder = given
    wanted = truth(project, KEYS[3])

    def paint(array):
        array[...] = wanted.reshape(array.shape)

    edit(segmentation(folder, KEYS[3]), paint)
    edit(segmentation(folder, KEYS[4]), lambda array: array.fill(0))
    draw(project, folder, KEYS[5])
    shutil.copy(mask_file(folder, KEYS[5]), folder / "same.nii.gz")
    image = SimpleITK.ReadImage(str(folder / "same.nii.gz"))
    SimpleITK.WriteImage(image, str(segmentation(folder, KEYS[5])))  # the same, without names
    assert take_in(project, folder, "ada").accepted == tuple(KEYS[3:6])
    found = accepted_of(project)
    np.testing.assert_array_equal(project.read_annotation(found[KEYS[3]]), wanted)
    assert not project.read_annotation(found[KEYS[4]]).any()


def test_a_slice_whose_masks_are_gone_is_open(given):
    project, folder = given
    mask_file(folder, KEYS[0]).unlink()
    segmentation(folder, KEYS[0]).unlink()
    mask_file(folder, KEYS[1]).unlink()  # the one in slicer/ is as it was
    taken = take_in(project, folder, "ada")
    assert taken.accepted == ()
    assert {KEYS[0], KEYS[1]} <= set(taken.open)


@pytest.mark.parametrize("gone", ["masks", "slicer"])
def test_who_works_with_one_folder_may_leave_the_other_away(given, gone):
    project, folder = given
    shutil.rmtree(folder / gone)
    fill_in(folder, {KEYS[1]: "5"})
    assert take_in(project, folder, "ada").accepted == (KEYS[1],)


@pytest.mark.parametrize("gone", [mask_file, segmentation])
def test_a_single_mask_that_is_gone_is_not_replaced_by_the_untouched_one(given, gone):
    _, folder = given
    file = gone(folder, KEYS[1])
    file.unlink()
    fill_in(folder, {KEYS[1]: "5"})
    named = f"{file.parent.name}/{file.name} is missing, but slices.csv holds its seconds"
    refused(given, AnnotationError, named, "put the file back or remove the seconds")


def test_what_others_answered_or_put_aside_is_not_open(given):
    project, folder = given
    project.accept(KEYS[0], truth(project, KEYS[0]), "eve")
    skip(project, KEYS[1], "eve")
    taken = take_in(project, folder, "ada")
    assert (taken.accepted, taken.unchanged, taken.open) == ((), (), tuple(KEYS[2:]))


# Twice


def test_nothing_is_accepted_twice(given):
    project, folder = given
    draw(project, folder, KEYS[0])
    fill_in(folder, {KEYS[1]: "7"})
    first = take_in(project, folder, "ada")
    again = take_in(project, folder, "ada")
    assert first.accepted == again.unchanged == (KEYS[0], KEYS[1])
    assert again.accepted == ()
    assert first.open == again.open == tuple(KEYS[2:])
    assert len(project.all_annotations()) == 2


def test_only_what_was_changed_since_is_accepted(given):
    project, folder = given
    draw(project, folder, KEYS[0])
    draw(project, folder, KEYS[1])
    take_in(project, folder, "ada")
    edit(mask_file(folder, KEYS[0]), lambda array: array.fill(0))
    taken = take_in(project, folder, " ada ")
    assert (taken.accepted, taken.unchanged) == ((KEYS[0],), (KEYS[1],))
    assert [a.author for a in project.history(KEYS[0])] == ["ada", "ada"]
    # Another person's newer answer is not buried under one that was there before it.
    project.accept(KEYS[1], proposed(project, KEYS[1]), "eve")
    assert KEYS[1] in take_in(project, folder, "ada").unchanged
    assert project.history(KEYS[1])[-1].author == "eve"


def test_the_same_mask_of_another_author_is_another_answer(given):
    project, folder = given
    draw(project, folder, KEYS[0])
    take_in(project, folder, "ada")
    assert take_in(project, folder, "eve").accepted == (KEYS[0],)
    assert {a.author for a in project.history(KEYS[0])} == {"ada", "eve"}


def test_what_was_undone_is_taken_in_again(given):
    project, folder = given
    draw(project, folder, KEYS[0])
    take_in(project, folder, "ada")
    project.withdraw(project.history(KEYS[0])[0], "ada")
    assert take_in(project, folder, "ada").accepted == (KEYS[0],)


# What is recorded


def test_what_was_shown_is_recorded_as_by_the_faces(given):
    project, folder = given
    draw(project, folder, KEYS[0])
    draw(project, folder, AUDIT)
    take_in(project, folder, "ada")
    for key in (KEYS[0], AUDIT):
        shown = accepted_of(project)[key].shown
        named = {"round", "rank", "expected_dice", "minutes", "audit", "work", "blank", "dice"}
        assert set(shown) == named | {"islands"}
        assert (shown["round"], shown["rank"]) == (1, KEYS.index(key) + 1)
        assert (shown["expected_dice"], shown["minutes"]) == (0.8, 1.25)
        assert shown["audit"] is shown["blank"] is (key == AUDIT)
        # Held back or shown: the model's proposal is measured.
        wanted, mask = truth(project, key), proposed(project, key)
        for name, value in (("liver", 1), ("spleen", 4)):
            size = (wanted == value).sum() + (mask == value).sum()
            overlap = ((wanted == value) & (mask == value)).sum()
            expected = None if size == 0 else pytest.approx(2 * overlap / size)
            assert shown["dice"][name] == expected
    judged = {each.key: each for each in DiceLedger(project).slices}
    assert {key: each.audit for key, each in judged.items()} == {KEYS[0]: False, AUDIT: True}


def test_what_the_folder_showed_counts_and_not_a_later_batch(given):
    project, folder = given
    draw(project, folder, KEYS[0])
    draw(project, folder, AUDIT)
    chosen_anew(project)
    later = batch(2, [suggestion(KEYS[0], 1, 0.3), suggestion(AUDIT, 2, 0.3)])
    project.round(2).make().write_proposals({KEYS[0]: truth(project, KEYS[0])})
    project.round(2).write_batch(later)
    assert len(take_in(project, folder, "ada").accepted) == 2
    for key in (KEYS[0], AUDIT):
        shown = accepted_of(project)[key].shown
        assert (shown["round"], shown["rank"]) == (1, KEYS.index(key) + 1)
        assert (shown["audit"], shown["expected_dice"]) == (key == AUDIT, 0.8)
        assert min(value for value in shown["dice"].values() if value is not None) < 1


def test_before_any_model_there_is_nothing_to_measure(tmp_path, cohort):
    project, _ = asked_project(tmp_path / "project", cohort)
    made = batch(0, [suggestion(KEYS[0])])
    project.round(0).write_batch(made)
    write_folder(project, made, tmp_path / "folder", Silent())
    draw(project, tmp_path / "folder", KEYS[0])
    take_in(project, tmp_path / "folder", "ada")
    shown = accepted_of(project)[KEYS[0]].shown
    assert (shown["blank"], shown["dice"], shown["round"]) == (True, None, 0)


# The table as spreadsheets leave it


@pytest.mark.parametrize(
    ("delimiter", "seconds", "encoding"),
    [(",", "40.5", "utf-8"), (";", "40,5", "utf-8"), ("\t", "40,5", "utf-8-sig")],
)
def test_tables_of_spreadsheets_are_read(given, delimiter, seconds, encoding):
    project, folder = given
    table = rows(folder)
    table[0] |= {"seconds": seconds, "reason": "Ränder, unscharf"}
    # Rows and columns in another order, one row removed.
    moved = [{"key": row["key"], **row} for row in reversed(table[:-1])]
    write_rows(folder, moved, delimiter)
    file = folder / "slices.csv"
    text = file.read_text("utf-8").replace("\n", "\r\n") + "\r\n" + delimiter * 9 + "\r\n"
    file.write_bytes(text.encode(encoding))
    assert take_in(project, folder, "ada").accepted == (KEYS[0],)
    assert accepted_of(project)[KEYS[0]].seconds == 40.5


# Refusals


def refused(given, error, *words):
    """One line that says what and where, and nothing is accepted."""
    project, folder = given
    draw(project, folder, KEYS[7])  # what is right is not accepted either
    with pytest.raises(error) as caught:
        take_in(project, folder, "ada")
    text = str(caught.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text
    assert project.all_annotations() == []


def test_a_mask_of_another_place(given):
    _, folder = given
    file = mask_file(folder, KEYS[0])
    image = SimpleITK.ReadImage(str(file))
    image.SetOrigin([mm + 1 for mm in image.GetOrigin()])
    SimpleITK.WriteImage(image, str(file))
    refused(given, AnnotationError, str(file), "does not lie on this slice: origin", "mend it")


def test_a_mask_of_another_size(given):
    _, folder = given
    file = mask_file(folder, KEYS[0])
    image = SimpleITK.ReadImage(str(file))
    SimpleITK.WriteImage(image[1:, :, :], str(file))
    refused(given, AnnotationError, str(file), "size 17 x 20 x 1")


def test_a_value_that_is_no_structures(given):
    _, folder = given
    edit(mask_file(folder, KEYS[0]), lambda array: array.fill(2))
    edit(segmentation(folder, KEYS[2]), lambda array: array.fill(3))
    refused(
        given,
        AnnotationError,
        f"masks/{name_of(KEYS[0])}.nii.gz: v00/axial/004: label value 2",
        "expected 0 or 1 (liver), 4 (spleen); nothing was accepted",
        f"not to be accepted either: {name_of(KEYS[2])}",
    )


def test_a_file_that_is_no_image(given):
    _, folder = given
    mask_file(folder, KEYS[0]).write_text("liver here")
    refused(given, AnnotationError, f"{name_of(KEYS[0])}.nii.gz is not an image that can be read")


def test_two_masks_that_say_different_things(given):
    _, folder = given
    edit(mask_file(folder, KEYS[0]), lambda array: array.fill(1))
    edit(segmentation(folder, KEYS[0]), lambda array: array.fill(4))
    name = name_of(KEYS[0])
    both = f"v00/axial/004: masks/{name}.nii.gz and slicer/{name}.seg.nrrd were both changed"
    refused(given, AnnotationError, both, "remove the one that does not count")


def test_seconds_without_a_mask(given):
    _, folder = given
    mask_file(folder, KEYS[0]).unlink()
    segmentation(folder, KEYS[0]).unlink()
    fill_in(folder, {KEYS[0]: "5"})
    refused(given, AnnotationError, f"masks/{name_of(KEYS[0])}.nii.gz is missing", "put the file")


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "40 s", "1:30", "4,5"])
def test_seconds_that_are_no_number_from_0(given, text):
    fill_in(given[1], {KEYS[1]: text})
    refused(
        given, AnnotationError, f"slices.csv line 3 holds '{text}' as seconds", "a number from 0"
    )


@pytest.mark.parametrize("key", ["v09/axial/001", "v00/axial/005/", "", "v00/axial/001"])
def test_keys_that_are_not_of_the_batch(given, key):
    table = rows(given[1])
    table[2]["key"] = key
    write_rows(given[1], table)
    refused(given, AnnotationError, f"slices.csv line 4 names '{key}', which is not in this batch")


def test_a_key_that_stands_there_twice(given):
    table = rows(given[1])
    write_rows(given[1], [*table, table[0]])
    refused(given, AnnotationError, "slices.csv line 15 names v00/axial/004 a second time")


@pytest.mark.parametrize("name", ["key", "seconds"])
def test_a_table_without_a_column(given, name):
    write_rows(given[1], [{n: v for n, v in row.items() if n != name} for row in rows(given[1])])
    refused(given, AnnotationError, f"slices.csv has no column '{name}'", "number,key,volume")


def test_a_table_that_is_none(given):
    file = given[1] / "slices.csv"
    file.write_bytes("seconds;key;Grund\n;;für\n".encode("cp1252"))
    refused(given, AnnotationError, "slices.csv is not in UTF-8; save it as CSV UTF-8")
    file.write_bytes(b"")
    refused(given, AnnotationError, "slices.csv has no column 'key'")
    file.unlink()
    refused(given, AnnotationError, "slices.csv is missing; put it back")
    file.mkdir()
    refused(given, AnnotationError, "slices.csv cannot be read")


def test_an_author_who_is_none(given):
    draw(*given, KEYS[0])
    with pytest.raises(ProjectError, match="is not an author's name"):
        take_in(*given, " ")
    assert given[0].all_annotations() == []


# Whose folder it is


def test_a_folder_of_something_else(given, tmp_path):
    project, _ = given
    for folder in (tmp_path / "nowhere", project.folder, project.folder / "project.json"):
        with pytest.raises(ProjectError, match=r"not the folder of a batch \(it has no batch.json"):
            take_in(project, folder, "ada")


def test_a_folder_of_another_project(given, cohort, tmp_path):
    """Even of a twin: the same cohort, structures, seed and batch."""
    _, folder = given
    (tmp_path / "twin").mkdir()
    twin, _ = handed(tmp_path / "twin", cohort)
    refused((twin, folder), ProjectError, str(folder / "batch.json"), "was not made by")
    # A copy of the project knows its folder.
    copy = tmp_path / "copy"
    shutil.copytree(given[0].folder, copy)
    assert len(take_in(Project.open(copy), folder, "ada").accepted) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("cohort", "0" * 64, "made for another cohort than"),
        ("structures", {"liver": 1}, "made for other structures than"),
        ("round", 7, "was not made by"),
        ("format_version", 2, "format 2 is newer than this one; update activeseg"),
        ("number", "../../../rounds/001/batch", "damaged"),
        ("number", None, "damaged"),
        ("round", "one", "damaged"),
    ],
)
def test_a_mark_that_does_not_fit(given, name, value, said):
    file = given[1] / "batch.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    refused(given, ProjectError, str(file), said)


def test_a_damaged_mark_or_note(given):
    project, folder = given
    file = folder / "batch.json"
    mark = file.read_text()
    for text in ("{", "[]", "{}"):
        file.write_text(text)
        refused(given, ProjectError, str(file), "damaged")
    file.write_text(mark)
    (note,) = (project.folder / "rounds/001/offline").iterdir()
    note.write_text("{}")
    refused(given, ProjectError, str(note), "damaged", "restore it")


def test_a_cohort_of_other_volumes_is_another(tmp_path, given):
    (tmp_path / "other").mkdir()
    other = write_tiny_cohort(tmp_path / "other/cohort", volumes=5)
    project, _ = asked_project(tmp_path / "other/project", other)
    refused((project, given[1]), ProjectError, "made for another cohort than")


def test_the_cohort_may_lie_elsewhere(given, tmp_path):
    """The checksum is of what the volumes are, not of where their files lie."""
    project, folder = given
    draw(project, folder, KEYS[0])
    file = project.folder / "project.json"
    data = json.loads(file.read_text())
    shutil.copytree(data["cohort"]["root"], tmp_path / "moved")
    data["cohort"]["root"] = str(tmp_path / "moved")
    file.write_text(json.dumps(data))
    assert take_in(Project.open(project.folder), folder, "ada").accepted == (KEYS[0],)
