"""The worker's part of the panel: a project being made, batches being chosen, models trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import qt

from activeseg.errors import ActiveSegError, ProjectError
from activeseg_slicer.flow import Meanwhile, Order, Session, State
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.installer import Installer
from activeseg_slicer.panel.work import WorkBox
from activeseg_slicer.worker import Outcome, ProgressLine, Worker

__all__ = ["Computing"]

POLL_MS = 100


class Computing:
    """Starts the worker's commands and shows how they are getting on.

    Args:
        ui: The widgets of the ``.ui`` by name.
        box: Where progress and messages are shown.
        worker: Runs the engine's commands.
        installer: Looks after the packages that they need.
        order: What the next batch is to be like, now.
        changed: Called when a command has started or ended, and when a batch has come.
    """

    def __init__(
        self,
        ui: SimpleNamespace,
        box: WorkBox,
        worker: Worker,
        installer: Installer,
        order: Callable[[], Order],
        changed: Callable[[], None],
    ) -> None:
        self._box, self._worker, self._installer = box, worker, installer
        self._order, self._changed = order, changed
        self._meanwhile: Meanwhile | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.poll)
        ui.cancelButton.clicked.connect(self.cancel)

    @property
    def running(self) -> bool:
        """Whether a command runs."""
        return self._worker.running

    def begin(self, folder: Path, automatic: bool) -> None:
        """Work for a project.

        Args:
            folder: The project.
            automatic: Whether the next round starts by itself when a batch is answered.

        Raises:
            ProjectError: If the project is damaged.
        """
        self._meanwhile = Meanwhile(self._worker, folder, self._show)
        self._meanwhile.automatic = automatic

    def end(self) -> None:
        """Leave the project; what runs for it is ended."""
        self.cancel()
        self._meanwhile = None
        self._box.hide()

    def close(self) -> None:
        """End what runs, for good."""
        self.end()
        self._timer.stop()

    def set_automatic(self, automatic: bool) -> None:
        """Whether the next round starts by itself when a batch is answered."""
        if self._meanwhile is not None:
            self._meanwhile.automatic = automatic

    def prepare(self) -> None:
        """See to it that a command can be started.

        Raises:
            ProjectError: If one runs. Cancelled, ModelError: If packages are missing.
        """
        if self.running:
            raise ProjectError(_("A computation is running; wait for it or cancel it first."))
        self._installer.ensure()

    def create(self, words: Sequence[str], made: Callable[[], None]) -> None:
        """Make a project; another one may be open meanwhile.

        Args:
            words: What follows ``activeseg init``.
            made: Called if it worked.

        Raises:
            ActiveSegError: As `prepare`.
        """
        self.prepare()

        def ended(outcome: Outcome) -> None:
            self._box.hide()
            if outcome.cancelled:
                self._box.say(_("Cancelled."))
            elif outcome.code != 0:
                lines = outcome.messages.strip().splitlines() or [_("The engine said nothing.")]
                self._box.say(lines[-1], wrong=True)
            else:
                made()
            self._changed()

        self._worker.start("init", *words, on_progress=self._show_line, on_end=ended)
        self._box.say("")
        self._box.show("", 0, 0, None)
        self._started()

    def suggest(self, session: Session) -> None:
        """Choose the next batch; train first, if something was answered since the last.

        Raises:
            ProjectError: If the project is damaged. Cancelled, ModelError: If packages are
                missing.
        """
        if self._meanwhile is None or self.running:
            return
        self._installer.ensure()
        learn = session.look().progress.counts[State.ACCEPTED] > 0
        (self._meanwhile.round if learn else self._meanwhile.suggest)(self._order())
        self._box.say("")
        self._started()

    def follow(self) -> None:
        """Train by itself now that the batch is answered, if the packages are there.

        Raises:
            ProjectError: If the project is damaged.
        """
        if self._meanwhile is None or self.running:
            return
        if not self._installer.missing() and self._meanwhile.follow(True, self._order()):
            self._started()

    def cancel(self) -> None:
        """End what runs at once; the project stays as it is."""
        if self.running:
            self._worker.cancel()
            self._box.say(_("Cancelled."))

    def poll(self) -> None:
        """Take in what the worker has told; the timer's slot while it runs."""
        self._worker.poll()
        if not self.running:
            self._timer.stop()
            self.look()
            self._changed()

    def look(self) -> None:
        """Say that a batch has come, whoever made it."""
        try:
            if self._meanwhile is not None and self._meanwhile.new_batch():
                self._box.say(_("New suggestions are here."))
        except ActiveSegError as error:
            self._box.say(str(error), wrong=True)

    def _started(self) -> None:
        self._timer.start()
        self._changed()

    def _show_line(self, line: ProgressLine) -> None:
        self._box.show(line.stage, line.done, line.total, line.eta_s)

    def _show(self) -> None:
        """Show what `Meanwhile` says; it calls this after each change."""
        meanwhile = self._meanwhile
        if meanwhile is None:
            return
        if meanwhile.running:
            self._box.show(meanwhile.stage, meanwhile.done, meanwhile.total, meanwhile.eta_s)
            return
        self._box.hide()
        if meanwhile.error:
            self._box.say(meanwhile.error, wrong=True)
