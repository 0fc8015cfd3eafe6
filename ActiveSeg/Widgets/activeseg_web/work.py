"""What one person's page can do: each action, and what the page is told after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from activeseg.errors import ActiveSegError
from activeseg.keys import SliceKey
from activeseg.project import Project
from activeseg_slicer.flow import Clock, Meanwhile, Order, Row, Session, State
from activeseg_slicer.worker import Worker
from activeseg_web.curve import curve_svg
from activeseg_web.facts import (
    budget_facts,
    clock_text,
    estimate_facts,
    row_facts,
    slice_facts,
    structure_facts,
    time_left,
)
from activeseg_web.stage import Stage
from activeseg_web.tools import Tool

__all__ = ["Work"]

_USUAL_MINUTES = 30.0


class Work:
    """One person's work, shown by the page's state.

    Every action that may fail ends in one line on the page, never in an exception.

    Args:
        project: The project.
        author: Who works.
        server: The trame server; its state is the page.
        steps: Training steps of a round; None for the recipe's.
        on_busy: Told whether a command runs beside the page.
    """

    def __init__(
        self,
        project: Project,
        author: str,
        server: Any,
        steps: int | None = None,
        on_busy: Callable[[bool], None] = lambda _busy: None,
    ) -> None:
        self._state = server.state
        self._project = project
        self._steps = steps
        self._on_busy = on_busy
        self._busy = False
        self.clock = Clock(time.monotonic)
        self.stage = Stage(server, project, self._show_slice)
        self.session = Session(project, author, self.stage, self.clock)
        self._meanwhile = Meanwhile(Worker(), project.folder, self._show_computing)
        self._state.update(_beginning(project, self.session.author))

    # Answers

    def begin(self) -> None:
        """Lay the first slice, if there is one."""
        self._act(self.session.next)

    def accept(self) -> None:
        """Accept the slice as it is painted."""
        if self.session.current is not None:
            self._answer(self.session.accept)

    def nothing_here(self) -> None:
        """Accept the slice without any structure."""
        if self.session.current is not None:
            self._answer(self.session.nothing_here)

    def skip(self, reason: str = "") -> None:
        """Put the slice aside for good."""
        if self.session.current is not None:
            self._answer(lambda: self.session.skip(str(reason)[:500]))

    def back(self) -> None:
        """Go to the slice before."""
        self._act(self.session.back)

    def undo_answer(self) -> None:
        """Withdraw the last acceptance."""
        self._act(self.session.undo)

    def open(self, key: str) -> None:
        """Lay a slice of the worklist."""
        self._act(lambda: self.session.open(SliceKey.parse(key)))

    def next(self) -> None:
        """Lay the next open slice."""
        self._act(self.session.next)

    # Tools

    def undo(self) -> None:
        """Take the last stroke back."""
        self._act(self.stage.strokes.undo)

    def redo(self) -> None:
        """Paint the stroke again that was taken back."""
        self._act(self.stage.strokes.redo)

    def use(self, tool: str) -> None:
        """Take up a tool."""
        self.stage.tools.use(Tool(tool))
        self._show_tools()

    def choose(self, value: int) -> None:
        """Paint another structure."""
        self.stage.tools.choose(int(value))
        self._show_tools()

    def choose_nth(self, position: int) -> None:
        """Paint the structure at a place of the project's order, from 1."""
        if 1 <= position <= len(self._project.structures):
            self.choose(self._project.structures[position - 1].value)

    def grow(self, steps: int) -> None:
        """Make the brush larger or smaller."""
        self.stage.tools.grow(int(steps))
        self._show_tools()

    def brush(self, diameter: float) -> None:
        """Give the brush a diameter in millimetres."""
        self.stage.tools.set_diameter(float(diameter))
        self._show_tools()

    def opacity(self, percent: float) -> None:
        """Make what is painted more or less see-through."""
        self.stage.tools.show_opacity(float(percent) / 100)
        self._show_tools()

    def doubt(self) -> None:
        """Show what the model is unsure of, or hide it."""
        self._state.doubt = not self._state.doubt
        self.stage.show_doubt(self._state.doubt)

    def space(self) -> None:
        """Show what is painted as surfaces in space, or hide it."""
        self._state.space = not self._state.space
        self.stage.tools.show_space(self._state.space)

    def home(self) -> None:
        """Bring the large view back to the slice."""
        self.stage.views.home()
        self._show_slice()

    # What is computed meanwhile

    def suggest(self, minutes: float) -> None:
        """Choose a batch for so many minutes: by training first, once anything is annotated."""
        self._state.minutes = float(minutes)
        if self._meanwhile.running:
            return
        if self._project.annotations():
            self._act(lambda: self._meanwhile.round(self._order()))
        else:
            self._act(lambda: self._meanwhile.suggest(self._order()))

    def cancel(self) -> None:
        """End what is being computed."""
        self._meanwhile.cancel()

    def automatic(self, wanted: bool) -> None:
        """Whether an answered batch is followed by a round without being asked."""
        self._meanwhile.automatic = bool(wanted)
        self._state.automatic = bool(wanted)
        self._follow()

    # What the page and its timers tell

    def sign(self) -> None:
        """A sign of life: a key, a click, a stroke."""
        self.clock.touch()

    def behind(self, hidden: bool) -> None:
        """The page is hidden, or gone, or seen again."""
        self.clock.background(bool(hidden))
        if hidden:
            self.autosave()

    def close_notice(self) -> None:
        """Put the quiet notice away."""
        self._state.notice = ""

    def close_error(self) -> None:
        """Put the line about an error away."""
        self._state.error = ""

    def poll(self) -> None:
        """What has come from the worker, and the clock; several times a second."""
        self._meanwhile.poll()
        self._state.clock = clock_text(self.clock.seconds if self.session.current else 0.0)
        self._state.counting = self.clock.counting

    def autosave(self) -> None:
        """Keep the strokes; every two seconds, and when the page goes."""
        try:
            self.session.autosave()
        except ActiveSegError as error:
            self._state.error = str(error)

    def look_around(self) -> None:
        """What others did, and whether a new batch has come; every few seconds."""
        try:
            self._take_batch()
            self._show_project()
        except ActiveSegError as error:
            self._state.error = str(error)

    def close(self) -> None:
        """Leave: strokes stay as the draft, the claim ends, nothing runs on."""
        self._meanwhile.cancel()
        try:
            self.session.leave()
        finally:
            self.stage.close()

    # How it is done

    def _act(self, action: Callable[[], object]) -> None:
        """Do something that may be refused, and show what came of it."""
        try:
            action()
        except ActiveSegError as error:
            self._state.error = str(error)
        self._show()

    def _answer(self, action: Callable[[], Row | None]) -> None:
        self.clock.touch()
        self._act(action)
        self._follow()

    def _follow(self) -> None:
        """Retrain once the batch is answered, if that is wanted."""
        try:
            self._meanwhile.follow(self.session.answered, self._order())
        except ActiveSegError as error:
            self._state.error = str(error)
        self._show()

    def _order(self) -> Order:
        return Order(self._state.minutes, author=self.session.author, steps=self._steps)

    def _take_batch(self) -> None:
        """A new batch has come: say so, and begin with it if the desk is empty."""
        if not self._meanwhile.new_batch():
            return
        count = len(self.session.rows())
        self._state.notice = f"A new batch of {count} slices is here."
        if self.session.current is None:
            self._act(self.session.next)

    def _show_computing(self) -> None:
        work = self._meanwhile
        share = 100 * work.done / work.total if work.total else 0.0
        self._state.computing = {
            "running": work.running,
            "stage": _sentence(work.stage) if work.stage else "Starting",
            "share": round(share, 1),
            "known": bool(work.total),
            "left": time_left(work.eta_s),
        }
        if work.error:
            self._state.error = _sentence(work.error)
        if work.running != self._busy:
            self._busy = work.running
            self._on_busy(self._busy)
            if not self._busy:
                self.look_around()

    def _show(self) -> None:
        """Tell the page everything."""
        try:
            self._show_project()
        except ActiveSegError as error:
            self._state.error = str(error)
        row = self.session.current_row
        self._state.current = slice_facts(row)
        self._state.can_back = self.session.can_go_back
        self._state.can_undo_answer = self.session.can_undo
        self._state.has_doubt = row is not None and self._has_doubt()
        self._show_slice()
        self._show_tools()

    def _has_doubt(self) -> bool:
        sheet = self.session.current
        return sheet is not None and sheet.entropy is not None

    def _show_project(self) -> None:
        """What is read from the project's folder."""
        rows = self.session.rows()
        progress = self.session.progress()
        estimate = self.session.estimate()
        self._state.rows = [row_facts(row) for row in rows]
        self._state.budget = budget_facts(progress)
        self._state.estimate = estimate_facts(estimate)
        self._state.curve = curve_svg(estimate)
        if progress.budget_minutes:
            self._state.minutes = progress.budget_minutes
        waiting = [row for row in rows if row.state in (State.OPEN, State.DRAFT)]
        taken = [row for row in rows if row.state is State.TAKEN]
        self._state.card = self._card(bool(rows), bool(waiting), bool(taken))

    def _card(self, rows: bool, waiting: bool, taken: bool) -> str:
        """What lies over the views while no slice does."""
        if self.session.current is not None:
            return ""
        if not rows:
            return "empty"
        if waiting:
            return "waiting"
        return "taken" if taken else "answered"

    def _show_slice(self) -> None:
        self._state.can_undo = self.stage.strokes.can_undo
        self._state.can_redo = self.stage.strokes.can_redo
        self._state.away = self.stage.views.away

    def _show_tools(self) -> None:
        tools = self.stage.tools
        self._state.tool = tools.tool.value
        self._state.structures = structure_facts(
            self._project.structures, self.stage.colours, tools.structure
        )
        self._state.brush = tools.diameter
        self._state.brush_least, self._state.brush_most = tools.least, tools.most
        self._state.opacity = round(100 * tools.opacity)


def _beginning(project: Project, author: str) -> dict[str, Any]:
    """The page's state before anything was read."""
    return {
        "project": _short(project.folder),
        "author": author,
        "rows": [],
        "current": None,
        "card": "",
        "budget": {"there": False, "text": "", "slices": "", "share": 0.0},
        "estimate": {"there": False, "dice": "", "interval": "", "more": ""},
        "curve": "",
        "computing": {"running": False, "stage": "", "share": 0.0, "known": False, "left": ""},
        "minutes": _USUAL_MINUTES,
        "automatic": True,
        "clock": clock_text(0),
        "counting": False,
        "notice": "",
        "error": "",
        "doubt": True,
        "has_doubt": False,
        "space": False,
        "away": 0,
        "can_undo": False,
        "can_redo": False,
        "can_back": False,
        "can_undo_answer": False,
        "tool": Tool.PAINT.value,
        "structures": [],
        "brush": 5.0,
        "brush_least": 0.5,
        "brush_most": 50.0,
        "opacity": 35,
    }


def _short(folder: Path) -> str:
    return folder.name or str(folder)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
