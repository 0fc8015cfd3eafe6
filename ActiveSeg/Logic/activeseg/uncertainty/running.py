"""The measures of `sampled` from samples that come one at a time: sums only, never the stack."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from activeseg.uncertainty.entropy import entropy_of_classes, entropy_of_mean
from activeseg.uncertainty.votes import add_votes, entropy_of_votes, ratio_of_votes

__all__ = ["RunningSamples"]


class RunningSamples:
    """Sums over stochastic passes, from which the measures follow after any number of them.

    In memory are C maps of probability, C of votes (2 bytes a voxel) and two of sums, however
    many passes there are. The maps are computed when asked for: keep what is needed twice. A
    measure asked for before the first sample raises ValueError.
    """

    def __init__(self) -> None:
        self.passes = 0
        self._total: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._votes: npt.NDArray[np.uint16] = np.empty(0, dtype=np.uint16)
        self._entropies: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)
        self._squares: npt.NDArray[np.float32] = np.empty(0, dtype=np.float32)

    def add(
        self,
        sample: npt.NDArray[np.float32],
        labels: npt.NDArray[np.integer] | None = None,
    ) -> None:
        """Take in one pass; the array may be used again by the caller.

        Args:
            sample: `[C, ...]`, softmax; the same shape each time.
            labels: `[...]`, the sample's likeliest classes if they are known already; found here
                otherwise.

        Raises:
            ValueError: If the shape is not that of the first sample.
        """
        if not self.passes:
            self._total = np.zeros(sample.shape, dtype=np.float32)
            self._votes = np.zeros(sample.shape, dtype=np.uint16)
            self._entropies = np.zeros(sample.shape[1:], dtype=np.float32)
            self._squares = np.zeros(sample.shape[1:], dtype=np.float32)
        elif sample.shape != self._total.shape:
            raise ValueError(
                f"sample of shape {sample.shape}, the ones before had {self._total.shape}"
            )
        else:
            # Welford's update (Technometrics 1962): a sum of squares less the square of the sum
            # would lose small variances to rounding.
            step = self._total[0] / np.float32(self.passes)
            step -= sample[0]
            np.square(step, out=step)
            step *= np.float32(self.passes / (self.passes + 1))
            self._squares += step
        self.passes += 1
        self._total += sample
        self._entropies += entropy_of_mean(sample)
        if labels is None:
            add_votes(self._votes, sample)
        else:
            for value, count in enumerate(self._votes):
                count += labels == value

    @property
    def mean(self) -> npt.NDArray[np.float32]:
        """Mean softmax, `[C, ...]`."""
        return self._total / np.float32(self._known_passes())

    @property
    def entropy(self) -> npt.NDArray[np.float32]:
        """`predictive_entropy` of the samples, `[...]`, in nats."""
        passes = np.float32(self._known_passes())
        return entropy_of_classes(total / passes for total in self._total)

    @property
    def bald(self) -> npt.NDArray[np.float32]:
        """`sampled.bald` of the samples, `[...]`, in nats."""
        difference = self.entropy
        difference -= self._entropies / np.float32(self.passes)
        return np.maximum(difference, 0, out=difference)

    @property
    def variance(self) -> npt.NDArray[np.float32]:
        """`sampled.foreground_variance` of the samples, `[...]`."""
        return self._squares / np.float32(self._known_passes())

    @property
    def votes(self) -> npt.NDArray[np.uint16]:
        """How many passes vote for each class, `[C, ...]`; a copy."""
        self._known_passes()
        return self._votes.copy()

    @property
    def vote_entropy(self) -> npt.NDArray[np.float32]:
        """`sampled.vote_entropy` of the samples, `[...]`, in nats."""
        return entropy_of_votes(self._votes, self._known_passes())

    @property
    def variation_ratio(self) -> npt.NDArray[np.float32]:
        """`sampled.variation_ratio` of the samples, `[...]`."""
        return ratio_of_votes(self._votes, self._known_passes())

    def _known_passes(self) -> int:
        if not self.passes:
            raise ValueError("no sample was added yet")
        return self.passes
