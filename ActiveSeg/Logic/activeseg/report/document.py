"""The frame of a page: one HTML file with style and script inside it, which loads nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from activeseg.report.results import ARM_COLOURS
from activeseg.report.svg import MARKERS

__all__ = ["cohort_name", "document", "facts_list", "legend_key"]

_SHAPES = {
    "o": '<circle cx="14" cy="6" r="4"/>',
    "s": '<path d="M10 2h8v8h-8z"/>',
    "^": '<path d="M14 1l5 9H9z"/>',
    "D": '<path d="M14 1l5 5-5 5-5-5z"/>',
    "v": '<path d="M14 11l5-9H9z"/>',
    "P": '<path d="M12 1h4v3h3v4h-3v3h-4V8H9V4h3z"/>',
}


def document(title: str, tagline: str, skip: tuple[str, str], body: str, footer: str) -> str:
    """A whole page.

    Args:
        title: What the window is called.
        tagline: What the page is, beside the name.
        skip: Id of the part that a keyboard may skip to, and its name.
        body: HTML of the main part.
        footer: HTML after it.
    """
    target, name = skip
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{_asset('style.css')}</style></head>"
        f'<body><a class="skip" href="#{target}">Skip to {escape(name)}</a>'
        f'<header class="bar"><p class="brand">ActiveSeg <span>{escape(tagline)}</span></p>'
        '<button type="button" id="theme" aria-pressed="false">Dark</button></header>'
        f"<main>{body}</main>{footer}<script>{_asset('page.js')}</script></body></html>\n"
    )


def _asset(name: str) -> str:
    """A file beside this one."""
    return files("activeseg.report").joinpath(name).read_text(encoding="utf-8")


def cohort_name(cohort: str) -> str:
    """The cohort's folder, without those above it, which are nobody's business on another desk."""
    return re.split(r"[/\\]", cohort.rstrip("/\\"))[-1]


def facts_list(facts: Mapping[str, str]) -> str:
    """What was run, as a list of names and values; what is empty is left out."""
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    return f'<dl class="run">{listed}</dl>'


def legend_key(place: int, name: str) -> str:
    """One entry of a legend.

    Args:
        place: Place of the arm, which gives colour and marker; the later ones share a quiet one.
        name: What stands beside it.
    """
    colour = f" arm-{place + 1}" if place < ARM_COLOURS else ""
    return (
        f'<li><svg class="key{colour}" viewBox="0 0 28 12" aria-hidden="true">'
        f'<path class="line" d="M0 6H28"/>{_SHAPES[MARKERS[place % len(MARKERS)]]}</svg>'
        f"{escape(name)}</li>"
    )
