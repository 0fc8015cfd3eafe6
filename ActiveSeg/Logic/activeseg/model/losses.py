"""What both of the built-in networks learn to make small."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from monai.networks.utils import one_hot
from torch import nn

from activeseg.model.slices import IGNORED
from activeseg.model.supervised import SIDES

__all__ = ["SliceLoss", "deep_loss"]


class SliceLoss(nn.Module):
    """Dice over the structures plus cross-entropy; unknown pixels or voxels are in neither."""

    def __init__(self) -> None:
        super().__init__()
        self._dice = DiceLoss(include_background=False, batch=True)
        self._cross_entropy = nn.CrossEntropyLoss(ignore_index=IGNORED, reduction="sum")

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of logits `[N, C, ...]` against classes `[N, 1, ...]`; 0 if none is known."""
        known = target != IGNORED
        truth = one_hot(torch.where(known, target, 0), num_classes=logits.shape[1])
        dice: torch.Tensor = self._dice(logits.softmax(dim=1) * known, truth * known)
        total: torch.Tensor = self._cross_entropy(logits, target[:, 0])
        return dice + total / known.sum().clamp(min=1)


def deep_loss(
    loss_of: SliceLoss, side_weight: float, logits: torch.Tensor, target: torch.Tensor
) -> torch.Tensor:
    """The loss of the main output and, weighted, the mean loss of the side outputs.

    Args:
        loss_of: The loss of one output.
        side_weight: Weight of the sides together.
        logits: `[N, C * (1 + sides), H, W]` of `SupervisedUNet.with_sides`.
        target: Classes `[N, 1, H, W]`.
    """
    main, *sides = logits.chunk(1 + SIDES, dim=1)
    total: torch.Tensor = loss_of(main, target)
    for side in sides:
        total = total + side_weight / SIDES * loss_of(side, target)
    return total
