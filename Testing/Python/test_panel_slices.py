"""The slice card of the real panel: each button, on a real project and Slicer's own scene."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)

from activeseg.errors import AnnotationError
from activeseg.keys import SliceKey
from activeseg.project import Project
from panel_bench import Bench, ask, asked_project, own_copy, panel_bench  # noqa: F401

KEYS = ("v00/axial/003", "v01/axial/004", "v02/axial/002")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return asked_project(tmp_path_factory.mktemp("project"), 3, *KEYS)


@pytest.fixture
def opened(bench, project):
    bench.open(project)
    bench.panel.enter()
    return bench


def calls(bench: Bench) -> list[str]:
    """What the Segment Editor's widget was asked to do, by name."""
    return [call[0] for call in bench.ui.editor.__dict__["calls"]]


def paint(bench: Bench, value: int) -> np.ndarray:
    """Paint a block of a structure on the slice that is laid; what the slice is then."""
    mask = bench.panel.desk.mask()
    mask[2:5, 1:4] = value
    bench.panel.desk.fill(mask)
    return mask


def wait(bench: Bench, seconds: float) -> None:
    """Let time go by with somebody at work."""
    bench.session.clock.touch()
    bench.now += seconds
    bench.session.clock.touch()


class TestFirstSlice:
    def test_before_next_the_card_says_what_to_do(self, opened):
        assert opened.text("reasonLabel") == "3 suggestions wait for you: press Next."
        assert opened.ui.nextButton.isEnabled()
        for name in ("acceptButton", "emptyButton", "skipButton", "backButton", "undoButton"):
            assert not getattr(opened.ui, name).isEnabled()

    def test_next_lays_the_first_and_takes_up_the_brush(self, opened, project):
        opened.click("nextButton")
        assert opened.session.current.key == SliceKey.parse(KEYS[0])
        assert opened.text("sliceLabel") == "v00"
        assert opened.text("placeLabel") == "axial · slice 3 · no. 1"
        assert opened.text("reasonLabel") == "Uncertain at the border."
        assert ("setActiveEffectByName", "Paint") in opened.ui.editor.__dict__["calls"]
        assert project.working_on()[SliceKey.parse(KEYS[0])].author == "ada"
        for name in ("acceptButton", "emptyButton", "skipButton"):
            assert getattr(opened.ui, name).isEnabled()

    def test_what_is_painted_is_accepted_and_the_next_is_laid(self, opened, project):
        opened.click("nextButton")
        painted = paint(opened, 4)
        wait(opened, 42)
        opened.click("acceptButton")
        (accepted,) = project.annotations().values()
        assert np.array_equal(project.read_annotation(accepted), painted)
        assert (str(accepted.key), accepted.author, accepted.seconds) == (KEYS[0], "ada", 42.0)
        assert opened.text("messageLabel") == f"Accepted {KEYS[0]} in 0:42."
        assert opened.session.current.key == SliceKey.parse(KEYS[1])
        assert opened.text("todayLabel") == "0.7 of 10 min · 1 of 3 slices answered"
        assert opened.ui.todayBar.property("value") == 42
        assert opened.ui.todayBar.property("maximum") == 600

    def test_nothing_here_accepts_an_empty_slice(self, opened, project):
        opened.click("nextButton")
        paint(opened, 1)
        opened.click("emptyButton")
        (accepted,) = project.annotations().values()
        assert not project.read_annotation(accepted).any()
        assert "as empty" in opened.text("messageLabel")

    def test_skip_keeps_the_reason_and_forgets_it_on_the_card(self, opened, project):
        opened.click("nextButton")
        opened.ui.skipReason.setEditText("artefact of a hip")
        opened.click("skipButton")
        assert project.skipped() == {SliceKey.parse(KEYS[0])}
        (file,) = (project.folder / "skips").glob("*/*/*.json")
        assert "artefact of a hip" in file.read_text()
        assert opened.ui.skipReason.property("currentText") == ""
        assert opened.text("messageLabel") == f"Skipped {KEYS[0]}."

    def test_back_and_next(self, opened):
        opened.click("nextButton")
        opened.click("acceptButton")
        assert opened.text("sliceLabel") == "v01"
        opened.click("backButton")
        assert opened.text("sliceLabel") == "v00"
        opened.click("nextButton")
        assert opened.text("sliceLabel") == "v01"

    def test_undo_withdraws_and_lays_the_slice_as_it_was(self, opened, project):
        opened.click("nextButton")
        painted = paint(opened, 1)
        opened.click("acceptButton")
        opened.click("undoButton")
        assert project.annotations() == {}
        assert opened.text("sliceLabel") == "v00"
        assert np.array_equal(opened.panel.desk.mask(), painted)
        assert not opened.ui.undoButton.isEnabled()

    def test_the_last_answer_empties_the_desk(self, opened, monkeypatch):
        opened.ui.retrainCheck.setChecked(False)
        opened.click("nextButton")
        for _ in KEYS:
            opened.click("acceptButton")
        assert opened.session.current is None
        assert opened.text("messageLabel").endswith("The batch is answered.")
        assert opened.text("reasonLabel") == "Say how many minutes you have and press Suggest."
        assert not opened.ui.nextButton.isEnabled()
        assert opened.ui.editor.__dict__["calls"][-1] == ("setActiveEffect", None)

    def test_a_failed_accept_keeps_the_slice_and_says_why(self, opened, monkeypatch):
        opened.click("nextButton")
        segmentation = opened.panel.desk.segmentation
        opened.mrml.scene.RemoveNode(segmentation)
        opened.click("acceptButton")
        assert "deleted from the scene" in opened.text("messageLabel")
        assert "b5500b" in opened.ui.messageLabel.property("styleSheet")
        assert opened.session.current is not None


