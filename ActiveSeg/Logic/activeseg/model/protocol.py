"""What the loop asks of a segmentation model, whatever network is behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.keys import Plane
from activeseg.model.scan import Scan

__all__ = ["Box", "SegmentationModel"]

Box: TypeAlias = tuple[slice, slice, slice]
"""A part of a canonical array `[S, P, L]`."""


class SegmentationModel(Protocol):
    """A model that says, for each voxel, how probable each structure is.

    Channel 0 is the background, channel ``n`` the n-th structure of the project.
    """

    def probabilities(self, scan: Scan) -> npt.NDArray[np.float32]:
        """Softmax `[C, S, P, L]` of the whole scan, without chance."""
        ...

    def views(self, scan: Scan) -> Iterator[tuple[Plane, npt.NDArray[np.float32]]]:
        """Softmax `[C, S, P, L]` of the whole scan as seen in one plane after the other.

        Their mean is what `probabilities` gives.
        """
        ...

    def samples(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Stochastic softmax maps `[C, s, p, l]` of one part of the scan, one pass at a time.

        Args:
            scan: The scan.
            passes: How many samples.
            seed: Fixes the samples.
            box: The part of the scan that is sampled.
        """
        ...

    def augmented(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """As `samples`, but the chance is in the image: test-time augmentation."""
        ...

    def snapshots(self, scan: Scan, box: Box) -> Iterator[npt.NDArray[np.float32]]:
        """One softmax map `[C, s, p, l]` of each member kept from the training run."""
        ...

    def sides(self, scan: Scan, box: Box) -> Sequence[npt.NDArray[np.float32]]:
        """Softmax maps `[C, s, p, l]` of side outputs of the network; none if it has none."""
        ...
