"""What the buttons and keys of the slice card do: each calls the session and says what came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

from activeseg.errors import ActiveSegError
from activeseg.keys import SliceKey
from activeseg_slicer.flow import Row, Session, State, clock_text
from activeseg_slicer.panel.activity import Activity
from activeseg_slicer.panel.card import SliceCard
from activeseg_slicer.panel.editor import Editor
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.work import WorkBox

__all__ = ["Annotating"]

_MINE = (State.OPEN, State.DRAFT)


class Annotating:
    """One person's work on the slices, from the panel's side.

    Args:
        ui: The widgets of the ``.ui`` by name.
        editor: The Segment Editor.
        box: Where messages are shown.
        changed: Called after every action, also one that failed.
    """

    def __init__(
        self, ui: SimpleNamespace, editor: Editor, box: WorkBox, changed: Callable[[], None]
    ) -> None:
        self._ui, self._editor, self._box, self._changed = ui, editor, box, changed
        self._card = SliceCard(ui)
        self._session: Session | None = None
        self._activity: Activity | None = None
        self._unkept = ""  # why strokes could not be kept, as it was said
        self._colours: Mapping[str, str] = {}
        for button, action in (
            (ui.acceptButton, self.accept),
            (ui.nextButton, self.next),
            (ui.emptyButton, self.nothing_here),
            (ui.skipButton, self.skip),
            (ui.backButton, self.back),
            (ui.undoButton, self.undo),
            (ui.pauseButton, self.pause),
        ):
            button.clicked.connect(action)

    @property
    def session(self) -> Session | None:
        """The session; None without a project."""
        return self._session

    def begin(self, session: Session, colours: Mapping[str, str]) -> None:
        """Work on a project.

        Args:
            session: The person's session.
            colours: ``#rrggbb`` by the structures' names, where they were chosen.
        """
        self._session, self._colours = session, colours
        self._activity = Activity(session.clock)

    def leave(self) -> bool:
        """Put the slice away, what is painted as a draft; whether the disk took it."""
        return self._session is None or self._attempt(self._session.leave)

    def end(self) -> None:
        """Leave the project for good."""
        if self._session is not None:
            self.leave()
            self._editor.rest()
        self._session = self._activity = None

    def accept(self) -> None:
        """Take the slice as it is painted, and go on."""
        if self._session is not None and self._session.current is not None:
            self._answer(self._session.accept, _("Accepted {key} in {time}."))

    def nothing_here(self) -> None:
        """Take the slice as empty, and go on."""
        if self._session is not None and self._session.current is not None:
            self._answer(self._session.nothing_here, _("Accepted {key} as empty."))

    def skip(self) -> None:
        """Put the slice aside, for the reason that is chosen or typed."""
        session, reason = self._session, self._ui.skipReason.property("currentText").strip()
        if session is None or session.current is None:
            return
        if self._answer(lambda: session.skip(reason), _("Skipped {key}.")):
            self._ui.skipReason.setCurrentIndex(0)

    def next(self) -> None:
        """Lay the next open suggestion."""
        if self._session is not None:
            self._lay(self._session.next, _("Nothing is open that others do not work on."))

    def back(self) -> None:
        """Lay the slice before again."""
        if self._session is not None:
            self._lay(self._session.back, _("There is no slice before this one."))

    def undo(self) -> None:
        """Withdraw the last accept and lay that slice again."""
        if self._session is not None:
            self._lay(self._session.undo, _("You have accepted nothing that could be undone."))

    def open(self, key: SliceKey) -> None:
        """Lay a slice that was chosen in the table."""
        session = self._session
        if session is not None:
            self._lay(lambda: session.open(key), "")

    def pause(self) -> None:
        """Stop the clock, or let it go on."""
        if self._session is not None:
            paused = self._ui.pauseButton.property("checked")
            (self._session.clock.pause if paused else self._session.clock.resume)()
            self.show_clock()

    def autosave(self) -> None:
        """Keep what is painted as a draft; a timer's slot, so a failure is said once."""
        if self._session is None:
            return
        try:
            self._session.autosave()
        except ActiveSegError as error:
            if str(error) != self._unkept:
                self._box.say(str(error), wrong=True)
            self._unkept = str(error)
        else:
            self._unkept = ""

    def look(self, shown: bool) -> None:
        """Once a second: whether somebody is at work, and the time.

        Args:
            shown: Whether the module is the one that is shown.
        """
        if self._activity is not None:
            self._activity.look(shown)
            self.show_clock()

    def show(self, rows: list[Row]) -> None:
        """Show the slice on the desk, or what to do.

        Args:
            rows: The latest batch, and drafts of earlier ones, which Next does not lay.
        """
        row = self._session.current_row if self._session is not None else None
        waiting = sum(each.rank > 0 and each.state in _MINE for each in rows)
        self._card.show(row, waiting, self._session is not None)
        self._ui.backButton.setEnabled(self._session is not None and self._session.can_go_back)
        self._ui.undoButton.setEnabled(self._session is not None and self._session.can_undo)
        self.show_clock()

    def show_clock(self) -> None:
        """Show the time on the slice."""
        session = self._session
        if session is None or session.current is None:
            self._ui.pauseButton.setChecked(False)
            self._card.show_clock(0.0, counting=False)
            return
        self._ui.pauseButton.setChecked(session.clock.paused)
        self._card.show_clock(session.clock.seconds, session.clock.counting)

    def _answer(self, action: Callable[[], Row | None], said: str) -> bool:
        """Give an answer and say so; whether it was taken."""
        session = self._session
        if session is None or session.current is None:
            return False
        key, seconds = session.current.key, session.clock.seconds

        def answer() -> None:
            action()
            text = said.format(key=key, time=clock_text(seconds))
            if session.current is None and session.look().answered:
                text += " " + _("The batch is answered.")
            self._box.say(text)

        done = self._attempt(answer)
        self._follow_desk()
        self._changed()
        return done

    def _lay(self, action: Callable[[], Row | None], nothing: str) -> None:
        """Lay a slice, or say that there is none."""
        session = self._session
        if session is None:
            return
        found: list[Row | None] = []
        if self._attempt(lambda: found.append(action())):
            self._box.say("" if found[0] is not None else nothing)
        self._follow_desk()
        self._changed()

    def _follow_desk(self) -> None:
        """Take up the brush on the slice that was laid, or put it away."""
        session = self._session
        if session is None or session.current is None:
            self._editor.rest()
            return
        self._editor.colour(session.current.structures, self._colours)
        self._editor.paint()

    def _attempt(self, action: Callable[[], object]) -> bool:
        """Do something that may fail for a reason that the user can mend; whether it did not."""
        try:
            action()
        except ActiveSegError as error:
            self._box.say(str(error), wrong=True)
            return False
        return True
