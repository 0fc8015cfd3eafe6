"""How far several opinions on one slice agree, structure by structure: estimates of its Dice.

Opinions are label maps: of stochastic passes, of side outputs, of single views, or the proposal's
own neighbouring slices. Where nobody sees a structure there is nothing to agree on: NaN. All maps
are canonical `[S, P, L]`, a slice is one index along `axis`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.quality.opinions import Opinions

__all__ = ["Compared", "dice_with", "mc_iou", "neighbour_dice", "pairwise_dice"]

Labels: TypeAlias = npt.NDArray[np.integer]
Floats: TypeAlias = npt.NDArray[np.float64]


def mc_iou(labels: Labels, structures: int, axis: int) -> Floats:
    """Intersection over union of all passes (Shen et al. 2020).

    Args:
        labels: `[T, S, P, L]` output channels.
        structures: Number of structures; channel 0 is the background.
        axis: The axis that is cut: 0 axial, 1 coronal, 2 sagittal.

    Returns:
        `[structures, n_slices]`, 0 to 1.
    """
    return Opinions.of(labels).iou(structures, axis)


def pairwise_dice(labels: Labels, structures: int, axis: int) -> Floats:
    """Mean Dice over all pairs of passes (MC pairwise Dice: Roy et al. 2019); args as `mc_iou`.

    A pair in which both are empty has no Dice and is left out.
    """
    return Opinions.of(labels).pairwise_dice(structures, axis)


def dice_with(opinions: Labels, proposal: Labels, structures: int, axis: int) -> Floats:
    """Mean Dice of the proposal with each opinion.

    With the side outputs of a network this is the deep-supervision Dice (Zhao et al. 2021), with
    its views the agreement of the planes.

    Args:
        opinions: `[K, S, P, L]` output channels; K may be 0.
        proposal: `[S, P, L]` output channels.
        structures: Number of structures.
        axis: The axis that is cut.

    Returns:
        `[structures, n_slices]`; NaN where neither the proposal nor an opinion has the structure.
    """
    return Compared.of(opinions, proposal, structures).dice(axis)


def neighbour_dice(proposal: Labels, structures: int, axis: int) -> Floats:
    """Inter-slice Dice: mean Dice of a slice of the proposal with the slices next to it.

    Args:
        proposal: `[S, P, L]` output channels.
        structures: Number of structures.
        axis: The axis that is cut.

    Returns:
        `[structures, n_slices]`; NaN where the slice lacks the structure or has no neighbour.
    """
    slices = np.moveaxis(proposal, axis, 0)
    found: Floats = np.full((structures, len(slices)), np.nan)
    if len(slices) < 2:
        return found
    for channel in range(1, structures + 1):
        masks = slices == channel
        size = masks.sum(axis=(1, 2)).astype(np.float64)
        shared = (masks[1:] & masks[:-1]).sum(axis=(1, 2))
        pair = 2 * shared / np.maximum(size[1:] + size[:-1], 1)
        total = np.zeros(len(slices))
        total[1:] += pair
        total[:-1] += pair
        total[1:-1] /= 2
        found[channel - 1] = np.where(size > 0, total, np.nan)
    return found


@dataclass(frozen=True)
class Compared:
    """A proposal beside some opinions, looked at once for all three axes.

    Attributes:
        structures: Number of structures.
        shape: Of the maps.
        places: Of each opinion, where it or the proposal shows something.
        pairs: What both show there: the proposal's channel times the channels, plus the opinion's.
    """

    structures: int
    shape: tuple[int, ...]
    places: list[tuple[npt.NDArray[np.intp], ...]]
    pairs: list[npt.NDArray[np.intp]]

    @classmethod
    def of(cls, opinions: Labels, proposal: Labels, structures: int) -> Compared:
        """Compare label maps `[K, S, P, L]` with one `[S, P, L]`; K may be 0."""
        places = [np.nonzero(each | proposal) for each in opinions]
        pairs = [
            proposal[there].astype(np.intp) * (1 + structures) + each[there]
            for each, there in zip(opinions, places, strict=True)
        ]
        return cls(structures, proposal.shape, places, pairs)

    def dice(self, axis: int) -> Floats:
        """Mean Dice of the proposal with each opinion, `[structures, n_slices]`."""
        found = [self._pair_dice(*each, axis) for each in zip(self.places, self.pairs, strict=True)]
        score = np.array(found).reshape(len(found), self.structures, self.shape[axis])
        return _mean(np.moveaxis(np.nan_to_num(score), 0, -1), np.moveaxis(~np.isnan(score), 0, -1))

    def _pair_dice(
        self, there: tuple[npt.NDArray[np.intp], ...], pair: npt.NDArray[np.intp], axis: int
    ) -> Floats:
        """Dice of two label maps, `[structures, n_slices]`; NaN where neither has the structure.

        One histogram of pairs of labels gives the areas of all structures and what they share.
        """
        classes, count = 1 + self.structures, self.shape[axis]
        cell = there[axis] * classes**2 + pair
        pairs = np.bincount(cell, minlength=count * classes**2).reshape(count, classes, classes)
        both = (pairs.sum(axis=2) + pairs.sum(axis=1))[:, 1:].T
        shared = np.diagonal(pairs, axis1=1, axis2=2)[:, 1:].T
        found: Floats = np.where(both > 0, 2 * shared / np.maximum(both, 1), np.nan)
        return found


def _mean(score: Floats, counts: npt.NDArray[np.bool_]) -> Floats:
    """Mean along the last axis over what counts; NaN where nothing does."""
    number = counts.sum(axis=-1)
    total = np.sum(score, axis=-1, where=counts)
    mean: Floats = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return mean