class TestLostSegmentation:
    """The clinician deletes the desk's nodes in the Data module."""

    @pytest.fixture
    def lost(self, opened):
        opened.click("nextButton")
        opened.painted = paint(opened, 4)
        for _ in range(15):
            opened.panel.tick()
        opened.mrml.scene.RemoveNode(opened.panel.desk.segmentation)
        return opened

    def test_drafts_that_fail_are_said_once(self, lost):
        for _ in range(15):
            lost.panel.tick()
        assert "deleted from the scene; open the slice again" in lost.text("messageLabel")
        lost.panel._box.say("something else")
        for _ in range(60):
            lost.panel.tick()
        assert lost.text("messageLabel") == "something else"

    def test_a_failure_after_it_went_well_again_is_said_again(self, lost):
        for _ in range(15):
            lost.panel.tick()
        lost.panel.work.open(lost.session.current.key)
        for _ in range(15):
            lost.panel.tick()
        assert lost.text("messageLabel") == ""
        lost.mrml.scene.RemoveNode(lost.panel.desk.segmentation)
        for _ in range(15):
            lost.panel.tick()
        assert "deleted from the scene" in lost.text("messageLabel")

    def test_opening_the_slice_again_brings_the_draft(self, lost, project):
        lost.panel.work.open(lost.session.current.key)
        assert lost.text("messageLabel") == ""
        assert np.array_equal(lost.panel.desk.mask(), lost.painted)
        lost.click("acceptButton")
        (accepted,) = project.annotations().values()
        assert np.array_equal(project.read_annotation(accepted), lost.painted)

    def test_a_removed_segment_too(self, lost):
        lost.panel.work.open(lost.session.current.key)
        lost.panel.desk.segmentation.GetSegmentation().RemoveSegment("ActiveSeg_4")
        lost.click("nextButton")
        assert "was removed" in lost.text("messageLabel")
        assert lost.text("sliceLabel") == "v00"
        lost.panel.work.open(lost.session.current.key)
        assert np.array_equal(lost.panel.desk.mask(), lost.painted)

    def test_the_project_can_be_left(self, lost, project):
        lost.panel.release()
        assert project.working_on() == {}
        assert lost.session is None
        mask, _seconds = _draft(project)
        assert np.array_equal(mask, lost.painted)


class TestClock:
    def test_it_shows_the_time_of_the_slice(self, opened):
        opened.click("nextButton")
        wait(opened, 50)
        wait(opened, 15)
        opened.panel.tick()
        assert opened.text("clockLabel") == "1:05"
        opened.click("acceptButton")
        assert opened.text("clockLabel") == "0:00"

    def test_pause_stops_it_and_lets_it_go_on(self, opened):
        opened.click("nextButton")
        opened.click("pauseButton")
        wait(opened, 30)
        opened.panel.tick()
        assert opened.text("clockLabel") == "0:00"
        assert "999999" in opened.ui.clockLabel.property("styleSheet")
        opened.click("pauseButton")
        wait(opened, 30)
        opened.panel.tick()
        assert opened.text("clockLabel") == "0:30"
        assert opened.ui.clockLabel.property("styleSheet") == ""

    def test_it_stands_still_while_the_application_is_behind(self, opened):
        opened.click("nextButton")
        opened.slicer.app.window = None
        opened.panel.tick()
        opened.now += 30
        opened.slicer.app.window = object()
        opened.panel.tick()
        assert opened.text("clockLabel") == "0:00"

    def test_it_stands_still_in_another_module(self, opened):
        opened.click("nextButton")
        opened.panel.exit()
        opened.now += 30
        opened.panel.enter()
        opened.panel.tick()
        assert opened.text("clockLabel") == "0:00"

    def test_a_pointer_that_moves_is_a_sign_of_life(self, opened, monkeypatch):
        import qt

        opened.click("nextButton")
        for second in range(1, 181):
            opened.now = float(second)
            if second % 50 == 0:
                qt.QCursor.setPos(second, 10)
            opened.panel.tick()
        assert opened.text("clockLabel") == "3:00"
        for second in range(181, 400):
            opened.now = float(second)
            opened.panel.tick()
        # The last move was at 150 s; a minute after it nobody is taken to be at work.
        assert opened.text("clockLabel") == "3:30"


