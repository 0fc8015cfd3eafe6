"""What an answer to a slice is expected to bring, before it is divided by its minutes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["expected_gain", "sizes_over"]

Floats: TypeAlias = npt.NDArray[np.float64]


def sizes_over(size: Floats, mean: Floats) -> Floats:
    """How much of each structure slices show, 1 for the mean slice that shows it.

    With it a small structure counts as much as a large one (class balance).

    Args:
        size: `[n, structures]`, predicted plus expected pixels.
        mean: `[structures]`, mean size over the slices where the structure is predicted or
            probable; 0 where there is none.
    """
    relative: Floats = np.where(mean > 0, size / np.where(mean > 0, mean, 1.0), 0.0)
    return relative


def expected_gain(dice: Floats, shown: Floats) -> Floats:
    """Sum over the structures of what is missing: (1 - E[Dice]) times how much is shown.

    Atzeni et al. 2022 sum 1 - E[Dice] over the foreground; here every structure's foreground is
    counted in units of its mean slice.

    Args:
        dice: `[n, structures]` expected Dice; NaN where there is nothing to judge.
        shown: `[n, structures]` of `sizes_over`.

    Returns:
        `[n]`, not negative.
    """
    missing = np.where(np.isnan(dice), 0.0, 1 - np.nan_to_num(dice))
    gain: Floats = (missing * shown).sum(axis=1)
    return gain
