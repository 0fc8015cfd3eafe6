"""The user's language."""

from __future__ import annotations

from slicer.i18n import tr

__all__ = ["_"]


def _(text: str) -> str:
    """The text in the application's language; itself where there is no translation."""
    return str(tr(text))
