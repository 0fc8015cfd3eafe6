"""The measures of `sampled` from samples that come one at a time: means only, never the stack."""

from __future__ import annotations

from types import EllipsisType

import numpy as np
import numpy.typing as npt

from activeseg.uncertainty.entropy import entropy_of_mean

__all__ = ["RunningSamples"]


class RunningSamples:
    """Means over stochastic passes, from which the measures follow after any number of them.

    In memory are C maps of probability and one of entropy, however many passes there are. What is
    asked for before the first sample raises ValueError.
    """

    def __init__(self) -> None:
        self.passes = 0
        self._mean: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._within: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)

    def add(self, sample: npt.NDArray[np.float32]) -> None:
        """Take in one pass, softmax `[C, ...]`; the array may be used again by the caller.

        Raises:
            ValueError: If the shape is not that of the first sample.
        """
        first = self.passes == 0
        self.add_together(1, sample.copy() if first else sample, entropy_of_mean(sample))

    def add_together(
        self, passes: int, mean: npt.NDArray[np.float32], entropy: npt.NDArray[np.float32]
    ) -> None:
        """Take in several passes that were summed up already; the first arrays are kept.

        Args:
            passes: How many they are.
            mean: `[C, ...]`, their mean softmax.
            entropy: `[...]`, the mean of their entropies, in nats.

        Raises:
            ValueError: If the shape is not that of the first sample.
        """
        if not self.passes:
            self._mean, self._within = mean, entropy
        elif mean.shape != self._mean.shape:
            raise ValueError(
                f"sample of shape {mean.shape}, the ones before had {self._mean.shape}"
            )
        else:
            share = np.float32(passes / (self.passes + passes))
            # Class by class: what is added needs no array of the size of all of them.
            for known, each in zip((*self._mean, self._within), (*mean, entropy), strict=True):
                known += share * (each - known)
        self.passes += passes

    @property
    def mean(self) -> npt.NDArray[np.float32]:
        """Mean softmax, `[C, ...]`; it goes on with the next sample: copy what is to stay."""
        self._refuse_none()
        return self._mean

    def bald(
        self,
        entropy: npt.NDArray[np.float32],
        where: tuple[slice, ...] | EllipsisType = ...,
    ) -> npt.NDArray[np.float32]:
        """`sampled.bald` of the samples, in nats.

        Args:
            entropy: `[...]`, `entropy_of_mean` of the mean, which most callers have.
            where: The part of the maps that it is of.
        """
        self._refuse_none()
        difference: npt.NDArray[np.float32] = entropy - self._within[where]
        return np.maximum(difference, 0, out=difference)

    def _refuse_none(self) -> None:
        if not self.passes:
            raise ValueError("no sample was added yet")
