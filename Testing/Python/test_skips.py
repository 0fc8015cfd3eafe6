"""Slices that were put aside: nobody is asked for them again, and nothing is lost by it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from activeseg.errors import AnnotationError, CohortError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, claims, project_status, skip
from activeseg.project import skips as skips_module
from activeseg.project.names import slice_folder
from rounds_by_hand import batch, suggestion
from small_cohort import GEOMETRIES, small_cohort

KEYS = [SliceKey("plain", Plane.AXIAL, n) for n in (3, 4, 5)]


@pytest.fixture
def project(tmp_path):
    """Three slices are asked for."""
    cohort = small_cohort(tmp_path / "cohort")
    made = Project.create(tmp_path / "project", cohort, "all", "auto", 0, "scratch")
    entries = [suggestion(key, rank) for rank, key in enumerate(KEYS, 1)]
    made.round(0).write_batch(batch(0, entries))
    return made


def records(project):
    return sorted((project.folder / "skips").rglob("*.json"))


def test_a_skipped_slice_is_not_open_any_more(project):
    skip(project, KEYS[0], " Ada ")
    assert [each.key for each in project.open_suggestions()] == KEYS[1:]
    assert project.next_suggestion("ada").key == KEYS[1]
    assert project.next_suggestion("bob").key == KEYS[2]
    opened = Project.open(project.folder)
    assert opened.skipped() == {KEYS[0]}
    status = project_status(opened)
    assert status["skipped"] == ["plain/axial/003"]
    assert status["open"] == ["plain/axial/004", "plain/axial/005"]
    (file,) = records(project)
    assert file.parent == slice_folder(project.folder / "skips", KEYS[0])
    record = json.loads(file.read_text())
    assert (record["key"], record["author"]) == ("plain/axial/003", "Ada")
    assert record["time"].endswith("Z")
    assert record["reason"] == ""


def test_a_skip_says_who_and_why(project):
    skip(project, KEYS[1], "bob", " the contrast\n  is missing ")
    skip(project, KEYS[0], "ada")
    first, second = Project.open(project.folder).skips()
    assert (first.key, first.author, first.reason) == (KEYS[1], "bob", "the contrast is missing")
    assert (second.key, second.author, second.reason) == (KEYS[0], "ada", "")
    assert first.time < second.time


def test_a_skip_from_before_there_were_reasons_counts(project):
    skip(project, KEYS[0], "ada", "why")
    (file,) = records(project)
    record = json.loads(file.read_text())
    del record["reason"]
    file.write_text(json.dumps(record))
    (found,) = project.skips()
    assert (found.key, found.reason) == (KEYS[0], "")


def test_who_skips_a_slice_does_not_work_on_it_any_more(project):
    assert project.next_suggestion("ada").key == KEYS[0]
    skip(project, KEYS[0], "ada")
    assert project.working_on() == {}
    assert claims.holder(project.folder / "claims", KEYS[0]) is None
    assert project.next_suggestion("ada").key == KEYS[1]


def test_with_all_skipped_nothing_is_open(project):
    for key in KEYS:
        skip(project, key, "ada")
    assert project.next_suggestion("ada") is None
    assert "activeseg suggest" in project_status(project)["next"]


def test_a_skipped_slice_can_be_annotated_all_the_same(project):
    skip(project, KEYS[0], "ada")
    project.accept(KEYS[0], np.zeros((6, 5), np.uint8), "bob")
    status = project_status(project)
    assert (status["accepted"], status["skipped"]) == (["plain/axial/003"],) * 2


def test_slices_that_were_not_asked_for_and_twice_skipped_ones(project):
    other = SliceKey("oblique", Plane.CORONAL, GEOMETRIES["oblique"].slice_count(Plane.CORONAL) - 1)
    for author in ("ada", "ada", "bob"):
        skip(project, other, author)
    assert project.skipped() == {other}
    assert len(records(project)) == 3
    assert [each.key for each in project.open_suggestions()] == KEYS


@pytest.mark.parametrize(
    ("key", "author", "error", "match"),
    [
        (SliceKey("plain", Plane.AXIAL, 7), "ada", AnnotationError, "has 7 slices in this plane"),
        (SliceKey("plain", Plane.SAGITTAL, 5), "ada", AnnotationError, "has 5 slices in this"),
        (SliceKey("nobody", Plane.AXIAL, 0), "ada", CohortError, "no such volume"),
        (KEYS[0], " ", ProjectError, "not an author's name"),
    ],
)
def test_what_cannot_be_skipped_leaves_no_trace(project, key, author, error, match):
    assert project.next_suggestion("bob").key == KEYS[0]
    with pytest.raises(error, match=match) as caught:
        skip(project, key, author)
    assert "\n" not in str(caught.value)
    assert list((project.folder / "skips").iterdir()) == []
    assert list(project.working_on()) == KEYS[:1]


def test_a_disk_that_refuses_is_told(project, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(skips_module, "write_json", full)
    with pytest.raises(ProjectError, match=r"cannot skip plain/axial/003 .*space") as caught:
        skip(project, KEYS[0], "ada")
    assert "\n" not in str(caught.value)
    assert project.skipped() == frozenset()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"key": "plain/axial"}'])
def test_a_damaged_record_is_named(project, text):
    skip(project, KEYS[0], "ada")
    (file,) = records(project)
    file.write_text(text)
    for look in (project.skipped, project.open_suggestions, lambda: project_status(project)):
        with pytest.raises(ProjectError, match="damaged") as caught:
            look()
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_another_process_is_still_writing_does_not_count(project):
    folder = slice_folder(project.folder / "skips", KEYS[0])
    folder.mkdir(parents=True)
    (folder / ".tmp-7-aa-20260102T030405.000678Z_ada.json").write_text('{"key": "pla')
    assert project.skipped() == frozenset()


def test_the_key_is_read_from_the_record_whatever_the_folder_is_called(tmp_path):
    key = SliceKey("a:b?", Plane.AXIAL, 1)
    skips_module.put_aside(tmp_path, key, "ada")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a%3Ab%3F"]
    assert skips_module.read_skips(tmp_path)[0].key == key
