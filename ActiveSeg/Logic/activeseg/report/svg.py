"""Drawings as SVG inside a page: text stays text, colours follow the page's theme."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from activeseg.report.results import ARM_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LIGHT", "MARKERS", "PAGE", "Palette", "drawn_in", "svg_of"]

MARKERS = ("o", "s", "^", "D", "v", "P")
"""The marker of each arm, in the order of the colours."""


@dataclass(frozen=True)
class Palette:
    """The colours of a drawing.

    Attributes:
        ink: Text and what matters most.
        muted: Labels, levels and arms without a colour of their own.
        line: Axes and grid.
        arms: One for each arm.
    """

    ink: str
    muted: str
    line: str
    arms: tuple[str, ...]


# Stand-ins that matplotlib takes for colours; the page's variables take their places.
PAGE = Palette(
    "#fe0001", "#fe0002", "#fe0003", tuple(f"#fe01{n:02x}" for n in range(1, ARM_COLOURS + 1))
)
"""For `svg_of`."""

LIGHT = Palette(
    "#1d2126",
    "#5c6570",
    "#dcdad5",
    ("#0b7285", "#b4531a", "#6a4fb3", "#2f7d32", "#b02a63", "#5f5b2e"),
)
"""For pictures: the page's own colours (``style.css``) in its light theme."""

_VARIABLES = {
    PAGE.ink: "var(--ink)",
    PAGE.muted: "var(--muted)",
    PAGE.line: "var(--line)",
    **{stand_in: f"var(--arm-{n})" for n, stand_in in enumerate(PAGE.arms, start=1)},
}


@contextmanager
def drawn_in(palette: Palette) -> Iterator[None]:
    """Figures that are made and saved in the block have these colours and the page's habits."""
    from matplotlib import rc_context

    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "activeseg",  # the same run gives the same page
        "font.size": 10,
        "text.color": palette.ink,
        "axes.labelcolor": palette.muted,
        "axes.edgecolor": palette.line,
        "xtick.color": palette.line,
        "ytick.color": palette.line,
        "xtick.labelcolor": palette.muted,
        "ytick.labelcolor": palette.muted,
        "grid.color": palette.line,
        "grid.linewidth": 0.8,
    }
    with rc_context(settings):  # type: ignore[arg-type]  # a literal of its keys
        yield


def svg_of(figure: Figure, prefix: str, description: str) -> str:
    """A drawing in the colours of `PAGE` as a part of the page.

    Call it in the block of `drawn_in` that made it.

    Args:
        figure: The drawing.
        prefix: Begins every id, so that several drawings can stand in one page.
        description: What it shows, for those who do not see it.

    Returns:
        One ``<svg>`` element without outside references.
    """
    text = io.StringIO()
    none = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(text, format="svg", transparent=True, metadata=none)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = svg.replace("url(#", f"url(#{prefix}-").replace('href="#', f'href="#{prefix}-')
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    # The page's own type, at the size the drawing gives it.
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    label = f'<svg role="img" aria-label="{escape(description)}"'
    return re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL).replace("<svg", label, 1).strip()
