"""Chance among nearly equal slices, less of it in every round.

Scores of an early model are poor, and the slices that it ranks highest are much alike. Gumbel
noise on the logarithm of a score draws slices with probability proportional to score^beta, and
beta grows from round to round (power sampling: Kirsch et al., TMLR 2023; the schedule: ClaSP PE,
Lueth et al., TMLR 2026, arXiv 2601.13677).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["power", "power_draws"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]

ROUNDS = 5
FIRST_POWER, LAST_POWER = 1.0, 100.0


def power(round_number: int) -> float:
    """Beta of a round: 1, 3.2, 10, 31.6, 100 in rounds 1 to 5, and 100 ever after.

    Raises:
        ValueError: If the round's number is below 1.
    """
    if round_number < 1:
        raise ValueError("rounds count from 1")
    step = min(round_number, ROUNDS) - 1
    return float(FIRST_POWER * (LAST_POWER / FIRST_POWER) ** (step / (ROUNDS - 1)))


def power_draws(scores: Floats, seconds: Floats, beta: float, rng: np.random.Generator) -> Floats:
    """Log(score) - log(seconds) + Gumbel(0, 1 / beta): the highest are the ones to take.

    Args:
        scores: `[N]`, not negative.
        seconds: `[N]`, above 0.
        beta: Above 0; the larger, the less chance, none where it is infinite.
        rng: Draws the noise.

    Returns:
        `[N]`; minus infinity where the score is 0.
    """
    with np.errstate(divide="ignore"):
        rate = np.log(scores) - np.log(seconds)
    found: Floats = rate + rng.gumbel(0.0, 1.0 / beta, size=len(scores))
    return found
