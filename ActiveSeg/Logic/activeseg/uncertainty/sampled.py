"""Uncertainty of several softmax outputs of the same voxels, `[T, C, ...]`.

What T counts is the caller's: passes of MC dropout, test-time augmentations turned back, members
of a snapshot ensemble. For whole volumes `running.RunningSamples` gives the same numbers without
the stack in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.uncertainty.entropy import entropy_of_mean, predictive_entropy
from activeseg.uncertainty.single import least_confidence, margin_uncertainty
from activeseg.uncertainty.votes import add_votes, entropy_of_votes, ratio_of_votes

__all__ = [
    "MEASURES",
    "Measure",
    "bald",
    "foreground_variance",
    "mean_variance",
    "variation_ratio",
    "vote_entropy",
]

Measure: TypeAlias = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""From samples `[T, C, ...]` to a map `[...]`; larger is more uncertain, 0 is certain."""


def mean_variance(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Population variance over the passes, averaged over the classes.

    Kendall, Badrinarayanan and Cipolla, Bayesian SegNet, BMVC 2017, section 4.

    Args:
        samples: `[T, C, ...]`, softmax.

    Returns:
        `[...]`, from 0 to 1/4.
    """
    classes = samples.shape[1]
    total: npt.NDArray[np.float32] = np.zeros(samples.shape[2:], dtype=np.float32)
    for number in range(classes):
        total += samples[:, number].var(axis=0)
    total /= classes
    return total


def foreground_variance(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Population variance over the passes of the foreground's probability, 1 - p_0.

    Yang et al., Suggestive Annotation, MICCAI 2017, section 2.2, with passes for the networks.

    Args:
        samples: `[T, C, ...]`, softmax, class 0 the background.

    Returns:
        `[...]`, from 0 to 1/4.
    """
    # 1 - p_0 varies exactly as p_0 does.
    variance: npt.NDArray[np.float32] = samples[:, 0].var(axis=0)
    return variance


def bald(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Entropy of the mean minus mean of the entropies: what the passes disagree on, in nats.

    Houlsby et al. 2011 (arXiv 1112.5745); for MC dropout Gal, Islam and Ghahramani, ICML 2017,
    section 3.

    Args:
        samples: `[T, C, ...]`, softmax.

    Returns:
        `[...]`, from 0 to the predictive entropy.
    """
    difference = predictive_entropy(samples)
    within = np.zeros_like(difference)
    for p in samples:
        within += entropy_of_mean(p)
    within /= len(samples)
    difference -= within
    # Jensen's inequality makes it at least 0; only rounding can say otherwise.
    return np.maximum(difference, 0, out=difference)


def variation_ratio(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """1 minus the share of the passes that vote for the class with the most votes.

    Freeman 1965; for MC dropout Gal, Islam and Ghahramani, ICML 2017, section 3.

    Args:
        samples: `[T, C, ...]`, softmax.

    Returns:
        `[...]`, from 0 to 1 - 1/C.
    """
    return ratio_of_votes(_votes(samples), len(samples))


def vote_entropy(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Entropy of the histogram of the passes' votes, in nats.

    Dagan and Engelson, ICML 1995; for MC dropout Mackowiak et al., CEREALS, BMVC 2018.

    Args:
        samples: `[T, C, ...]`, softmax.

    Returns:
        `[...]`, from 0 to log of the smaller of T and C.
    """
    return entropy_of_votes(_votes(samples), len(samples))


def _votes(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    votes = np.zeros(samples.shape[1:], dtype=np.uint16)
    for p in samples:
        add_votes(votes, p)
    return votes


MEASURES: dict[str, Measure] = {
    "least-confidence": lambda samples: least_confidence(samples.mean(axis=0)),
    "margin": lambda samples: margin_uncertainty(samples.mean(axis=0)),
    "entropy": predictive_entropy,
    "mean-variance": mean_variance,
    "bald": bald,
    "variance": foreground_variance,
    "variation-ratio": variation_ratio,
    "vote-entropy": vote_entropy,
}
"""Every measure by name; those of a single output are applied to the mean of the samples."""
