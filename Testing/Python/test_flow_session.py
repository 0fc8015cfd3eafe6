"""One person's session, step by step, on a desk that is an array."""

from __future__ import annotations

import numpy as np
import pytest

from activeseg.errors import AnnotationError, CohortError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, claims, project_status, undo
from activeseg.project import answers as answers_module
from activeseg_slicer.flow import Session, State
from activeseg_slicer.flow.session import RENEW_S
from flow_project import KEYS, Person, ask, flow_project, proposal, shape_of, tiny_cohort


@pytest.fixture
def project(tmp_path):
    return flow_project(tmp_path / "project")


@pytest.fixture
def ada(project):
    return Person(project, " ada ")


def states(person):
    return [str(row.state) for row in person.session.look().rows]


def accepted_mask(project, key):
    return project.read_annotation(project.annotations()[key])


class TestTheWayThroughABatch:
    def test_next_claims_and_lays_the_first(self, project, ada):
        assert ada.session.current is None
        assert ada.session.current_row is None
        row = ada.session.next()
        assert (row.key, row.rank, row.state) == (KEYS[0], 1, State.CURRENT)
        assert (row.volume, row.plane, row.index) == ("v00", Plane.AXIAL, 2)
        assert (row.expected_dice, row.minutes) == (0.5, 1.25)
        assert row.reason == "uncertain at the border"
        assert ada.session.current_row == row
        assert ada.session.current is ada.desk.sheet
        assert project.holder(KEYS[0]).author == "ada"
        assert states(ada) == ["current", "open", "open", "open"]
        assert [row.rank for row in ada.session.look().rows] == [1, 2, 3, 4]

    def test_accept_writes_exactly_what_is_painted_and_goes_on(self, project, ada):
        ada.session.next()
        ada.work(75.0, value=4, corner=2)
        painted = ada.desk.mask()
        row = ada.session.accept()
        assert (row.key, ada.desk.sheet.key) == (KEYS[1], KEYS[1])
        np.testing.assert_array_equal(accepted_mask(project, KEYS[0]), painted)
        annotation = project.annotations()[KEYS[0]]
        assert (annotation.author, annotation.seconds) == ("ada", 75.0)
        shown = annotation.shown
        assert (shown["round"], shown["rank"], shown["blank"]) == (0, 1, False)
        assert 0 < shown["dice"]["liver"] < 1
        assert project.holder(KEYS[0]) is None
        assert project.holder(KEYS[1]).author == "ada"
        assert ada.session.clock.seconds == 0.0
        assert ada.session.look().rows[0].who == "ada"

    @pytest.mark.parametrize("key", KEYS, ids=str)
    def test_what_is_laid_is_what_is_accepted_in_every_geometry(self, project, ada, key):
        ada.session.open(key)
        np.testing.assert_array_equal(ada.desk.mask(), proposal(key))
        assert ada.desk.sheet.geometry == tiny_cohort().volume(key.volume).geometry
        ada.session.accept()
        np.testing.assert_array_equal(accepted_mask(project, key), proposal(key))

    def test_the_batch_ends_with_an_empty_desk(self, project, ada):
        assert not ada.session.look().answered
        assert ada.session.next().key == KEYS[0]
        for key in KEYS[1:]:
            assert ada.session.accept().key == key
        assert not ada.session.look().answered
        assert ada.session.accept() is None
        assert (ada.desk.sheet, ada.session.current) == (None, None)
        assert ada.session.look().answered
        assert ada.session.next() is None
        assert states(ada) == ["accepted"] * 4
        assert sorted(project.annotations()) == sorted(KEYS)
        with pytest.raises(AnnotationError, match="press Next"):
            ada.session.accept()

    def test_without_a_batch_there_is_nothing(self, tmp_path):
        project = Project.create(tmp_path / "new", tiny_cohort(), "all", "auto", 0, "unet25d")
        ada = Person(project, "ada")
        assert ada.session.next() is None
        assert not ada.session.look().answered
        assert ada.session.look().rows == []
        progress = ada.session.look().progress
        assert (progress.round, progress.minutes, progress.budget_minutes) == (None, 0.0, 0.0)
        assert set(progress.counts.values()) == {0}

    def test_next_passes_a_slice_by_and_comes_back_to_it_last(self, project, ada):
        ada.session.next()
        ada.work(10.0, value=4)
        painted = ada.desk.mask()
        assert ada.session.next().key == KEYS[1]
        assert states(ada) == ["draft", "current", "open", "open"]
        assert project.holder(KEYS[0]) is None
        assert ada.session.next().key == KEYS[2]
        assert states(ada)[1] == "open"  # nothing was painted on it
        assert ada.session.accept().key == KEYS[3]
        assert ada.session.accept().key == KEYS[0]
        np.testing.assert_array_equal(ada.desk.mask(), painted)
        assert ada.session.clock.seconds == 10.0
        assert ada.session.accept().key == KEYS[1]
        assert ada.session.next() is None  # there is no other
        assert ada.session.current.key == KEYS[1]

    def test_any_order(self, project, ada):
        for key in (KEYS[2], KEYS[0]):
            assert ada.session.open(key).key == key
            ada.work(5.0, value=1)
        row = ada.session.open(KEYS[0])  # it is there already
        assert row.key == KEYS[0]
        assert ada.desk.laid == [KEYS[2], KEYS[0]]
        assert states(ada) == ["current", "open", "draft", "open"]
        # What was begun comes before what was not.
        assert ada.session.accept().key == KEYS[2]

    def test_what_nobody_asked_for_is_refused(self, ada):
        ada.session.next()
        with pytest.raises(AnnotationError, match="no batch asks for it"):
            ada.session.open(SliceKey("v00", Plane.AXIAL, 0))
        assert ada.session.current.key == KEYS[0]


