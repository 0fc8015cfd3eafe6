"""Pictures of the face for README and guide: ``python face_picture.py PROJECT OUT.png [FOLDER]``.

The real panel (under the shim for Qt) and real slice views of one and the same MRML scene, put
side by side as Slicer's window has them; no screenshot of the application. PROJECT is worked on
in a copy; it should have a trained model and an open batch, such as what is left by

    activeseg demo --no-serve --rounds 1 --out demo
    activeseg suggest demo/activeseg --minutes 8

FOLDER receives the guide's pictures, parts of the panel on the same project.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6 import QtCore, QtGui, QtWidgets
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition

import qt_shim
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project
from draw_scene import picture_of
from panel_bench import Bench

SIZE = (1280, 760)
PANEL = 420
BAR = 22
GAP = 2
# Slicer's colours of its views, and their letters.
BARS = {
    Plane.AXIAL: ("R", "#f34a33"),
    Plane.CORONAL: ("G", "#6eb04b"),
    Plane.SAGITTAL: ("Y", "#edd54c"),
}


def dark() -> None:
    """The application's dark colours."""
    app = qt_shim.application()
    palette = QtGui.QPalette()
    for role, colour in {
        "Window": "#323232", "WindowText": "#e6e6e6", "Base": "#242424", "AlternateBase": "#2b2b2b",
        "Text": "#e6e6e6", "Button": "#434343", "ButtonText": "#e6e6e6", "Highlight": "#2f6fb0",
        "HighlightedText": "#ffffff", "ToolTipBase": "#323232", "ToolTipText": "#e6e6e6",
        "PlaceholderText": "#8c8c8c", "Mid": "#2a2a2a", "Dark": "#1e1e1e", "Light": "#5a5a5a",
    }.items():  # fmt: skip
        palette.setColor(getattr(QtGui.QPalette, role), QtGui.QColor(colour))
    for role in ("WindowText", "Text", "ButtonText"):
        palette.setColor(
            QtGui.QPalette.Disabled, getattr(QtGui.QPalette, role), QtGui.QColor("#7d7d7d")
        )
    app.setPalette(palette)


