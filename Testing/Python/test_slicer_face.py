"""ActiveSeg.py and its panel, on a strict stand-in for Slicer and Qt."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

import slicer_stand_in as stand_in
from activeseg_slicer.worker import Worker

BEYOND_SLICER = ("filelock", "matplotlib", "monai", "rich", "scipy", "sklearn", "torch")


@pytest.fixture
def application(monkeypatch):
    """A Slicer to import from; the panel that was loaded with it is forgotten afterwards."""
    monkeypatch.delitem(sys.modules, "activeseg_slicer.panel", raising=False)
    for name, made in stand_in.modules().items():
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

    def __init__(self, answer="", code=0, hangs=False):
        from activeseg_slicer.panel import StatusPanel

        self.commands = []
        self.process = FakeProcess(answer, code, hangs)
        layout = stand_in.QVBoxLayout()
        self.panel = StatusPanel(layout, Worker(self.launch))
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


def test_what_the_panel_runs_needs_only_what_slicer_brings(tmp_path):
    """So nothing has to be installed into Slicer's Python: numpy is there, the others are not."""
    cohort, project = str(tmp_path / "cohort"), str(tmp_path / "project")
    engine = [sys.executable, "-m", "activeseg"]
    subprocess.run([*engine, "phantom", cohort, "--volumes", "2"], check=True, capture_output=True)
    subprocess.run([*engine, "init", project, "--cohort", cohort], check=True, capture_output=True)
    code = (
        "import sys\n"
        f"for name in {BEYOND_SLICER}: sys.modules[name] = None\n"  # None: refused by import
        "from activeseg.cli import main\n"
        f"sys.exit(main(['status', {project!r}, '--json']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["volumes"] == ["phantom_000", "phantom_001"]