class TestAnswers:
    def test_nothing_here_accepts_an_empty_mask(self, project, ada):
        ada.session.next()
        ada.work(3.0, value=4)
        assert ada.session.nothing_here().key == KEYS[1]
        assert not accepted_mask(project, KEYS[0]).any()
        assert project.annotations()[KEYS[0]].seconds == 3.0

    def test_skip_puts_aside_with_a_reason_and_gives_the_strokes_up(self, project, ada):
        ada.session.next()
        ada.work(3.0, value=4)
        ada.session.autosave()
        assert ada.session.skip("no contrast").key == KEYS[1]
        (skipped,) = project.skips()
        assert (skipped.key, skipped.author, skipped.reason) == (KEYS[0], "ada", "no contrast")
        row = ada.session.look().rows[0]
        assert (row.state, row.who) == (State.SKIPPED, "ada")
        assert project.drafts("ada") == {}
        assert project.holder(KEYS[0]) is None
        for _ in KEYS[1:]:
            ada.session.skip()
        assert ada.session.look().answered
        with pytest.raises(AnnotationError, match="no slice is on the desk"):
            ada.session.skip()
        # It can be answered all the same.
        ada.session.open(KEYS[0])
        ada.session.accept()
        assert states(ada)[0] == "accepted"

    def test_an_answered_slice_is_opened_with_its_answer_and_revised(self, project, ada):
        ada.session.next()
        ada.work(40.0, value=4)
        first = ada.desk.mask()
        ada.session.accept()
        ada.session.open(KEYS[0])
        np.testing.assert_array_equal(ada.desk.mask(), first)
        assert ada.session.clock.seconds == 0.0
        ada.work(5.0, value=1)
        ada.session.accept()
        both = project.history(KEYS[0])
        assert [each.seconds for each in both] == [40.0, 5.0]
        np.testing.assert_array_equal(project.read_annotation(both[0]), first)
        assert ada.session.look().progress.minutes == pytest.approx(45 / 60)

    def test_undo_withdraws_and_lays_the_same_mask_again(self, project, ada):
        assert not ada.session.can_undo
        assert ada.session.undo() is None
        ada.session.next()
        ada.work(40.0, value=4)
        painted = ada.desk.mask()
        ada.session.accept()
        ada.work(8.0, value=1)
        begun = ada.desk.mask()
        assert ada.session.can_undo
        row = ada.session.undo()
        assert row.key == ada.desk.sheet.key == KEYS[0]
        np.testing.assert_array_equal(ada.desk.mask(), painted)
        assert project.annotations() == {}
        assert states(ada) == ["current", "draft", "open", "open"]
        assert ada.session.clock.seconds == 0.0
        assert project_status(project)["minutes_spent"] == pytest.approx(40 / 60)
        assert not ada.session.can_undo
        ada.work(2.0)
        assert ada.session.accept().key == KEYS[1]
        np.testing.assert_array_equal(ada.desk.mask(), begun)
        assert ada.session.clock.seconds == 8.0
        np.testing.assert_array_equal(accepted_mask(project, KEYS[0]), painted)
        assert ada.session.look().progress.minutes == pytest.approx(42 / 60)

    def test_undo_goes_back_answer_by_answer(self, project, ada):
        ada.session.next()
        for _ in range(3):
            ada.session.accept()
        assert [ada.session.undo().key for _ in range(3)] == [KEYS[2], KEYS[1], KEYS[0]]
        assert ada.session.undo() is None
        assert project.annotations() == {}
        assert len(project.acceptances()) == 3

    def test_undo_of_a_revision_that_lies_on_the_desk_keeps_its_strokes(self, project, ada):
        ada.session.next()
        ada.session.accept()
        ada.session.back()
        ada.work(5.0, value=4, corner=3)
        newer = ada.desk.mask()
        laid = list(ada.desk.laid)
        assert ada.session.undo().key == KEYS[0]
        assert ada.desk.laid == laid  # it was there already
        np.testing.assert_array_equal(ada.desk.mask(), newer)
        assert project.annotations() == {}
        np.testing.assert_array_equal(project.read_draft(KEYS[0], "ada").mask, newer)

    def test_undo_does_not_cover_newer_strokes(self, project, ada):
        ada.session.next()
        ada.session.accept()
        ada.session.back()
        ada.work(5.0, value=4, corner=3)
        newer = ada.desk.mask()
        ada.session.open(KEYS[2])
        ada.session.undo()
        np.testing.assert_array_equal(ada.desk.mask(), newer)
        assert ada.session.clock.seconds == 5.0

    def test_what_was_undone_elsewhere_is_told_once(self, project, ada):
        ada.session.next()
        ada.session.accept()
        undo(project, KEYS[0], "ada")
        with pytest.raises(AnnotationError, match="undone already"):
            ada.session.undo()
        assert ada.session.current.key == KEYS[1]
        assert project.holder(KEYS[0]) is None
        assert ada.session.undo() is None

    def test_a_disk_that_refuses_an_undo_leaves_it_to_be_tried_again(
        self, project, ada, monkeypatch
    ):
        ada.session.next()
        ada.work(40.0, value=4)
        painted = ada.desk.mask()
        ada.session.accept()

        def full(*_):
            raise AnnotationError("nothing was undone: No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(answers_module, "take_back", full)
            with pytest.raises(AnnotationError, match="No space"):
                ada.session.undo()
        assert ada.session.current.key == KEYS[1]
        assert set(project.annotations()) == {KEYS[0]}
        assert project.holder(KEYS[0]) is None
        assert ada.session.can_undo
        assert ada.session.undo().key == KEYS[0]
        np.testing.assert_array_equal(ada.desk.mask(), painted)
        assert project.annotations() == {}

    def test_back_walks_the_way_that_was_come(self, project, ada):
        assert not ada.session.can_go_back
        assert ada.session.back() is None
        ada.session.next()
        assert not ada.session.can_go_back
        ada.session.accept()
        ada.session.accept()
        ada.work(5.0, value=4)
        painted = ada.desk.mask()
        assert ada.session.can_go_back
        assert ada.session.back().key == KEYS[1]
        assert ada.session.back().key == KEYS[0]
        assert ada.session.back() is None
        assert ada.session.current.key == KEYS[0]
        assert ada.session.next().key == KEYS[2]
        np.testing.assert_array_equal(ada.desk.mask(), painted)
        assert ada.session.clock.seconds == 5.0


class TestDrafts:
    def test_autosave_keeps_new_strokes_only(self, project, ada):
        assert not ada.session.autosave()
        ada.session.next()
        ada.work(20.0)
        assert not ada.session.autosave()
        assert project.drafts("ada") == {}
        ada.desk.paint(4)
        assert ada.session.autosave()
        assert not ada.session.autosave()
        draft = project.read_draft(KEYS[0], "ada")
        np.testing.assert_array_equal(draft.mask, ada.desk.mask())
        assert draft.seconds == 20.0

    def test_after_a_crash_strokes_and_seconds_are_there(self, project, ada):
        ada.session.open(KEYS[2])
        ada.work(25.0, value=4)
        ada.session.autosave()
        painted = ada.desk.mask()
        del ada  # the application is gone; its claim is still there
        again = Person(Project.open(project.folder), "ada")
        assert states(again) == ["open", "open", "draft", "open"]
        assert again.session.next().key == KEYS[2]
        np.testing.assert_array_equal(again.desk.mask(), painted)
        again.work(5.0)
        again.session.accept()
        annotation = project.annotations()[KEYS[2]]
        assert annotation.seconds == 30.0
        np.testing.assert_array_equal(project.read_annotation(annotation), painted)

    def test_leaving_keeps_the_strokes_and_frees_the_slice(self, project, ada):
        ada.session.next()
        ada.work(25.0, value=4)
        painted = ada.desk.mask()
        ada.session.leave()
        ada.session.leave()
        assert (ada.desk.sheet, ada.session.current) == (None, None)
        assert project.holder(KEYS[0]) is None
        assert not ada.session.clock.started
        ada.time += 1000
        assert ada.session.next().key == KEYS[0]
        np.testing.assert_array_equal(ada.desk.mask(), painted)
        assert ada.session.clock.seconds == 25.0

    def test_seconds_without_new_strokes_are_kept_with_the_draft(self, project, ada):
        ada.session.next()
        ada.work(10.0, value=4)
        ada.session.autosave()
        ada.work(20.0)
        ada.session.leave()
        assert project.read_draft(KEYS[0], "ada").seconds == 30.0

    def test_a_full_disk_leaves_slice_strokes_and_clock(self, project, ada, monkeypatch):
        ada.session.next()
        ada.work(25.0, value=4)
        painted = ada.desk.mask()

        def full(*_):
            raise AnnotationError("the strokes were not kept: No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(answers_module.drafts, "save", full)
            patch.setattr(answers_module, "store", full)
            for step in (
                ada.session.autosave,
                ada.session.next,
                ada.session.leave,
                ada.session.accept,
                lambda: ada.session.open(KEYS[3]),
            ):
                with pytest.raises(AnnotationError, match="No space"):
                    step()
                assert ada.session.current.key == ada.desk.sheet.key == KEYS[0]
                assert project.working_on().keys() == {KEYS[0]}
        np.testing.assert_array_equal(ada.desk.mask(), painted)
        ada.work(5.0)
        assert ada.session.clock.seconds == 30.0
        assert ada.session.autosave()  # the strokes still count as new
        np.testing.assert_array_equal(project.read_draft(KEYS[0], "ada").mask, painted)

    def test_autosave_renews_the_claim_in_time(self, project, ada):
        ada.session.next()
        until = project.holder(KEYS[0]).until
        ada.session.autosave()
        assert project.holder(KEYS[0]).until == until
        ada.time += RENEW_S
        ada.session.autosave()
        assert project.holder(KEYS[0]).until > until


class TestWhileANewBatchArrives:
    NEW = (SliceKey("v02", Plane.AXIAL, 3), KEYS[3])

    def test_the_slice_stays_until_it_is_answered(self, project, ada):
        ada.session.next()
        ada.work(5.0, value=4)
        ask(project, 1, self.NEW)
        rows = ada.session.look().rows
        assert [(row.key, row.rank, row.state) for row in rows] == [
            (self.NEW[0], 1, State.OPEN),
            (self.NEW[1], 2, State.OPEN),
            (KEYS[0], 0, State.CURRENT),
        ]
        assert ada.session.current_row.rank == 1
        assert ada.session.accept().key == self.NEW[0]
        shown = project.annotations()[KEYS[0]].shown
        assert (shown["round"], shown["rank"], shown["expected_dice"]) == (0, 1, 0.5)

    def test_what_was_shown_is_recorded_though_the_round_chose_anew(self, project, ada):
        """A second suggest in one round replaces batch and proposals."""
        ada.session.next()
        ask(project, 0, self.NEW)
        ada.session.accept()
        shown = project.annotations()[KEYS[0]].shown
        assert (shown["round"], shown["blank"]) == (0, False)
        assert shown["dice"] == {"liver": 1.0, "spleen": None}

    def test_drafts_of_the_old_batch_stay_in_reach(self, project, ada):
        ada.session.next()
        ada.work(5.0, value=4)
        painted = ada.desk.mask()
        ada.session.leave()
        ask(project, 0, self.NEW)  # nobody asks for it any more
        row = ada.session.look().rows[-1]
        assert (row.key, row.rank, row.state) == (KEYS[0], 0, State.DRAFT)
        assert (row.minutes, row.expected_dice, row.reason) == (None, None, "")
        assert sum(ada.session.look().progress.counts.values()) == 2
        ada.session.open(KEYS[0])
        np.testing.assert_array_equal(ada.desk.mask(), painted)
        ada.session.accept()
        annotation = project.annotations()[KEYS[0]]
        assert (annotation.seconds, annotation.shown) == (5.0, None)

    def test_a_slice_of_an_earlier_batch_can_be_revised(self, project, ada):
        ada.session.next()
        ada.session.accept()
        ask(project, 1, self.NEW)
        ada.session.open(KEYS[0])
        assert ada.session.current_row.rank == 1
        ada.session.accept()
        assert [each.shown["round"] for each in project.history(KEYS[0])] == [0, 0]


class TestUnreadable:
    def test_a_volume_that_is_gone_is_told_and_gone_past(self, tmp_path, monkeypatch):
        project = flow_project(tmp_path / "project")
        read = type(project.cohort).read_image
        mended = []

        def broken(cohort, volume):
            if volume == "v01" and volume not in mended:
                raise CohortError("the file is empty (0 bytes)", volume)
            return read(cohort, volume)

        monkeypatch.setattr(type(project.cohort), "read_image", broken)
        ada = Person(project, "ada")
        ada.session.open(KEYS[1])  # v01 is read ahead, in vain
        ada.work(5.0, value=4)
        with pytest.raises(CohortError, match="v01: the file is empty"):
            ada.session.open(KEYS[2])
        assert ada.session.current.key == ada.desk.sheet.key == KEYS[1]
        assert project.working_on().keys() == {KEYS[1]}
        ada.session.accept()
        # The next is KEYS[0]; after it comes the broken one.
        with pytest.raises(CohortError, match="v01"):
            ada.session.accept()
        assert set(project.annotations()) == {KEYS[0], KEYS[1]}
        assert (ada.session.current, ada.desk.sheet) == (None, None)
        assert project.working_on() == {}
        assert ada.session.next().key == KEYS[3]
        with pytest.raises(CohortError, match="v01"):
            ada.session.accept()
        mended.append("v01")
        assert ada.session.next().key == KEYS[2]

    def test_a_desk_that_refuses_the_next_slice_keeps_the_strokes_of_the_last(
        self, project, ada, monkeypatch
    ):
        """As where the clinician has resampled the segmentation of that volume."""
        ada.session.next()
        ada.work(25.0, value=4)
        painted = ada.desk.mask()
        lay = ada.desk.lay

        def refuses(sheet):
            if sheet.key == KEYS[1]:
                raise AnnotationError("the segmentation has other voxels", str(sheet.key))
            lay(sheet)

        monkeypatch.setattr(ada.desk, "lay", refuses)
        with pytest.raises(AnnotationError, match="other voxels"):
            ada.session.next()
        assert (ada.session.current, ada.desk.sheet) == (None, None)
        assert project.working_on() == {}
        assert not ada.session.clock.started
        assert ada.session.next().key == KEYS[0]
        np.testing.assert_array_equal(ada.desk.mask(), painted)
        assert ada.session.clock.seconds == 25.0
        assert ada.session.accept().key == KEYS[2]  # past the one that was refused

    def test_what_is_damaged_elsewhere_does_not_keep_a_slice_from_being_laid(
        self, project, ada, monkeypatch
    ):
        """Only reading ahead needs it."""
        ada.session.open(KEYS[1])

        def damaged(*_, **__):
            raise ProjectError("damaged")

        monkeypatch.setattr(ada.session._reading, "ahead_of", damaged)
        assert ada.session.next().key == KEYS[0]
        assert ada.session.current.key == ada.desk.sheet.key == KEYS[0]
        assert project.working_on().keys() == {KEYS[0]}

    def test_a_damaged_draft_is_named_and_nothing_is_claimed(self, project, ada):
        ada.session.next()
        ada.work(5.0, value=4)
        ada.session.leave()
        (file,) = (project.folder / "drafts").rglob("*.npz")
        file.write_bytes(b"PK")
        with pytest.raises(ProjectError, match="damaged"):
            ada.session.open(KEYS[0])
        assert project.working_on() == {}

    def test_nobody_without_a_name(self, project, ada):
        with pytest.raises(ProjectError, match="not an author's name"):
            Session(project, " ", ada.desk, ada.session.clock)


class TestTwoPeople:
    def test_each_gets_another_slice_and_sees_the_others_work(self, project, ada):
        bob = Person(Project.open(project.folder), "bob")
        assert ada.session.next().key == KEYS[0]
        assert bob.session.next().key == KEYS[1]
        assert states(ada) == ["current", "taken", "open", "open"]
        assert states(bob) == ["taken", "current", "open", "open"]
        assert [row.who for row in ada.session.look().rows] == ["", "bob", "", ""]
        with pytest.raises(AnnotationError, match="bob works on it now"):
            ada.session.open(KEYS[1])
        assert ada.session.current.key == KEYS[0]
        bob.work(60.0, value=4)
        bob.session.accept()
        row = ada.session.look().rows[1]
        assert (row.state, row.who) == (State.ACCEPTED, "bob")
        # Ada may revise it, and sees what Bob accepted.
        ada.session.open(KEYS[1])
        np.testing.assert_array_equal(ada.desk.mask(), accepted_mask(project, KEYS[1]))
        np.testing.assert_array_equal(ada.desk.sheet.mask, ada.desk.mask())
        assert ada.session.look().progress.minutes == 1.0

    def test_with_all_held_by_others_there_is_nothing_for_the_third(self, tmp_path):
        project = flow_project(tmp_path / "project", keys=KEYS[:2])
        people = [Person(project, name) for name in ("ada", "bob", "eve")]
        found = [person.session.next() for person in people]
        assert [row.key if row else None for row in found] == [*KEYS[:2], None]
        assert not people[2].session.look().answered
        assert people[0].session.accept() is None
        assert people[0].desk.sheet is None
        people[1].session.leave()
        assert people[2].session.next().key == KEYS[1]

    def test_one_cannot_undo_or_go_back_to_what_another_is_revising(self, project, ada):
        bob = Person(project, "bob")
        ada.session.next()
        ada.session.accept()
        bob.session.open(KEYS[0])
        for step in (ada.session.undo, ada.session.back):
            with pytest.raises(AnnotationError, match="bob works on it now"):
                step()
            assert ada.session.current.key == KEYS[1]
        assert set(project.annotations()) == {KEYS[0]}
        bob.session.leave()
        assert ada.session.undo().key == KEYS[0]


def test_progress_counts_the_batch(project, ada):
    ada.session.next()
    ada.work(90.0)
    ada.session.accept()
    ada.session.skip()
    ada.work(30.0, value=4)
    bob = Person(project, "bob")
    bob.session.next()
    progress = ada.session.look().progress
    assert (progress.round, progress.minutes, progress.budget_minutes) == (0, 1.5, 30.0)
    assert {str(state): count for state, count in progress.counts.items()} == {
        "current": 1,
        "accepted": 1,
        "skipped": 1,
        "taken": 1,
        "draft": 0,
        "open": 0,
    }
    # A later batch has a budget of its own.
    ask(project, 1, [KEYS[3], SliceKey("v02", Plane.AXIAL, 3)])
    assert ada.session.look().progress.minutes == 0.0


def test_a_look_goes_into_the_folders_of_slices_that_somebody_touched(project, ada, monkeypatch):
    """A batch may hold thousands of others."""
    ada.session.next()
    ada.session.accept()
    seen = []
    for module, name in ((answers_module, "slice_records"), (claims, "holder")):
        look = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda root, key, look=look: seen.append(key) or look(root, key)
        )
    assert [str(row.state) for row in ada.session.look().rows] == [
        *("accepted", "current", "open", "open")
    ]
    assert seen == [KEYS[0], KEYS[1]]  # its answer, and the claim


def test_an_empty_mask_has_the_slices_shape(project, ada):
    """Slices of the three planes are cut along other axes of the array."""
    for key in KEYS:
        ada.session.open(key)
        ada.session.nothing_here()
        assert accepted_mask(project, key).shape == shape_of(key)
