"""The computation beside the annotating, as the real panel starts, shows and ends it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)

from panel_bench import Bench, ask, asked_project, own_copy, panel_bench  # noqa: F401
from qt_shim import Dialogs

KEYS = ("v00/axial/003", "v01/axial/004")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return asked_project(tmp_path_factory.mktemp("project"), 2, *KEYS)


class FakeEngine:
    """Answers in place of the engine: says its lines when told, ends when told or ended."""

    def __init__(self):
        self.commands = []
        self.lines = []
        self.errors = []
        self.code = 0
        self._spoken = threading.Event()
        self._over = threading.Event()

    def __call__(self, command, folder):
        self.commands.append(list(command)[3:])
        self.lines, self.errors, self.code = [], [], 0
        self._spoken, self._over = threading.Event(), threading.Event()
        return self

    def say(self, stage, done, total, eta):
        line = {"stage": stage, "done": done, "total": total, "eta_s": eta}
        self.lines.append(json.dumps(line))

    def output(self):
        said = 0
        while not self._over.is_set() or said < len(self.lines):
            while said < len(self.lines):
                yield self.lines[said]
                said += 1
            self._over.wait(0.005)

    def messages(self):
        self._over.wait()
        yield from self.errors

    def wait(self):
        self._over.wait()
        return self.code

    def finish(self, code=0, error=""):
        self.code, self.errors = code, [error] if error else []
        self._over.set()

    def end(self):
        self.code = -9
        self._over.set()


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def opened(bench, project, engine):
    bench.panel.computing._worker._launcher = engine
    bench.open(project)
    yield bench
    engine.end()
    settle(bench, lambda: not bench.panel.computing.running)


def settle(bench: Bench, reached) -> None:
    """Poll as the timer would; a generous bound, so that a fault fails instead of hanging."""
    for _ in range(20_000):
        bench.panel.computing.poll()
        if reached():
            return
        time.sleep(0.005)
    pytest.fail("the worker did not get there")


def over(bench: Bench) -> None:
    settle(bench, lambda: not bench.panel.computing.running)


def answer_all(bench: Bench) -> None:
    bench.click("nextButton")
    while bench.session.current is not None:
        bench.click("acceptButton")


class TestSuggest:
    def test_the_command_is_what_a_user_would_type(self, opened, project, engine):
        opened.ui.minutesSpin.setValue(45)
        opened.ui.strategyCombo.setCurrentIndex(1)
        opened.click("suggestButton")
        (command,) = engine.commands
        assert command[:6] == [
            "suggest", str(project.folder), "--minutes", "45.0", "--strategy", "knapsack"
        ]  # fmt: skip
        assert command[6:] == ["--author", "ada", "--device", "auto", "--progress", "json"]
        assert not opened.ui.suggestButton.isEnabled()
        assert opened.shown("workFrame")

    def test_after_an_answer_it_learns_first(self, opened, engine):
        opened.click("nextButton")
        opened.click("acceptButton")
        opened.click("suggestButton")
        assert engine.commands[0][0] == "round"

    def test_stage_bar_and_time_left(self, opened, engine):
        opened.click("suggestButton")
        assert opened.text("stageLabel") == "Starting"
        assert opened.ui.workBar.property("maximum") == 0
        engine.say("train", 30, 120, 95.0)
        settle(opened, lambda: opened.ui.workBar.property("value") == 30)
        assert opened.text("stageLabel") == "train: 30 / 120"
        assert opened.ui.workBar.property("maximum") == 120
        assert opened.text("leftLabel") == "2 min left"
        engine.say("score", 1, 9, 8.4)
        settle(opened, lambda: opened.text("leftLabel") == "8 s left")

    def test_a_new_batch_comes_in_when_it_ends(self, opened, project, engine):
        opened.click("suggestButton")
        ask(project, "v01/axial/006", number=1)
        engine.finish()
        over(opened)
        assert not opened.shown("workFrame")
        assert opened.text("messageLabel") == "New suggestions are here."
        assert [line[1] for line in opened.table()] == ["v01"]
        assert opened.text("reasonLabel") == "One suggestion waits for you: press Next."

    def test_the_slice_on_the_desk_stays_until_it_is_answered(self, opened, project, engine):
        opened.click("nextButton")
        opened.click("suggestButton")
        ask(project, "v01/axial/006", number=1)
        engine.finish()
        over(opened)
        assert opened.text("sliceLabel") == "v00"
        opened.click("acceptButton")
        assert opened.text("sliceLabel") == "v01"
        assert len(project.annotations()) == 1

    def test_annotating_goes_on_meanwhile(self, opened, project, engine):
        opened.click("suggestButton")
        opened.click("nextButton")
        opened.click("acceptButton")
        assert len(project.annotations()) == 1
        assert opened.panel.computing.running

    def test_the_engines_refusal_is_said_in_one_line(self, opened, engine):
        opened.click("suggestButton")
        engine.finish(2, "project: another process is at work")
        over(opened)
        assert opened.text("messageLabel") == "project: another process is at work"
        assert opened.ui.suggestButton.isEnabled()

    def test_a_crash_is_said_and_the_panel_goes_on(self, opened, project, engine):
        opened.click("suggestButton")
        engine.finish(-11, "Segmentation fault")
        over(opened)
        assert "-11" in opened.text("messageLabel")
        opened.click("nextButton")
        opened.click("acceptButton")
        assert len(project.annotations()) == 1

    def test_cancel_works_at_once(self, opened, engine):
        opened.click("suggestButton")
        opened.click("cancelButton")
        over(opened)
        assert opened.text("messageLabel") == "Cancelled."
        assert not opened.shown("workFrame")
        assert opened.ui.suggestButton.isEnabled()

    def test_another_person_cannot_take_the_seat_meanwhile(self, opened, engine):
        """The round would have to be ended; the name stays the one that is written."""
        opened.click("suggestButton")
        opened.ui.authorEdit.setText("grace")
        opened.ui.authorEdit.editingFinished.emit()
        assert opened.panel.computing.running
        assert opened.session.author == "ada"
        assert opened.text("authorEdit") == opened.panel.parameters.author == "ada"
        assert "is running" in opened.text("messageLabel")

    def test_leaving_the_project_ends_it(self, opened, engine):
        opened.click("suggestButton")
        opened.panel.release()
        over(opened)
        assert engine.code == -9


class TestByItself:
    def test_the_next_round_starts_when_the_batch_is_answered(self, opened, engine):
        answer_all(opened)
        assert [command[0] for command in engine.commands] == ["round"]
        assert opened.text("messageLabel").endswith("The batch is answered.")

    def test_it_can_be_switched_off(self, opened, engine):
        opened.ui.retrainCheck.click()
        answer_all(opened)
        assert engine.commands == []

    def test_a_cancelled_round_is_not_started_again(self, opened, engine):
        answer_all(opened)
        opened.click("cancelButton")
        over(opened)
        opened.click("backButton")
        opened.click("acceptButton")
        assert len(engine.commands) == 1

    def test_others_batches_come_in_too(self, opened, project):
        ask(project, "v01/axial/006", number=1)
        for _ in range(5):
            opened.panel.tick()
        assert opened.text("messageLabel") == "New suggestions are here."
        assert len(opened.table()) == 1


class TestPackages:
    @pytest.fixture
    def lacking(self, opened, monkeypatch):
        """An application without monai; pip brings it."""
        import activeseg_slicer.panel.installer as installer

        have = {"monai": False}
        real = installer.version

        def version(name):
            if name == "monai" and not (have["monai"] or opened.slicer.installed):
                raise installer.PackageNotFoundError(name)
            return real(name)

        monkeypatch.setattr(installer, "version", version)
        opened.panel._settings.show_packages()
        return opened

    def test_what_is_missing_is_shown(self, lacking):
        assert lacking.text("packagesLabel") == "Missing: monai>=1.4"
        assert lacking.ui.installButton.isEnabled()

    def test_nothing_is_installed_without_consent(self, lacking, engine, monkeypatch):
        monkeypatch.setattr(Dialogs, "consent", False)
        lacking.click("suggestButton")
        assert "monai>=1.4" in lacking.slicer.messages[0]
        assert lacking.slicer.installed == []
        assert engine.commands == []
        assert lacking.text("messageLabel").startswith("Not installed")

    def test_with_consent_it_is_installed_and_the_work_begins(self, lacking, engine):
        lacking.click("suggestButton")
        ((flag, _file, *wanted),) = lacking.slicer.installed
        assert (flag, wanted) == ("-c", ["monai>=1.4"])
        assert engine.commands[0][0] == "suggest"
        assert lacking.text("packagesLabel") == "Complete"

    def test_the_button_installs_too(self, lacking):
        lacking.click("installButton")
        assert len(lacking.slicer.installed) == 1
        assert not lacking.ui.installButton.isEnabled()

    def test_training_does_not_start_by_itself_without_them(self, lacking, engine):
        answer_all(lacking)
        assert engine.commands == []
        assert lacking.slicer.messages == []

    def test_a_failed_installation_is_said(self, lacking, engine, monkeypatch):
        import slicer.util

        def fails(arguments):
            raise RuntimeError("first line\nno network")

        monkeypatch.setattr(slicer.util, "pip_install", fails)
        lacking.click("suggestButton")
        assert "no network" in lacking.text("messageLabel")
        assert engine.commands == []


def test_a_real_round_that_is_killed_leaves_panel_and_project_fine(bench, project: Path):
    bench.open(project)
    bench.ui.retrainCheck.setChecked(False)
    bench.click("nextButton")
    mask = bench.panel.desk.mask()
    mask[5:12, 5:12] = 1
    bench.panel.desk.fill(mask)
    bench.click("acceptButton")
    bench.click("suggestButton")

    def training() -> bool:
        return "train" in bench.text("stageLabel").lower() or not bench.shown("workFrame")

    settle(bench, training)
    assert bench.shown("workFrame"), bench.text("messageLabel")
    bench.click("cancelButton")
    over(bench)
    assert bench.text("messageLabel") == "Cancelled."
    assert len(project.annotations()) == 1
    bench.click("acceptButton")
    assert len(project.annotations()) == 2
