"""The panel: choose a project folder, see its state.

Written so that PythonQt (in Slicer) and PySide (elsewhere) behave alike: setters and `property`
instead of attributes, ``signal.connect(function)``, and no new attributes on widgets.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from activeseg_slicer.describe import describe_outcome

if TYPE_CHECKING:
    from activeseg_slicer.worker import Outcome, ProgressLine, Worker

__all__ = ["StatusPanel"]

POLL_MS = 100


class StatusPanel:
    """Shows what ``activeseg status`` says of a project.

    Args:
        layout: The vertical layout to fill.
        worker: Runs the command.
    """

    def __init__(self, layout: qt.QVBoxLayout, worker: Worker) -> None:
        self._worker = worker
        self._folder = qt.QLineEdit()
        self._folder.setPlaceholderText(_("Project folder"))
        self._choose = qt.QPushButton(_("Choose..."))
        self._refresh = qt.QPushButton(_("Refresh"))
        self._cancel = qt.QPushButton(_("Cancel"))
        self._text = qt.QPlainTextEdit()
        self._text.setReadOnly(True)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._arrange(layout)
        self._show_running(False)
        self._choose.clicked.connect(self.choose)
        self._refresh.clicked.connect(self.refresh)
        self._cancel.clicked.connect(self.cancel)
        self._timer.timeout.connect(self.poll)

    def _arrange(self, layout: qt.QVBoxLayout) -> None:
        row = qt.QHBoxLayout()
        for widget in (self._folder, self._choose, self._refresh, self._cancel):
            row.addWidget(widget)
        layout.addLayout(row)
        layout.addWidget(self._text)

    def _show_running(self, running: bool) -> None:
        self._refresh.setEnabled(not running)
        self._cancel.setEnabled(running)

    def choose(self) -> None:
        """Ask for the project folder and show it."""
        folder = qt.QFileDialog.getExistingDirectory(
            None, _("Project folder"), self._folder.property("text")
        )
        if folder:
            self._folder.setText(folder)
            self.refresh()

    def refresh(self) -> None:
        """Read the project's state anew."""
        folder = self._folder.property("text").strip()
        if self._worker.running:
            return
        if not folder:
            self._text.setPlainText(_("Choose a project folder first."))
            return
        self._worker.start(
            "status",
            str(Path(folder).absolute()),
            "--json",
            on_progress=self._show_progress,
            on_end=self._show_end,
        )
        self._text.setPlainText(_("Reading..."))
        self._show_running(True)
        self._timer.start()

    def cancel(self) -> None:
        """End the running command."""
        self._worker.cancel()

    def poll(self) -> None:
        """Show what has arrived; the timer's slot."""
        self._worker.poll()

    def close(self) -> None:
        """Stop the timer and the running command, before the widgets go."""
        self._timer.stop()
        self._worker.cancel()

    def _show_progress(self, line: ProgressLine) -> None:
        self._text.setPlainText(f"{line.stage}: {line.done} / {line.total}")

    def _show_end(self, outcome: Outcome) -> None:
        self._timer.stop()
        self._show_running(False)
        self._text.setPlainText(describe_outcome(outcome))
