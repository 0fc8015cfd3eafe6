"""Frozen features of slices, for choosing before anything is learned.

Fixed random convolutions keep enough of texture and layout to tell slices apart, need no weights
from elsewhere and no training (survey 5.2.1: representations without labels).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from activeseg.keys import Plane
from activeseg.model.scan import Scan, axis_of

__all__ = [
    "RECIPE",
    "slice_centrality",
    "slice_features",
    "slice_information",
    "texture_energy",
]

RECIPE = 1
"""Of features and information; raise it whenever they change, or a cache gives the former ones."""

VALUES_AT_ONCE = 1 << 24
"""Grey values that are brought into a model's range at once, so that a large volume never is."""

_SIDE = 64
_GRID = 4
_FILTERS = 24
_SEED = 20230


def slice_features(scan: Scan, plane: Plane) -> npt.NDArray[np.float32]:
    """Features `[slices, D]` of every slice of one plane, in canonical order.

    Each slice is brought to 64 x 64 pixels; its mean grey values on a 4 x 4 grid and the mean
    responses of 24 random 5 x 5 filters at two scales on the same grid are its features.
    """
    return np.concatenate([_responses(torch.from_numpy(some)) for some in _slices(scan, plane)])


def _responses(pixels: torch.Tensor) -> npt.NDArray[np.float32]:
    """Features of some slices `[N, channels, H, W]`, `[N, D]`."""
    pixels = nn.functional.interpolate(
        pixels, size=(_SIDE, _SIDE), mode="bilinear", antialias=True, align_corners=False
    )
    generator = torch.Generator().manual_seed(_SEED)
    shape = (_FILTERS, pixels.shape[1], 5, 5)
    filters = torch.randn(shape, generator=generator)
    filters -= filters.mean(dim=(2, 3), keepdim=True)  # edges and texture, not brightness
    parts = [nn.functional.adaptive_avg_pool2d(pixels, _GRID)]
    with torch.inference_mode():
        for scale in (1, 2):
            smaller = nn.functional.avg_pool2d(pixels, scale)
            response = nn.functional.conv2d(smaller, filters, padding=2).relu()
            parts.append(nn.functional.adaptive_avg_pool2d(response, _GRID))
    found: npt.NDArray[np.float32] = torch.cat([part.flatten(1) for part in parts], dim=1).numpy()
    return found


def texture_energy(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """How strongly the filters answer in each slice, at the fine and the coarse scale.

    Args:
        features: Of `slice_features`, `[slices, D]`.

    Returns:
        `[slices, 2]`, above 0 where there is anything to see.
    """
    responses = features[:, -2 * _FILTERS * _GRID**2 :].reshape(len(features), 2, -1)
    energy: npt.NDArray[np.float64] = responses.mean(axis=2, dtype=np.float64)
    return energy


def slice_information(scan: Scan, plane: Plane) -> npt.NDArray[np.float32]:
    """How much there is to see in each slice, `[slices]`, 1 for the fullest of the volume.

    The mean size of the in-plane grey-value steps: next to nothing in air.
    """
    steps: npt.NDArray[np.float32] = np.concatenate(
        [_grey_steps(some) for some in _slices(scan, plane)]
    )
    most = float(steps.max())
    return steps / most if most > 0 else np.ones_like(steps)


def slice_centrality(count: int) -> npt.NDArray[np.float32]:
    """How near the middle of its volume each of so many slices is, `[count]`, 0 to 1.

    A scan is centred on what it was made for; the square of the way from the end that is nearer
    (docs/experiments.md).
    """
    place = (np.arange(count, dtype=np.float32) + np.float32(0.5)) / np.float32(count)
    central: npt.NDArray[np.float32] = np.square(1 - np.abs(2 * place - 1))
    return central


def _grey_steps(slices: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean size of the grey-value steps in each of some slices, `[slices]`."""
    steps = np.zeros(len(slices), dtype=np.float32)
    for axis in (2, 3):
        if slices.shape[axis] > 1:  # a volume of one slice, cut across, has a single row
            steps += np.abs(np.diff(slices, axis=axis)).mean(axis=(1, 2, 3))
    return steps


def _slices(scan: Scan, plane: Plane) -> Iterator[npt.NDArray[np.float32]]:
    """The slices of one plane, some at a time, `[slices, channels, H, W]`."""
    axis = axis_of(plane)
    count = scan.shape[axis]
    several = max(1, VALUES_AT_ONCE * count // scan.stored.size)
    for first in range(0, count, several):
        box = [slice(None)] * 3
        box[axis] = slice(first, min(first + several, count))
        shown = scan.part((box[0], box[1], box[2])).channels
        yield np.ascontiguousarray(np.moveaxis(shown, axis + 1, 0))
