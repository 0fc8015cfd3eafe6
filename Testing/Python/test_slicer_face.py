"""ActiveSeg.py and its panel, on a strict stand-in for Slicer and Qt."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from types import SimpleNamespace

import pytest

import slicer_stand_in as stand_in
from activeseg_slicer.worker import Worker

REQUIREMENTS = "# the list\nnumpy\nsurely-not-installed>=1.0  # why\n"


@pytest.fixture
def application(monkeypatch):
    """A Slicer 5.12 to import from; what the face loads is forgotten afterwards."""
    application = stand_in.Application()
    start(application, monkeypatch, (5, 12))
    return application


def start(application, monkeypatch, version):
    for name in list(sys.modules):
        if name in ("activeseg_slicer.panel", "activeseg_slicer.requirements"):
            monkeypatch.delitem(sys.modules, name)
    for name, made in stand_in.modules(application, version).items():
        monkeypatch.setitem(sys.modules, name, made)


@pytest.fixture
def loaded(application, root, monkeypatch):
    """ActiveSeg.py as Slicer loads it: a plain module, its folder not a package."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = root / "ActiveSeg" / "ActiveSeg.py"
    spec = importlib.util.spec_from_file_location("ActiveSeg", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "ActiveSeg", module)
    spec.loader.exec_module(module)
    return module


class TestModuleFile:
    def test_the_source_roots_are_put_on_the_path_once(self, loaded, root):
        roots = [str(root / "ActiveSeg" / name) for name in ("Logic", "Widgets")]
        assert [sys.path.count(folder) for folder in roots] == [1, 1]
        loaded.__spec__.loader.exec_module(loaded)
        assert [sys.path.count(folder) for folder in roots] == [1, 1]

    def test_the_module_introduces_itself(self, loaded, root):
        parent = SimpleNamespace()
        loaded.ActiveSeg(parent)
        assert parent.title == "ActiveSeg"
        assert parent.categories == ["Active Learning"]
        assert parent.contributors
        assert "minutes" in parent.helpText
        assert parent.dependencies == []

    def test_the_widget_builds_the_panel_and_ends_its_work(self, loaded):
        widget = loaded.ActiveSegWidget()
        widget.setup()
        assert isinstance(widget.logic.worker, Worker)
        assert len(widget.layout._state["items"]) == 2
        widget.cleanup()

    def test_reload_forgets_the_packages_and_nothing_else(self, loaded, monkeypatch):
        # Keep this process's own modules: the reload below works on a copy of the table.
        monkeypatch.setattr(sys, "modules", dict(sys.modules))
        widget = loaded.ActiveSegWidget()
        widget.setup()
        assert "activeseg_slicer.panel" in sys.modules
        before = stand_in.ScriptedLoadableModuleWidget.reloaded
        widget.onReload()
        assert loaded.ActiveSegWidget.reloaded == before + 1
        assert not [name for name in sys.modules if name.split(".")[0].startswith("activeseg")]
        assert "qt" in sys.modules

    def test_the_self_test_reaches_the_engine(self, loaded):
        loaded.ActiveSegTest().runTest()

    def test_the_stand_in_refuses_what_it_does_not_know(self, loaded):
        import qt

        with pytest.raises(AttributeError):
            qt.QSlider()
        with pytest.raises(AttributeError):
            qt.QLineEdit().enabled = False
        with pytest.raises(AttributeError):
            qt.QLineEdit().connect("clicked(bool)", print)
        with pytest.raises(KeyError):
            qt.QLineEdit().property("enabled")


class FakeProcess:
    """A command that prints its answer at once and, if it `hangs`, waits for its end."""

    def __init__(self, answer, code, hangs):
        self.lines, self.code = answer.splitlines(), code
        self.ended = threading.Event()
        if not hangs:
            self.ended.set()

    def output(self):
        return iter(self.lines)

    def messages(self):
        return iter(["a message"])

    def wait(self):
        self.ended.wait()
        return self.code

    def end(self):
        self.code = -9
        self.ended.set()


class Desk:
    """The panel with its widgets in hand and a process that answers as told."""

    def __init__(self, answer="", code=0, ready=True, hangs=False):
        from activeseg_slicer.panel import StatusPanel

        self.commands = []
        self.process = FakeProcess(answer, code, hangs)
        layout = stand_in.QVBoxLayout()
        self.panel = StatusPanel(layout, Worker(self.launch), lambda: ready)
        row, self.text = layout._state["items"]
        self.folder, self.choose, self.refresh, self.cancel = row._state["items"]
        self.timer = self.panel._timer

    def launch(self, command, folder):
        self.commands.append(list(command)[1:])
        return self.process

    def finish(self):
        while self.timer.isActive():
            self.timer.timeout.emit()


