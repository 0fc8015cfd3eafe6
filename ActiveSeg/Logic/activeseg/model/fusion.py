"""What several views say together, and from which probability on a structure is labelled.

The plain mean of the views lets one that has hardly learned a structure vote it away, and a voxel
that is labelled only where a structure is likelier than not leaves out most of a structure that
the network is unsure of. Both cost most while few slices are annotated (docs/experiments.md).

Both go by the Dice that a softmax expects of itself: of the masks that hold the likeliest voxels of
a structure, the best one's. The best mask ends where the probability is half of that Dice (Lipton
et al., ECML 2014; Dai and Li, JMLR 2023), if probabilities are true; those of a network are a
little too wide, so the limit is somewhat higher here.

Another network's view is not believed what it expects of itself: one that learned from small parts
of a scan is as sure of itself where it never looked. It goes by how well its masks agree with those
of the views before it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Fusion", "expected_dice", "handicaps"]

Softmax = npt.NDArray[np.float32]

LEAST = 0.02
"""Less probable voxels are none of the structure."""

STEPS = 1000
"""Probabilities are told apart in so many steps."""

SHARPNESS, FLOOR = 4.0, 0.2
"""A view counts by this power of its expected Dice; a lower one than the floor counts like it."""

LIKELY, LEAST_AGREEMENT = 0.4, 0.6
"""Masks are compared where a structure is likelier than this; who agrees less than so much counts
like it: while few slices are annotated all views are poor (docs/experiments.md)."""

LIMIT_SHARE, LOWEST_LIMIT = 0.65, 0.3
"""Where a mask ends: share of the expected Dice, but no less than this and no more than 1/2."""


def expected_dice(softmax: Softmax) -> npt.NDArray[np.float64]:
    """Dice that each structure's best mask is expected to have, `[C - 1]`; 0 where it has none.

    Of a mask of the k likeliest voxels it is twice the sum of their probabilities over k plus the
    sum of all: the ratio of what is expected above and below the line.

    Args:
        softmax: `[C, ...]`, the background first.
    """
    return np.array([_best(each[each > LEAST]) for each in softmax[1:]])


def _best(p: npt.NDArray[np.float32]) -> float:
    """The best expected Dice of voxels that have these probabilities."""
    if not p.size:
        return 0.0
    step = (p * STEPS).astype(np.int16)
    count = np.bincount(step, minlength=STEPS + 1)[::-1].cumsum()
    total = np.bincount(step, weights=p, minlength=STEPS + 1)[::-1].cumsum()
    return float((2 * total / (count + total[-1])).max())


def handicaps(softmax: Softmax) -> npt.NDArray[np.float32]:
    """What each class's probability is multiplied by before the likeliest is taken, `[C]`.

    1 for the background. A structure gets so much that against the background alone it is
    labelled from its limit on, which is 1/2, as for the likeliest class, where the network is sure.

    Args:
        softmax: `[C, ...]`, the background first.
    """
    limit = np.clip(LIMIT_SHARE * expected_dice(softmax), LOWEST_LIMIT, 0.5)
    return np.concatenate([[1.0], (1 - limit) / limit]).astype(np.float32)


class Fusion:
    """Views of one part of a scan as they come: their weighted mean, structure by structure."""

    def __init__(self) -> None:
        self._total: Softmax | None = None
        self._weights: npt.NDArray[np.float64] = np.zeros(0)
        self._views = 0

    def add(self, softmax: Softmax, beside: bool = False) -> None:
        """Take a view in, `[C, ...]`; it is used up.

        Args:
            softmax: What it says.
            beside: Whether it is another network's, which counts like as many views as there were
                before it, and by the Dice of its masks with theirs.
        """
        if self._total is None:
            self._total, self._weights, self._views = softmax, _sureness(softmax), 1
            return
        if self._views == 1:  # only now it is known that the first is not alone
            _scale(self._total, self._weights)
        if beside:
            agreement = np.maximum(self._agreement(self._total, softmax), LEAST_AGREEMENT)
            weights = self._views * agreement**SHARPNESS
        else:
            weights = _sureness(softmax)
        self._views += 1
        _scale(softmax, weights)
        self._total += softmax
        self._weights += weights

    def _agreement(self, total: Softmax, softmax: Softmax) -> npt.NDArray[np.float64]:
        """Dice of a view's masks with those of the views so far, `[C - 1]`; 0 where none is."""
        found = np.zeros(len(softmax) - 1)
        pairs = zip(total[1:], self._weights, softmax[1:], strict=True)
        for number, (so_far, weight, other) in enumerate(pairs):
            theirs, its = so_far > np.float32(LIKELY * weight), other > LIKELY
            both = int(np.count_nonzero(theirs & its))
            sizes = int(np.count_nonzero(theirs)) + int(np.count_nonzero(its))
            found[number] = 2 * both / max(sizes, 1)
        return found

    def softmax(self) -> Softmax:
        """What the views say together, `[C, ...]`; the sum of them is used up.

        Raises:
            ValueError: If there is no view.
        """
        if self._total is None:
            raise ValueError("a model has at least one view")
        if self._views > 1:
            background, structures = self._total[0], self._total[1:]
            _scale(self._total, 1 / self._weights)
            structures.sum(axis=0, out=background)
            # Views that are weighed differently may say more than 1 together.
            structures /= np.maximum(background, 1)
            np.minimum(background, 1, out=background)
            np.subtract(1, background, out=background)
        return self._total


def _sureness(softmax: Softmax) -> npt.NDArray[np.float64]:
    """What a view counts by what it expects of itself, `[C - 1]`."""
    found: npt.NDArray[np.float64] = np.maximum(expected_dice(softmax), FLOOR) ** SHARPNESS
    return found


def _scale(softmax: Softmax, factors: npt.NDArray[np.float64]) -> None:
    """Multiply each structure's probabilities, in place."""
    for each, factor in zip(softmax[1:], factors, strict=True):
        each *= np.float32(factor)
