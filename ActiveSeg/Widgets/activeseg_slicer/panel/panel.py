"""The panel: a project, its suggestions, and the computation beside the annotating."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import qt
import slicer.util

from activeseg.errors import ActiveSegError
from activeseg.project import Project
from activeseg_slicer.flow import Clock, Look, Order, Progress, Session, State
from activeseg_slicer.panel.annotating import Annotating
from activeseg_slicer.panel.computing import Computing
from activeseg_slicer.panel.creating import NewProject, Wish, ask_folder
from activeseg_slicer.panel.editor import Editor
from activeseg_slicer.panel.estimate import EstimatePlot
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.installer import Installer
from activeseg_slicer.panel.parameters import STRATEGIES, Parameters, user_name
from activeseg_slicer.panel.settings import SettingsBox, order
from activeseg_slicer.panel.shortcuts import Shortcuts, help_text
from activeseg_slicer.panel.suggestions import SuggestionTable
from activeseg_slicer.panel.work import WorkBox
from activeseg_slicer.scene import SceneDesk, adopt_volume
from activeseg_slicer.worker import Worker

__all__ = ["Panel"]

TICK_MS = 1000
DRAFT_TICKS = 15
"""A draft is kept so often, in ticks of a second; a crash costs no more."""

LOOK_TICKS = 5
"""What others did, and a batch that has come, are looked for so often."""


class Panel:
    """The widgets of the ``.ui`` with a person's session behind them.

    Args:
        ui: The widgets by name.
        parameters: What the user chose; kept in the scene.
        worker: Runs the engine's commands.
        desk_for: Makes the desk on which a project's slices are laid; told the project's folder
            and the editor, which keeps undo.
        installer: Looks after the packages that the worker needs.
        now: The present moment in seconds, never going back.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        parameters: Parameters,
        worker: Worker,
        desk_for: Callable[[str, Editor], SceneDesk],
        installer: Installer,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ui, self.parameters = ui, parameters
        self._desk_for, self._now = desk_for, now
        self._project: Project | None = None
        self._desk: SceneDesk | None = None
        self._ticks, self._entered = 0, False
        self._bound: int | None = None
        self._look: Look | None = None  # what is shown; None without a session
        self._box, self._editor = WorkBox(ui), Editor(ui.editor)
        self.work = Annotating(ui, self._editor, self._box, self._after_answer)
        self.computing = Computing(ui, self._box, worker, installer, self._order, self.refresh)
        self._table = SuggestionTable(
            ui.suggestionTable, ui.filterEdit, ui.stateFilter, self.work.open
        )
        self._plot = EstimatePlot(ui.estimatePlot, ui.adviceLabel)
        self._settings = SettingsBox(ui, installer, self._box)
        self._new = NewProject(ui, self.computing.prepare, self._create, self._complain)
        self._tick = qt.QTimer()
        self._tick.setInterval(TICK_MS)
        self._shortcuts = Shortcuts(slicer.util.mainWindow(), self._actions())
        self._connect()
        ui.helpLabel.setText(help_text())
        self.use(parameters)

    @property
    def desk(self) -> SceneDesk | None:
        """Where the slices are laid; None without a project."""
        return self._desk

    def _actions(self) -> dict[str, Callable[[], None]]:
        """What the keys do."""
        work = self.work
        return {
            "accept": work.accept,
            "next": work.next,
            "back": work.back,
            "nothing_here": work.nothing_here,
            "skip": work.skip,
            "undo": work.undo,
            "doubt": self._toggle_doubt,
        }

    def _connect(self) -> None:
        ui = self.ui
        for signal, slot in (
            (ui.openButton.clicked, self.choose),
            (ui.projectEdit.returnPressed, self.open_project),
            (ui.suggestButton.clicked, self.suggest),
            (ui.authorEdit.editingFinished, self._change_author),
            (ui.doubtCheck.toggled, self._show_doubt),
            (ui.retrainCheck.toggled, self._set_automatic),
            (self._tick.timeout, self.tick),
        ):
            signal.connect(slot)

    # The module's life

    def use(self, parameters: Parameters) -> None:
        """Follow these parameters; those of a scene that was loaded or cleared replace others."""
        self.release()
        self.parameters = parameters
        if not parameters.author:
            parameters.author = user_name()
        self._bound = parameters.connectGui(self.ui)
        self._new.follow()
        if self._entered:
            self._editor.enter()
            if parameters.project:
                self._open(Path(parameters.project))
        self.refresh()

    def release(self) -> None:
        """Leave project and parameters, before the scene goes; what is painted is a draft."""
        self._close_project()
        if self._bound is not None:
            self.parameters.disconnectGui(self._bound)
            self._bound = None
        self.refresh()

    def enter(self) -> None:
        """The module is shown: keys and editor work; the scene's project is opened."""
        self._entered = True
        self._editor.enter()
        self._shortcuts.enable(True)
        if self._project is None and self.parameters.project:
            self.open_project()

    def exit(self) -> None:
        """Another module is shown: what is painted is kept, the clock stands still."""
        self._entered = False
        self.work.autosave()
        self.work.look(shown=False)
        self._shortcuts.enable(False)
        self._editor.leave()

    def close(self) -> None:
        """End what runs, before the application takes the widgets away."""
        self.release()
        self.computing.close()
        self._shortcuts.close()

    # Projects

    def choose(self) -> None:
        """Ask for the project folder and open it."""
        if ask_folder(self.ui.projectEdit, _("Project folder")):
            self.open_project()

    def open_project(self) -> None:
        """Open the project of the folder that is typed or was chosen."""
        text = self.ui.projectEdit.property("text").strip()
        if not text:
            self._box.say(_("Choose a project folder first."), wrong=True)
            return
        self._open(Path(text).absolute())

    def _open(self, folder: Path) -> bool:
        """Open a project; whether it could be. The one before is left."""
        if self.computing.running:
            self._complain(_("A computation is running; wait for it or cancel it first."))
            return False
        if not self.work.leave():  # the strokes are on the desk alone
            return False
        self._close_project()
        try:
            project = Project.open(folder)
            desk = self._desk_for(str(project.folder), self._editor)
            session = Session(project, self.parameters.author, desk, Clock(self._now))
            self.computing.begin(project.folder, self.parameters.auto_retrain)
        except ActiveSegError as error:
            self._complain(str(error))
            self.refresh()
            return False
        self._project, self._desk = project, desk
        self.parameters.project = str(project.folder)
        if project.strategy in STRATEGIES:
            self.parameters.strategy = project.strategy
        self.work.begin(session, self._colours().get(str(project.folder), {}))
        self._show_doubt()
        self._new.close()
        self._fold(_("Project: {name}").format(name=folder.name), collapsed=True)
        self._tick.start()
        self._box.say("")
        self.refresh()
        return True

    def _close_project(self) -> None:
        """Leave the project; what is painted is a draft."""
        self._tick.stop()
        self.work.end()
        self.computing.end()
        if self._desk is not None:
            self._desk.close()
        self._project = self._desk = None
        self._fold(_("Project"), collapsed=False)

    def _fold(self, title: str, collapsed: bool) -> None:
        """Fold the choice of a project away while one is open; what works on it comes instead."""
        for section in (self.ui.editorSection, self.ui.suggestionsSection, self.ui.estimateSection):
            section.setVisible(collapsed)
        self.ui.projectSection.setProperty("text", title)
        self.ui.projectSection.setProperty("collapsed", collapsed)

    def _create(self, wish: Wish) -> None:
        """Make a project in the worker, then open it."""
        given = self.parameters
        words = wish.words(given.planes, given.strategy)

        def made() -> None:
            folder = str(wish.folder)
            given.colours = json.dumps(self._colours() | {folder: wish.colours})
            for node, volume in wish.taken:
                adopt_volume(node, folder, volume)
            if self._open(wish.folder):
                self._box.say(_("The project is made. Say how many minutes you have."))

        self.computing.create(words, made)

    def _colours(self) -> dict[str, dict[str, str]]:
        """The colours that were chosen, by project and structure."""
        found: dict[str, dict[str, str]] = json.loads(self.parameters.colours)
        return found

    # Settings

    def _order(self) -> Order:
        """What the next batch is to be like."""
        return order(self.parameters, self._project)

    def _set_automatic(self) -> None:
        self.computing.set_automatic(bool(self.ui.retrainCheck.property("checked")))

    def _show_doubt(self) -> None:
        if self._desk is not None:
            self._desk.show_doubt(bool(self.ui.doubtCheck.property("checked")))

    def _toggle_doubt(self) -> None:
        self.ui.doubtCheck.setChecked(not self.ui.doubtCheck.property("checked"))

    def _change_author(self) -> None:
        """Another person takes the seat: the slice on the desk stays the first one's draft."""
        session = self.work.session
        name = self.ui.authorEdit.property("text").strip()
        if session is None or name == session.author or self._project is None:
            return
        if not self._open(self._project.folder) and self.work.session is session:
            self.ui.authorEdit.setText(session.author)

    # The computation beside the annotating

    def suggest(self) -> None:
        """Ask for the next batch."""
        session = self.work.session
        if session is not None:
            self._attempt(lambda: self.computing.suggest(session))
            self._settings.show_packages()

    def _after_answer(self) -> None:
        """Show what an action changed, and learn if the batch is answered."""
        self.refresh()
        if self._look is not None and self._look.answered:
            self._attempt(self.computing.follow)

    # What is shown

    def tick(self) -> None:
        """Once a second: the clock, the plot's width, now and then a draft and a look around."""
        self._ticks += 1
        self.work.look(self._entered)
        self._plot.fit()
        if self._ticks % DRAFT_TICKS == 0:
            self.work.autosave()
        if self._ticks % LOOK_TICKS == 0:
            self.computing.look()
            self.refresh()

    def refresh(self) -> None:
        """Show everything anew."""
        self._attempt(self._show_session)
        self._settings.show_project(self._project)
        running = self.computing.running
        self.ui.suggestButton.setEnabled(self._project is not None and not running)
        for button in (self.ui.createButton, self.ui.openButton, self.ui.projectEdit):
            button.setEnabled(not running)

    def _show_session(self) -> None:
        session, self._look = self.work.session, None
        look = self._look = session.look() if session is not None else None
        self._table.show(look.rows if look is not None else [])
        self.work.show(look.rows if look is not None else [])
        self._show_today(look.progress if look is not None else None)
        if session is not None:
            self._plot.show(session.estimate())

    def _show_today(self, progress: Progress | None) -> None:
        """How much of the batch's budget is spent."""
        bar, label = self.ui.todayBar, self.ui.todayLabel
        if progress is None or progress.round is None:
            bar.setVisible(False)
            label.setVisible(False)
            return
        budget = max(1, round(progress.budget_minutes * 60))
        bar.setMaximum(budget)
        bar.setValue(min(round(progress.minutes * 60), budget))
        bar.setVisible(True)
        done = progress.counts[State.ACCEPTED] + progress.counts[State.SKIPPED]
        label.setVisible(True)
        label.setText(
            _("{spent:.1f} of {budget:g} min · {done} of {total} slices answered").format(
                spent=progress.minutes,
                budget=progress.budget_minutes,
                done=done,
                total=sum(progress.counts.values()),
            )
        )

    def _attempt(self, action: Callable[[], object]) -> None:
        """Do something that may fail for a reason that the user can mend."""
        try:
            action()
        except ActiveSegError as error:
            self._complain(str(error))

    def _complain(self, text: str) -> None:
        self._box.say(text, wrong=True)
