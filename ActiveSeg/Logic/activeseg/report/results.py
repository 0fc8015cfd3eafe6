"""The numbers of a run as the page needs them: one mean curve an arm, and the outcome in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ARM_COLOURS", "Arm", "Point", "main_arm", "number", "outcome", "read_arms", "verdict"]

ARM_COLOURS = 6
"""So many arms have a colour of their own, as ``--arm-1`` and so on in the style."""

MAIN = "activeseg"
_NOT_KNOWN = "–"


@dataclass(frozen=True)
class Point:
    """Where a curve stands after one round.

    Attributes:
        round: The round's number.
        minutes: Minutes of simulated annotation so far.
        slices: Annotated slices so far.
        dice: Mean true Dice on whole test volumes; None where none was measured.
        estimated: What the model expects its Dice to be; None before it can tell.
        structures: True Dice of each structure by name.
    """

    round: int
    minutes: float
    slices: float
    dice: float | None
    estimated: float | None
    structures: Mapping[str, float | None]


@dataclass(frozen=True)
class Arm:
    """One way of choosing slices.

    Attributes:
        name: Its name.
        points: The mean over its seeds, round by round; rounds that a seed lacks are left out.
        seeds: The curve of each seed.
        measures: Mean over the seeds of each further number (``m90``, ``aubc`` ...); None where a
            seed did not reach it.
    """

    name: str
    points: tuple[Point, ...]
    seeds: tuple[tuple[Point, ...], ...]
    measures: Mapping[str, float | None]


def read_arms(result: Mapping[str, Any]) -> list[Arm]:
    """The arms of ``result.json``, the main one first, else in its order.

    Raises:
        KeyError, TypeError: If it is not the result of a run.
    """
    arms = [_arm(name, data["seeds"]) for name, data in result["arms"].items()]
    return sorted(arms, key=lambda arm: arm.name != MAIN)


def main_arm(names: Sequence[str]) -> str:
    """The arm that the page is about: ``activeseg``, else the first."""
    return MAIN if MAIN in names else names[0]


def number(value: float | None, digits: int = 2) -> str:
    """A number for people; a dash where there is none."""
    return _NOT_KNOWN if value is None else f"{value:.{digits}f}"


def outcome(arms: Sequence[Arm]) -> str:
    """Where each arm ended, in one sentence."""
    ends = [(arm.name, arm.points[-1]) for arm in arms if arm.points]
    measured = [(name, end) for name, end in ends if end.dice is not None]
    if not measured:
        return "No arm was measured on test volumes."
    minutes = {number(end.minutes, 0) for _, end in measured}
    if len(minutes) == 1:
        listed = ", ".join(f"{name} {number(end.dice)}" for name, end in measured)
        return f"After {minutes.pop()} minutes of simulated annotation: {listed}."
    listed = ", ".join(
        f"{name} {number(end.dice)} after {number(end.minutes, 1)} minutes"
        for name, end in measured
    )
    return f"Simulated annotation: {listed}."


def verdict(arms: Sequence[Arm]) -> str:
    """Who is ahead, whoever it is, and how far that can be trusted; empty for one arm."""
    ends = {
        arm.name: (arm.points[-1].minutes, arm.points[-1].dice)
        for arm in arms
        if arm.points and arm.points[-1].dice is not None
    }
    if len(ends) < 2 or arms[0].name not in ends:
        return ""
    name = arms[0].name
    minutes, dice = ends.pop(name)
    rival, (rival_minutes, rival_dice) = max(ends.items(), key=lambda each: each[1][1] or 0.0)
    # The difference of what the sentence above shows, so that the two never disagree.
    gap = round(round(dice or 0.0, 2) - round(rival_dice or 0.0, 2), 2)
    if gap > 0:
        said = f"{name} ends {gap:.2f} Dice ahead of {rival}."
    elif gap < 0:
        said = f"{name} ends {-gap:.2f} Dice behind {rival}."
    else:
        said = f"{name} and {rival} end level."
    if abs(minutes - rival_minutes) > 0.05 * max(minutes, rival_minutes):
        said += " Their minutes differ: compare the curves, not the ends."
    seeds = min(len(arm.seeds) for arm in arms)
    if seeds == 1:
        return f"{said} This is a single run; another seed can turn a small gap round."
    return f"{said} Mean of {seeds} seeds."


def _arm(name: str, seeds: Sequence[Mapping[str, Any]]) -> Arm:
    curves = tuple(tuple(_point(point) for point in seed["curve"]) for seed in seeds)
    by_round = [{point.round: point for point in curve} for curve in curves]
    shared = sorted(set.intersection(*(set(points) for points in by_round))) if by_round else []
    names = dict.fromkeys(key for seed in seeds for key in seed if key not in ("seed", "curve"))
    return Arm(
        name,
        tuple(_mean_point([points[each] for points in by_round]) for each in shared),
        curves,
        {key: _mean([seed.get(key) for seed in seeds]) for key in names},
    )


def _point(data: Mapping[str, Any]) -> Point:
    return Point(
        round=int(data["round"]),
        minutes=float(data["minutes"]),
        slices=float(data["slices"]),
        dice=data.get("dice"),
        estimated=data.get("estimated_dice"),
        structures=dict(data.get("structures") or {}),
    )


def _mean_point(points: Sequence[Point]) -> Point:
    """The mean of one round's points over the seeds."""
    names = dict.fromkeys(name for point in points for name in point.structures)
    return Point(
        round=points[0].round,
        minutes=sum(point.minutes for point in points) / len(points),
        slices=sum(point.slices for point in points) / len(points),
        dice=_mean([point.dice for point in points]),
        estimated=_mean([point.estimated for point in points]),
        structures={
            name: _mean([point.structures.get(name) for point in points]) for name in names
        },
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean; None if any is missing, for the mean of those that remain would flatter."""
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None
