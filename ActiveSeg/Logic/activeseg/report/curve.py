"""The learning curve as SVG inside the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from activeseg.report.results import ARM_COLOURS, Arm, number
from activeseg.report.svg import MARKERS, PAGE, drawn_in, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["curve_svg"]


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
    from matplotlib.figure import Figure

    with drawn_in(PAGE):
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
        return svg_of(figure, prefix, _description(arms, full_dice))


def _draw_arm(axes: Axes, arm: Arm, place: int) -> None:
    """One arm's lines; several seeds stand thinly behind their mean."""
    colour = PAGE.arms[place % ARM_COLOURS]
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
    axes.axhline(full_dice, color=PAGE.muted, linewidth=1.2, linestyle=(0, (1, 2)))
    axes.annotate(
        f"whole pool annotated: {number(full_dice)}"
        + ("" if full_minutes is None else f" after {full_minutes:,.0f} minutes"),
        (0.0, full_dice),
        xytext=(4, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color=PAGE.muted,
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
