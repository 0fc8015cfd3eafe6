"""How a slice would pull at the last layer if the model's own answer were the truth.

BADGE (Ash et al., ICLR 2020, section 3) embeds an example by the gradient that the cross entropy
with the pseudo-label, the likeliest class, has at the last layer: (p - onehot(argmax p)) times
what the layer is given. Of a slice there are as many such gradients as pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["gradient_sizes"]

SURE = 1e-4
"""Pixels that leave less to all other classes are most of a slice and pull at nothing: they are
left out."""


def gradient_sizes(mean_p: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float64]:
    """Sizes of p - onehot(argmax p), summed over each slice apart for each pseudo-label.

    Kept apart, since a border pixel just inside a structure and one just outside pull in opposite
    directions and would cancel out. Only the pseudo-label's own entry is negative, and it is so in
    every slice: distances and products of the sizes are those of the gradients.

    Args:
        mean_p: `[C, S, P, L]`, softmax.
        axis: The axis that is cut: 0 axial, 1 coronal, 2 sagittal.

    Returns:
        `[n_slices, C * C]`, not negative; entry `C * a + b` is the sum over the pixels of
        pseudo-label a of p_b, or of 1 - p_a where b is a.
    """
    classes, count = len(mean_p), mean_p.shape[axis + 1]
    unsure = mean_p.max(axis=0) < 1 - SURE
    of_pixels = mean_p[:, unsure]
    row = of_pixels.argmax(axis=0) + classes * np.nonzero(unsure)[axis]
    found = [np.bincount(row, weights=p, minlength=count * classes) for p in of_pixels]
    sizes = np.stack(found, axis=1).astype(np.float64).reshape(count, classes, classes)
    pixels = np.bincount(row, minlength=count * classes).reshape(count, classes)
    own = np.arange(classes)
    sizes[:, own, own] = np.maximum(pixels - sizes[:, own, own], 0.0)
    return sizes.reshape(count, classes * classes)
