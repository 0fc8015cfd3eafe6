"""Acceptances taken back: they count no longer, and not a byte of them is lost."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from activeseg.errors import AnnotationError, CohortError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, project_status, undo, what_was_shown, withdrawals
from activeseg.project.judged import DiceLedger
from activeseg.project.timing import minutes_model
from killing import killed_at_each_step
from rounds_by_hand import WORK, batch, suggestion
from small_cohort import plain_mask, small_project

KEYS = [SliceKey("plain", Plane.AXIAL, n) for n in (3, 4, 5)]


@pytest.fixture
def project(tmp_path):
    return new_project(tmp_path)


def new_project(folder):
    """Three slices are asked for; one has a proposal."""
    made = small_project(folder)
    files = made.round(0)
    files.write_proposals({KEYS[0]: plain_mask(1)})
    files.write_batch(batch(0, [suggestion(key, rank) for rank, key in enumerate(KEYS, 1)]))
    return made


def files_of(project):
    return {f: f.read_bytes() for f in (project.folder / "annotations").rglob("*") if f.is_file()}


def test_a_withdrawn_slice_is_open_again_and_its_seconds_stay_spent(project):
    accepted = project.accept(KEYS[0], plain_mask(1), "ada", 90.0)
    before = files_of(project)
    assert not accepted.withdrawn
    project.withdraw(accepted, " ada ")
    opened = Project.open(project.folder)
    assert opened.annotations() == {}
    assert opened.all_annotations() == []
    assert opened.history(KEYS[0]) == []
    assert [each.key for each in opened.open_suggestions()] == KEYS
    assert opened.next_suggestion("bob").key == KEYS[0]
    (kept,) = opened.acceptances()
    assert kept.withdrawn
    assert opened.slice_acceptances(KEYS[0]) == [kept]
    np.testing.assert_array_equal(opened.read_annotation(kept), plain_mask(1))
    status = project_status(opened)
    assert (status["accepted"], status["annotated_slices"]) == ([], 0)
    assert status["minutes_spent"] == 1.5
    after = files_of(project)
    (new,) = set(after) - set(before)
    assert {file: after[file] for file in before} == before
    assert new == accepted.image.with_name(accepted.record.stem + ".withdrawn")
    record = json.loads(after[new])
    assert (record["key"], record["author"]) == (str(KEYS[0]), "ada")
    assert record["time"].endswith("Z")


def test_the_one_before_counts_again(project):
    first = project.accept(KEYS[0], plain_mask(1), "ada", 30.0)
    second = project.accept(KEYS[0], plain_mask(4), "bob", 30.0)
    project.withdraw(second, "bob")
    assert project.annotations() == {KEYS[0]: first}
    third = project.accept(KEYS[0], plain_mask(4), "bob", 10.0)
    assert third.time > second.time
    project.withdraw(first, "ada")  # the middle of a history too
    assert project.history(KEYS[0]) == [third]
    assert project_status(project)["minutes_spent"] == pytest.approx(70 / 60)


def test_nothing_is_withdrawn_twice(project):
    accepted = project.accept(KEYS[0], plain_mask(1), "ada")
    project.withdraw(accepted, "ada")
    before = files_of(project)
    with pytest.raises(AnnotationError, match="undone already"):
        project.withdraw(accepted, "bob")
    assert files_of(project) == before


def test_what_cannot_be_withdrawn_is_told_in_one_line(project, monkeypatch):
    accepted = project.accept(KEYS[0], plain_mask(1), "ada")
    with pytest.raises(ProjectError, match="not an author's name"):
        project.withdraw(accepted, " ")

    def full(*_):
        raise OSError(28, "No space left on device", "file")

    monkeypatch.setattr(withdrawals, "create_exclusive", full)
    with pytest.raises(AnnotationError, match="nothing was undone: No space left") as caught:
        project.withdraw(accepted, "ada")
    assert "\n" not in str(caught.value)
    accepted.record.unlink()
    with pytest.raises(AnnotationError, match="not there any more"):
        project.withdraw(accepted, "ada")
    assert not accepted.withdrawal.exists()


def test_undo_takes_ones_own_newest_answer_only(project):
    with pytest.raises(AnnotationError, match="nobody has answered it"):
        undo(project, KEYS[0], "ada")
    project.accept(KEYS[0], plain_mask(1), "ada")
    bobs = project.accept(KEYS[0], plain_mask(4), "bob")
    with pytest.raises(AnnotationError, match="is bob's, not ada's"):
        undo(project, KEYS[0], "ada")
    with pytest.raises(CohortError, match="no such volume"):
        undo(project, SliceKey("nobody", Plane.AXIAL, 0), "ada")
    taken = undo(project, KEYS[0], "bob")
    assert (taken.image, taken.withdrawn) == (bobs.image, True)
    assert undo(project, KEYS[0], "ada").author == "ada"
    assert project.annotations() == {}


def test_an_older_answer_is_not_seen_from_other_slices(project):
    """Records of one volume alone, for what is shown around a slice."""
    project.accept(KEYS[0], plain_mask(1), "ada")
    gone = project.accept(KEYS[1], plain_mask(1), "ada")
    project.accept(SliceKey("oblique", Plane.AXIAL, 2), plain_mask(1), "ada")
    project.withdraw(gone, "ada")
    assert list(project.annotations("plain")) == [KEYS[0]]
    assert list(project.annotations("flipped")) == []
    assert len(project.annotations()) == 2


def test_the_minutes_of_an_answer_given_twice_add_up(project, monkeypatch):
    fitted = []
    monkeypatch.setattr("activeseg.project.timing.MinutesModel.fit", lambda *a: fitted.append(a))

    def answer(key, author, seconds):
        shown = what_was_shown(project, key, plain_mask(1))
        return project.accept(key, plain_mask(1), author, seconds, shown)

    project.withdraw(answer(KEYS[0], "ada", 40.0), "ada")
    answer(KEYS[0], "ada", 5.0)
    answer(KEYS[0], "bob", 30.0)  # another person's own work
    project.withdraw(answer(KEYS[1], "ada", 7.0), "ada")  # no answer in the end
    minutes_model(project, "ada")
    ((work, seconds, authors, _),) = fitted
    assert (seconds, authors) == ([45.0, 30.0], ["ada", "bob"])
    assert work.prior_s.tolist() == [WORK["prior_s"]] * 2


def test_the_estimate_learns_from_the_answer_that_stands(project):
    def answer(value):
        shown = what_was_shown(project, KEYS[0], plain_mask(value))
        return project.accept(KEYS[0], plain_mask(value), "ada", 1.0, shown)

    project.withdraw(answer(4), "ada")
    assert DiceLedger(project).slices == []
    answer(4)
    answer(1)  # a revision: the proposal was right after all
    (judged,) = DiceLedger(project).slices
    assert judged.dice == {"liver": 1.0, "spleen": None}


def accept_first(folder):
    new_project(folder).accept(KEYS[0], plain_mask(1), "ada", 60.0)


def withdraw_it(folder):
    project = Project.open(folder / "project")
    (accepted,) = project.acceptances()
    project.withdraw(accepted, "ada")


@pytest.mark.skipif(sys.platform == "win32", reason="no fork server, no SIGKILL")
def test_a_kill_before_any_step_withdraws_or_does_not(tmp_path):
    steps, killed = killed_at_each_step(withdraw_it, accept_first, tmp_path)
    counted = []
    for folder in killed:
        project = Project.open(folder / "project")
        counted.append(len(project.annotations()))
        (kept,) = project.acceptances()
        np.testing.assert_array_equal(project.read_annotation(kept), plain_mask(1))
        assert project_status(project)["minutes_spent"] == 1.0
        if counted[-1]:
            project.withdraw(kept, "ada")  # nothing is in the way
        assert project.annotations() == {}
    first = steps.index("open") + 1  # the file is there from then on
    assert counted == [1] * first + [0] * (len(steps) - first)
