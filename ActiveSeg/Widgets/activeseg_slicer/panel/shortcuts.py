"""The keys, which work wherever the focus is in the main window while the module is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import qt

from activeseg_slicer.panel.i18n import _

__all__ = ["KEYS", "Shortcuts", "help_text"]

KEYS: Mapping[str, tuple[str, ...]] = {
    "accept": ("Ctrl+Return", "Ctrl+Enter"),  # the main key and the one of the number pad
    "next": ("Ctrl+Shift+Right",),
    "back": ("Ctrl+Shift+Left",),
    "nothing_here": ("F8",),
    "skip": ("Ctrl+Shift+K",),
    "undo": ("Ctrl+Shift+U",),
    "doubt": ("Ctrl+Shift+D",),
}
"""The keys of each action, by the action's name."""


def help_text() -> str:
    """The keys as a table, in HTML."""
    lines = (
        ("Ctrl+Enter", _("Accept, go on to the next")),
        ("F8", _("Nothing here: accept as empty")),
        ("Ctrl+Shift+→", _("Next suggestion")),
        ("Ctrl+Shift+←", _("The slice before")),
        ("Ctrl+Shift+K", _("Skip, with the reason given")),
        ("Ctrl+Shift+U", _("Undo the last accept")),
        ("Ctrl+Shift+D", _("Where the model is unsure")),
        ("1–9, Space, Ctrl+Z", _("As in the Segment Editor")),
    )
    rows = "".join(
        f"<tr><td><b>{key}</b>&nbsp;&nbsp;</td><td>{what}</td></tr>" for key, what in lines
    )
    return f"<table cellspacing='3'>{rows}</table>"


class Shortcuts:
    """The keys of the panel; off until `enable`.

    Args:
        window: The window in which they work.
        actions: What each name of `KEYS` does.
    """

    def __init__(self, window: qt.QMainWindow, actions: Mapping[str, Callable[[], None]]) -> None:
        self._all = []
        for name, action in actions.items():
            for keys in KEYS[name]:
                shortcut = qt.QShortcut(window)
                shortcut.setKey(qt.QKeySequence(keys))
                shortcut.setEnabled(False)
                shortcut.activated.connect(action)
                self._all.append(shortcut)

    def enable(self, enabled: bool) -> None:
        """Switch all of them, as the module is entered or left."""
        for shortcut in self._all:
            shortcut.setEnabled(enabled)

    def close(self) -> None:
        """Take them out of the window."""
        self.enable(False)
        for shortcut in self._all:
            shortcut.deleteLater()
        self._all = []
