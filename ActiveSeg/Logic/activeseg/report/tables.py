"""The numbers as tables, arms side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from activeseg.report.results import ARM_COLOURS, Arm, Point, number

__all__ = ["measures_table", "rounds_table", "structures_table", "table"]

_ROUNDS: dict[str, Callable[[Point], str]] = {
    "minutes": lambda point: number(point.minutes, 1),
    "slices": lambda point: f"{point.slices:g}",
    "estimated Dice": lambda point: number(point.estimated, 3),
    "true Dice": lambda point: number(point.dice, 3),
}

_MEASURES = {
    "m90": ("Minutes to 90 % of full Dice", 1),
    "m95": ("Minutes to 95 % of full Dice", 1),
    "m98": ("Minutes to 98 % of full Dice", 1),
    "aubc": ("Area under the curve, log minutes", 3),
    "volume_mae": ("Error of the Dice estimate of a volume, mean", 3),
    "slice_spearman": ("Dice estimate of slices, rank correlation", 2),
    "coverage90": ("Share of volumes in the 90 % interval", 2),
    "minutes_mape": ("Error of the expected minutes, mean, share", 2),
}


def rounds_table(arms: Sequence[Arm]) -> str:
    """Minutes, slices, estimated and true Dice after each round."""
    return _by_round("Round by round", arms, _ROUNDS)


def structures_table(arms: Sequence[Arm]) -> str:
    """True Dice of each structure after each round; empty when the run did not take it down."""
    points = [point for arm in arms for point in arm.points]
    names = dict.fromkeys(name for point in points for name in point.structures)
    columns = {name: _structure(name) for name in names}
    return _by_round("True Dice of each structure", arms, columns) if columns else ""


def measures_table(arms: Sequence[Arm]) -> str:
    """The run's further numbers, one row each; empty when there is none."""
    rows = [
        f'<tr><th scope="row">{escape(title)}</th>'
        + "".join(f"<td>{number(arm.measures.get(key), digits)}</td>" for arm in arms)
        + "</tr>"
        for key, (title, digits) in _MEASURES.items()
        if any(arm.measures.get(key) is not None for arm in arms)
    ]
    if not rows:
        return ""
    names = "".join(f'<th scope="col">{escape(arm.name)}</th>' for arm in arms)
    return table("Further measures", f'<tr><th scope="col">measure</th>{names}</tr>', rows)


def _structure(name: str) -> Callable[[Point], str]:
    return lambda point: number(point.structures.get(name), 3)


def _by_round(
    title: str, arms: Sequence[Arm], columns: Mapping[str, Callable[[Point], str]]
) -> str:
    """One row a round; under each arm's name the same columns."""
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    top = '<th rowspan="2" scope="col">round</th>'
    for place, arm in enumerate(arms):
        colour = f"arm arm-{place % ARM_COLOURS + 1}"
        span = f'colspan="{len(columns)}" scope="colgroup"'
        top += f'<th class="{colour}" {span}>{escape(arm.name)}</th>'
    by_round = [{point.round: point for point in arm.points} for arm in arms]
    rows = []
    for each in sorted(set().union(*by_round)):
        found = [points.get(each) for points in by_round]
        cells = "".join(
            f"<td>{number(None) if point is None else show(point)}</td>"
            for point in found
            for show in columns.values()
        )
        rows.append(f'<tr><th scope="row">{each}</th>{cells}</tr>')
    head = f"<tr>{top}</tr><tr>{names * len(arms)}</tr>"
    groups = f'<colgroup span="{len(columns)}">' * len(arms)
    return table(title, head, rows, f"<colgroup>{groups}")


def table(title: str, head: str, rows: Sequence[str], groups: str = "") -> str:
    """A table that scrolls by itself on a narrow screen, also by keyboard.

    Args:
        title: Its caption.
        head: HTML of the head's rows.
        rows: HTML of each row.
        groups: HTML of the column groups.
    """
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(title)}"><table>'
        f"<caption>{escape(title)}</caption>{groups}<thead>{head}</thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
