"""How good a proposal is: the estimate without the truth, and the truth.

Where neither the model nor the truth has anything to say about a structure, its Dice is not
defined; such values are NaN here and never enter a mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["CalibratedDice", "dice", "expected_dice", "hd95_mm", "soft_dice_confidence"]

Labels: TypeAlias = npt.NDArray[np.integer]
Floats: TypeAlias = npt.NDArray[np.float64]

LIKELY = 0.1
"""A voxel below this probability does not make a structure probable: the tails of a softmax over
a whole slice would add up to an organ that is not there."""

LEAST_VOXELS = 3.0
"""Probability mass, in voxels, from which an unpredicted structure counts as missed."""

PRIOR_POINTS = 5.0
PRIOR_SPREAD = 0.2


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


def expected_dice(confidence: Floats) -> Floats:
    """One estimate a slice: the mean over the structures that are predicted or probable in it.

    Args:
        confidence: `[structures, n_slices]` of `soft_dice_confidence`.

    Returns:
        `[n_slices]`; 1 where nothing is predicted and nothing probable.
    """
    judged = ~np.isnan(confidence)
    count = judged.sum(axis=0)
    total = np.sum(confidence, axis=0, where=judged)
    estimate: Floats = np.where(count > 0, total / np.maximum(count, 1), 1.0)
    return estimate


def dice(a: Labels, b: Labels, value: int) -> float:
    """Dice of one label value in two label arrays of one shape; NaN where both lack it."""
    in_a, in_b = a == value, b == value
    size = int(np.count_nonzero(in_a)) + int(np.count_nonzero(in_b))
    if size == 0:
        return float("nan")
    return 2 * int(np.count_nonzero(in_a & in_b)) / size


@dataclass(frozen=True)
class CalibratedDice:
    """A straight line from the estimated Dice to the true one, drawn toward identity.

    Attributes:
        slope: 1 before anything is known; never negative, so the order is kept.
        intercept: 0 before anything is known.
    """

    slope: float = 1.0
    intercept: float = 0.0

    @classmethod
    def fit(cls, estimated: Floats, true: Floats) -> CalibratedDice:
        """Ridge regression of the true Dice with identity as the prior.

        The prior weighs as much as 5 points on the identity line whose estimates spread by 0.2
        round the mean, so a few points move it little. Pairs with a NaN (no Dice defined) are
        left out.

        Args:
            estimated: `[n]` estimates, made before the model saw the answers.
            true: `[n]` Dice of what was proposed with what was answered.
        """
        known = np.isfinite(estimated) & np.isfinite(true)
        if not known.any():
            return cls()
        x, error = estimated[known], true[known] - estimated[known]
        centred = x - x.mean()
        tilt = centred @ error / (centred @ centred + PRIOR_POINTS * PRIOR_SPREAD**2)
        shift = error.sum() / (len(x) + PRIOR_POINTS)
        slope = max(0.0, 1.0 + float(tilt))
        return cls(slope, float(shift) + (1.0 - slope) * float(x.mean()))

    def predict(self, estimated: Floats) -> Floats:
        """The calibrated estimates, within 0..1."""
        return np.clip(self.intercept + self.slope * estimated, 0.0, 1.0)


def hd95_mm(
    a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_], spacing: tuple[float, ...]
) -> float:
    """95th percentile of the surface distance in mm, the larger of the two directions.

    A voxel of a mask is on its surface if a face neighbour is not in the mask; outside the array
    counts as not in it.

    Args:
        a: A mask.
        b: A mask of the same shape.
        spacing: mm along each axis.

    Returns:
        NaN where both are empty (nothing to measure), infinity where one is.
    """
    if not a.any() and not b.any():
        return float("nan")
    if not a.any() or not b.any():
        return float("inf")
    box = ndimage.find_objects((a | b).view(np.uint8))[0]
    a, b = a[box], b[box]
    edge_a = a & ~ndimage.binary_erosion(a)
    edge_b = b & ~ndimage.binary_erosion(b)
    to_a = ndimage.distance_transform_edt(~edge_a, sampling=spacing)[edge_b]
    to_b = ndimage.distance_transform_edt(~edge_b, sampling=spacing)[edge_a]
    return float(max(np.percentile(to_a, 95), np.percentile(to_b, 95)))
