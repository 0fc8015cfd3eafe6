"""The drawings of a benchmark, for the page and as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from activeseg.benchmark.arms import REFERENCE
from activeseg.benchmark.collect import Ended
from activeseg.benchmark.wording import arm_names
from activeseg.files import write_atomic
from activeseg.loop.answers import PARTS
from activeseg.report.svg import LIGHT, MARKERS, PAGE, Palette, drawn_in, svg_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["BANDS", "calibration_svg", "curves_svg", "parts_svg", "write_picture"]

PICTURE_DPI = 160
BANDS = 3
"""So many arms are drawn with their intervals."""

LOWEST_SHARE = 0.5
"""Of the full Dice: where the axis of the curves begins at the lowest."""

LEVELS = ((1.0, "whole pool", "bottom"), (0.95, "95 % of it", "top"))
"""Shares of the full Dice that are marked, their names, and where these stand at the line."""

BINS = 8
"""Expected values are grouped in so many groups of equal size."""

_PART_NAMES = {
    "overhead": "looking and accepting",
    "opening": "opening a volume",
    "draw": "drawing",
    "correct": "correcting",
    "empty": "slices with nothing on them",
}


def curves_svg(result: Mapping[str, Any], narrow: bool, prefix: str) -> str:
    """Mean Dice against log minutes, one line an arm.

    Args:
        result: What ``result.json`` holds.
        narrow: Whether it is for a narrow screen: text keeps its size, so that wants a small
            drawing.
        prefix: Begins every id in it.
    """
    from matplotlib.figure import Figure

    with drawn_in(PAGE):
        figure = Figure(figsize=(4.4, 4.2) if narrow else (11.2, 4.8), layout="constrained")
        _draw_curves(figure.subplots(), result, PAGE)
        return svg_of(figure, prefix, _described(result))


def write_picture(file: Path, result: Mapping[str, Any]) -> None:
    """The same as a PNG with a legend of its own, on white."""
    from matplotlib.figure import Figure

    with drawn_in(LIGHT):
        figure = Figure(figsize=(7.4, 4.6), layout="constrained", facecolor="white")
        axes = figure.subplots()
        _draw_curves(axes, result, LIGHT)
        axes.legend(loc="best", frameon=False, handlelength=2.6)
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=PICTURE_DPI, metadata={"Software": None})
    write_atomic(file, data.getvalue())


def calibration_svg(ended: Ended, order: Sequence[str], narrow: bool, prefix: str) -> str:
    """Expected against true: Dice of slices, Dice of volumes, minutes of answers.

    Args:
        ended: Single answers and volumes.
        order: The arms, in the order of their colours.
        narrow: As in `curves_svg`.
        prefix: Begins every id in it.
    """
    from matplotlib.figure import Figure

    with drawn_in(PAGE):
        figure = Figure(figsize=(4.4, 11.4) if narrow else (11.2, 3.9), layout="constrained")
        drawn = figure.subplots(3, 1) if narrow else figure.subplots(1, 3)
        panels = dict(zip(("slices", "volumes", "minutes"), drawn, strict=True))
        for name, axes in panels.items():
            for place, arm in enumerate(order):
                _draw_groups(axes, *_pairs(ended, arm, name), place, PAGE)
            _dress_calibration(axes, name, PAGE)
        said = "Expected against true values in groups: slices' Dice, volumes' Dice, minutes."
        return svg_of(figure, prefix, said)


def parts_svg(result: Mapping[str, Any], narrow: bool, prefix: str) -> str:
    """Where the minutes of each arm went, as shares; one bar an arm. As `curves_svg`."""
    from matplotlib.figure import Figure

    shares = {name: _shares(arm["seeds"]) for name, arm in result["arms"].items()}
    with drawn_in(PAGE):
        height = (1.6 if narrow else 0.9) + 0.42 * len(shares)
        figure = Figure(figsize=(4.4 if narrow else 11.2, height), layout="constrained")
        _draw_parts(figure, shares, 2 if narrow else len(PARTS), PAGE)
        said = "; ".join(
            f"{name}: " + ", ".join(f"{_PART_NAMES[p]} {100 * s:.0f} %" for p, s in each.items())
            for name, each in shares.items()
        )
        return svg_of(figure, prefix, f"Where the minutes went. {said}.")


def _colour(palette: Palette, place: int) -> str:
    """The first arms have a colour each, the others share a quiet one."""
    return palette.arms[place] if place < len(palette.arms) else palette.muted


def _draw_curves(axes: Axes, result: Mapping[str, Any], palette: Palette) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    curves, full = result["mean_curves"], result["full_dice"]
    names = arm_names(result)
    for place, (name, points) in enumerate(curves.items()):
        line = _draw_arm(axes, points, place, name == REFERENCE, palette)
        line.set_label(names[name])
    _draw_levels(axes, full, palette)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Minutes of simulated annotation (log axis)")
    axes.set_ylabel("Mean Dice on test volumes")
    # What matters happens near the full Dice; an arm that starts far below comes in from there.
    # Both levels are within it in any case, as their names stand beside them.
    lowest = min(p["low"] for points in curves.values() for p in points)
    low = min(max(lowest, LOWEST_SHARE * full), LEVELS[-1][0] * full)
    high = max(full, *(p["high"] for points in curves.values() for p in points))
    axes.set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))
    _quiet(axes)


def _draw_arm(
    axes: Axes, points: Sequence[Mapping[str, float]], place: int, main: bool, palette: Palette
) -> Line2D:
    """One line; the first arms with their intervals, which would hide each other if all had one."""
    minutes, dice, low, high = (
        np.array([point[key] for point in points]) for key in ("minutes", "dice", "low", "high")
    )
    colour = _colour(palette, place)
    if place < BANDS:
        axes.fill_between(minutes, low, high, color=colour, alpha=0.12, linewidth=0)
    (line,) = axes.plot(
        minutes,
        dice,
        color=colour,
        linewidth=2.6 if main else 1.5,
        marker=MARKERS[place % len(MARKERS)],
        markersize=6 if main else 4.5,
        zorder=3 if main else 2,
    )
    return line


def _draw_levels(axes: Axes, full: float, palette: Palette) -> None:
    """What the whole pool gives, and 95 % of it; their names stand beside, away from the lines."""
    for share, said, side in LEVELS:
        axes.axhline(share * full, color=palette.muted, linewidth=1.0, linestyle=(0, (1, 2)))
        axes.annotate(
            f"{said}\n{share * full:.3f}",
            (1.0, share * full),
            xytext=(4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va=side,
            color=palette.muted,
            fontsize=9,
        )


def _quiet(axes: Axes) -> None:
    """Grid behind, no frame, no ticks."""
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _described(result: Mapping[str, Any]) -> str:
    parts = ["Mean Dice on test volumes against minutes."]
    for name, points in result["mean_curves"].items():
        listed = ", ".join(f"{p['dice']:.3f} at {p['minutes']:.0f} minutes" for p in points)
        parts.append(f"{name}: {listed}.")
    parts.append(f"Whole pool annotated: {result['full_dice']:.3f}.")
    return " ".join(parts)


def _pairs(ended: Ended, arm: str, what: str) -> tuple[list[float], list[float]]:
    """Expected and true values of all seeds of an arm."""
    expected: list[float] = []
    true: list[float] = []
    for run in ended.arms[arm].values():
        if what == "volumes":
            expected += [each["estimate"] for each in run.record["volumes"]]
            true += [each["true"] for each in run.record["volumes"]]
        elif what == "minutes":
            expected += [each.expected_minutes for each in run.answered]
            true += [each.seconds["standard"] / 60 for each in run.answered]
        else:
            known = [
                (each.expected_dice, each.dice)
                for each in run.answered
                if each.expected_dice is not None and each.dice is not None
            ]
            expected += [pair[0] for pair in known]
            true += [pair[1] for pair in known]
    return expected, true


def _draw_groups(
    axes: Axes, expected: Sequence[float], true: Sequence[float], place: int, palette: Palette
) -> None:
    """Means of groups of equal size, from the lowest expected value to the highest."""
    if len(expected) < BINS:
        return
    order = np.argsort(expected, kind="stable")
    groups = np.array_split(order, BINS)
    x = [float(np.mean(np.array(expected)[group])) for group in groups]
    y = [float(np.mean(np.array(true)[group])) for group in groups]
    axes.plot(
        x,
        y,
        color=_colour(palette, place),
        linewidth=2.2 if place == 0 else 1.2,
        marker=MARKERS[place % len(MARKERS)],
        markersize=5 if place == 0 else 3.5,
    )


def _dress_calibration(axes: Axes, name: str, palette: Palette) -> None:
    titles = {
        "slices": ("Dice of slices", "expected", "true"),
        "volumes": ("Dice of volumes at the end", "expected", "true"),
        "minutes": ("Minutes of an answer", "expected", "taken"),
    }
    title, below, beside = titles[name]
    if name == "minutes":
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([low, high], [low, high], color=palette.muted, linewidth=1, linestyle=(0, (1, 2)))
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=10, loc="left", color=palette.ink)
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
    _quiet(axes)


def _shares(seeds: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Share of all minutes of an arm's seeds by what they went into."""
    spent = {part: sum(seed["curve"][-1]["parts"][part] for seed in seeds) for part in PARTS}
    whole = sum(spent.values())
    return {part: minutes / whole for part, minutes in spent.items()}


def _draw_parts(
    figure: Figure, shares: Mapping[str, Mapping[str, float]], columns: int, palette: Palette
) -> None:
    """The bars, with a legend of so many columns above them."""
    axes = figure.subplots()
    # Work on contours in colour, strong and light; what surrounds it in greys.
    looks = {
        "draw": (palette.arms[0], 1.0),
        "correct": (palette.arms[0], 0.5),
        "overhead": (palette.muted, 0.75),
        "opening": (palette.muted, 0.45),
        "empty": (palette.muted, 0.2),
    }
    names = list(shares)
    left = np.zeros(len(names))
    for part, (colour, alpha) in looks.items():
        widths = np.array([100 * shares[name][part] for name in names])
        axes.barh(
            range(len(names)),
            widths,
            left=left,
            height=0.62,
            color=colour,
            alpha=alpha,
            label=_PART_NAMES[part],
        )
        left += widths
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the minutes, %")
    figure.legend(loc="outside upper left", ncols=columns, frameon=False, fontsize=9)
    axes.tick_params(which="both", length=0)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
