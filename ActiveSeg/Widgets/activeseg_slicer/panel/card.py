"""The slice on the desk: where it lies, why it is asked for, and the clock."""

from __future__ import annotations

from types import SimpleNamespace

import qt

from activeseg_slicer.flow import Row, clock_text
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.looks import looks_of
from activeseg_slicer.panel.words import place

__all__ = ["SliceCard"]

_PRIMARY = """
QPushButton { background-color: #2f6fb0; color: white; border: none; border-radius: 5px; }
QPushButton:hover { background-color: #28619b; }
QPushButton:pressed { background-color: #215183; }
"""


class SliceCard:
    """Shows what the clinician needs first.

    Args:
        ui: The widgets of the ``.ui`` by name.
    """

    def __init__(self, ui: SimpleNamespace) -> None:
        self._ui = ui
        self._looks = looks_of(ui.placeLabel)
        ui.placeLabel.setStyleSheet(self._looks.words(self._looks.text))
        for reason in (
            "",
            _("Poor image quality"),
            _("The structure cannot be told apart"),
            _("Not my field"),
            _("Needs a second opinion"),
        ):
            ui.skipReason.addItem(reason)
        ui.skipReason.setCurrentIndex(0)
        ui.skipReason.lineEdit().setPlaceholderText(_("reason (optional)"))

    def show(self, row: Row | None, waiting: int, project: bool) -> None:
        """Show a slice, or what to do when none is on the desk.

        Args:
            row: The slice on the desk.
            waiting: How many suggestions this person could take up.
            project: Whether a project is open.
        """
        ui = self._ui
        if row is None:
            ui.sliceLabel.setText(_("No slice on the desk"))
            ui.placeLabel.setText("")
            ui.reasonLabel.setText(_what_to_do(waiting, project))
            ui.clockLabel.setText(clock_text(0))
        else:
            ui.sliceLabel.setText(row.volume)
            ui.placeLabel.setText(place(row))
            ui.reasonLabel.setText(_sentence(row.reason) or _("Your draft of an earlier batch."))
        laid = row is not None
        for button in (ui.acceptButton, ui.emptyButton, ui.skipButton, ui.skipReason):
            button.setEnabled(laid)
        ui.pauseButton.setEnabled(laid)
        ui.nextButton.setEnabled(waiting > 0)
        self._emphasise(ui.acceptButton, laid)
        self._emphasise(ui.nextButton, not laid and waiting > 0)

    def show_clock(self, seconds: float, counting: bool) -> None:
        """Show the time on the slice; grey while it stands still."""
        self._ui.clockLabel.setText(clock_text(seconds))
        faint = self._looks.words(self._looks.faint)
        self._ui.clockLabel.setStyleSheet("" if counting else faint)

    @staticmethod
    def _emphasise(button: qt.QPushButton, primary: bool) -> None:
        """One button at a time is the one to press."""
        button.setStyleSheet(_PRIMARY if primary else "")


def _sentence(text: str) -> str:
    """With a capital, and a stop at the end."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def _what_to_do(waiting: int, project: bool) -> str:
    """What to do while no slice is on the desk."""
    if not project:
        return _("Open a project, or make a new one.")
    if waiting == 1:
        return _("One suggestion waits for you: press Next.")
    if waiting:
        return _("{count} suggestions wait for you: press Next.").format(count=waiting)
    return _("Say how many minutes you have and press Suggest.")