class TestDrafts:
    def test_strokes_are_kept_without_a_word(self, opened, project):
        opened.click("nextButton")
        painted = paint(opened, 4)
        for _ in range(15):
            opened.panel.tick()
        mask, _seconds = _draft(project)
        assert np.array_equal(mask, painted)

    def test_strokes_survive_a_change_of_module_and_a_crash(self, opened, project, root):
        opened.click("nextButton")
        painted = paint(opened, 4)
        wait(opened, 20)
        opened.panel.exit()
        # The application is gone; another one opens the project.
        opened.panel.work._session = None
        opened.panel.open_project()
        opened.click("nextButton")
        assert np.array_equal(opened.panel.desk.mask(), painted)
        assert opened.text("clockLabel") == "0:20"

    def test_strokes_survive_a_scene_that_is_closed_and_come_back(self, opened, project):
        opened.click("nextButton")
        painted = paint(opened, 4)
        opened.mrml.scene.Clear(False)
        assert opened.session is None
        mask, _seconds = _draft(project)
        assert np.array_equal(mask, painted)
        assert project.working_on() == {}
        opened.open(project)
        opened.click("nextButton")
        assert np.array_equal(opened.panel.desk.mask(), painted)

    def test_a_scene_that_is_saved_keeps_them_in_the_project_too(self, opened, project):
        opened.click("nextButton")
        painted = paint(opened, 1)
        opened.mrml.scene.InvokeEvent(opened.mrml.scene.StartSaveEvent)
        mask, _seconds = _draft(project)
        assert np.array_equal(mask, painted)

    def test_strokes_that_the_disk_refuses_stay_on_the_desk(self, opened, project, monkeypatch):
        """The project is not left for another, nor the seat for another person."""
        opened.click("nextButton")
        painted = paint(opened, 4)

        def full(*_):
            raise AnnotationError("the strokes were not kept: No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("activeseg.project.answers.drafts.save", full)
            opened.panel.open_project()
            assert "No space left" in opened.text("messageLabel")
            opened.ui.authorEdit.setText("grace")
            opened.ui.authorEdit.editingFinished.emit()
            assert "No space left" in opened.text("messageLabel")
        assert opened.text("authorEdit") == opened.panel.parameters.author == "ada"
        assert np.array_equal(opened.panel.desk.mask(), painted)
        opened.click("acceptButton")
        (accepted,) = project.annotations().values()
        assert np.array_equal(project.read_annotation(accepted), painted)

    def test_a_draft_of_an_earlier_batch_is_in_the_table_and_not_next(self, opened, project):
        opened.ui.retrainCheck.setChecked(False)
        opened.click("nextButton")
        painted = paint(opened, 4)
        ask(project, KEYS[1], number=1)
        opened.click("nextButton")
        opened.click("acceptButton")
        assert [line[8] for line in opened.table()] == ["draft", "accepted"]
        assert opened.text("reasonLabel") == "Say how many minutes you have and press Suggest."
        assert not opened.ui.nextButton.isEnabled()
        opened.panel.work.open(SliceKey.parse(KEYS[0]))
        assert np.array_equal(opened.panel.desk.mask(), painted)

    def test_the_table_says_draft(self, opened):
        opened.click("nextButton")
        paint(opened, 1)
        opened.click("nextButton")
        assert [line[8] for line in opened.table()] == ["draft", "now", "open"]


def _draft(project: Project):
    """The draft of the first slice."""
    found = project.read_draft(SliceKey.parse(KEYS[0]), "ada")
    assert found is not None
    return found.mask, found.seconds


class TestTwoPeople:
    def test_each_gets_another_slice_and_sees_the_others(self, opened, project):
        assert project.claim(SliceKey.parse(KEYS[0]), "grace")
        opened.click("nextButton")
        assert opened.text("sliceLabel") == "v01"
        assert [line[8] for line in opened.table()] == ["with grace", "now", "open"]

    def test_a_slice_of_another_person_is_refused(self, opened, project):
        assert project.claim(SliceKey.parse(KEYS[0]), "grace")
        opened.panel.work.open(SliceKey.parse(KEYS[0]))
        assert opened.text("messageLabel").startswith(f"{KEYS[0]}: grace works on it now")
        assert opened.session.current is None

    def test_what_others_did_comes_in_by_itself(self, opened, project):
        mask = np.zeros((20, 18), np.uint8)
        project.accept(SliceKey.parse(KEYS[0]), mask, "grace", 60.0)
        for _ in range(5):
            opened.panel.tick()
        assert opened.table()[0][8] == "accepted"
        assert opened.text("reasonLabel").startswith("2 suggestions")

    def test_a_change_of_person_leaves_the_slice_as_a_draft(self, opened, project):
        opened.click("nextButton")
        painted = paint(opened, 1)
        opened.ui.authorEdit.setText("grace")
        opened.ui.authorEdit.editingFinished.emit()
        assert opened.session.author == "grace"
        mask, _seconds = _draft(project)
        assert np.array_equal(mask, painted)
        opened.click("nextButton")
        assert not opened.panel.desk.mask().any()


class TestView:
    def test_doubt_can_be_switched_off(self, opened):
        assert opened.panel.desk._doubt_shown
        opened.ui.doubtCheck.click()
        assert not opened.panel.desk._doubt_shown

    def test_the_choice_holds_for_the_next_project(self, opened, project):
        opened.ui.doubtCheck.click()
        opened.open(project)
        assert not opened.panel.desk._doubt_shown

    def test_entering_and_leaving_the_module(self, opened):
        opened.ui.editor.__dict__["calls"].clear()
        opened.panel.exit()
        assert calls(opened) == [
            "setActiveEffect",
            "uninstallKeyboardShortcuts",
            "removeViewObservations",
        ]
        opened.ui.editor.__dict__["calls"].clear()
        opened.panel.enter()
        assert calls(opened)[:4] == [
            "setMRMLSegmentEditorNode",
            "setMRMLScene",
            "setupViewObservations",
            "installKeyboardShortcuts",
        ]

    def test_undo_in_the_editor_cannot_go_behind_the_slice(self, opened):
        opened.ui.editor.__dict__["calls"].clear()
        opened.click("nextButton")
        assert ("setUndoEnabled", True) in opened.ui.editor.__dict__["calls"]

    def test_the_editor_shows_no_source_by_itself(self, bench):
        assert ("setAutoShowSourceVolumeNode", False) in bench.ui.editor.__dict__["calls"]

    def test_nothing_here_can_be_undone_in_the_editor(self, opened):
        opened.click("nextButton")
        opened.ui.editor.__dict__["calls"].clear()
        opened.click("emptyButton")
        assert calls(opened)[0] == "saveStateForUndo"


class TestKeys:
    def press(self, opened, keys: str) -> None:
        """Every shortcut of these keys that is on, as the window would find it."""
        from PySide6 import QtGui

        wanted = QtGui.QKeySequence(keys)
        for shortcut in opened.panel._shortcuts._all:
            if shortcut.property("key") == wanted and shortcut.isEnabled():
                shortcut.activated.emit()

    def test_each_key_does_what_its_button_does(self, opened, project):
        self.press(opened, "Ctrl+Shift+Right")
        assert opened.text("sliceLabel") == "v00"
        self.press(opened, "Ctrl+Return")
        assert opened.text("sliceLabel") == "v01"
        self.press(opened, "Ctrl+Shift+Left")
        assert opened.text("sliceLabel") == "v00"
        self.press(opened, "Ctrl+Shift+Right")
        self.press(opened, "Ctrl+Shift+U")
        assert opened.text("sliceLabel") == "v00"
        assert project.annotations() == {}
        self.press(opened, "F8")
        assert len(project.annotations()) == 1
        self.press(opened, "Ctrl+Shift+K")
        assert len(project.skipped()) == 1
        self.press(opened, "Ctrl+Enter")
        assert len(project.annotations()) == 2
        self.press(opened, "Ctrl+Shift+D")
        assert not opened.ui.doubtCheck.property("checked")

    def test_they_are_off_in_other_modules(self, opened):
        opened.panel.exit()
        self.press(opened, "Ctrl+Shift+Right")
        assert opened.session.current is None

    def test_without_a_slice_they_do_nothing(self, opened, project):
        for keys in ("Ctrl+Return", "F8", "Ctrl+Shift+K", "Ctrl+Shift+U", "Ctrl+Shift+Left"):
            self.press(opened, keys)
        assert project.annotations() == {}
        assert project.skipped() == frozenset()
