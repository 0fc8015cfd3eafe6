"""The learning curve as SVG inside the page: text stays text, colours follow the page's theme."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from activeseg.report.results import ARM_COLOURS, Arm, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MARKERS", "curve_svg"]

# Stand-ins that matplotlib takes for colours; the page's variables take their places.
_INK, _MUTED, _GRID = "#fe0001", "#fe0002", "#fe0003"
MARKERS = ("o", "s", "^", "D", "v", "P")
_VARIABLES = {_INK: "var(--ink)", _MUTED: "var(--muted)", _GRID: "var(--line)"} | {
    f"#fe01{n:02x}": f"var(--arm-{n})" for n in range(1, ARM_COLOURS + 1)
}

_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "activeseg",  # the same run gives the same page
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "axes.edgecolor": _GRID,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
}


def curve_svg(
    arms: Sequence[Arm],
    full_dice: float | None,
    full_minutes: float | None,
    inches: tuple[float, float],
    prefix: str,
) -> str:
    """Mean true Dice against minutes, one line an arm; the estimate is dashed.

    Args:
        arms: The arms, in the order of their colours.
        full_dice: Dice of the same training on the whole annotated pool, drawn as a level.
        full_minutes: Minutes of annotating that pool.
        inches: Width and height; text keeps its size, so a narrow screen wants a small drawing.
        prefix: Begins every id, so that two drawings can stand in one page.

    Returns:
        One ``<svg>`` element without outside references.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_SETTINGS):  # type: ignore[arg-type]  # a literal of its keys
        figure = Figure(figsize=inches, layout="constrained")
        axes = figure.subplots()
        for place, arm in enumerate(arms):
            _draw_arm(axes, arm, place)
        if full_dice is not None:
            _draw_level(axes, full_dice, full_minutes)
        axes.set_xlabel("Minutes of simulated annotation")
        axes.set_ylabel("Mean Dice on test volumes")
        axes.set_xlim(left=0)
        axes.margins(y=0.12)
        axes.grid(axis="y")
        axes.tick_params(length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)
        text = io.StringIO()
        none = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=none)
    return _inline(text.getvalue(), prefix, _description(arms, full_dice))


def _draw_arm(axes: Axes, arm: Arm, place: int) -> None:
    """One arm's lines; several seeds stand thinly behind their mean."""
    colour = f"#fe01{place % ARM_COLOURS + 1:02x}"
    if len(arm.seeds) > 1:
        for seed in arm.seeds:
            known = [(point.minutes, point.dice) for point in seed if point.dice is not None]
            axes.plot(*_columns(known), color=colour, linewidth=0.8, alpha=0.35)
    estimated = [(p.minutes, p.estimated) for p in arm.points if p.estimated is not None]
    axes.plot(*_columns(estimated), color=colour, linewidth=1.4, linestyle=(0, (4, 3)), alpha=0.8)
    true = [(p.minutes, p.dice) for p in arm.points if p.dice is not None]
    marker = MARKERS[place % len(MARKERS)]
    axes.plot(*_columns(true), color=colour, linewidth=2.2, marker=marker, markersize=6)


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def _draw_level(axes: Axes, full_dice: float, full_minutes: float | None) -> None:
    """What annotating everything would give."""
    axes.axhline(full_dice, color=_MUTED, linewidth=1.2, linestyle=(0, (1, 2)))
    axes.annotate(
        f"whole pool annotated: {number(full_dice)}"
        + ("" if full_minutes is None else f" after {full_minutes:,.0f} minutes"),
        (0.0, full_dice),
        xytext=(4, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color=_MUTED,
        fontsize=9,
    )


def _description(arms: Sequence[Arm], full_dice: float | None) -> str:
    """What the drawing shows, for those who do not see it."""
    parts = ["Mean Dice on test volumes against minutes."]
    for arm in arms:
        points = ", ".join(
            f"{number(p.dice)} at {number(p.minutes, 0)} minutes" for p in arm.points
        )
        parts.append(f"{arm.name}: {points}.")
    if full_dice is not None:
        parts.append(f"Whole pool annotated: {number(full_dice)}.")
    return " ".join(parts)


def _inline(svg: str, prefix: str, description: str) -> str:
    """Turn a drawing of matplotlib into a part of the page."""
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
