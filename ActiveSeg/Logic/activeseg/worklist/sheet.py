"""The contact sheet as one page: which slices, why, and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from activeseg.keys import SliceKey
from activeseg.project.rounds import Suggestion
from activeseg.report.cards import slice_picture
from activeseg.report.document import cohort_name, document, facts_list
from activeseg.report.png import data_uri
from activeseg.worklist.choice import MORE_MINUTES, Worklist
from activeseg.worklist.pictures import DrawnSlice

__all__ = ["covered_line", "sheet_page"]


def sheet_page(worklist: Worklist, slices: Mapping[SliceKey, DrawnSlice], chart: bytes) -> str:
    """One HTML file that needs no other and no network.

    Args:
        worklist: The worklist.
        slices: The picture of each slice.
        chart: The map of the cohort, PNG.
    """
    request, count = worklist.request, len(worklist.suggestions)
    name = cohort_name(worklist.cohort.where)
    facts = {
        "Cohort": f"{name}, {len(worklist.cohort.volumes)} volumes, {len(worklist.plane)} slices",
        "Structures": ", ".join(each.name for each in worklist.cohort.structures),
        "Minutes": f"about {worklist.minutes:.1f} of {request.minutes:g}",
        "Chosen by": f"{request.strategy}, seed {request.seed}",
    }
    cards = "".join(_card(each, slices[each.key]) for each in worklist.suggestions)
    note = f'<p class="note">{escape(worklist.note)}</p>' if worklist.note else ""
    body = (
        '<section class="headline" aria-labelledby="outcome">'
        f'<h1 id="outcome">{count} {"slice" if count == 1 else "slices"} to annotate first</h1>'
        f'<p class="lead">{escape(covered_line(worklist))}</p>{facts_list(facts)}</section>'
        '<section aria-labelledby="slices"><h2 id="slices">The slices, in the order of answering'
        f'</h2>{note}<ul class="cards">{cards}</ul></section>'
        '<section aria-labelledby="map"><h2 id="map">Where they lie in the cohort</h2>'
        f'<img class="chart" src="{data_uri(chart)}" alt="Map of all slices of the cohort; the '
        f'{count} chosen ones are numbered"><p class="note">Each dot is a slice; slices that look '
        "alike are near each other. The numbers are those of the list.</p></section>"
    )
    return document(f"ActiveSeg worklist: {name}", "worklist", ("slices", "the slices"), body, _END)


def covered_line(worklist: Worklist) -> str:
    """What the choice stands for, in a sentence."""
    return (
        f"They stand for {100 * worklist.covered:.0f} % of the cohort; {MORE_MINUTES:g} more "
        f"minutes would make it {100 * worklist.covered_with_more:.0f} %."
    )


def _card(suggestion: Suggestion, drawn: DrawnSlice) -> str:
    """One slice."""
    key = suggestion.key
    name = escape(str(key))
    return (
        f'<li class="card" data-key="{name}">{slice_picture(drawn.thumbnail, key)}'
        f'<p class="key"><code>{name.replace("/", "/<wbr>")}</code></p>'
        f'<p class="plane">no. {suggestion.rank} · {key.plane} · about {suggestion.minutes:.1f} '
        f'minutes</p><p class="why">{escape(suggestion.reason)}</p></li>'
    )


_END = (
    "<footer><h2>How to read this</h2><p>No model and no label was used: slices were compared by "
    "what they look like. 100 % covered would be a cohort in which each slice has its like among "
    "the chosen, 0 % one in which the nearest chosen slice is no nearer than any other. Minutes "
    "are a guess from the size of the slices, and of the structures where it was given. Pictures "
    "are turned as radiologists look: the patient’s right is at the left of axial and coronal "
    "slices.</p></footer>"
)
