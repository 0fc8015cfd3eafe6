"""The arms against the reference: ratios of minutes, intervals, p values, wins.

A ratio is a rival's minutes over the reference's, the geometric mean over the seeds: above 1 the
reference needs fewer. Whoever does not reach the goal counts with the last minutes, a lower bound
of what it would have needed, and whoever reaches it with the first batch with that batch's, an
upper bound; never in the reference's favour (`_log_ratio`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.benchmark.bootstrap import holm, interval, p_value
from activeseg.benchmark.by_seeds import by_seeds
from activeseg.benchmark.curves import CLOCKS, Reached
from activeseg.benchmark.resampling import Resampled
from activeseg.loop.measures import SHARES

__all__ = ["COMPARED", "LEADS", "TIE", "compare_all", "mean_curves", "minutes_to_goals", "primary"]

Floats: TypeAlias = npt.NDArray[np.float64]

COMPARED = ("m95", "m98")
"""The goals whose minutes are compared; the first is the primary one."""

LEADS = {"aubc": 0, "aubc_later": 1}
"""Leads in mean Dice, and from which point of both curves on.

A first batch is chosen before any model, and arms that take another's may differ there by more than
all later ones make of it.
"""

TIE = 0.005
"""Two curves of one seed whose mean Dice differ by no more than this are level."""


def mean_curves(field: Resampled) -> dict[str, list[dict[str, float]]]:
    """Of each arm one point a round: geometric mean minutes, mean Dice with its interval."""
    found: dict[str, list[dict[str, float]]] = {}
    for name in field.names:
        seeds = field.seeds(name)
        points = min(len(field.minutes(name, seed)) for seed in seeds)
        found[name] = []
        for point in range(points):
            dice = np.stack([field.dice(name, seed)[:, point] for seed in seeds])
            minutes = np.mean([np.log(field.minutes(name, seed)[point]) for seed in seeds])
            spread = interval(field.bootstrap.over_seeds(dice)).to_json("dice")
            found[name].append({"minutes": float(np.exp(minutes)), **spread})
    return found


def minutes_to_goals(field: Resampled) -> dict[str, dict[str, Any]]:
    """Of each arm and goal the geometric mean of the standard minutes over the seeds.

    Of the `seeds`, `reached` is how many reached it (else the minutes are a lower bound) and
    `at_once` how many with the first batch (the minutes are an upper bound).
    """
    found: dict[str, dict[str, Any]] = {}
    for name in field.names:
        seeds = field.seeds(name)
        found[name] = {}
        for goal, share in SHARES.items():
            to_goal = field.to_goal(name, seeds, share)
            spread = interval(np.exp(field.bootstrap.over_seeds(np.log(to_goal.minutes))))
            found[name][goal] = {
                **spread.to_json("minutes"),
                "reached": int(to_goal.reached[:, 0].sum()),
                "at_once": int(to_goal.at_once[:, 0].sum()),
                "seeds": len(seeds),
            }
    return found


def compare_all(field: Resampled, reference: str) -> dict[str, Any]:
    """Each arm against the reference on the seeds that both have.

    Of each arm: `seeds`; `m95` and `m98`, of each time model the `ratio` with interval, its
    `bound` (`_bound`), `p` and `unknown`, the share of draws and seeds in which it is a bound;
    `aubc`, the reference's lead in mean Dice over log minutes, with interval and `p`, and
    `aubc_later`, the same from the second models on; `wins`, `ties` and `losses` of the reference.
    Everywhere `by_seeds` is what the seeds alone say (`activeseg.benchmark.by_seeds`). `p_holm` is
    `p` adjusted over the arms, for the standard time model.
    """
    if reference not in field.names:
        return {}

    @cache
    def ours(seeds: tuple[int, ...], goal: str, clock: str) -> Reached:
        return field.to_goal(reference, seeds, SHARES[goal], clock)

    found = {
        name: _compare(field, name, reference, ours)
        for name in field.names
        if name != reference and field.seeds(name, reference)
    }
    for goal in COMPARED:
        _adjust([each[goal]["standard"] for each in found.values()])
    for lead in LEADS:
        _adjust([each[lead] for each in found.values()])
    return found


def primary(field: Resampled, reference: str, rivals: Sequence[str]) -> dict[str, Any] | None:
    """The primary endpoint: M95 of the best rival over the reference's.

    In each draw the best of the rivals counts, so that choosing it is part of the interval.

    Returns:
        `goal`, `rivals`, the `best` of them as observed, its `ratio` with interval, `bound`, `p`
        and `by_seeds` (of the best as observed), and the `seeds` that all have; None where the
        reference or all rivals are missing.
    """
    there = [name for name in rivals if name in field.names]
    if reference not in field.names or not there:
        return None
    seeds = field.seeds(reference, *there)
    if not seeds:
        return None
    goal = COMPARED[0]
    ours = field.to_goal(reference, seeds, SHARES[goal])
    theirs = {name: field.to_goal(name, seeds, SHARES[goal]) for name in there}
    logs = np.stack([_mean_log(field, each, ours) for each in theirs.values()])
    best = there[int(logs[:, 0].argmin())]
    least = logs.min(axis=0)
    return {
        "goal": goal,
        "rivals": there,
        "best": best,
        **interval(np.exp(least)).to_json("ratio"),
        "bound": _bound(theirs[best], ours),
        "p": _p(least, len(seeds)),
        "by_seeds": by_seeds(_log_ratio(theirs[best], ours)[:, 0], math.exp),
        "seeds": len(seeds),
    }


def _compare(
    field: Resampled,
    name: str,
    reference: str,
    reference_to: Callable[[tuple[int, ...], str, str], Reached],
) -> dict[str, Any]:
    """One arm; `reference_to` gives the reference's minutes for seeds, goal and time model."""
    seeds = field.seeds(name, reference)
    found: dict[str, Any] = {"seeds": len(seeds)}
    for goal in COMPARED:
        found[goal] = {}
        for clock in CLOCKS:
            theirs = field.to_goal(name, seeds, SHARES[goal], clock)
            ours = reference_to(seeds, goal, clock)
            each = _log_ratio(theirs, ours)
            logs = field.bootstrap.over_seeds(each)
            found[goal][clock] = {
                **interval(np.exp(logs)).to_json("ratio"),
                "bound": _bound(theirs, ours),
                "unknown": _unknown(theirs, ours),
                "p": _p(logs, len(seeds)),
                "by_seeds": by_seeds(each[:, 0], math.exp),
            }
    leads_of = {lead: field.lead(reference, name, seeds, first) for lead, first in LEADS.items()}
    for lead, leads in leads_of.items():
        over = field.bootstrap.over_seeds(leads)
        found[lead] = {
            **interval(over).to_json("difference"),
            "p": _p(over, len(seeds)),
            "by_seeds": by_seeds(leads[:, 0]),
        }
    observed = leads_of["aubc"][:, 0]
    found["wins"] = int((observed > TIE).sum())
    found["losses"] = int((observed < -TIE).sum())
    found["ties"] = len(seeds) - found["wins"] - found["losses"]
    return found


