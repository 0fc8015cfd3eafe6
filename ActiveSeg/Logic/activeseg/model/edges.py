"""What of an annotated slice holds for the slices beside it: all but the pixels near its edges."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

__all__ = ["SLOPE", "away_from_edges"]

SLOPE = 1.5
"""How far an edge may move from a slice to the next, in millimetres each millimetre: pixels that
are as near to an edge are not known in the neighbour."""


def away_from_edges(
    label: torch.Tensor, reach_mm: float, pixel_mm: tuple[float, float]
) -> torch.Tensor:
    """A label `[H, W]`, not known (0) where another value is no farther away than this.

    Args:
        label: Bytes.
        reach_mm: How far.
        pixel_mm: Millimetres between rows and between columns.
    """
    values = label.numpy()
    known = np.zeros_like(values)
    for value in np.unique(values):
        of = values == value
        # A slice full of one structure has no edge.
        inside = of if of.all() else distance_transform_edt(of, sampling=pixel_mm) > reach_mm
        known[inside] = value
    return torch.from_numpy(known)
