"""Where the Dice is heading: earlier rounds extrapolated by a power law.

As Atzeni et al. 2022 (Medical Image Analysis, active learning under annotation cost) extrapolate
the Dice of earlier rounds, the missing Dice is taken to fall as a power of what was annotated:
log(1 - Dice) = level - rate * log(amount). Few rounds cannot tell the rate, so it has a prior.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

__all__ = ["Trend", "Worth"]

RATE, RATE_SD = 0.3, 0.2
"""Prior of the rate: ten times the annotation halves the missing Dice."""

NOISE_SD, NOISE_ROUNDS = 0.15, 4.0
_LEAST = 0.005
UPPER = 0.95


@dataclass(frozen=True)
class Worth:
    """What more annotation is expected to bring.

    Attributes:
        gain: Expected rise of the Dice.
        low: Lower end of its 90 % interval, never below 0.
        high: Upper end.
    """

    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Trend:
    """A fitted power law.

    Attributes:
        level: Log of the missing Dice at the middle of the rounds.
        rate: Its fall per unit of log amount, not negative.
        rate_sd: Standard deviation of the rate.
        middle: Mean log amount of the rounds.
        freedom: Degrees of freedom of the intervals.
    """

    level: float
    rate: float
    rate_sd: float
    middle: float
    freedom: float

    @classmethod
    def fit(cls, amount: Sequence[float], dice: Sequence[float]) -> Trend:
        """Fit to the rounds.

        Args:
            amount: What was annotated before each round (slices or minutes), above 0.
            dice: The mean Dice that its model reached or was expected to reach.

        Raises:
            ValueError: If there is no round.
        """
        if not len(amount):
            raise ValueError("no round to extrapolate from")
        x = np.log(np.asarray(amount, dtype=np.float64))
        y = np.log(np.maximum(1 - np.asarray(dice, dtype=np.float64), _LEAST))
        middle, level = float(x.mean()), float(y.mean())
        centred = x - middle
        weight = (NOISE_SD / RATE_SD) ** 2
        spread = float(centred @ centred) + weight
        rate = max(0.0, (weight * RATE - float(centred @ (y - level))) / spread)
        residual = y - level + rate * centred
        freedom = NOISE_ROUNDS + len(x)
        noise = (NOISE_ROUNDS * NOISE_SD**2 + float(residual @ residual)) / freedom
        return cls(level, rate, math.sqrt(noise / spread), middle, freedom)

    def at(self, amount: float) -> float:
        """The Dice to expect after an amount above 0; within 0..1."""
        return self._dice(amount, self.rate)

    def worth(self, now: float, more: float) -> Worth:
        """What the next `more` of annotation brings after `now`, both above 0."""
        reach = float(special.stdtrit(self.freedom, UPPER)) * self.rate_sd
        gains = [
            self._dice(now + more, rate) - self._dice(now, rate)
            for rate in (self.rate, max(0.0, self.rate - reach), self.rate + reach)
        ]
        # A fast fall can lie behind us already, so neither end is always the extreme.
        return Worth(gains[0], min(gains), max(gains))

    def _dice(self, amount: float, rate: float) -> float:
        missing = math.exp(self.level - rate * (math.log(amount) - self.middle))
        return min(max(1 - missing, 0.0), 1.0)
