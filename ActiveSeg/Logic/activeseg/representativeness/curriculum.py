"""Typical and difficult at once, by ranks: the score of CSCS, Curriculum-Stratified Cold Start.

Hattat et al., Dataset-Aware Cold-Start Active Learning for Annotation-Efficient 3D Medical Image
Segmentation, arXiv 2606.20765 (2026), with the authors' code (github.com/rhattat/CSCS-AL) where
the two leave room.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["composite", "difficulty_coverage", "pacing"]

Floats = npt.NDArray[np.float64]

LEAST_WEIGHT, MOST_WEIGHT = 0.3, 0.7
"""Between these lies the weight of the difficulty."""

LEAST_RANK = 0.01
"""No rank is lower, so that neither factor can bring the score to nothing by itself."""


def difficulty_coverage(difficulty: Floats, typicality: Floats) -> float:
    """Spearman's correlation of the two, `[n]` each: the source's Difficulty-Coverage Ratio.

    Returns:
        -1 to 1; 0 where one of them is the same for all.
    """
    a, b = (_ranks(each) - (len(each) - 1) / 2 for each in (difficulty, typicality))
    spread = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / spread if spread > 0 else 0.0


def pacing(count: int, pool: int, ratio: float) -> float:
    """The weight of the difficulty, the source's gamma.

    0.5 + ratio / 4 * a / (1 + a) with a = count / sqrt(pool), between 0.3 and 0.7.

    Args:
        count: How many slices can be paid.
        pool: How many there are, at least 1.
        ratio: `difficulty_coverage`.
    """
    effective = count / math.sqrt(pool)
    weight = 0.5 + ratio / 4 * effective / (1 + effective)
    return min(max(weight, LEAST_WEIGHT), MOST_WEIGHT)


def composite(typicality: Floats, difficulty: Floats, weight: float) -> Floats:
    """typicality^(1 - weight) * difficulty^weight, both as ranks among these slices, `[n]`.

    Ranks go from 0 to 1, and none is below 0.01. Equals share their mean rank, where the
    authors' code ranks them as they come.
    """
    most = max(len(typicality) - 1, 1)
    typical, difficult = (
        np.clip(_ranks(each) / most, LEAST_RANK, 1.0) for each in (typicality, difficulty)
    )
    score: Floats = typical ** (1 - weight) * difficult**weight
    return score


def _ranks(values: Floats) -> Floats:
    """Ranks from 0, equals by their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(count) - count
    ranks: Floats = (first + (count - 1) / 2)[place]
    return ranks
