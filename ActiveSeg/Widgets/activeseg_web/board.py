"""What the page shows: its state, told from the session, the stage and what is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from activeseg.project import Project
from activeseg_slicer.flow import Clock, Look, Meanwhile, Session, State, clock_text
from activeseg_web.curve import curve_svg
from activeseg_web.facts import (
    budget_facts,
    estimate_facts,
    row_facts,
    slice_facts,
    structure_facts,
    time_left,
)
from activeseg_web.stage import Stage
from activeseg_web.tools import Tool

__all__ = ["Board"]

_USUAL_MINUTES = 30.0


class Board:
    """Writes the page's state; decides nothing.

    Args:
        state: Of the trame server.
        project: The project.
        author: Who works.
    """

    def __init__(self, state: Any, project: Project, author: str) -> None:
        self._state = state
        self._project = project
        state.update(_beginning(project, author))

    def show_error(self, error: object) -> None:
        """Show one line that stays until it is closed."""
        self._state.error = str(error)

    def show_clock(self, clock: Clock, working: bool) -> None:
        """Show the time on the slice, and whether it counts."""
        self._state.clock = clock_text(clock.seconds if working else 0.0)
        self._state.counting = clock.counting

    def show_computing(self, work: Meanwhile) -> None:
        """Show what is computed beside the page, and how far it is."""
        share = 100 * work.done / work.total if work.total else 0.0
        self._state.computing = {
            "running": work.running,
            "stage": _sentence(work.stage) if work.stage else "Starting",
            "share": round(share, 1),
            "known": bool(work.total),
            "left": time_left(work.eta_s),
        }
        if work.error:
            self.show_error(work.error)

    def show_desk(self, session: Session) -> None:
        """Show the slice on the desk and which ways lead from it."""
        sheet = session.current
        self._state.current = slice_facts(session.current_row)
        self._state.can_back = session.can_go_back
        self._state.can_undo_answer = session.can_undo
        self._state.has_doubt = sheet is not None and sheet.entropy is not None

    def show_project(self, session: Session, look: Look) -> None:
        """Show what is read from the project's folder.

        Raises:
            ProjectError: If a file of the project is damaged.
        """
        estimate = session.estimate()
        self._state.rows = [row_facts(row) for row in look.rows]
        self._state.budget = budget_facts(look.progress)
        self._state.estimate = estimate_facts(estimate)
        self._state.curve = curve_svg(estimate)
        if look.progress.budget_minutes:
            self._state.minutes = look.progress.budget_minutes
        states = {row.state for row in look.rows if row.rank}  # Next lays nothing else
        self._state.card = "" if session.current is not None else _card(states)

    def show_strokes(self, stage: Stage) -> None:
        """Show what can be undone, and where the large view is."""
        self._state.can_undo = stage.strokes.can_undo
        self._state.can_redo = stage.strokes.can_redo
        self._state.away = stage.views.away

    def show_tools(self, stage: Stage) -> None:
        """Show the tool, the brush and the structure that are chosen."""
        tools = stage.tools
        self._state.tool = tools.tool.value
        self._state.structures = structure_facts(
            self._project.structures, stage.colours, tools.structure
        )
        self._state.brush = tools.diameter
        self._state.brush_least, self._state.brush_most = tools.least, tools.most
        self._state.opacity = round(100 * tools.opacity)


def _card(states: set[State]) -> str:
    """What lies over the views while no slice does."""
    if not states:
        return "empty"
    if states & {State.OPEN, State.DRAFT}:
        return "waiting"
    return "taken" if State.TAKEN in states else "answered"


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
        "doubt": False,
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
