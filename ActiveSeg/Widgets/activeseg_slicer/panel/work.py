"""What the worker is doing: stage, bar, time left, Cancel; and the one line of messages."""

from __future__ import annotations

from types import SimpleNamespace

from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.looks import looks_of
from activeseg_slicer.panel.words import seconds_left

__all__ = ["WorkBox"]


class WorkBox:
    """Shows a computation beside the annotating.

    Args:
        ui: The widgets of the ``.ui`` by name.
    """

    def __init__(self, ui: SimpleNamespace) -> None:
        self._ui = ui
        self._looks = looks_of(ui.messageLabel)
        ui.leftLabel.setStyleSheet(self._looks.words(self._looks.text))

    def show(self, stage: str, done: int, total: int, eta_s: float | None) -> None:
        """Show how far it is; a bar without an end while `total` is 0."""
        ui = self._ui
        ui.workFrame.setVisible(True)
        text = stage or _("Starting")
        ui.stageLabel.setText(f"{text}: {done} / {total}" if total else text)
        ui.leftLabel.setText(seconds_left(eta_s))
        ui.workBar.setMaximum(total)
        ui.workBar.setValue(min(done, total))

    def hide(self) -> None:
        """Nothing runs."""
        self._ui.workFrame.setVisible(False)

    def say(self, text: str, wrong: bool = False) -> None:
        """Show one message; `wrong` marks what needs the user's attention."""
        self._ui.messageLabel.setText(text)
        colour = self._looks.wrong if wrong else self._looks.text
        self._ui.messageLabel.setStyleSheet(self._looks.words(colour))
