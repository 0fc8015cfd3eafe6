"""What is expected of proposals: their Dice and how far it may be off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Estimate", "Volumes"]

Floats: TypeAlias = npt.NDArray[np.float64]

_STRUCTURES_ALIKE = 0.5
"""Correlation of the errors of two structures in one slice or volume."""


@dataclass(frozen=True)
class Estimate:
    """Expected Dice and how far it may be off; arrays of one shape.

    Attributes:
        dice: Expected Dice, 0 to 1.
        reach: Half the width of the 90 % interval, before it is cut to 0..1.
    """

    dice: Floats
    reach: Floats

    @property
    def low(self) -> Floats:
        """Lower end of the 90 % interval."""
        return np.clip(self.dice - self.reach, 0.0, 1.0)

    @property
    def high(self) -> Floats:
        """Upper end of the 90 % interval."""
        return np.clip(self.dice + self.reach, 0.0, 1.0)

    def over_structures(self, counts: npt.NDArray[np.bool_]) -> Estimate:
        """The mean over the first axis, of what counts; NaN where nothing does.

        The errors of two structures are correlated by one half, so the mean is off by less than
        each of them.

        Args:
            counts: Of the estimate's shape: whether the structure is judged there.
        """
        number = counts.sum(axis=0)
        some = np.maximum(number, 1)
        dice = np.sum(self.dice, axis=0, where=counts) / some
        total = np.sum(self.reach, axis=0, where=counts)
        squares = np.sum(np.square(self.reach), axis=0, where=counts)
        variance = _STRUCTURES_ALIKE * np.square(total) + (1 - _STRUCTURES_ALIKE) * squares
        reach = np.sqrt(variance) / some
        return Estimate(np.where(number > 0, dice, np.nan), np.where(number > 0, reach, np.nan))


@dataclass(frozen=True)
class Volumes:
    """One structure in whole volumes, before there is an interval; one row a volume.

    Attributes:
        dice: `[v]` expected Dice.
        noise: `[v]` variance of the volume's own errors over the noise.
        mean_x: `[v, 1 + len(EVIDENCE)]` mean row of the regression.
    """

    dice: Floats
    noise: Floats
    mean_x: Floats

    @classmethod
    def join(cls, parts: Sequence[Volumes], order: npt.NDArray[np.integer]) -> Volumes:
        """The volumes of all parts in another order."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(cls))
        return cls(*(np.concatenate(each)[order] for each in columns))
