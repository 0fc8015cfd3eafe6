"""Strokes that nobody has accepted: kept whole, by author, until they are answered."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from activeseg.errors import AnnotationError, CohortError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, drafts, skip
from activeseg.project import answers as answers_module
from killing import killed_at_each_step
from small_cohort import plain_mask, small_project

KEY = SliceKey("plain", Plane.AXIAL, 3)
OTHER = SliceKey("oblique", Plane.CORONAL, 1)


@pytest.fixture
def project(tmp_path):
    return small_project(tmp_path)


def files(project):
    return sorted(f for f in (project.folder / "drafts").rglob("*") if f.is_file())


def test_a_draft_is_read_as_it_was_kept_and_replaces_the_one_before(project):
    assert project.read_draft(KEY, "ada") is None
    assert project.drafts("ada") == {}
    project.keep_draft(KEY, " ada ", plain_mask(1), 12.5)
    kept = project.keep_draft(KEY, "ada", plain_mask(4), 20.0)
    found = Project.open(project.folder).read_draft(KEY, "ada")
    assert (found.key, found.author, found.seconds, found.time) == (KEY, "ada", 20.0, kept.time)
    np.testing.assert_array_equal(found.mask, plain_mask(4))
    assert found.mask.dtype == np.uint8
    assert [file.relative_to(project.folder / "drafts").as_posix() for file in files(project)] == [
        "ada/plain/axial_003.npz"
    ]


def test_each_person_has_drafts_of_their_own(project):
    project.keep_draft(KEY, "ada", plain_mask(1), 1.0)
    project.keep_draft(KEY, "bob/../x", plain_mask(4), 2.0)
    project.keep_draft(OTHER, "ada", np.zeros((7, 5), np.uint8), 3.0)
    assert {key: draft.seconds for key, draft in project.drafts("ada").items()} == {
        OTHER: 3.0,
        KEY: 1.0,
    }
    assert list(project.drafts("bob/../x")) == [KEY]
    assert project.drafts("eve") == {}
    assert len(files(project)) == 3
    project.drop_draft(KEY, "ada")
    project.drop_draft(KEY, "ada")
    assert list(project.drafts("ada")) == [OTHER]
    assert project.read_draft(KEY, "bob/../x").seconds == 2.0


def test_two_names_that_a_disk_takes_for_one_are_told_apart(project):
    """As on a disk that ignores case."""
    project.keep_draft(KEY, "Ada", plain_mask(1), 1.0)
    folder = project.folder / "drafts"
    (folder / "Ada").rename(folder / "ada")
    assert project.read_draft(KEY, "ada") is None
    assert project.drafts("ada") == {}


def test_accepting_and_skipping_end_ones_own_draft(project):
    for author in ("ada", "bob"):
        project.keep_draft(KEY, author, plain_mask(1), 1.0)
        project.keep_draft(OTHER, author, np.zeros((7, 5), np.uint8), 1.0)
    project.accept(KEY, plain_mask(1), "ada")
    skip(project, OTHER, "ada", "too dark")
    assert project.drafts("ada") == {}
    assert list(project.drafts("bob")) == [OTHER, KEY]


def test_a_draft_that_a_kill_left_behind_its_acceptance_does_not_count(project, monkeypatch):
    project.keep_draft(KEY, "ada", plain_mask(1), 1.0)
    monkeypatch.setattr(drafts, "remove", lambda *_: None)
    project.accept(KEY, plain_mask(4), "ada")
    assert len(files(project)) == 1
    assert project.read_draft(KEY, "ada") is None
    assert project.drafts("ada") == {}
    # A revision begun after it does, whatever the clock says by then.
    past = datetime.now(timezone.utc) - timedelta(hours=1)

    class Behind(datetime):
        @classmethod
        def now(cls, tz=None):
            return past

    monkeypatch.setattr(answers_module, "datetime", Behind)
    project.keep_draft(KEY, "ada", plain_mask(1), 2.0)
    assert project.read_draft(KEY, "ada").seconds == 2.0
    # Another's acceptance does not end one's own strokes.
    project.accept(KEY, plain_mask(4), "bob")
    assert project.read_draft(KEY, "ada").seconds == 2.0


@pytest.mark.parametrize(
    ("key", "strokes", "author", "seconds", "error", "match"),
    [
        (KEY, plain_mask(1)[1:], "ada", 1.0, AnnotationError, "5 x 5"),
        (KEY, plain_mask(2), "ada", 1.0, AnnotationError, "label value 2"),
        (KEY, plain_mask(1), " ", 1.0, ProjectError, "not an author's name"),
        (KEY, plain_mask(1), "ada", -1.0, AnnotationError, "-1.0 seconds"),
        (KEY, plain_mask(1), "ada", float("nan"), AnnotationError, "nan seconds"),
        (
            SliceKey("nobody", Plane.AXIAL, 0),
            plain_mask(1),
            "ada",
            1.0,
            CohortError,
            "no such volume",
        ),
        (
            SliceKey("plain", Plane.AXIAL, 7),
            plain_mask(1),
            "ada",
            1.0,
            AnnotationError,
            "no such slice",
        ),
    ],
)
def test_what_is_no_draft_leaves_the_one_before(
    project, key, strokes, author, seconds, error, match
):
    project.keep_draft(KEY, "ada", plain_mask(4), 9.0)
    with pytest.raises(error, match=match) as caught:
        project.keep_draft(key, author, strokes, seconds)
    assert "\n" not in str(caught.value)
    np.testing.assert_array_equal(project.read_draft(KEY, "ada").mask, plain_mask(4))


def test_a_disk_that_refuses_keeps_the_one_before(project, monkeypatch):
    project.keep_draft(KEY, "ada", plain_mask(4), 9.0)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drafts.np, "savez_compressed", full)
    with pytest.raises(AnnotationError, match=r"were not kept: No space") as caught:
        project.keep_draft(KEY, "ada", plain_mask(1), 10.0)
    assert "\n" not in str(caught.value)
    assert project.read_draft(KEY, "ada").seconds == 9.0
    assert len(files(project)) == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no archive at all"])
def test_a_damaged_draft_is_named(project, content):
    project.keep_draft(KEY, "ada", plain_mask(1), 1.0)
    (file,) = files(project)
    file.write_bytes(content)
    for look in (lambda: project.read_draft(KEY, "ada"), lambda: project.drafts("ada")):
        with pytest.raises(ProjectError, match="damaged") as caught:
            look()
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_is_still_being_written_is_no_draft(project):
    project.keep_draft(KEY, "ada", plain_mask(1), 1.0)
    (file,) = files(project)
    file.with_name(f".tmp-7-aa-{file.name}").write_bytes(b"PK")
    assert list(project.drafts("ada")) == [KEY]


def test_a_project_from_before_drafts_takes_them(project):
    (project.folder / "drafts").rmdir()
    assert project.drafts("ada") == {}
    project.keep_draft(KEY, "ada", plain_mask(1), 1.0)
    assert list(project.drafts("ada")) == [KEY]


def keep_first(folder):
    small_project(folder).keep_draft(KEY, "ada", plain_mask(1), 1.0)


def keep_again(folder):
    Project.open(folder / "project").keep_draft(KEY, "ada", plain_mask(4), 2.0)


@pytest.mark.skipif(sys.platform == "win32", reason="no fork server, no SIGKILL")
def test_a_kill_before_any_step_leaves_the_old_draft_or_the_new(tmp_path):
    steps, killed = killed_at_each_step(keep_again, keep_first, tmp_path)
    seconds = []
    for folder in killed:
        found = Project.open(folder / "project").read_draft(KEY, "ada")
        expected = plain_mask(1 if found.seconds == 1.0 else 4)
        np.testing.assert_array_equal(found.mask, expected)
        seconds.append(found.seconds)
    commit = steps.index("replace") + 1
    assert seconds == [1.0] * commit + [2.0] * (len(steps) - commit)