@pytest.mark.usefixtures("application")
class TestPanel:
    def test_refresh_shows_the_state(self, tmp_path):
        status = {"stage": "score", "accepted": ["v/axial/001"], "open": [{"key": "v/axial/009"}]}
        desk = Desk(json.dumps(status))
        desk.folder.setText(f" {tmp_path} ")
        desk.refresh.click()
        assert desk.commands == [["-m", "activeseg", "status", str(tmp_path), "--json"]]
        assert not desk.refresh.isEnabled()
        assert desk.cancel.isEnabled()
        desk.finish()
        assert "accepted: 1" in desk.text.toPlainText()
        assert "v/axial/009" in desk.text.toPlainText()
        assert desk.refresh.isEnabled()
        assert not desk.cancel.isEnabled()

    def test_choosing_a_folder_shows_it_at_once(self, tmp_path, monkeypatch):
        desk = Desk('{"round": 3}')
        monkeypatch.setattr(stand_in.QFileDialog, "answer", str(tmp_path))
        desk.choose.click()
        desk.finish()
        assert desk.folder.property("text") == str(tmp_path)
        assert desk.text.toPlainText() == "round: 3"

    def test_a_dialog_that_was_closed_changes_nothing(self, monkeypatch):
        desk = Desk()
        monkeypatch.setattr(stand_in.QFileDialog, "answer", "")
        desk.choose.click()
        assert desk.commands == []

    def test_a_refused_folder_shows_the_reason(self, tmp_path):
        desk = Desk(code=2)
        desk.folder.setText(str(tmp_path))
        desk.refresh.click()
        desk.finish()
        assert desk.text.toPlainText() == "a message"

    def test_no_folder_starts_nothing(self):
        desk = Desk()
        desk.refresh.click()
        assert desk.commands == []
        assert "Choose" in desk.text.toPlainText()

    def test_declined_packages_start_nothing(self, tmp_path):
        desk = Desk(ready=False)
        desk.folder.setText(str(tmp_path))
        desk.refresh.click()
        assert desk.commands == []
        assert "packages" in desk.text.toPlainText()

    def test_cancel_ends_the_command(self, tmp_path):
        desk = Desk(hangs=True)
        desk.folder.setText(str(tmp_path))
        desk.refresh.click()
        desk.cancel.click()
        assert desk.process.ended.is_set()
        desk.finish()
        assert desk.text.toPlainText() == "Cancelled."

    def test_closing_ends_timer_and_command(self, tmp_path):
        desk = Desk(hangs=True)
        desk.folder.setText(str(tmp_path))
        desk.refresh.click()
        desk.panel.close()
        assert desk.process.ended.is_set()
        assert not desk.timer.isActive()


class TestRequirements:
    @pytest.fixture
    def listed(self, tmp_path):
        path = tmp_path / "requirements.txt"
        path.write_text(REQUIREMENTS, "utf-8")
        return path

    def ensure(self, listed):
        requirements = importlib.import_module("activeseg_slicer.requirements")
        assert requirements.missing(listed) == ["surely-not-installed>=1.0"]
        return requirements.ensure(listed)

    def test_slicers_own_installer_is_asked(self, application, listed):
        # It installs nothing here, so the package is still missing and the answer is no.
        assert not self.ensure(listed)
        assert application.asked == ["ActiveSeg"]
        assert len(application.installed) == 2

    def test_declined(self, application, listed):
        application.agrees = False
        assert not self.ensure(listed)
        assert application.installed == []

    @pytest.mark.parametrize("agrees", [True, False])
    def test_before_slicer_5_11(self, application, listed, monkeypatch, agrees):
        start(application, monkeypatch, (5, 10))
        monkeypatch.delitem(sys.modules, "slicer.packaging")
        application.agrees = agrees
        assert self.ensure(listed) is agrees
        assert "surely-not-installed>=1.0" in application.asked[0]
        assert application.installed == (["surely-not-installed>=1.0"] if agrees else [])

    def test_nothing_missing_asks_nobody(self, application, tmp_path):
        requirements = importlib.import_module("activeseg_slicer.requirements")
        listed = tmp_path / "requirements.txt"
        listed.write_text("numpy\n", "utf-8")
        assert requirements.ensure(listed)
        assert application.asked == []
