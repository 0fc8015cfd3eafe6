"""Label maps of several passes, kept apart by whether the passes agree.

They agree nearly everywhere: what they say there counts once, and only the disputed voxels are
compared pass by pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Opinions"]

Labels: TypeAlias = npt.NDArray[np.integer]
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Opinions:
    """What some passes say of the same voxels.

    Attributes:
        agreed: `[S, P, L]` output channels; background where the passes disagree.
        disputed: Where they do: an index along each of the three axes, `[M]`.
        votes: `[T, M]` output channels there.
    """

    agreed: Labels
    disputed: tuple[npt.NDArray[np.intp], ...]
    votes: Labels

    @classmethod
    def of(cls, labels: Labels) -> Opinions:
        """Of label maps `[T, S, P, L]`."""
        if not len(labels):
            nowhere = (np.zeros(0, dtype=np.intp),) * 3
            nothing = np.zeros(labels.shape[1:], dtype=labels.dtype)
            return cls(nothing, nowhere, np.zeros((0, 0), dtype=labels.dtype))
        first = labels[0]
        differ: npt.NDArray[np.bool_] = np.any(labels[1:] != first, axis=0)
        return cls(np.where(differ, 0, first), np.nonzero(differ), labels[:, differ])

    def iou(self, structures: int, axis: int) -> Floats:
        """Intersection over union of all passes, `[structures, n_slices]`; see `mc_iou`."""
        shared = self._agreed_area(structures, axis)
        place, count = self.disputed[axis], self.agreed.shape[axis]
        some = [
            np.bincount(place[(self.votes == channel).any(axis=0)], minlength=count)
            for channel in range(1, structures + 1)
        ]
        union = shared + np.array(some).reshape(shared.shape)
        found: Floats = np.where(union > 0, shared / np.maximum(union, 1), np.nan)
        return found

    def pairwise_dice(self, structures: int, axis: int) -> Floats:
        """Mean Dice over pairs of passes, `[structures, n_slices]`; see `pairwise_dice`."""
        rows, columns = np.triu_indices(len(self.votes), 1)
        shared = self._shared(structures, axis)
        area = np.diagonal(shared, axis1=2, axis2=3)
        both = area[..., rows] + area[..., columns]
        score = 2 * shared[..., rows, columns] / np.maximum(both, 1)
        number = (both > 0).sum(axis=-1)
        total = score.sum(axis=-1, where=both > 0)
        found: Floats = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        return found

    def _shared(self, structures: int, axis: int) -> Floats:
        """Pixels that each two passes share, `[structures, n_slices, T, T]`."""
        agreed = self._agreed_area(structures, axis)
        found = np.repeat(agreed[..., None], len(self.votes) ** 2, axis=-1)
        found = found.reshape(*agreed.shape, len(self.votes), len(self.votes))
        order = np.argsort(self.disputed[axis], kind="stable")
        place, votes = self.disputed[axis][order], self.votes[:, order]
        channels = np.arange(1, structures + 1)[:, None, None]
        slices, starts = np.unique(place, return_index=True)
        # Sums of 0 and 1 below 2^24: exact in single precision. Its kernels now and then set
        # "invalid" over finite numbers (numpy 24067).
        with np.errstate(invalid="ignore"):
            for each, start, end in zip(slices, starts, [*starts, place.size][1:], strict=True):
                chosen = (votes[:, start:end] == channels).astype(np.float32)
                found[:, each] += chosen @ chosen.transpose(0, 2, 1)
        return found

    @cached_property
    def _undisputed(self) -> tuple[npt.NDArray[np.intp], ...]:
        """Where all see a structure, the same one: an index along each of the three axes."""
        return np.nonzero(self.agreed)

    def _agreed_area(self, structures: int, axis: int) -> Floats:
        """Pixels of each structure on which all agree, `[structures, n_slices]`."""
        count, there = self.agreed.shape[axis], self._undisputed
        cell = self.agreed[there].astype(np.intp) * count + there[axis]
        area = np.bincount(cell, minlength=(1 + structures) * count)
        return area.astype(np.float64)[: (1 + structures) * count].reshape(-1, count)[1:]
