"""Dropout on a processor, without a draw for each value.

torch draws a number for every value of every layer, which takes as long as the convolutions. Here
one large mask is drawn for each chance, and every use cuts its own out of it, from somewhere else.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

__all__ = ["dropped"]

_DRAWN = 1 << 22
"""Values of the large mask. Two cuts of it may overlap, but hardly ever in the same place."""


def dropped(values: torch.Tensor, p: float, rng: np.random.Generator) -> torch.Tensor:
    """Values of which each is 0 with chance p, and the others are larger so that the mean stays.

    Args:
        values: Of any shape, on the processor.
        p: From 0 up to, not with, 1.
        rng: Says where the mask is cut.
    """
    flat, mask = values.reshape(-1), _mask(p, values.dtype)
    answer = torch.empty_like(flat)
    for first in range(0, len(flat), _DRAWN // 2):
        part = flat[first : first + _DRAWN // 2]
        start = int(rng.integers(_DRAWN - len(part) + 1))
        torch.mul(part, mask[start : start + len(part)], out=answer[first : first + len(part)])
    return answer.view(values.shape)


@cache
def _mask(p: float, dtype: torch.dtype) -> torch.Tensor:
    """`_DRAWN` values, 0 with chance p and else 1 / (1 - p)."""
    kept = np.random.Generator(np.random.SFC64(0)).random(_DRAWN, dtype=np.float32) >= p
    return torch.from_numpy(kept).to(dtype) / (1 - p)
