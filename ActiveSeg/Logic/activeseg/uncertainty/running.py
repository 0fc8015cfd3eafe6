"""The measures of `sampled` from samples that come one at a time: sums only, never the stack."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from activeseg.uncertainty.entropy import entropy_of_classes, entropy_of_mean

__all__ = ["RunningSamples"]


class RunningSamples:
    """Sums over stochastic passes, from which the measures follow after any number of them.

    In memory are C maps of probability and one of entropy, however many passes there are. The
    measures are computed when asked for: keep what is needed twice. One that is asked for before
    the first sample raises ValueError.
    """

    def __init__(self) -> None:
        self.passes = 0
        self._total: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._entropies: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)

    def add(self, sample: npt.NDArray[np.float32]) -> None:
        """Take in one pass, softmax `[C, ...]`; the array may be used again by the caller.

        Raises:
            ValueError: If the shape is not that of the first sample.
        """
        self.add_together(1, sample, entropy_of_mean(sample))

    def add_together(
        self, passes: int, mean: npt.NDArray[np.float32], entropy: npt.NDArray[np.float32]
    ) -> None:
        """Take in several passes that were summed up already; the arrays may be used again.

        Args:
            passes: How many they are.
            mean: `[C, ...]`, their mean softmax.
            entropy: `[...]`, the mean of their entropies, in nats.

        Raises:
            ValueError: If the shape is not that of the first sample.
        """
        if not self.passes:
            self._total = np.multiply(mean, np.float32(passes), dtype=np.float32)
            self._entropies = np.multiply(entropy, np.float32(passes), dtype=np.float32)
        elif mean.shape != self._total.shape:
            raise ValueError(
                f"sample of shape {mean.shape}, the ones before had {self._total.shape}"
            )
        else:
            # Class by class: what is added needs no array of the size of all of them.
            for total, each in zip(self._total, mean, strict=True):
                total += np.float32(passes) * each
            self._entropies += np.float32(passes) * entropy
        self.passes += passes

    @property
    def mean(self) -> npt.NDArray[np.float32]:
        """Mean softmax, `[C, ...]`."""
        return self._total / np.float32(self._known_passes())

    def means(self) -> Iterator[npt.NDArray[np.float32]]:
        """The mean softmax class by class, so that no array of the size of all is made."""
        passes = np.float32(self._known_passes())
        for total in self._total:
            yield total / passes

    @property
    def entropy(self) -> npt.NDArray[np.float32]:
        """`predictive_entropy` of the samples, `[...]`, in nats."""
        return entropy_of_classes(self.means())

    @property
    def bald(self) -> npt.NDArray[np.float32]:
        """`sampled.bald` of the samples, `[...]`, in nats."""
        difference = self.entropy
        difference -= self._entropies / np.float32(self.passes)
        return np.maximum(difference, 0, out=difference)

    def _known_passes(self) -> int:
        if not self.passes:
            raise ValueError("no sample was added yet")
        return self.passes
