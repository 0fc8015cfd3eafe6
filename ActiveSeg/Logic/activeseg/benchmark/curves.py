"""Learning curves as arrays: means over resampled patients, minutes to a goal, areas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["CLOCKS", "PatientDice", "Reached", "SeedCurve", "area_weights", "goal_minutes"]

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]

CLOCKS = {"standard": "minutes", "slow": "minutes_slow", "fast": "minutes_fast"}
"""Where a point of a curve keeps the minutes of each time model."""


@dataclass(frozen=True)
class PatientDice:
    """Dice of test volumes under several models.

    Attributes:
        total: `[models, patients]` sum over the structures that either mask has.
        count: `[models, patients]` how many these are.
    """

    total: Floats
    count: Floats

    @classmethod
    def of(cls, models: Sequence[Mapping[str, Any]]) -> PatientDice:
        """From what points keep under ``patients``; the same volumes in all of them.

        Raises:
            KeyError: If a volume is missing in one of them.
        """
        ids = sorted(models[0])
        found = np.array(
            [[list(model[volume]["structures"].values()) for volume in ids] for model in models],
            dtype=np.float64,  # None becomes NaN
        )
        return cls(np.nansum(found, axis=2), (~np.isnan(found)).sum(axis=2).astype(np.float64))

    def means(self, weights: npt.NDArray[np.int16]) -> Floats:
        """Mean over volumes and structures, as a point's ``dice``.

        Args:
            weights: `[draws, patients]` how often each volume was drawn.

        Returns:
            `[draws, models]`; 0 in a draw in which no volume has a structure.
        """
        means: Floats = (weights @ self.total.T) / np.maximum(weights @ self.count.T, 1.0)
        return means


@dataclass(frozen=True)
class SeedCurve:
    """The curve of one arm and seed.

    Attributes:
        minutes: `[points]` by the name of the time model.
        dice: Of the test volumes at each point.
    """

    minutes: Mapping[str, Floats]
    dice: PatientDice

    @classmethod
    def of(cls, curve: Sequence[Mapping[str, Any]]) -> SeedCurve:
        """From the points of an `ArmRun`."""
        minutes = {
            clock: np.array([point[key] for point in curve], dtype=np.float64)
            for clock, key in CLOCKS.items()
        }
        return cls(minutes, PatientDice.of([point["patients"] for point in curve]))


class Reached(NamedTuple):
    """Minutes to a goal, and what they are; arrays of one shape.

    Attributes:
        minutes: To the goal; where it is not reached the last ones, a lower bound.
        reached: Whether it is reached.
        at_once: Whether the first point has reached it already, so that the minutes are an upper
            bound.
    """

    minutes: Floats
    reached: Flags
    at_once: Flags


def goal_minutes(dice: Floats, minutes: Floats, goals: Floats) -> Reached:
    """`activeseg.loop.measures.minutes_to` for many curves at once.

    Args:
        dice: `[draws, points]`.
        minutes: `[points]`, the same in all draws.
        goals: `[draws]`.

    Returns:
        Arrays `[draws]`.
    """
    hit = dice >= goals[:, None]
    reached: Flags = np.any(hit, axis=1)
    at = hit.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    rows = np.arange(len(dice))
    low, high = dice[rows, before], dice[rows, at]
    inside = reached & (at > 0)
    part = np.zeros(len(dice))
    np.divide(goals - low, high - low, out=part, where=inside)
    found = minutes[before] + part * (minutes[at] - minutes[before])
    return Reached(np.where(reached, found, minutes[-1]), reached, reached & (at == 0))


def area_weights(minutes: Floats, low: float, high: float) -> Floats:
    """What each point weighs in the mean Dice over log minutes from `low` to `high`.

    The curve runs straight between its points over log minutes.

    Args:
        minutes: `[points]`, ascending.
        low: At least the first.
        high: At most the last, more than `low`.

    Returns:
        `[points]`, with sum 1: their product with the points' Dice is the mean.
    """
    at, ends = np.log(minutes), np.log([low, high])
    knots = np.unique(np.concatenate([at[(at > ends[0]) & (at < ends[1])], ends]))
    hats = np.array([np.interp(knots, at, unit) for unit in np.eye(len(minutes))])
    weights: Floats = np.trapezoid(hats, knots, axis=1) / (ends[1] - ends[0])
    return weights
