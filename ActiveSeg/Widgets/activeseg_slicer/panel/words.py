"""Numbers and states in a few words for the clinician."""

from __future__ import annotations

from activeseg.keys import Plane
from activeseg_slicer.flow import Row, State
from activeseg_slicer.panel.i18n import _

__all__ = [
    "clock_text",
    "dice_text",
    "expectation",
    "place",
    "plane_word",
    "seconds_left",
    "state_word",
]


def clock_text(seconds: float) -> str:
    """Minutes and seconds, ``12:05``."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


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


def expectation(row: Row) -> str:
    """What is expected of the answer: how it is given, how long it takes, how good it starts."""
    parts = []
    if row.minutes is not None:
        text = _("about {minutes:.1f} min").format(minutes=row.minutes)
        how = {"draw": _("draw"), "correct": _("correct"), "confirm": _("confirm")}.get(row.how)
        parts.append(f"{how}: {text}" if how else text)
    if row.expected_dice is not None and not row.audit:
        text = _("expected Dice {dice:.2f}").format(dice=row.expected_dice)
        if row.dice_low is not None and row.dice_high is not None:
            text += f" ({row.dice_low:.2f}–{row.dice_high:.2f})"
        parts.append(text)
    if row.audit:
        parts.append(_("drawn by chance, shown blank"))
    return " · ".join(parts)


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
