"""How far an estimate of Dice may decide what is asked for next."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["trust_in"]

Floats = npt.NDArray[np.float64]

DOUBT_ANSWERS = 10.0
"""So many answers without any agreement weigh against those that there are."""


def trust_in(expected: Floats, actual: Floats) -> float:
    """How well expected Dice ranked what slices turned out to be, 0 to 1.

    Spearman's rank correlation, pulled towards 0 as if `DOUBT_ANSWERS` more answers showed none:
    few answers earn little. An estimate that ranks the wrong way round earns nothing.

    Args:
        expected: `[n]` what was said of the slices before they were answered.
        actual: `[n]` Dice of the proposals with the answers.
    """
    if len(expected) < 2 or len(set(expected.tolist())) == 1 or len(set(actual.tolist())) == 1:
        return 0.0
    from scipy.stats import spearmanr

    agreement = float(spearmanr(expected, actual).statistic)
    return max(0.0, agreement) * len(expected) / (len(expected) + DOUBT_ANSWERS)
