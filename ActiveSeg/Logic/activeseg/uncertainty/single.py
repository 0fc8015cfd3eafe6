"""Uncertainty of one softmax output: a single pass, or the mean of several.

Larger is more uncertain in all of them, and a certain voxel has 0. The entropy, the third of the
kind, is in `entropy`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["least_confidence", "margin_uncertainty"]


def least_confidence(p: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """1 minus the largest class probability (Lewis and Gale, SIGIR 1994, section 3).

    Args:
        p: `[C, ...]`, softmax.

    Returns:
        `[...]`, from 0 to 1 - 1/C.
    """
    largest: npt.NDArray[np.float32] = p.max(axis=0)
    return np.subtract(1, largest, out=largest)


def margin_uncertainty(p: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """1 minus the lead of the likeliest class over the second (Scheffer et al., IDA 2001).

    Args:
        p: `[C, ...]`, softmax of at least two classes.

    Returns:
        `[...]`, from 0 (certain) to 1 (two classes equally likely).
    """
    largest: npt.NDArray[np.float32] = np.zeros_like(p[0])
    second = np.zeros_like(largest)
    # One walk over the classes; sorting along the class axis is many times slower.
    for each in p:
        np.maximum(second, np.minimum(largest, each), out=second)
        np.maximum(largest, each, out=largest)
    lead = np.subtract(largest, second, out=largest)
    return np.subtract(1, lead, out=lead)
