"""Dropout on a processor, without a draw for each value.

torch draws a number for every value of every layer, which takes as long as the convolutions. Here
one large mask is drawn for each chance, and every use cuts its own out of it, from somewhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch

__all__ = ["MOST_CUT", "cut_mask", "dropped"]

_DRAWN = 1 << 22
"""Values of the large mask. Two cuts of it may overlap, but hardly ever in the same place."""

MOST_CUT = _DRAWN // 2
"""Values that one cut may have."""


def dropped(values: torch.Tensor, p: float, rng: np.random.Generator) -> torch.Tensor:
    """Values of which each is 0 with chance p, and the others are larger so that the mean stays.

    Args:
        values: Of any shape, on the processor.
        p: From 0 up to, not with, 1.
        rng: Says where the mask is cut.
    """

    def start(places: int) -> int:
        return int(rng.integers(places))

    if values.numel() <= MOST_CUT:
        return values * cut_mask(p, values, start)
    parts = values.reshape(-1).split(MOST_CUT)
    return torch.cat([part * cut_mask(p, part, start) for part in parts]).view(values.shape)


def cut_mask(p: float, values: torch.Tensor, start: Callable[[int], int]) -> torch.Tensor:
    """A mask for some values, 0 with chance p and else 1 / (1 - p), in their order in memory.

    Args:
        p: From 0 up to, not with, 1.
        values: On the processor, `MOST_CUT` of them at the most.
        start: Draws the place where the mask is cut, of so many.
    """
    count = values.numel()
    first = start(_DRAWN - count + 1)
    stride = torch.empty_like(values, device="meta").stride()
    return _mask(p, values.dtype).as_strided(values.shape, stride, first)


@cache
def _mask(p: float, dtype: torch.dtype) -> torch.Tensor:
    """`_DRAWN` values, 0 with chance p and else 1 / (1 - p)."""
    kept = np.random.Generator(np.random.SFC64(0)).random(_DRAWN, dtype=np.float32) >= p
    with torch.inference_mode(False), torch.no_grad():  # a training may need it, too
        return torch.from_numpy(kept).to(dtype) / (1 - p)
