"""What a model is unsure of in a slice, in words that a radiologist uses.

The words come from where a second opinion differs from the proposal: another view of the same
voxels or, where a cohort is seen in one plane only, a stochastic pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["slice_doubts"]

Labels: TypeAlias = npt.NDArray[np.integer]

_TOWARD = (("lower", "upper"), ("front", "back"), ("right", "left"))
"""Names of the ends of the canonical axes S, P, L; left and right are the patient's."""

_FEW_PIXELS = 3
_SMALL_SHARE = 0.05
"""A difference of less than this share of the structure's area is not worth a word."""

_CENTRAL = 0.2
"""A difference centred within this share of the structure's half width has no side."""


def slice_doubts(
    proposal: Labels,
    opinions: Mapping[str, Labels],
    names: Sequence[str],
    axis: int,
) -> list[str]:
    """For each slice the largest difference of an opinion from the proposal.

    Args:
        proposal: `[S, P, L]` output channels.
        opinions: Label maps of the same shape, by what differs with them, e.g. "disagrees with
            the coronal view".
        names: Names of the channels from 1 on.
        axis: The axis that is cut.

    Returns:
        One text a slice; empty where nothing is worth saying.
    """
    shown = np.moveaxis(proposal, axis, 0)
    others = {text: np.moveaxis(labels, axis, 0) for text, labels in opinions.items()}
    sides = [each for each in range(3) if each != axis]
    found = []
    for index, ours in enumerate(shown):
        if not ours.any():
            found.append(_beside(shown, index, names))
            continue
        worst, words = 0, ""
        for text, labels in others.items():
            differs, channel = _difference(ours, labels[index], len(names))
            if differs > worst:
                worst = differs
                where = _side(ours == channel, labels[index] == channel, sides)
                whose = f"{names[channel - 1]}: " if len(names) > 1 else ""
                words = f"{whose}{where} {text}"
        found.append(words)
    return found


def _beside(shown: Labels, index: int, names: Sequence[str]) -> str:
    """A slice without proposal next to one with a proposal."""
    for other in (index - 1, index + 1):
        if 0 <= other < len(shown) and shown[other].any():
            there = np.unique(shown[other])
            channel = int(there[there > 0][0])
            return f"nothing proposed, but the next slice shows {names[channel - 1]}"
    return ""


def _difference(ours: Labels, theirs: Labels, structures: int) -> tuple[int, int]:
    """Pixels that differ in the structure that differs most, and that structure; 0 if small."""
    changed = ours != theirs
    if not changed.any():
        return 0, 0
    counts = np.bincount(ours[changed], minlength=structures + 1)
    counts = counts + np.bincount(theirs[changed], minlength=structures + 1)
    channel = int(np.argmax(counts[1:])) + 1
    count = int(counts[channel])
    area = max(int(np.count_nonzero(ours == channel)), int(np.count_nonzero(theirs == channel)))
    if count < max(_FEW_PIXELS, _SMALL_SHARE * area):
        return 0, 0
    return count, channel


def _side(
    ours: npt.NDArray[np.bool_],
    theirs: npt.NDArray[np.bool_],
    sides: Sequence[int],
) -> str:
    """Which border the difference lies at."""
    both = np.argwhere(ours | theirs)
    middle = (both.min(axis=0) + both.max(axis=0)) / 2
    half = np.maximum((both.max(axis=0) - both.min(axis=0)) / 2, 0.5)
    offset = np.argwhere(ours != theirs).mean(axis=0) - middle
    along = int(np.argmax(np.abs(offset / half)))
    if abs(offset[along] / half[along]) < _CENTRAL:
        return "outline"
    return f"{_TOWARD[sides[along]][int(offset[along] > 0)]} border"
