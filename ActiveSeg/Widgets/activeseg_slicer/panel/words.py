"""Numbers and states in a few words for the clinician."""

from __future__ import annotations

from activeseg.keys import Plane
from activeseg_slicer.flow import Row, State
from activeseg_slicer.panel.i18n import _

__all__ = [
    "dice_text",
    "place",
    "plane_word",
    "seconds_left",
    "state_word",
]


def seconds_left(seconds: float | None) -> str:
    """How long it still takes; empty while not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return _("{seconds} s left").format(seconds=max(1, round(seconds)))
    return _("{minutes} min left").format(minutes=round(seconds / 60))


def dice_text(dice: float | None) -> str:
    """A Dice coefficient with two digits; a dash where there is none."""
    return "–" if dice is None else f"{dice:.2f}"


def plane_word(plane: Plane) -> str:
    """The plane in the user's language."""
    words = {
        Plane.AXIAL: _("axial"),
        Plane.CORONAL: _("coronal"),
        Plane.SAGITTAL: _("sagittal"),
    }
    return words[plane]


def place(row: Row) -> str:
    """Where the slice lies and its place in the batch; slices count from 0, as in the key."""
    where = _("{plane} · slice {index}").format(plane=plane_word(row.plane), index=row.index)
    return where + (_(" · no. {rank}").format(rank=row.rank) if row.rank else "")


def state_word(row: Row) -> str:
    """The state of a suggestion, with the name of whoever holds or answered it."""
    words = {
        State.OPEN: _("open"),
        State.CURRENT: _("now"),
        State.DRAFT: _("draft"),
        State.ACCEPTED: _("accepted"),
        State.SKIPPED: _("skipped"),
        State.TAKEN: _("with {who}").format(who=row.who),
    }
    return words[row.state]
