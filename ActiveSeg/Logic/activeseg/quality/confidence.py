"""Soft Dice Confidence, and whether there is a structure to judge at all.

Where neither the model nor the truth has anything to say about a structure, its Dice is not
defined; such values are NaN and never enter a mean.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_VOXELS", "LIKELY", "soft_dice_confidence"]

Labels: TypeAlias = npt.NDArray[np.integer]
Floats: TypeAlias = npt.NDArray[np.float64]

LIKELY = 0.1
"""A voxel below this probability does not make a structure probable: the tails of a softmax over
a whole slice would add up to an organ that is not there."""

LEAST_VOXELS = 3.0
"""Probability mass, in voxels, from which an unpredicted structure counts as missed."""


def soft_dice_confidence(
    mean_p: npt.NDArray[np.float32], labels: Labels, axis: int | None = None
) -> Floats:
    """Soft Dice Confidence (arXiv 2402.10665): 2 sum(p y) / (sum p + sum y) for each structure.

    An empty prediction gives 0 where the structure is probable all the same (at least 3 voxels'
    worth of probability, counted where it is 0.1 or more), else NaN: nothing there to judge.

    Args:
        mean_p: `[C, S, P, L]` (or `[C, H, W]`), channel 0 is the background.
        labels: `[S, P, L]` (or `[H, W]`) channel numbers of the proposal.
        axis: The axis of `labels` that is cut; None for the whole array.

    Returns:
        `[C - 1]`, or `[C - 1, n_slices]` with an axis.
    """
    over = tuple(each for each in range(labels.ndim) if each != axis)
    found = []
    for channel in range(1, len(mean_p)):
        p, y = mean_p[channel], labels == channel
        area = np.count_nonzero(y, axis=over).astype(np.float64)
        mass = p.sum(axis=over, dtype=np.float64)
        shared = np.sum(p, axis=over, where=y, dtype=np.float64)
        probable = np.sum(p, axis=over, where=p >= LIKELY, dtype=np.float64) >= LEAST_VOXELS
        predicted = 2 * shared / np.where(area > 0, mass + area, 1.0)
        found.append(np.where(area > 0, predicted, np.where(probable, 0.0, np.nan)))
    return np.array(found)
