"""ActiveSeg.py as Slicer loads it, its self-test, and what runs in Slicer's own process."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)

import qt_shim
from panel_bench import panel_bench  # noqa: F401

BEYOND_SLICER = (
    "filelock",
    "matplotlib",
    "monai",
    "pyarrow",
    "rich",
    "sklearn",
    "threadpoolctl",
    "torch",
)


class TestModuleFile:
    def test_the_source_roots_are_put_on_the_path_once(self, bench, root):
        roots = [str(root / "ActiveSeg" / name) for name in ("Logic", "Widgets")]
        assert [sys.path.count(folder) for folder in roots] == [1, 1]
        bench.module.__spec__.loader.exec_module(bench.module)
        assert [sys.path.count(folder) for folder in roots] == [1, 1]

    def test_the_module_introduces_itself(self, bench):
        parent = SimpleNamespace()
        bench.module.ActiveSeg(parent)
        assert parent.title == "ActiveSeg"
        assert parent.categories == ["Active Learning"]
        assert parent.contributors
        assert "minutes" in parent.helpText
        picture = parent.helpText.split("src='")[1].split("'")[0]
        assert Path(picture.removeprefix("file://")).is_file()
        assert "Segmentations" in parent.dependencies

    def test_the_widget_holds_the_panel(self, bench):
        layout = bench.widget.layout
        assert layout.count() == 1
        assert layout.itemAt(0).widget().property("objectName") == "ActiveSegPanel"

    def test_reload_forgets_the_packages_and_nothing_else(self, bench, monkeypatch):
        # Keep this process's own modules: the reload below works on a copy of the table.
        monkeypatch.setattr(sys, "modules", dict(sys.modules))
        assert "activeseg_slicer.panel.panel" in sys.modules
        before = qt_shim.ScriptedLoadableModuleWidget.reloaded
        bench.widget.onReload()
        assert bench.module.ActiveSegWidget.reloaded == before + 1
        ours = {"activeseg", "activeseg_slicer"}
        assert not [name for name in sys.modules if name.split(".")[0] in ours]
        assert "qt" in sys.modules

    def test_loading_the_file_imports_nothing_of_the_engine(self, root):
        """What is imported at the top is Slicer's and the standard library's."""
        tree = ast.parse((root / "ActiveSeg" / "ActiveSeg.py").read_text("utf-8"))
        top = {
            name.split(".")[0]
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
            )
        }
        assert top <= {"slicer"} | set(sys.stdlib_module_names)


class TestSelfTest:
    def test_what_the_application_offers_passes_here(self, bench):
        told = qt_shim.ScriptedLoadableModuleTest.told
        told.clear()
        bench.module.ActiveSegTest().runTest()
        assert told[-1] == "6 slices were accepted as they were painted"

    def test_a_desk_that_loses_a_voxel_fails_it(self, bench, monkeypatch):
        from activeseg_slicer.scene import SceneDesk

        mask = SceneDesk.mask

        def wrong(desk):
            found = mask(desk)
            found[0, 0] = 1 - min(1, found[0, 0])
            return found

        monkeypatch.setattr(SceneDesk, "mask", wrong)
        with pytest.raises(AssertionError, match="not what was painted"):
            bench.module.ActiveSegTest().runTest()

    def test_the_check_of_the_panel_passes_here(self, bench, tmp_path):
        from activeseg_slicer.selftest import check_panel, phantom_project

        told: list[str] = []
        check_panel(bench.panel, phantom_project(tmp_path), told.append)
        assert told == ["Next, painting, Accept", "Undo, Nothing here, Skip, Back"]

    def test_an_engine_that_fails_is_told(self, bench, tmp_path):
        from activeseg_slicer.selftest import engine

        with pytest.raises(AssertionError, match="not a project folder"):
            engine("status", str(tmp_path))

    def test_the_script_for_the_application_names_what_there_is(self, root):
        """It cannot run here; its names are compared with the module's."""
        text = (root / "Testing" / "Slicer" / "ActiveSegInSlicerTest.py").read_text("utf-8")
        names = {
            (node.module, alias.name)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("activeseg")
            for alias in node.names
        }
        assert names
        for module, name in names:
            path = root / "ActiveSeg" / "Widgets" / Path(*module.split(".")).with_suffix(".py")
            assert f"def {name}(" in path.read_text() or f"{name}: " in path.read_text()


def test_annotating_needs_only_what_slicer_brings(tmp_path):
    """Opening a project, accepting and a draft: nothing has to be installed for those."""
    cohort, project = str(tmp_path / "cohort"), str(tmp_path / "project")
    engine = [sys.executable, "-m", "activeseg"]
    subprocess.run([*engine, "phantom", cohort, "--volumes", "2"], check=True, capture_output=True)
    subprocess.run([*engine, "init", project, "--cohort", cohort], check=True, capture_output=True)
    code = (
        "import sys\n"
        f"for name in {BEYOND_SLICER}: sys.modules[name] = None\n"  # None: refused by import
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from activeseg.keys import Plane, SliceKey\n"
        "from activeseg.project import Batch, Project\n"
        "from activeseg_slicer.flow import Clock, Session\n"
        "from plain_desk import PlainDesk\n"
        "from activeseg.project import Suggestion\n"
        f"project = Project.open(Path({project!r}))\n"
        "key = SliceKey('phantom_000', Plane.AXIAL, 3)\n"
        "asked = Suggestion(key, 1, 1.0, 1.0, None, None, '', 'draw', 1.0, 1.0, None, None,\n"
        "                   False, {})\n"
        "batch = Batch(0, 'auto', 0, 5.0, '2026-01-01T00:00:00Z', (asked,), None, '')\n"
        "project.round(0).write_batch(batch)\n"
        "desk = PlainDesk()\n"
        "session = Session(project, 'ada', desk, Clock(lambda: 0.0))\n"
        "session.next()\n"
        "desk.paint(1)\n"
        "assert session.autosave()\n"
        "session.accept()\n"
        "import json\n"
        "print(json.dumps([str(key) for key in project.annotations()]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["phantom_000/axial/003"]
