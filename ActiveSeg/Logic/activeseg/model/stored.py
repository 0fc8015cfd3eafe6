"""From the grid on which a model answers back to the voxels of the file."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from activeseg.model.scan import Box, Scan

__all__ = ["likeliest", "stored_labels", "stored_map"]

VOXELS_AT_ONCE = 1 << 23
"""Stored voxels times channels that are enlarged together."""


def likeliest(
    p: npt.NDArray[np.float32], factors: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.uint8]:
    """The class of the highest probability, of equals the first, as argmax.

    Several times faster than argmax along the class axis of a volume.

    Args:
        p: `[C, ...]`, at most 256 classes.
        factors: `[C]` what each class's probabilities are multiplied by before; None for 1.

    Returns:
        `[...]`.
    """
    best = p[0].copy() if factors is None else p[0] * factors[0]
    found = np.zeros(best.shape, dtype=np.uint8)
    for value, each in enumerate(p[1:], 1):
        weighed = each if factors is None else each * factors[value]
        np.copyto(found, value, where=weighed > best)
        np.maximum(best, weighed, out=best)
    return found


def stored_labels(
    softmax: npt.NDArray[np.float32],
    box: Box,
    scan: Scan,
    factors: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.uint8]:
    """The likeliest class of each stored voxel of a scan; outside the box background.

    Args:
        softmax: `[C, s, p, l]`.
        box: Where on the scan's grid it lies.
        scan: The scan.
        factors: As in `likeliest`.

    Returns:
        `[S, P, L]`.
    """
    found = np.zeros(scan.stored_shape, dtype=np.uint8)
    for here, part in _enlarged(softmax, box, scan):
        found[here] = likeliest(part.numpy(), factors)
    return found


def stored_map(values: npt.NDArray[np.float32], box: Box, scan: Scan) -> npt.NDArray[np.float16]:
    """A map `[s, p, l]` in a box of a scan's grid at each stored voxel, 0 outside the box.

    In half precision: at a large volume's voxels it is for looking at.
    """
    found = np.zeros(scan.stored_shape, dtype=np.float16)
    for here, part in _enlarged(values[None], box, scan):
        found[here] = part[0].numpy()
    return found


def _enlarged(
    maps: npt.NDArray[np.float32], box: Box, scan: Scan
) -> Iterator[tuple[Box, torch.Tensor]]:
    """Maps `[C, s, p, l]` at the stored voxels, linearly, some grid slices along S at a time.

    Yields:
        Where among the stored voxels, and the maps there.
    """
    down, across, along = scan.step
    size = tuple((side.stop - side.start) * step for side, step in zip(box, scan.step, strict=True))
    several = max(1, VOXELS_AT_ONCE // (len(maps) * down * math.prod(size[1:])))
    first, *rest = (
        slice(side.start * step, min(side.stop * step, count))
        for side, step, count in zip(box, scan.step, scan.stored_shape, strict=True)
    )
    rows, columns = rest
    for start in range(0, maps.shape[1], several):
        stop = min(start + several, maps.shape[1])
        # One grid slice more on both sides, so that no seam is seen.
        low, high = max(start - 1, 0), min(stop + 1, maps.shape[1])
        part = torch.from_numpy(maps[:, low:high])
        if scan.step != (1, 1, 1):
            part = torch.nn.functional.interpolate(
                part[None], scale_factor=(down, across, along), mode="trilinear"
            )[0]
        here = slice(first.start + start * down, min(first.start + stop * down, first.stop))
        inside = slice((start - low) * down, (start - low) * down + here.stop - here.start)
        part = part[:, inside, : rows.stop - rows.start, : columns.stop - columns.start]
        yield (here, rows, columns), part
