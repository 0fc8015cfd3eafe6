"""The project folder: nothing is lost, the newest counts, and only the files matter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activeseg.cohort import write_label
from activeseg.errors import AnnotationError, CohortError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.project import (
    Project,
    Suggestion,
    annotate,
    project_status,
    timestamp,
)
from activeseg.project.names import moment, slice_folder
from rounds_by_hand import WORK, batch, suggestion
from small_cohort import GEOMETRIES, STRUCTURES, small_cohort


def new_project(folder: Path, **changes) -> Project:
    options = {"plane_policy": "auto", "strategy": "activeseg", "seed": 3, "model": "scratch"}
    return Project.create(folder, small_cohort(folder.parent / "cohort"), **(options | changes))


@pytest.fixture
def project(tmp_path):
    return new_project(tmp_path / "project")


def blank(key, value=0):
    geometry = GEOMETRIES[key.volume]
    shape = tuple(np.delete(geometry.shape, geometry.array_axis(key.plane)))
    return np.full(shape, value, np.uint8)


def with_batch(project, number, *keys, dice=None, audits=()):
    entries = [suggestion(key, rank, dice, audit=key in audits) for rank, key in enumerate(keys, 1)]
    project.round(number).write_batch(batch(number, entries))


AXIAL = [SliceKey("plain", Plane.AXIAL, n) for n in range(7)]


# Making and opening


def test_what_is_made_is_what_is_opened(project, tmp_path):
    opened = Project.open(tmp_path / "project")
    assert opened == project
    assert opened.cohort == small_cohort(tmp_path / "cohort")
    assert opened.structures == STRUCTURES
    assert (opened.plane_policy, opened.strategy, opened.seed, opened.model) == (
        "auto",
        "activeseg",
        3,
        "scratch",
    )
    data = json.loads((tmp_path / "project" / "project.json").read_text())
    assert data["format_version"] == 1
    assert data["structures"] == [{"name": "liver", "value": 1}, {"name": "spleen", "value": 4}]
    assert data["cohort"]["root"] == str(tmp_path / "cohort")
    assert len(data["cohort"]["volumes"]) == 5


def test_a_project_made_from_a_relative_cohort_opens_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cohort = small_cohort(Path("cohort"))
    made = Project.create(Path("project"), cohort, "all", "activeseg", 0, "scratch")
    assert made.folder == tmp_path / "project"
    assert made.cohort.root == tmp_path / "cohort"
    monkeypatch.chdir("/")
    reopened = Project.open(tmp_path / "project")
    assert reopened.cohort.volume("plain").image == tmp_path / "cohort/images/plain.nii.gz"


def one_line(caught):
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_project_is_not_made_over_anything(project, tmp_path):
    before = (tmp_path / "project" / "project.json").read_bytes()
    with pytest.raises(ProjectError, match="is a project already") as caught:
        new_project(tmp_path / "project", seed=9)
    one_line(caught)
    assert (tmp_path / "project" / "project.json").read_bytes() == before
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "mum.txt").write_text("dear")
    with pytest.raises(ProjectError, match=r"not empty .it holds 'mum.txt'"):
        new_project(tmp_path / "letters")
    assert [entry.name for entry in (tmp_path / "letters").iterdir()] == ["mum.txt"]
    with pytest.raises(ProjectError, match="cannot be made"):
        new_project(tmp_path / "letters" / "mum.txt")


def test_settings_that_cannot_work_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ProjectError, match="no plane 'frontal'; expected auto, axial"):
        new_project(tmp_path / "p", plane_policy="frontal")
    with pytest.raises(ProjectError, match="the seed is -1"):
        new_project(tmp_path / "p", seed=-1)
    assert not (tmp_path / "p").exists()


def test_an_init_that_was_killed_can_be_done_again(tmp_path):
    folder = tmp_path / "p"
    for name in ("annotations", "claims"):
        (folder / name).mkdir(parents=True)
    (folder / ".working.lock").write_text("")
    (folder / ".tmp-12-ab-project.json").write_text("{")
    with pytest.raises(ProjectError, match="activeseg init"):
        Project.open(folder)
    assert new_project(folder).seed == 3


def test_what_is_no_project_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(
            ProjectError, match=r"not a project folder; .*'activeseg init"
        ) as caught:
            Project.open(folder)
        one_line(caught)
        assert caught.value.folder == str(folder)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda text: text[:40], "not JSON at line"),
        (lambda text: "", "not JSON at line 1"),
        (lambda text: "[]", "expected a JSON object"),
        (lambda text: text.replace('"seed"', '"sed"'), "'seed' is missing"),
        (lambda text: text.replace('"volumes"', '"vols"'), "damaged"),
        (lambda text: text.replace('"seed": 3', '"seed": "three"'), "ValueError"),
        (lambda text: text.replace('n": 1,', 'n": 2,', 1), "newer activeseg .format 2,"),
    ],
)
def test_damaged_settings_are_told_in_one_line(project, damage, match):
    file = project.folder / "project.json"
    changed = damage(file.read_text())
    assert changed != file.read_text()
    file.write_text(changed)
    with pytest.raises(ProjectError, match=match) as caught:
        Project.open(project.folder)
    one_line(caught)


# Accepting


def test_an_acceptance_is_a_pair_of_files(project):
    key = SliceKey("oblique", Plane.CORONAL, 2)
    mask = blank(key)
    mask[1, 2] = 4
    annotation = project.accept(key, mask, "  Dr. Ada O'Neil ", 61.5)
    assert annotation.author == "Dr. Ada O'Neil"
    folder = project.folder / "annotations" / "oblique" / "coronal_002"
    names = sorted(entry.name for entry in folder.iterdir())
    stem = annotation.image.name.removesuffix(".seg.nrrd")
    assert names == [f"{stem}.json", f"{stem}.seg.nrrd"]
    assert stem.endswith("Z_Dr.-Ada-O-Neil")
    record = json.loads((folder / f"{stem}.json").read_text())
    assert record["key"] == "oblique/coronal/002"
    assert record["seconds"] == 61.5
    assert record["shown"] is None
    np.testing.assert_array_equal(project.read_annotation(annotation), mask)
    assert project.history(key) == [annotation]


acceptances = st.lists(
    st.tuples(
        st.sampled_from(sorted(GEOMETRIES)),
        st.sampled_from(list(Plane)),
        st.integers(0, 3),
        st.sampled_from(["ada", "bob", "Zoë Å", "a b", "a/b", "日本"]),
        st.integers(0, 2**32),
        st.floats(0, 1e5),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acceptances)
def test_whatever_is_accepted_in_whatever_order_nothing_is_lost(sequence):
    with TemporaryDirectory() as parent, patch("os.fsync"):  # slow, and no power is cut here
        project = new_project(Path(parent) / "p")
        expected = {}
        for name, plane, index, author, seed, seconds in sequence:
            key = SliceKey(name, plane, index)
            rng = np.random.default_rng(seed)
            mask = rng.choice(np.array([0, 1, 4], np.uint8), blank(key).shape)
            annotation = project.accept(key, mask, author, seconds)
            expected.setdefault(key, []).append((annotation, mask))
        again = Project.open(project.folder)
        assert again == project
        newest = again.annotations()
        assert list(newest) == sorted(expected)
        for key, pairs in expected.items():
            assert newest[key] == pairs[-1][0]
            history = again.history(key)
            assert history == [annotation for annotation, _ in pairs]
            assert sorted(history, key=lambda a: a.image.name) == history
            for annotation, mask in pairs:
                np.testing.assert_array_equal(again.read_annotation(annotation), mask)
        status = project_status(again)
        assert status["annotated_slices"] == len(expected)
        total = sum(seconds for *_, seconds in sequence)
        assert status["minutes_spent"] == pytest.approx(total / 60)


def test_the_later_acceptance_is_newer_even_if_its_clock_is_slow(project, monkeypatch):
    import activeseg.project.records as records

    fast = datetime.now(timezone.utc) + timedelta(hours=2)

    class FastClock(datetime):
        @classmethod
        def now(cls, tz=None):
            return fast

    with monkeypatch.context() as patch:
        patch.setattr(records, "datetime", FastClock)
        first = project.accept(AXIAL[0], blank(AXIAL[0], 1), "ada")
    second = project.accept(AXIAL[0], blank(AXIAL[0], 4), "bob")
    assert second.time > first.time
    assert project.annotations()[AXIAL[0]] == second


def test_two_acceptances_at_one_moment_both_stay(project, monkeypatch):
    import activeseg.project.records as records

    moment = datetime(2026, 1, 2, 3, 4, 5, 678, timezone.utc)

    class StoppedClock(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment

    monkeypatch.setattr(records, "datetime", StoppedClock)
    # Another writer of the same name has reserved the moment and not committed yet.
    folder = slice_folder(project.folder / "annotations", AXIAL[0])
    folder.mkdir(parents=True)
    taken = folder / "20260102T030405.000678Z_ada.seg.nrrd"
    taken.write_bytes(b"half")
    annotation = project.accept(AXIAL[0], blank(AXIAL[0], 1), "ada")
    assert annotation.image.name == "20260102T030405.000679Z_ada.seg.nrrd"
    assert taken.read_bytes() == b"half"
    assert project.history(AXIAL[0]) == [annotation]


@pytest.mark.parametrize(
    ("key", "mask", "author", "seconds", "error", "match"),
    [
        (SliceKey("nobody", Plane.AXIAL, 0), (6, 5), "ada", 1, CohortError, "no such volume"),
        (SliceKey("plain", Plane.AXIAL, 7), (6, 5), "ada", 1, AnnotationError, "0 to 6"),
        (AXIAL[0], (5, 6), "ada", 1, AnnotationError, "rows x columns"),
        (AXIAL[0], (6, 5), " ", 1, ProjectError, "not an author's name"),
        (AXIAL[0], (6, 5), "a\nb", 1, ProjectError, "not an author's name"),
        (AXIAL[0], (6, 5), "a" * 65, 1, ProjectError, "65 characters"),
        (AXIAL[0], (6, 5), "ada", -1, AnnotationError, "-1 seconds"),
        (AXIAL[0], (6, 5), "ada", float("nan"), AnnotationError, "nan seconds"),
        (AXIAL[0], (6, 5), "ada", float("inf"), AnnotationError, "inf seconds"),
    ],
)
def test_what_cannot_be_accepted_leaves_no_trace(project, key, mask, author, seconds, error, match):
    with pytest.raises(error, match=match) as caught:
        project.accept(key, np.zeros(mask, np.uint8), author, seconds)
    one_line(caught)
    assert list((project.folder / "annotations").iterdir()) == []


def test_a_full_disk_is_told_and_nothing_is_accepted(project, monkeypatch):
    import activeseg.project.records as records

    def full(*_):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(records, "write_json", full)
    with pytest.raises(AnnotationError, match="nothing was accepted: No space left") as caught:
        project.accept(AXIAL[0], blank(AXIAL[0]), "ada")
    one_line(caught)
    assert project.annotations() == {}


def test_leftovers_and_strangers_are_passed_over(project):
    kept = project.accept(AXIAL[1], blank(AXIAL[1], 1), "ada", 5)
    root = project.folder / "annotations"
    folder = kept.image.parent
    (folder / ".tmp-9-ab-20990101T000000.000000Z_bob.json").write_text("{")
    (folder / ".tmp-9-ab-20990101T000000.000000Z_bob.seg.nrrd").write_bytes(b"half")
    (folder / "20990101T000000.000000Z_bob.seg.nrrd").write_bytes(b"")
    (folder / "notes.txt").write_text("look again")
    (root / ".DS_Store").write_bytes(b"\0")
    (root / "plain" / "readme.md").write_text("?")
    (root / "empty" / "axial_000").mkdir(parents=True)
    (project.folder / "rounds" / "001").mkdir()
    (project.folder / "rounds" / "old 003").mkdir()
    (project.folder / "rounds" / "7").write_text("")
    (project.folder / "claims" / "x.json").write_text("")
    (project.folder / "stranger").mkdir()
    again = Project.open(project.folder)
    assert again.annotations() == {AXIAL[1]: kept}
    assert [files.number for files in again.rounds()] == [1]
    assert again.latest_batch() is None
    status = project_status(again)
    assert status["accepted"] == ["plain/axial/001"]
    assert status["round"] is None
    assert status["last_trained_round"] is None


def test_missing_folders_are_empty_ones(project):
    for name in ("annotations", "claims", "rounds", "skips"):
        (project.folder / name).rmdir()
    assert project.annotations() == {}
    assert project.next_suggestion("ada") is None
    assert project_status(project)["accepted"] == []
    with_batch(project, 0, AXIAL[0])
    assert project.next_suggestion("ada").key == AXIAL[0]
    project.accept(AXIAL[0], blank(AXIAL[0]), "ada")
    assert list(project.annotations()) == [AXIAL[0]]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-30],
        lambda text: text.replace('"key"', '"kei"'),
        lambda text: text.replace("plain/axial/001", "plain/axial"),
        lambda text: text.replace('"seconds": 5.0', '"seconds": -5'),
        lambda text: text.replace('"shown": null', '"shown": 3'),
        lambda text: text.replace('"time": "', '"time": "x'),
    ],
)
def test_a_record_damaged_by_hand_is_named(project, damage):
    annotation = project.accept(AXIAL[1], blank(AXIAL[1]), "ada", 5)
    record = annotation.image.with_name(annotation.image.name.removesuffix(".seg.nrrd") + ".json")
    changed = damage(record.read_text())
    assert changed != record.read_text()
    record.write_text(changed)
    for look in (project.annotations, lambda: project.history(AXIAL[1])):
        with pytest.raises(ProjectError, match="damaged") as caught:
            look()
        one_line(caught)
        assert str(record) in str(caught.value)


def test_a_mask_changed_or_lost_after_acceptance_is_noticed(project):
    annotation = project.accept(AXIAL[1], blank(AXIAL[1]), "ada", 5)
    annotation.image.write_bytes(annotation.image.read_bytes() + b"\n")
    with pytest.raises(ProjectError, match="plain/axial/001 was changed after it was accepted"):
        project.read_annotation(annotation)
    annotation.image.unlink()
    with pytest.raises(ProjectError, match="cannot be read"):
        project.read_annotation(annotation)


@pytest.mark.parametrize(
    "name", ["..", ".hidden", "a:b", 'say "x"', "tab\t", "dot.", "space ", "100%", "Leber_ä", "a.b"]
)
def test_any_volume_name_has_a_folder_of_its_own(name, tmp_path):
    folder = slice_folder(tmp_path, SliceKey(name, Plane.AXIAL, 5))
    assert folder.name == "axial_005"
    assert folder.parent.parent == tmp_path
    part = folder.parent.name
    assert not part.startswith(".")
    assert not part.endswith((".", " "))
    assert not set(part) & set('<>:"/\\|?*\t')
    if name in ("Leber_ä", "a.b"):
        assert part == name
    others = [n for n in ["..", ".hidden", "a:b", "a%3Ab", "%2E.", "100%", "100%25"] if n != name]
    assert part not in {
        slice_folder(tmp_path, SliceKey(n, Plane.AXIAL, 5)).parent.name for n in others
    }


# Rounds and suggestions


def test_moments_sort_as_texts_and_come_back():
    early = datetime(2026, 1, 2, 3, 4, 5, 0, timezone.utc)
    late = early + timedelta(microseconds=1)
    assert timestamp(early) == "2026-01-02T03:04:05.000000Z"
    assert timestamp(early) < timestamp(late)
    assert moment(timestamp(late)) == late
    assert timestamp(early.astimezone(timezone(timedelta(hours=5)))) == timestamp(early)
    for text in ("2026-01-02T03:04:05", "yesterday Z", ""):
        with pytest.raises(ValueError, match=r".+"):
            moment(text)


def test_a_suggestion_is_written_as_the_contract_says(project):
    key = SliceKey("oblique", Plane.SAGITTAL, 4)
    work = WORK | {"expected_dice": 0.81, "first": True}
    entry = Suggestion(
        key=key,
        rank=1,
        value=0.25,
        minutes=1.5,
        expected_dice=0.81,
        entropy=None,
        reason="why",
        how="correct",
        minutes_low=0.5,
        minutes_high=4.5,
        dice_low=0.7,
        dice_high=0.92,
        audit=True,
        work=work,
    )
    printed = {
        "key": "oblique/sagittal/004",
        "volume": "oblique",
        "plane": "sagittal",
        "index": 4,
        "rank": 1,
        "value": 0.25,
        "minutes": 1.5,
        "expected_dice": 0.81,
        "entropy": None,
        "reason": "why",
        "how": "correct",
        "minutes_low": 0.5,
        "minutes_high": 4.5,
        "dice_low": 0.7,
        "dice_high": 0.92,
        "audit": True,
    }
    assert entry.to_json() == printed
    assert entry.record() == printed | {"work": work}
    unknown = suggestion(AXIAL[0], 2)
    assert (unknown.expected_dice, unknown.dice_low, unknown.dice_high) == (None, None, None)
    asked = batch(2, [entry, unknown], strategy="random", author="ada", note="gap 0 %")
    project.round(2).write_batch(asked)
    assert Project.open(project.folder).latest_batch() == asked
    kept = json.loads(project.round(2).batch.read_text())
    assert kept["suggestions"] == [entry.record(), unknown.record()]
    assert (kept["author"], kept["note"]) == ("ada", "gap 0 %")
    with pytest.raises(ProjectError, match="round 2 cannot complete round 3"):
        project.round(3).write_batch(asked)
    for_anybody = batch(3, [entry])
    project.round(3).write_batch(for_anybody)
    assert Project.open(project.folder).latest_batch() == for_anybody
    assert for_anybody.author is None


def test_rounds_follow_one_another_and_an_interrupted_one_is_taken_up(project):
    assert project.latest_round() is None
    assert project.round_for_training().number == 1
    project.round(0).make()
    assert project.round_for_training().number == 1  # round 0 never has a model
    with_batch(project, 0, AXIAL[0])
    assert project.round_for_training().number == 1
    project.round_for_training().make().model.write_bytes(b"weights")
    assert project.round_for_training().number == 1
    assert project.latest_batch().round == 0
    assert project.round(1).existing() == ("model.pt",)
    assert project_status(project)["last_trained_round"] == 1
    with_batch(project, 1, AXIAL[1])
    assert project.round_for_training().number == 2
    assert project.latest_batch().round == 1
    with_batch(project, 12, AXIAL[1])
    assert [files.number for files in project.rounds()] == [0, 1, 12]
    assert project.latest_round().folder.name == "012"
    assert project.round_for_training().number == 13


@pytest.mark.parametrize("text", ["", "{}", '{"round": 0, "suggestions": [{}]}', "[1]"])
def test_a_damaged_batch_is_named(project, text):
    project.round(0).make().batch.write_text(text)
    with pytest.raises(ProjectError, match=r"batch.json: damaged") as caught:
        project.open_suggestions()
    one_line(caught)


def test_open_is_what_nobody_has_annotated(project):
    assert project.open_suggestions() == []
    project.accept(AXIAL[3], blank(AXIAL[3]), "bob")
    with_batch(project, 0, AXIAL[0], AXIAL[3], AXIAL[1])
    assert [entry.key for entry in project.open_suggestions()] == [AXIAL[0], AXIAL[1]]
    project.accept(AXIAL[0], blank(AXIAL[0]), "bob")
    assert [entry.key for entry in project.open_suggestions()] == [AXIAL[1]]
    with_batch(project, 1, AXIAL[4])
    assert [entry.key for entry in project.open_suggestions()] == [AXIAL[4]]


def test_each_author_is_given_a_slice_of_their_own(project):
    with_batch(project, 0, *AXIAL[:3])
    assert project.next_suggestion("ada").key == AXIAL[0]
    assert project.next_suggestion("bob").key == AXIAL[1]
    assert project.next_suggestion("ada").key == AXIAL[0]
    assert project.next_suggestion("cleo").key == AXIAL[2]
    assert project.next_suggestion("dan") is None
    assert project_status(project)["working"] == {
        "plain/axial/000": "ada",
        "plain/axial/001": "bob",
        "plain/axial/002": "cleo",
    }
    project.accept(AXIAL[0], blank(AXIAL[0]), "ada")
    assert project.next_suggestion("ada") is None
    assert list(project.working_on()) == AXIAL[1:3]
    with pytest.raises(ProjectError, match="not an author's name"):
        project.next_suggestion("")


def test_one_s_own_slice_comes_before_one_that_became_free(project):
    with_batch(project, 0, *AXIAL[:2])
    project.next_suggestion("ada", minutes=0)  # expires at once
    assert project.next_suggestion("bob").key == AXIAL[0]
    assert project.next_suggestion("ada").key == AXIAL[1]
    project.accept(AXIAL[0], blank(AXIAL[0]), "bob")
    assert project.next_suggestion("ada").key == AXIAL[1]


# What was shown


def label_file(project, key, mask, path):
    geometry = GEOMETRIES[key.volume]
    array = np.zeros(geometry.shape, np.uint8)
    selection = [slice(None)] * 3
    selection[geometry.array_axis(key.plane)] = key.index
    array[tuple(selection)] = mask
    write_label(path, array, geometry)
    return path


def test_what_was_shown_and_how_good_it_was_is_kept_with_the_mask(project, tmp_path):
    key = AXIAL[2]
    with_batch(project, 3, AXIAL[0], key, dice=0.7)
    proposal, accepted = blank(key), blank(key)
    proposal[0, :4] = 1  # liver: 4 proposed, 2 of them accepted, 3 accepted in all: 2*2/(4+3)
    accepted[0, 2:5] = 1
    proposal[3, 1:4] = 4  # spleen, where there is none: a false island
    project.round(3).write_proposals({key: proposal})
    np.testing.assert_array_equal(project.proposal(key), proposal)
    assert project.proposal(AXIAL[0]) is None
    file = label_file(project, key, accepted, tmp_path / "mask.nrrd")
    annotation = annotate(project, key, file, 42.0, "ada")
    assert annotation.shown == {
        "round": 3,
        "rank": 2,
        "expected_dice": 0.7,
        "minutes": 1.25,
        "audit": False,
        "work": WORK,
        "blank": False,
        "dice": {"liver": pytest.approx(4 / 7), "spleen": 0.0},
        "islands": 1,
    }
    assert Project.open(project.folder).annotations()[key].shown == annotation.shown
    np.testing.assert_array_equal(project.read_annotation(annotation), accepted)


def test_a_slice_shown_blank_or_not_asked_for_says_so(project, tmp_path):
    file = label_file(project, AXIAL[0], blank(AXIAL[0], 1), tmp_path / "mask.nrrd")
    assert annotate(project, AXIAL[0], file, 0, "ada").shown is None
    with_batch(project, 0, AXIAL[0])
    shown = annotate(project, AXIAL[0], file, 0, "ada").shown
    assert (shown["blank"], shown["dice"], shown["round"], shown["rank"]) == (True, None, 0, 1)
    assert annotate(project, AXIAL[1], file, 0, "ada").shown is None


def test_an_audit_is_shown_blank_and_its_proposal_is_judged_all_the_same(project, tmp_path):
    audit, other = AXIAL[2], AXIAL[4]
    with_batch(project, 3, audit, other, dice=0.7, audits=[audit])
    proposal, accepted = blank(audit), blank(audit)
    proposal[0, :4] = 1  # liver: 4 proposed, 2 of them accepted, 3 accepted in all: 2*2/(4+3)
    accepted[0, 2:5] = 1
    project.round(3).write_proposals({audit: proposal, other: proposal})
    assert project.proposal(audit) is None
    np.testing.assert_array_equal(project.proposal(other), proposal)
    np.testing.assert_array_equal(project.round(3).read_proposal(audit), proposal)
    dice = {"liver": pytest.approx(4 / 7), "spleen": None}
    for key, blank_ in ((audit, True), (other, False)):
        file = label_file(project, key, accepted, tmp_path / "mask.nrrd")
        shown = annotate(project, key, file, 42.0, "ada").shown
        assert (shown["audit"], shown["blank"]) == (blank_, blank_)
        assert (shown["dice"], shown["expected_dice"]) == (dice, 0.7)


def test_damaged_proposals_are_named(project):
    with_batch(project, 1, AXIAL[0])
    project.round(1).write_proposals({AXIAL[0]: blank(AXIAL[0], 1)})
    whole = project.round(1).proposals.read_bytes()
    for part in (b"", whole[:10], whole[:-40], whole[:80] + b"????" + whole[84:]):
        assert part != whole
        project.round(1).proposals.write_bytes(part)
        with pytest.raises(ProjectError, match=r"proposals.npz: damaged") as caught:
            project.proposal(AXIAL[0])
        one_line(caught)


def test_a_refused_mask_is_not_accepted(project, tmp_path):
    file = label_file(project, AXIAL[0], blank(AXIAL[0], 9), tmp_path / "mask.nrrd")
    with pytest.raises(AnnotationError, match="label value 9"):
        annotate(project, AXIAL[0], file, 1, "ada")
    with pytest.raises(CohortError, match="no such volume"):
        annotate(project, SliceKey("nobody", Plane.AXIAL, 0), file, 1, "ada")
    assert project.annotations() == {}


# Work


def test_only_one_works_at_a_time(project):
    with project.working("train"):
        with (
            pytest.raises(ProjectError, match=r"at work here \(train, process \d+ on") as caught,
            project.working("score"),
        ):
            pytest.fail("two at work")
        one_line(caught)
        project.accept(AXIAL[0], blank(AXIAL[0]), "ada")
    with project.working("score"):
        (project.folder / ".working.json").unlink()
        with pytest.raises(ProjectError, match="it has not said which"), project.working("train"):
            pytest.fail("two at work")
    with pytest.raises(ValueError, match="mistake"), project.working("train"):
        raise ValueError("mistake")
    with project.working("train"):
        pass


def test_a_worker_that_was_killed_holds_nothing(project):
    code = (
        "import os, signal, sys; from pathlib import Path; from activeseg.project import Project\n"
        "with Project.open(Path(sys.argv[1])).working('train'):\n"
        "    print('at work', flush=True); sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(project.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout.readline() == b"at work\n"
        with (
            pytest.raises(ProjectError, match=f"train, process {child.pid}"),
            project.working("train"),
        ):
            pytest.fail("two at work")
        child.kill()
        child.wait()
    with project.working("train"):
        pass


def test_old_leftovers_are_swept_when_work_begins(project):
    old = project.folder / "rounds" / ".tmp-1-aa-model.pt"
    old.write_bytes(b"half")
    os.utime(old, (0, 0))
    with project.working("train"):
        assert not old.exists()


# Status


def write_estimate(project, number, **facts):
    project.round(number).make().estimate.write_text(json.dumps(facts))


def test_the_status_says_where_the_project_stands(project):
    first = project_status(project)
    assert json.loads(json.dumps(first)) == first
    assert first["volumes"] == sorted(GEOMETRIES)
    # "plain" in three planes; the others across the axis whose spacing stands out:
    # 3.3 mm "oblique", 2 mm "at-45-degrees", 0.8 mm "flipped", 4 mm "sagittal-first".
    assert first["slices"] == (5 + 6 + 7) + 7 + 5 + 4 + 4
    assert first["accepted"] == []
    assert first["estimated_dice"] is None
    assert first["estimated_dice_interval"] is None
    assert first["next_gain"] is None
    assert first["skipped"] == []
    assert "suggest" in first["next"]
    with_batch(project, 0, AXIAL[0], AXIAL[1])
    assert "activeseg next" in project_status(project)["next"]
    for key, author, seconds in [
        (AXIAL[1], "bob", 30),
        (AXIAL[0], "ada", 60),
        (AXIAL[0], "ada", 30),
    ]:
        project.accept(key, blank(key), author, seconds)
    gain = {"dice": 0.02, "low": 0.01, "high": 0.05}
    write_estimate(project, 1, estimated_dice=0.75, low=0.7, high=0.81, next_gain=gain)
    last = project_status(project)
    assert last["accepted"] == ["plain/axial/000", "plain/axial/001"]
    assert last["annotated_slices"] == 2
    assert last["minutes_spent"] == 2.0
    assert last["authors"] == ["ada", "bob"]
    assert last["open"] == []
    assert last["estimated_dice"] == 0.75
    assert last["estimated_dice_interval"] == [0.7, 0.81]
    assert last["next_gain"] == gain
    assert last["round"] == 0
    assert "activeseg round" in last["next"]
    # The latest estimate that there is, also where it says that nothing is known.
    write_estimate(project, 2, estimated_dice=None, low=None, high=None, next_gain=None)
    unknown = project_status(project)
    names = ("estimated_dice", "estimated_dice_interval", "next_gain")
    assert [unknown[name] for name in names] == [None] * 3
    project.round(3).make()
    assert project_status(project) == unknown
    project.round(2).estimate.write_text("nonsense")
    with pytest.raises(ProjectError, match=r"estimate.json: damaged"):
        project_status(project)


def test_looking_at_a_project_loads_nothing_heavy(project):
    code = (
        "import sys; from pathlib import Path\n"
        "from activeseg.project import Project, project_status\n"
        "project_status(Project.open(Path(sys.argv[1])))\n"
        "print(sorted({'torch', 'monai', 'sklearn', 'SimpleITK', 'scipy'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(project.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_simpleitk_and_the_project_agree_on_a_slice_in_space(project):
    """An accepted slice of a tilted volume, laid over the volume by another program."""
    geometry = GEOMETRIES["oblique"]
    whole = np.random.default_rng(5).choice(np.array([0, 1, 4], np.uint8), geometry.shape)
    reference = SimpleITK.GetImageFromArray(whole)
    reference.SetSpacing(geometry.spacing)
    reference.SetOrigin(geometry.origin)
    reference.SetDirection(geometry.direction)
    for plane in Plane:
        key = SliceKey("oblique", plane, 3)
        mask = whole.take(3, axis=geometry.array_axis(plane))
        image = SimpleITK.ReadImage(str(project.accept(key, mask, "ada").image))
        laid = SimpleITK.Resample(
            reference, image, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor
        )
        np.testing.assert_array_equal(
            SimpleITK.GetArrayFromImage(laid), SimpleITK.GetArrayFromImage(image)
        )
