"""What the page shows, as plain data and short English sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from activeseg.cohort import Structure
from activeseg_slicer.flow import Estimate, Progress, Row, State

__all__ = [
    "budget_facts",
    "estimate_facts",
    "row_facts",
    "slice_facts",
    "structure_facts",
    "time_left",
]

Colour: TypeAlias = tuple[float, float, float]


def time_left(seconds: float | None) -> str:
    """How long it still takes; empty while not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"about {max(5, round(seconds / 5) * 5)} s left"
    return f"about {round(seconds / 60)} min left"


def row_facts(row: Row) -> dict[str, Any]:
    """One line of the worklist."""
    place = f"{row.plane} {row.index}"
    word = _state(row)
    spoken = [
        f"Number {row.rank}" if row.rank else "Begun earlier",
        f"{row.volume}, {place}",
        row.reason,
        word,
    ]
    return {
        "key": str(row.key),
        "rank": str(row.rank) if row.rank else "·",
        "volume": row.volume,
        "place": place,
        "minutes": "" if row.minutes is None else f"{row.minutes:.1f} min",
        "why": row.reason,
        "state": row.state.value,
        "word": word,
        "spoken": ". ".join(part for part in spoken if part),
    }


def slice_facts(row: Row | None) -> dict[str, Any] | None:
    """The slice on the desk."""
    if row is None:
        return None
    return {
        "key": str(row.key),
        "volume": row.volume,
        "plane": row.plane.value,
        "place": f"{row.plane} · slice {row.index}",
        "why": row.reason or "your draft of an earlier batch",
    }


def structure_facts(
    structures: Sequence[Structure], colours: Sequence[Colour], chosen: int
) -> list[dict[str, Any]]:
    """The structures with their colours (red, green, blue; 0 to 1) and keys, in order."""
    facts = []
    for position, (structure, colour) in enumerate(zip(structures, colours, strict=True)):
        red, green, blue = (round(255 * part) for part in colour)
        facts.append(
            {
                "value": structure.value,
                "name": structure.name,
                "colour": f"rgb({red} {green} {blue})",
                "key": str(position + 1) if position < 9 else "",
                "chosen": structure.value == chosen,
            }
        )
    return facts


def budget_facts(progress: Progress) -> dict[str, Any]:
    """Today's minutes, and how many slices are answered."""
    counts = progress.counts
    answered = counts[State.ACCEPTED] + counts[State.SKIPPED]
    total = sum(counts.values())
    budget = progress.budget_minutes
    return {
        "there": progress.round is not None,
        "text": f"{progress.minutes:.1f} of {budget:g} min",
        "slices": f"{answered} of {total} slices",
        "share": 0.0 if budget <= 0 else round(min(100.0, 100 * progress.minutes / budget), 1),
    }


def estimate_facts(estimate: Estimate) -> dict[str, Any]:
    """The estimated quality, and what going on brings."""
    if not estimate.history:
        return {"there": False, "dice": "", "interval": "", "more": ""}
    last = estimate.history[-1]
    gain = estimate.next_gain
    more = ""
    if gain is not None:
        more = f"{gain.dice:+.2f} in {gain.minutes:g} min more"
    return {
        "there": True,
        "dice": f"{last.dice:.2f}",
        "interval": f"{last.low:.2f}–{last.high:.2f}",
        "more": more,
    }


def _state(row: Row) -> str:
    words = {
        State.OPEN: "",
        State.CURRENT: "on your desk",
        State.DRAFT: "draft",
        State.ACCEPTED: "accepted",
        State.SKIPPED: "skipped",
        State.TAKEN: f"with {row.who}",
    }
    return words[row.state]
