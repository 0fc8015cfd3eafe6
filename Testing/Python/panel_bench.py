"""The real panel with its real ``.ui`` on Slicer's own scene, for tests and pictures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from types import SimpleNamespace

import pytest

import qt_shim
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project
from mrml_scene import MrmlScene
from rounds_by_hand import batch, suggestion
from tiny_cohort import copied, new_project, write_tiny_cohort

FACE = ("activeseg_slicer.panel", "activeseg_slicer.selftest")


def ask(project: Project, *keys: str, number: int = 0, **changes: object) -> None:
    """Leave a batch that asks for these slices."""
    asked = [
        suggestion(SliceKey.parse(key), rank, **changes) for rank, key in enumerate(keys, start=1)
    ]
    project.round(number).write_batch(batch(number, asked, budget_minutes=10.0))


def asked_project(folder: Path, volumes: int, *keys: str) -> Project:
    """A project of a tiny cohort, with a batch that asks for these slices."""
    project = new_project(folder / "one", write_tiny_cohort(folder / "cohort", volumes))
    ask(project, *keys)
    return project


class Bench:
    """The application, the scene and the panel; `widget` is the module's, as Slicer makes it.

    Args:
        monkeypatch: Undoes it all.
        root: The repository.
        mrml: A scene with its application logic, where there is one already.

    Attributes:
        slicer: The application as tests see it.
        mrml: The scene with its logics.
        ui: The widgets by name.
        panel: The panel.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        root: Path,
        mrml: MrmlScene | SimpleNamespace | None = None,
    ) -> None:
        self.mrml = mrml or MrmlScene()
        self.slicer = qt_shim.Slicer(self.mrml.application)
        self.slicer.install(monkeypatch, self.mrml.scene)
        self.monkeypatch = monkeypatch
        for name in list(sys.modules):
            if name.startswith(FACE):  # made for another test's application
                monkeypatch.delitem(sys.modules, name)
        self.now = 0.0
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.module = self.load(root)
        self.widget = self.module.ActiveSegWidget()
        self.widget.setup()

    def load(self, root: Path) -> object:
        """ActiveSeg.py as Slicer loads it: a plain module, its folder not a package."""
        import importlib.util

        self.monkeypatch.setattr(sys, "path", list(sys.path))
        path = root / "ActiveSeg" / "ActiveSeg.py"
        spec = importlib.util.spec_from_file_location("ActiveSeg", path)
        module = importlib.util.module_from_spec(spec)
        self.monkeypatch.setitem(sys.modules, "ActiveSeg", module)
        spec.loader.exec_module(module)
        return module

    @property
    def panel(self) -> object:
        return self.widget.panel

    @property
    def ui(self) -> SimpleNamespace:
        return self.widget.panel.ui

    @property
    def session(self) -> object:
        return self.panel.work.session

    def open(self, project: Project, author: str = "ada") -> None:
        self.ui.authorEdit.setText(author)
        self.ui.projectEdit.setText(str(project.folder))
        self.panel.open_project()

    def text(self, name: str) -> str:
        """What a widget says."""
        return getattr(self.ui, name).property("text")

    def click(self, name: str) -> None:
        """Press a button, as the user can only if it is enabled."""
        button = getattr(self.ui, name)
        assert button.isEnabled(), f"{name} cannot be pressed"
        button.click()

    def shown(self, name: str) -> bool:
        """Whether a widget would be seen if the window were."""
        return not getattr(self.ui, name).isHidden()

    def table(self) -> list[list[str]]:
        """The texts of the table, as they are sorted."""
        model = self.ui.suggestionTable.model()
        return [
            [model.data(model.index(line, column)) for column in range(model.columnCount())]
            for line in range(model.rowCount())
        ]

    def finish(self) -> None:
        """Poll as the timer would; a generous bound, so that a fault fails instead of hanging."""
        for _ in range(12_000):
            self.panel.computing.poll()
            if not self.panel.computing.running:
                return
            sleep(0.01)
        pytest.fail("the worker did not get there")

    def close(self) -> None:
        self.widget.cleanup()


def key(volume: str, index: int, plane: Plane = Plane.AXIAL) -> SliceKey:
    return SliceKey(volume, plane, index)


@pytest.fixture(name="bench")
def panel_bench(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[Bench]:
    """An application with the module's panel in it, without a project."""
    made = Bench(monkeypatch, root)
    yield made
    made.close()


@pytest.fixture(name="project")
def own_copy(untouched: Project, tmp_path: Path) -> Project:
    """A copy of the module's project, to be changed by one test."""
    return copied(untouched, tmp_path / "project")
