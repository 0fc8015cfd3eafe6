"""One card for each suggested slice: what it shows, what was expected, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from activeseg.keys import SliceKey
from activeseg.report.asked import Asked, AskedRound
from activeseg.report.results import number
from activeseg.report.thumbnails import Thumbnail

__all__ = ["STRUCTURE_COLOURS", "round_section", "slice_picture"]

STRUCTURE_COLOURS = 6
"""So many structures have a colour of their own, as ``--truth-1`` and so on in the style."""


def round_section(
    asked: AskedRound, thumbnails: Mapping[tuple[str, int, SliceKey], Thumbnail], level: int
) -> str:
    """A round with its cards.

    Args:
        asked: The round.
        thumbnails: The picture of each card, by `Asked.where`.
        level: Of its heading, 2 to 6.
    """
    batch = asked.batch
    count = len(batch.suggestions)
    minutes = sum(suggestion.minutes for suggestion in batch.suggestions)
    facts = [
        f"{count} {'slice' if count == 1 else 'slices'}",
        f"{minutes:.1f} of {batch.budget_minutes:g} minutes expected",
        f"chosen by {escape(batch.strategy)}",
    ]
    if asked.estimate is not None:
        facts.append(f"estimated Dice of the pool {number(asked.estimate)}")
    notes = ""
    if not any(thumbnails[each.where].proposed for each in asked.shown):
        notes += (
            '<p class="note">No model yet: every slice was shown blank, without proposal or '
            "uncertainty.</p>"
        )
    cards = "".join(_card(each, thumbnails[each.where]) for each in asked.shown)
    if asked.left_out:
        notes += f'<p class="note">{asked.left_out} more of this round are not shown here.</p>'
    return (
        f'<section class="round"><h{level}>Round {batch.round}</h{level}>'
        f'<p class="facts">{" · ".join(facts)}</p>{notes}'
        f'<ul class="cards">{cards}</ul></section>'
    )


def _card(asked: Asked, thumbnail: Thumbnail) -> str:
    """One slice."""
    suggestion = asked.suggestion
    key = suggestion.key
    name = escape(str(key))
    blank = "" if thumbnail.proposed else ' <span class="badge">blank</span>'
    if suggestion.audit:  # its proposal was held back; the card shows it beside the answer
        blank = ' <span class="badge">audit, shown blank</span>'
    return (
        f'<li class="card" data-key="{name}">{slice_picture(thumbnail, key)}'
        f'<p class="key"><code>{name.replace("/", "/<wbr>")}</code></p>'
        f'<p class="plane">no. {suggestion.rank} · {key.plane}{blank}</p>'
        f'{_numbers(asked, thumbnail.proposed)}<p class="why">{escape(suggestion.reason)}</p></li>'
    )


def slice_picture(thumbnail: Thumbnail, key: SliceKey) -> str:
    """The slice, the uncertainty and the outlines, one over the other."""
    said = f"; {_described(thumbnail)}" if thumbnail.outlines or thumbnail.proposed else ""
    alt = escape(f"{key.plane} slice {key.index} of {key.volume}{said}")
    size = f'width="{thumbnail.width}" height="{thumbnail.height}"'
    layers = f'<img src="{thumbnail.grey}" {size} alt="{alt}">'
    if thumbnail.entropy is not None:
        layers += f'<img class="entropy" src="{thumbnail.entropy}" {size} alt="">'
    paths = "".join(
        f'<path class="{each.kind} s{each.order % STRUCTURE_COLOURS + 1}" d="{each.path}">'
        f"<title>{escape(each.structure)}, {each.kind}</title></path>"
        for each in thumbnail.outlines
    )
    return (
        f'<div class="frame"><div class="picture" style="--aspect: {thumbnail.aspect:.4f}">'
        f'{layers}<svg viewBox="0 0 {thumbnail.width} {thumbnail.height}" '
        f'preserveAspectRatio="none" aria-hidden="true">{paths}</svg></div></div>'
    )


def _described(thumbnail: Thumbnail) -> str:
    """Which structures are outlined, in words."""
    parts = []
    for kind in ("truth", "proposal"):
        names = [each.structure for each in thumbnail.outlines if each.kind == kind]
        parts.append(f"{kind}: {', '.join(names) or 'nothing'}")
    return "; ".join(parts)


def _numbers(asked: Asked, proposed: bool) -> str:
    """Expected and actual minutes and Dice, and each structure’s Dice where there are several."""
    suggestion, answer = asked.suggestion, asked.answer
    seconds = answer.seconds if answer is not None else 0.0
    found = _shown_dice(asked)
    known = {name: value for name, value in found.items() if value is not None}
    # 0 seconds is what a project keeps where nobody measured.
    minutes = number(seconds / 60 if seconds > 0 else None)
    dice = number(sum(known.values()) / len(known) if known else None)
    rows = _row("Minutes", number(suggestion.minutes), minutes)
    if proposed:
        rows += _row("Dice", number(suggestion.expected_dice), dice)
    table = (
        '<table class="pairs"><thead><tr><td></td><th scope="col">expected</th>'
        f'<th scope="col">actual</th></tr></thead><tbody>{rows}</tbody></table>'
    )
    if answer is None:
        return table + '<p class="each">not answered</p>'
    if found and not known:
        return table + '<p class="each">nothing there, nothing proposed</p>'
    if len(known) > 1:
        parts = " · ".join(f"{escape(name)} {number(value)}" for name, value in known.items())
        return f'{table}<p class="each">{parts}</p>'
    return table


def _row(name: str, expected: str, actual: str) -> str:
    return f'<tr><th scope="row">{name}</th><td>{expected}</td><td>{actual}</td></tr>'


def _shown_dice(asked: Asked) -> Mapping[str, float | None]:
    """Dice of the proposal against the answer, by structure; empty where nothing was shown."""
    shown = asked.answer.shown if asked.answer is not None else None
    return (shown.get("dice") or {}) if shown is not None else {}