def arranged(large: Plane) -> dict[Plane, QtCore.QRect]:
    """The views' places in the window: one large, two beside it, each below its bar."""
    left, height = PANEL + GAP, SIZE[1]
    side = (height - GAP) // 2 - BAR
    side_width = min(side, (SIZE[0] - left) // 3)
    big = QtCore.QRect(left, BAR, SIZE[0] - left - side_width - GAP, height - BAR)
    places = {large: big}
    for row, plane in enumerate(plane for plane in Plane if plane is not large):
        top = row * (side + BAR + GAP) + BAR
        places[plane] = QtCore.QRect(SIZE[0] - side_width, top, side_width, side)
    return places


class Views:
    """Three slice views off screen, in a scene of their own application.

    Attributes:
        app: The application.
        places: Where each view stands in the window.
    """

    def __init__(self) -> None:
        self.app = SlicerApp()
        self.app.view_manager.register_factory(DirectViewFactory(do_render_offscreen=True))
        made = (
            ViewLayoutDefinition.axial_view(),
            ViewLayoutDefinition.coronal_view(),
            ViewLayoutDefinition.sagittal_view(),
        )
        self.views = {
            plane: self.app.view_manager.create_view(definition)
            for plane, definition in zip(Plane, made, strict=True)
        }
        self.places = arranged(Plane.AXIAL)
        for plane, view in self.views.items():
            place = self.places[plane]
            view.render_window().SetSize(place.width(), place.height())
            view.update_size(place.width(), place.height())
            view.get_view_node().SetDefaultOrientation(plane.value.capitalize())
        self.app.scene.Clear(0)

    def close(self) -> None:
        for view in self.views.values():
            view.set_render_blocked(True)


def pixels(array: np.ndarray) -> QtGui.QImage:
    """A picture of [row, column, 3] bytes."""
    rows, columns, _ = array.shape
    held = np.ascontiguousarray(array)
    kind = QtGui.QImage.Format_RGB888
    return QtGui.QImage(held.data, columns, rows, 3 * columns, kind).copy()


def panel_picture(bench: Bench, width: int) -> QtGui.QPixmap:
    """The whole panel, as long as it wants to be."""
    window = bench.ui.ActiveSegPanel
    window.show()
    for _ in range(3):
        hint = window.property("sizeHint").height()
        window.setFixedSize(width, max(hint, window.layout().totalHeightForWidth(width)) + 16)
        window.grab()  # lays everything out
        bench.panel.tick()  # the plot follows the width that it was given
    return window.grab()


def window_picture(bench: Bench, views: Views) -> QtGui.QImage:
    """The panel left, the views right."""
    sheet = bench.session.current
    picture = QtGui.QImage(*SIZE, QtGui.QImage.Format_RGB888)
    picture.fill(QtGui.QColor("#323232"))
    painter = QtGui.QPainter(picture)
    painter.drawPixmap(0, 0, panel_picture(bench, PANEL))
    for plane, place in views.places.items():
        letter, colour = BARS[plane]
        bar = QtCore.QRect(place.x(), place.y() - BAR, place.width(), BAR)
        painter.fillRect(bar, QtGui.QColor(colour))
        painter.setPen(QtGui.QColor("#1c1c1c"))
        text = f"{letter}   {plane.value}"
        if plane is sheet.key.plane:
            text += f"   {sheet.key}"
        painter.drawText(bar.adjusted(8, 0, 0, 0), QtCore.Qt.AlignVCenter, text)
        painter.drawImage(place.topLeft(), pixels(picture_of(views.views[plane])))
    painter.end()
    return picture


def work(bench: Bench, seconds: int) -> None:
    """Let time go by with somebody at work."""
    for _ in range(seconds):
        bench.session.clock.touch()
        bench.now += 1.0
        bench.session.clock.touch()


def answer(bench: Bench, seconds: int) -> None:
    """Accept the slice on the desk after a while."""
    work(bench, seconds)
    bench.click("acceptButton")


def richest(project: Project) -> SliceKey:
    """The open suggestion in an axial plane whose proposal shows most structures, then most."""
    files = project.round(project.latest_batch().round)

    def shown(key: SliceKey) -> tuple[int, int]:
        proposal = files.read_proposal(key)
        return len(np.unique(proposal)), int((proposal > 0).sum())

    asked = project.open_suggestions()
    return max(
        (each.key for each in asked if each.key.plane is Plane.AXIAL and not each.audit), key=shown
    )


def part(bench: Bench, name: str, width: int, file: Path) -> None:
    """One section of the panel, which is laid out in a width."""
    panel_picture(bench, width)
    getattr(bench.ui, name).grab().save(str(file))


def new_project(bench: Bench, file: Path) -> None:
    """What is seen first: no project, and the form of a new one filled in."""
    bench.click("newButton")
    bench.ui.cohortEdit.setText("/data/abdomen")
    bench.ui.folderEdit.setText("/data/abdomen-project")
    for line, name in enumerate(("organ", "vessel", "gland")):
        bench.click("addStructure")
        bench.ui.structureTable.item(line, 0).setText(name)
    bench.ui.structureTable.setCurrentCell(-1, -1)
    picture = panel_picture(bench, PANEL)
    height = bench.ui.todayCard.property("y")
    picture.copy(0, 0, PANEL, height).save(str(file))
    bench.panel._new.close()


def training(bench: Bench, file: Path) -> None:
    """The next round, begun with the button and looked at while the model learns."""
    bench.click("suggestButton")
    bar = bench.ui.workBar
    while "Training" not in bench.text("stageLabel") or (
        bar.property("value") < bar.property("maximum") / 10
    ):
        assert bench.panel.computing.running, bench.text("messageLabel")
        bench.panel.computing.poll()
        sleep(0.05)
    part(bench, "todayCard", PANEL, file)
    bench.click("cancelButton")
    while bench.panel.computing.running:
        bench.panel.computing.poll()
        sleep(0.05)


def guide(bench: Bench, folder: Path) -> None:
    """The parts that the guide shows, with a project open."""
    part(bench, "estimateSection", PANEL, folder / "estimate.png")
    bench.ui.filterEdit.setText("axial")
    part(bench, "suggestionsSection", 720, folder / "table.png")
    bench.ui.filterEdit.setText("")
    for name in ("settingsSection", "helpSection"):
        getattr(bench.ui, name).setProperty("collapsed", False)
    part(bench, "settingsSection", PANEL, folder / "settings.png")
    training(bench, folder / "training.png")


def render(source: Path, out: Path, folder: Path | None) -> None:
    root = Path(__file__).resolve().parents[2]
    with pytest.MonkeyPatch.context() as monkeypatch, TemporaryDirectory() as scratch:
        project = Project.open(shutil.copytree(source, Path(scratch) / "Abdomen CT"))
        views = Views()
        mrml = SimpleNamespace(scene=views.app.scene, application=views.app.app_logic)
        dark()
        bench = Bench(monkeypatch, root, mrml)
        bench.panel.enter()
        if folder is not None:
            new_project(bench, folder / "new-project.png")
        bench.open(project, "ada")
        chosen = richest(project)
        others = [each.key for each in project.open_suggestions() if each.key != chosen]
        for key, seconds in zip(others[:3], (42, 31, 55), strict=True):
            bench.panel.work.open(key)
            answer(bench, seconds)
        project.claim(others[4], "grace")
        bench.panel.work.open(chosen)
        work(bench, 24)
        bench.panel._box.say("")
        bench.panel.refresh()
        bench.panel.tick()
        window_picture(bench, views).save(str(out))
        if folder is not None:
            guide(bench, folder)
        bench.close()
        views.close()


if __name__ == "__main__":
    QtWidgets.QApplication.setDesktopSettingsAware(False)
    given = [Path(each).absolute() for each in sys.argv[1:]]
    render(given[0], given[1], given[2] if len(given) > 2 else None)
