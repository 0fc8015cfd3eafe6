"""The figures of a benchmark in words and cells, for the page, the table and the terminal alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activeseg.benchmark.statistics import COMPARED
from activeseg.loop.measures import SHARES
from activeseg.report.results import number

__all__ = [
    "CLOCK_HEAD",
    "FEW_SEEDS",
    "GOAL_HEAD",
    "QUALITY_HEAD",
    "RATIO_HEAD",
    "SEEDS_HEAD",
    "arm_names",
    "caution",
    "clock_rows",
    "goal_rows",
    "headline",
    "quality_rows",
    "ratio_rows",
    "seeds_rows",
    "verdict",
]

FEW_SEEDS = 3
"""With fewer seeds an interval says little: it cannot know what other seeds would have done."""

MENTIONED = 0.05
"""From this share of the draws on it is said that a ratio is not known there."""

_SIGNS = {"": "", ">=": "≥ ", "<=": "≤ ", "?": "~ "}

_BOUNDS = {
    ">=": "The true ratio may be larger: not every minute of a goal is known.",
    "<=": "The true ratio may be smaller: not every minute of a goal is known.",
    "?": "Not every minute of a goal is known, in both directions.",
}

GOAL_HEAD = ("arm", "seeds", *(f"{goal.upper()}, minutes" for goal in SHARES))
RATIO_HEAD = (
    "arm",
    *(f"{goal.upper()} ratio" for goal in COMPARED),
    "lead in Dice",
    "win/tie/loss",
)
SEEDS_HEAD = (
    "arm",
    *(f"{goal.upper()} ratio, by seeds" for goal in COMPARED),
    "lead, by seeds",
    "from the second models on",
    "the same, by seeds",
)
CLOCK_HEAD = (
    "arm",
    *(f"{goal.upper()} ratio, {clock}" for goal in COMPARED for clock in ("slow", "fast")),
)
_QUALITY = {
    "dice_p5": ("Dice, 5th percentile", 3),
    "hd95": ("HD95, mm", 1),
    "aubc": ("area", 3),
    "slice_spearman": ("slices: Spearman", 2),
    "slice_mae": ("slices: error", 3),
    "volume_spearman": ("volumes: Spearman", 2),
    "volume_mae": ("volumes: error", 3),
    "coverage90": ("volumes: in 90 %", 2),
    "minutes_mape": ("minutes: error", 2),
}
QUALITY_HEAD = ("arm", *(title for title, _ in _QUALITY.values()))


def headline(result: Mapping[str, Any]) -> str:
    """The primary endpoint in one sentence."""
    found = result["primary"]
    reference = result["reference"]
    if found is None:
        return f"No rival has run beside {reference} yet."
    return (
        f"{found['best']} takes {_SIGNS[found['bound']]}{found['ratio']:.2f} × the minutes of "
        f"{reference} to 95 % of full Dice."
    )


def verdict(result: Mapping[str, Any]) -> str:
    """What the primary endpoint says and does not say; empty where there is none."""
    found = result["primary"]
    if found is None:
        return ""
    reference, low, high = result["reference"], found["low"], found["high"]
    several = len(found["rivals"]) > 1
    rivals = f"the best of {', '.join(found['rivals'])}" if several else found["best"]
    said = f"M95 of {rivals} against {reference}, 95 % interval {low:.2f} to {high:.2f}: "
    if found["seeds"] < FEW_SEEDS:
        said += "too few seeds to tell."
    elif low <= 1 <= high:
        said += "no difference is shown."
    elif (alone := found["by_seeds"])["low"] <= 1 <= alone["high"]:
        said += (
            f"no difference is shown, as by the {found['seeds']} seeds alone it is "
            f"{alone['low']:.2f} to {alone['high']:.2f}."
        )
    else:
        said += f"{reference} needs {'fewer' if low > 1 else 'more'} minutes."
    if found["bound"]:
        said += f" {_BOUNDS[found['bound']]}"
    return said


def caution(result: Mapping[str, Any]) -> str:
    """Why it is not to be leaned on; empty where there is no such reason."""
    found = result["primary"]
    seeds = 0 if found is None else found["seeds"]
    if result["quick"]:
        return f"A first look, not evidence: a small pool and {_seeds(seeds)}."
    if seeds < FEW_SEEDS:
        return f"A first look, not evidence: {_seeds(seeds)} so far."
    return ""


def arm_names(result: Mapping[str, Any]) -> dict[str, str]:
    """What a legend calls each arm: a mean over fewer seeds than another's says so."""
    seeds = {name: len(arm["seeds"]) for name, arm in result["arms"].items()}
    most = max(seeds.values())
    return {
        name: name if count == most else f"{name}, {count} of {most} seeds"
        for name, count in seeds.items()
    }


