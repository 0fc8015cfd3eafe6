"""Entropy of softmax outputs, in nats.

Predictive entropy of MC dropout: Gal, Islam and Ghahramani, Deep Bayesian Active Learning with
Image Data, ICML 2017, section 3.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

__all__ = [
    "entropy_of_classes",
    "entropy_of_foreground",
    "entropy_of_mean",
    "predictive_entropy",
]


def entropy_of_classes(classes: Iterable[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """H(p) = -sum over classes of p log p, from the classes' maps given one after another.

    A whole volume's classes need not be in memory at once: each map is done with before the next
    is asked for.

    Args:
        classes: At least one map `[...]`, each in 0..1; together they sum to 1 in every voxel.

    Returns:
        `[...]`, from 0 to log C; 0 log 0 counts as 0.

    Raises:
        ValueError: Without a class.
    """
    entropy: npt.NDArray[np.float32] | None = None
    for p in classes:
        # Where p is 0 the logarithm stays finite, so that its product with p is the limit, 0.
        term = np.maximum(p, np.finfo(np.float32).tiny, dtype=np.float32)
        np.log(term, out=term)
        term *= p
        if entropy is None:
            entropy = np.negative(term, out=term)
        else:
            entropy -= term
    if entropy is None:
        raise ValueError("no classes: the entropy needs at least one map of probability")
    # A probability that rounding made larger than 1 must not make certainty negative.
    return np.maximum(entropy, 0, out=entropy)


def entropy_of_mean(mean_p: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """H(p) = -sum over classes of p log p, in nats; 0 log 0 counts as 0.

    Args:
        mean_p: `[C, ...]`, the mean of the stochastic passes, each in 0..1.

    Returns:
        `[...]`, from 0 to log C.
    """
    return entropy_of_classes(mean_p)


def entropy_of_foreground(
    entropy: npt.NDArray[np.float32], background: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """The foreground classes' part of the entropy: -sum over c > 0 of p_c log p_c.

    What MONAI Label's epistemic scoring counts (`monailabel/tasks/scoring/epistemic.py`, MONAI
    Label 0.8.5): the background's own term is left out.

    Args:
        entropy: `[...]`, of `entropy_of_mean`.
        background: `[...]`, probability of class 0.

    Returns:
        `[...]`, from 0 to the entropy.
    """
    part: npt.NDArray[np.float32] = entropy - entropy_of_classes([background])
    return np.maximum(part, 0, out=part)


def predictive_entropy(p: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Entropy of the mean over the samples, H(mean over t of p_t), in nats.

    Args:
        p: `[T, C, ...]`, one stochastic pass each.

    Returns:
        `[...]`, from 0 to log C.
    """
    return entropy_of_mean(p.mean(axis=0))