def _p(differences: Floats, seeds: int) -> float | None:
    """`p_value`; None for a single seed, which cannot know what another would have done."""
    return p_value(differences) if seeds > 1 else None


def _mean_log(field: Resampled, theirs: Reached, ours: Reached) -> Floats:
    """`[1 + draws]` log of the geometric mean ratio over the drawn seeds."""
    return field.bootstrap.over_seeds(_log_ratio(theirs, ours))


def _log_ratio(theirs: Reached, ours: Reached) -> Floats:
    """`[seeds, 1 + draws]` log of a rival's minutes over the reference's.

    Where the rival does not reach the goal, or the reference does with its first batch already,
    this is a lower bound. In the opposite cases it would be an upper bound, which could only
    flatter: it counts as a tie at the most. Where neither reaches it, or both at once, nothing
    is known, and it counts as a tie.
    """
    ratio = np.log(theirs.minutes) - np.log(ours.minutes)
    flattering = ~ours.reached | theirs.at_once
    ratio = np.where(flattering, np.minimum(ratio, 0.0), ratio)
    unknown = (~ours.reached & ~theirs.reached) | (ours.at_once & theirs.at_once)
    return np.where(unknown, 0.0, ratio)


def _bound(theirs: Reached, ours: Reached) -> str:
    """What the observed ratio is: '' exact, '>=' at least so much, '<=' at most, '?' unknown.

    Minutes are too few where a goal was not reached, and too many where the first batch had
    reached it already.
    """
    few, many = (~theirs.reached)[:, 0], theirs.at_once[:, 0]
    our_few, our_many = (~ours.reached)[:, 0], ours.at_once[:, 0]
    lower, upper = few | our_many, many | our_few
    if (lower & upper).any() or (lower.any() and upper.any()):
        return "?"
    return ">=" if lower.any() else "<=" if upper.any() else ""


def _unknown(theirs: Reached, ours: Reached) -> float:
    """The share of the draws and seeds in which the ratio is a bound or counts as a tie."""
    missed = ~theirs.reached | ~ours.reached | theirs.at_once | ours.at_once
    return float(missed[:, 1:].mean())


def _adjust(compared: Sequence[dict[str, Any]]) -> None:
    """Add `p_holm` to comparisons that are made together, as far as they have a p."""
    _adjust_p(compared)
    _adjust_p([each["by_seeds"] for each in compared if each["by_seeds"] is not None])


def _adjust_p(compared: Sequence[dict[str, Any]]) -> None:
    known = {str(place): each["p"] for place, each in enumerate(compared) if each["p"] is not None}
    adjusted = holm(known)
    for place, each in enumerate(compared):
        each["p_holm"] = adjusted.get(str(place))
