"""What one person's page can do: each action, and what the page is told after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from activeseg.errors import ActiveSegError
from activeseg.keys import SliceKey
from activeseg.project import Project
from activeseg_slicer.flow import Clock, Meanwhile, Order, Row, Session
from activeseg_slicer.worker import Worker
from activeseg_web.board import Board
from activeseg_web.stage import Stage
from activeseg_web.tools import Tool

__all__ = ["Work"]


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
        self._told: dict[Callable[[], object], str] = {}  # why something fails, as it was said
        self.clock = Clock(time.monotonic)
        self.stage = Stage(server, project, self._show_strokes)
        self.stage.show_doubt(False)  # the image first; a key shows it
        self.session = Session(project, author, self.stage, self.clock)
        self._meanwhile = Meanwhile(Worker(), project.folder, self._show_computing)
        self._board = Board(server.state, project, self.session.author)

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
        self._board.show_tools(self.stage)

    def choose(self, value: int) -> None:
        """Paint another structure."""
        self.stage.tools.choose(int(value))
        self._board.show_tools(self.stage)

    def choose_nth(self, position: int) -> None:
        """Paint the structure at a place of the project's order, from 1."""
        if 1 <= position <= len(self._project.structures):
            self.choose(self._project.structures[position - 1].value)

    def grow(self, steps: int) -> None:
        """Make the brush larger or smaller."""
        self.stage.tools.grow(int(steps))
        self._board.show_tools(self.stage)

    def brush(self, diameter: float) -> None:
        """Give the brush a diameter in millimetres."""
        self.stage.tools.set_diameter(float(diameter))
        self._board.show_tools(self.stage)

    def opacity(self, percent: float) -> None:
        """Make what is painted more or less see-through."""
        self.stage.tools.show_opacity(float(percent) / 100)
        self._board.show_tools(self.stage)

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
        self._board.show_strokes(self.stage)

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
        self._show(follow=True)

    # What the page and its timers tell

    def sign(self) -> None:
        """A sign of life: a key, a click, a stroke."""
        self.clock.touch()

    def way(self, view: str, places: Sequence[Sequence[float]]) -> None:
        """Where the mouse was during the stroke that ends now; as `Ways.hear`."""
        self.stage.tools.ways.hear(view, places)

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
        self._board.show_clock(self.clock, self.session.current is not None)

    def autosave(self) -> None:
        """Keep the strokes; every two seconds, and when the page goes."""
        self._again(self.session.autosave)

    def look_around(self) -> None:
        """What others did, and whether a new batch has come; every few seconds."""
        self._again(self._look)

    def close(self) -> None:
        """Leave: strokes stay as the draft, the claim ends, nothing runs on."""
        self._meanwhile.cancel()
        try:
            self.session.leave()
        finally:
            self.stage.close()

    # How it is done

    def _act(self, action: Callable[[], object], follow: bool = False) -> None:
        """Do something that may be refused, and show what came of it.

        Args:
            action: What to do.
            follow: Whether to retrain if the batch is answered then and that is wanted.
        """
        try:
            action()
        except ActiveSegError as error:
            self._board.show_error(error)
        self._show(follow)

    def _answer(self, action: Callable[[], Row | None]) -> None:
        self.clock.touch()
        self._act(action, follow=True)

    def _again(self, action: Callable[[], object]) -> None:
        """Do what is done again and again; the same failure is told once, so it can be closed."""
        try:
            action()
        except ActiveSegError as error:
            if self._told.get(action) != str(error):
                self._board.show_error(error)
            self._told[action] = str(error)
        else:
            self._told.pop(action, None)

    def _look(self) -> None:
        self._take_batch()
        self._board.show_project(self.session, self.session.look())

    def _order(self) -> Order:
        return Order(self._state.minutes, author=self.session.author, steps=self._steps)

    def _take_batch(self) -> None:
        """A new batch has come: say so, and begin with it if the desk is empty."""
        if not self._meanwhile.new_batch():
            return
        batch = self._project.latest_batch()
        count = len(batch.suggestions) if batch is not None else 0
        self._state.notice = f"A new batch of {count} slices is here."
        if self.session.current is None:
            self._act(self.session.next)

    def _show_strokes(self) -> None:
        self._board.show_strokes(self.stage)

    def _show_computing(self) -> None:
        work = self._meanwhile
        self._board.show_computing(work)
        if work.running != self._busy:
            self._busy = work.running
            self._on_busy(self._busy)
            if not self._busy:
                self.look_around()

    def _show(self, follow: bool = False) -> None:
        """Tell the page everything."""
        try:
            look = self.session.look()
            self._board.show_project(self.session, look)
            if follow:
                self._meanwhile.follow(look.answered, self._order())
        except ActiveSegError as error:
            self._board.show_error(error)
        self._board.show_desk(self.session)
        self._board.show_strokes(self.stage)
        self._board.show_tools(self.stage)
