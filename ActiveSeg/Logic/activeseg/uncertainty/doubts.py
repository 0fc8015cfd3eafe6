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
    others = np.array([np.moveaxis(labels, axis, 0) for labels in opinions.values()])
    others = others.reshape(-1, *shown.shape)
    texts = list(opinions)
    sides = [each for each in range(3) if each != axis]
    worst = np.zeros((3, len(shown)), dtype=np.intp)  # pixels, structure, opinion
    for number, labels in enumerate(others):
        pixels, channel = _differences(shown, labels, len(names))
        worse = pixels > worst[0]
        worst[:2, worse], worst[2, worse] = (pixels[worse], channel[worse]), number
    there: npt.NDArray[np.bool_] = np.any(shown, axis=(1, 2))
    rows = np.flatnonzero(there & (worst[0] > 0))
    found = ["" if each else _beside(shown, row, names) for row, each in enumerate(there)]
    _, channels, opinion = worst[:, rows]
    ours = shown[rows] == channels[:, None, None]
    theirs = others[opinion, rows] == channels[:, None, None]
    for row, where, channel, number in zip(
        rows, _borders(ours, theirs, sides), channels, opinion, strict=True
    ):
        whose = f"{names[channel - 1]}: " if len(names) > 1 else ""
        found[row] = f"{whose}{where} {texts[number]}"
    return found


def _beside(shown: Labels, index: int, names: Sequence[str]) -> str:
    """A slice without proposal next to one with a proposal."""
    for other in (index - 1, index + 1):
        if 0 <= other < len(shown) and shown[other].any():
            there = np.unique(shown[other])
            channel = int(there[there > 0][0])
            return f"nothing proposed, but the next slice shows {names[channel - 1]}"
    return ""


def _differences(
    ours: Labels, theirs: Labels, structures: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Of each slice the pixels that differ in the structure that differs most, and which it is.

    Args:
        ours: `[n, H, W]`.
        theirs: `[n, H, W]`.
        structures: How many there are.

    Returns:
        `[n]` each; 0 pixels where the difference is small.
    """
    count = len(ours)
    changed = np.nonzero(ours != theirs)
    pixels = _of_each(changed[0], ours[changed], count, structures)
    pixels += _of_each(changed[0], theirs[changed], count, structures)
    channel = pixels[:, 1:].argmax(axis=1) + 1
    most = pixels[np.arange(count), channel]
    area = np.maximum(
        *(np.count_nonzero(each == channel[:, None, None], axis=(1, 2)) for each in (ours, theirs))
    )
    return np.where(most < np.maximum(_FEW_PIXELS, _SMALL_SHARE * area), 0, most), channel


def _of_each(
    rows: npt.NDArray[np.intp], labels: Labels, count: int, structures: int
) -> npt.NDArray[np.intp]:
    """How often each label is in each row, `[count, 1 + structures]`."""
    cells = rows * (1 + structures) + labels
    return np.bincount(cells, minlength=count * (1 + structures)).reshape(count, -1)


def _borders(
    ours: npt.NDArray[np.bool_], theirs: npt.NDArray[np.bool_], sides: Sequence[int]
) -> list[str]:
    """At which border of the structure each slice's difference `[n, H, W]` lies, in words."""
    either, differs = ours | theirs, ours != theirs
    total = np.maximum(np.count_nonzero(differs, axis=(1, 2)), 1)
    offsets = np.empty((2, len(ours)))
    for along, across in ((0, 2), (1, 1)):
        there: npt.NDArray[np.bool_] = np.any(either, axis=across)
        first = there.argmax(axis=1)
        last = there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
        mean = np.count_nonzero(differs, axis=across) @ np.arange(there.shape[1]) / total
        offsets[along] = (mean - (first + last) / 2) / np.maximum((last - first) / 2, 0.5)
    along_most = np.abs(offsets).argmax(axis=0)
    return [
        "outline" if abs(offset) < _CENTRAL else f"{_TOWARD[sides[along]][int(offset > 0)]} border"
        for along, offset in zip(along_most, offsets[along_most, np.arange(len(ours))], strict=True)
    ]
