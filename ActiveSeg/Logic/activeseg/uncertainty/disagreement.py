"""Disagreement between views of the same voxels, and between slices that lie side by side.

Both are Jensen-Shannon divergences, which have BALD's form (Kuo et al., Cost-Sensitive Active
Learning for Intracranial Hemorrhage Detection, MICCAI 2018, for an ensemble).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from activeseg.uncertainty.entropy import entropy_of_classes, entropy_of_mean
from activeseg.uncertainty.sampled import bald

__all__ = ["neighbour_disagreement", "view_disagreement"]


def view_disagreement(views: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Jensen-Shannon divergence of the planes' softmax maps, all with the same weight.

    Args:
        views: `[V, C, ...]`, what the model says when it looks along each of V planes.

    Returns:
        `[...]`, in nats, from 0 to log of the smaller of V and C.
    """
    return bald(views)


def neighbour_disagreement(mean_p: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """Mean Jensen-Shannon divergence of each voxel from the same place one slice on and back.

    Anatomy changes little from one slice to the next: a slice on which the model says something
    else than on both sides of it is likely wrong.

    Args:
        mean_p: `[C, S, P, L]`, softmax of one pass or the mean of several.
        axis: The axis that is cut: 0 axial, 1 coronal, 2 sagittal.

    Returns:
        `[S, P, L]`, in nats, from 0 to log 2. The first and the last slice have one neighbour
        each; a volume of one slice has none, and 0 everywhere.
    """
    along = np.moveaxis(mean_p, axis + 1, 1)
    own = entropy_of_mean(along)
    divergence = entropy_of_classes(np.float32(0.5) * (p[:-1] + p[1:]) for p in along)
    divergence -= np.float32(0.5) * (own[:-1] + own[1:])
    np.maximum(divergence, 0, out=divergence)

    found = np.zeros_like(own)
    found[:-1] += divergence
    found[1:] += divergence
    found[1:-1] /= 2
    return np.moveaxis(found, 0, axis)
