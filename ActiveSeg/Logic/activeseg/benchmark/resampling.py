"""What is measured of the arms in each draw of the bootstrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.benchmark.bootstrap import Bootstrap
from activeseg.benchmark.curves import (
    PatientDice,
    Reached,
    SeedCurve,
    area_weights,
    goal_minutes,
)

__all__ = ["Resampled"]

Floats: TypeAlias = npt.NDArray[np.float64]


class Resampled:
    """Curves of all arms and seeds, each under the same draws of its seed's patients.

    Args:
        arms: The curves by arm and seed.
        full: Dice of the model from the whole pool by seed; a seed without it is left out.
        bootstrap: The draws.
    """

    def __init__(
        self,
        arms: Mapping[str, Mapping[int, SeedCurve]],
        full: Mapping[int, PatientDice],
        bootstrap: Bootstrap,
    ) -> None:
        self.bootstrap = bootstrap
        self._arms = {
            name: {seed: curve for seed, curve in sorted(curves.items()) if seed in full}
            for name, curves in arms.items()
        }
        self._full = full
        self._dice: dict[tuple[str, int], Floats] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The arms that have a seed."""
        return tuple(name for name, curves in self._arms.items() if curves)

    def seeds(self, *names: str) -> tuple[int, ...]:
        """The seeds that all of some arms have, ascending."""
        shared = set.intersection(*(set(self._arms[name]) for name in names))
        return tuple(sorted(shared))

    def minutes(self, name: str, seed: int, clock: str = "standard") -> Floats:
        """`[points]` of a curve."""
        return self._arms[name][seed].minutes[clock]

    def dice(self, name: str, seed: int) -> Floats:
        """`[1 + draws, points]` of a curve."""
        if (name, seed) not in self._dice:
            patients = self._arms[name][seed].dice
            self._dice[name, seed] = patients.means(self._weights(seed, patients))
        return self._dice[name, seed]

    def full(self, seed: int) -> Floats:
        """`[1 + draws]` Dice of the model from the whole pool."""
        patients = self._full[seed]
        means = patients.means(self._weights(seed, patients))
        return means[:, 0]

    def to_goal(
        self, name: str, seeds: Sequence[int], share: float, clock: str = "standard"
    ) -> Reached:
        """Minutes to a share of the full Dice, of arm and full model alike under each draw.

        Returns:
            Arrays `[seeds, 1 + draws]`.
        """
        found = [
            goal_minutes(
                self.dice(name, seed), self.minutes(name, seed, clock), share * self.full(seed)
            )
            for seed in seeds
        ]
        return Reached(*(np.stack(column) for column in zip(*found, strict=True)))

    def lead(self, name: str, rival: str, seeds: Sequence[int], first: int = 0) -> Floats:
        """How far an arm's Dice is above a rival's, mean over the log minutes that both cover.

        Args:
            name: The arm.
            rival: The rival.
            seeds: Of both.
            first: The point of either curve at which it begins, from 0.

        Returns:
            `[seeds, 1 + draws]`; 0 where the two have no minutes in common.
        """
        return np.stack([self._lead(name, rival, seed, first) for seed in seeds])

    def _lead(self, name: str, rival: str, seed: int, first: int) -> Floats:
        ours, theirs = self.minutes(name, seed), self.minutes(rival, seed)
        low = max(each[min(first, len(each) - 1)] for each in (ours, theirs))
        high = min(ours[-1], theirs[-1])
        if not low < high:
            return np.zeros(1 + self.bootstrap.draws)
        mean = self.dice(name, seed) @ area_weights(ours, low, high)
        other = self.dice(rival, seed) @ area_weights(theirs, low, high)
        lead: Floats = mean - other
        return lead

    def _weights(self, seed: int, patients: PatientDice) -> npt.NDArray[np.int16]:
        return self.bootstrap.patients(seed, patients.total.shape[1])
