"""Which slices show next to nothing, judged by how much there is to see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["nearly_empty"]

NEARLY_EMPTY = 0.1
"""A slice with less than this share of a rich slice's information is taken last."""


def nearly_empty(information: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Whether each slice is one to be taken last, `[N]`.

    Args:
        information: `[N]`, not negative, N at least 1. A rich slice is one at the 95th percentile.
    """
    least = NEARLY_EMPTY * float(np.quantile(information, 0.95))
    empty: npt.NDArray[np.bool_] = ~(information >= least)
    return empty
