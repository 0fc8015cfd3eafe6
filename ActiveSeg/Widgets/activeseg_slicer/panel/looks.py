"""Colours for a light and a dark application; reading rooms are dark."""

from __future__ import annotations

from dataclasses import dataclass

import qt

__all__ = ["Looks", "looks_of"]


@dataclass(frozen=True)
class Looks:
    """Colours as ``#rrggbb``.

    Attributes:
        paper: Behind a plot.
        grid: Its lines.
        text: Its numbers, and words that are not meant to be read first.
        faint: What stands still.
        wrong: What needs the user's attention.
        line: The curve of a plot, and the button to press.
        band: Its interval.
    """

    paper: str
    grid: str
    text: str
    faint: str
    wrong: str
    line: str
    band: str

    def words(self, colour: str) -> str:
        """The style sheet of a label in one of the colours."""
        return f"color: {colour};"


_LIGHT = Looks("#ffffff", "#e4e4e4", "#6e6e6e", "#999999", "#b5500b", "#2f6fb0", "#cddef0")
_DARK = Looks("#262626", "#3f3f3f", "#a8a8a8", "#808080", "#f0a35e", "#5a9bdc", "#2f4762")


def looks_of(widget: qt.QWidget) -> Looks:
    """The colours that can be read on a widget."""
    window = widget.property("palette").color(qt.QPalette.Window)
    return _DARK if window.lightness() < 128 else _LIGHT
