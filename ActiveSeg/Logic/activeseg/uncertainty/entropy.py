"""Predictive entropy of softmax outputs (MC dropout: Gal, Islam and Ghahramani, ICML 2017)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import entr

__all__ = ["entropy_of_mean", "predictive_entropy"]


def entropy_of_mean(mean_p: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """H(p) = -sum over classes of p log p, in nats; 0 log 0 counts as 0.

    Args:
        mean_p: `[C, ...]`, the mean of the stochastic passes, each in 0..1.

    Returns:
        `[...]`, from 0 to log C.
    """
    entropy: npt.NDArray[np.float32] = np.zeros(mean_p.shape[1:], dtype=np.float32)
    # Class by class: a whole volume's terms need not be in memory at once.
    for p in mean_p:
        entropy += entr(p)
    return entropy


def predictive_entropy(p: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Entropy of the mean over the samples, H(mean over t of p_t), in nats.

    Args:
        p: `[T, C, ...]`, one stochastic pass each.

    Returns:
        `[...]`.
    """
    return entropy_of_mean(p.mean(axis=0))
