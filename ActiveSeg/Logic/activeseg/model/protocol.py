"""What the loop asks of a segmentation model, whatever network is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

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