def goal_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Of each arm the cells of `GOAL_HEAD`."""
    return [
        [
            name,
            str(len(result["arms"][name]["seeds"])),
            *(_minutes(goals[goal], result["full_minutes"]) for goal in SHARES),
        ]
        for name, goals in result["minutes_to_goals"].items()
    ]


def ratio_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Of each arm but the reference the cells of `RATIO_HEAD`."""
    rows = []
    for name, against in result["comparisons"].items():
        rows.append(
            [
                name,
                *(_ratio(against[goal]["standard"]) for goal in COMPARED),
                _lead(against["aubc"]),
                f"{against['wins']}/{against['ties']}/{against['losses']}",
            ]
        )
    return rows


def seeds_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Of each arm but the reference the cells of `SEEDS_HEAD`."""
    rows = []
    for name, against in result["comparisons"].items():
        later = against["aubc_later"]
        rows.append(
            [
                name,
                *(_by_seeds(against[goal]["standard"], "{:.2f}") for goal in COMPARED),
                _by_seeds(against["aubc"], "{:+.3f}"),
                _lead(later),
                _by_seeds(later, "{:+.3f}"),
            ]
        )
    return rows


def clock_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Of each arm but the reference the cells of `CLOCK_HEAD`."""
    return [
        [name, *(_ratio(against[goal][clock]) for goal in COMPARED for clock in ("slow", "fast"))]
        for name, against in result["comparisons"].items()
    ]


def quality_rows(result: Mapping[str, Any]) -> list[list[str]]:
    """Of each arm the cells of `QUALITY_HEAD`, means over the seeds that say something."""
    rows = []
    for name, arm in result["arms"].items():
        cells = [name]
        for key, (_, digits) in _QUALITY.items():
            known = [seed[key] for seed in arm["seeds"] if seed[key] is not None]
            cells.append(number(sum(known) / len(known) if known else None, digits))
        rows.append(cells)
    return rows


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _minutes(found: Mapping[str, Any], full_minutes: float) -> str:
    """``23.4 (18.0 to 30.2), 1.3 %``, with the sign of the bound that it may be.

    In how many seeds the goal was reached is said where not in all.
    """
    digits = 0 if found["high"] >= 100 else 1
    minutes, low, high = (number(found[key], digits) for key in ("minutes", "low", "high"))
    said = f"{minutes} ({low} to {high}), {100 * found['minutes'] / full_minutes:.1f} %"
    never, at_once = found["reached"] < found["seeds"], found["at_once"] > 0
    sign = _SIGNS["?" if never and at_once else ">=" if never else "<=" if at_once else ""]
    seeds = f"; in {found['reached']} of {found['seeds']}" if never else ""
    return f"{sign}{said}{seeds}"


def _ratio(found: Mapping[str, Any]) -> str:
    """``≥ 1.62 (1.20 to 2.10)``, the adjusted p where there is one, how often it is a bound."""
    said = (
        f"{_SIGNS[found['bound']]}{found['ratio']:.2f} ({found['low']:.2f} to {found['high']:.2f})"
    )
    if (known := found.get("p_holm")) is not None:
        said += f", p {_p(known)}"
    if found["unknown"] >= MENTIONED:
        said += f"; {100 * found['unknown']:.0f} % unknown"
    return said


def _lead(found: Mapping[str, Any]) -> str:
    """``+0.012 (-0.001 to +0.020)``."""
    return f"{found['difference']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


def _by_seeds(found: Mapping[str, Any], digits: str) -> str:
    """``1.02 to 1.64, p 0.120``; a dash of a single seed."""
    alone = found["by_seeds"]
    if alone is None:
        return "–"
    return (
        f"{digits.format(alone['low'])} to {digits.format(alone['high'])}, p {_p(alone['p_holm'])}"
    )


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
