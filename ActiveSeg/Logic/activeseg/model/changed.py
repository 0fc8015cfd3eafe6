"""Stochastic passes where they can differ: the pixels of which the plain answer is not sure.

The passes come as what each changes in the plain logits, on a coarse grid. Where the plain answer
is sure they would change nothing that counts, so they are computed for the other pixels alone,
which are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["DECIDED", "Changes", "changed", "likeliest_of"]

DECIDED = 0.99
"""Probability of the likeliest class from which on a pixel is as the plain answer says."""

_AT_ONCE = 1 << 20
"""Values that are in hand together: pixels, passes and classes."""


@dataclass(frozen=True)
class Changes:
    """The changes of some passes, and where they are.

    Attributes:
        maps: `[T, N, C, h, w]`.
        rows: Row of those maps that each row of what is made of them lies in.
        columns: The same of the columns.
    """

    maps: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor


def changed(plain: torch.Tensor, changes: Changes) -> list[torch.Tensor]:
    """Of some passes the labels of each, their mean softmax, and their mean entropy.

    Args:
        plain: Softmax `[N, C, H, W]` of the plain answer.
        changes: What the passes change in its logits.

    Returns:
        Labels `[N, 1, H, W]` of each pass, mean `[N, C, H, W]`, entropy `[N, 1, H, W]` in nats.
    """
    passes, _, classes, height, width = changes.maps.shape
    labels = likeliest_of(plain)
    found = [labels.clone() for _ in range(passes)]
    mean, entropy = plain.clone(), _entropy(plain, 1).unsqueeze(1)
    image, row, column = torch.nonzero(plain.amax(dim=1) < DECIDED, as_tuple=True)
    cell = (image * height + changes.rows[row]) * width + changes.columns[column]
    flat = changes.maps.permute(2, 0, 1, 3, 4).reshape(classes, passes, -1)
    for part in torch.arange(len(cell), device=cell.device).split(
        max(1, _AT_ONCE // (passes * classes))
    ):
        here = (image[part], row[part], column[part])
        known = _log(plain.movedim(1, 0)[(slice(None), *here)])
        p = (known[:, None] + flat.index_select(2, cell[part]).float()).softmax(dim=0)
        mean.movedim(1, 0)[(slice(None), *here)] = p.mean(dim=1)
        entropy[:, 0][here] = _entropy(p, 0).mean(dim=0)
        for each, best in zip(found, likeliest_of(p[None])[0, 0], strict=True):
            each[:, 0][here] = best
    return [*found, mean, entropy]


def likeliest_of(maps: torch.Tensor) -> torch.Tensor:
    """The likeliest class of maps `[N, C, ...]`, `[N, 1, ...]` bytes; of equals the first.

    On a processor torch's argmax over a middle axis takes ten times as long.
    """
    best, found = maps[:, :1], torch.zeros_like(maps[:, :1], dtype=torch.uint8)
    for channel in range(1, maps.shape[1]):
        each = maps[:, channel : channel + 1]
        found.masked_fill_(each > best, channel)
        best = torch.maximum(best, each)
    return found


def _entropy(p: torch.Tensor, classes: int) -> torch.Tensor:
    """Entropy over the axis of the classes, in nats."""
    return -(_log(p) * p).sum(dim=classes)


def _log(p: torch.Tensor) -> torch.Tensor:
    """Finite where p is 0, so that its product with p is the limit, 0."""
    return p.clamp(min=torch.finfo(p.dtype).tiny).log()
