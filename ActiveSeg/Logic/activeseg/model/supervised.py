"""A U-Net that also answers from inside: side outputs at half and quarter resolution.

They are trained with the main output (deep supervision: Lee et al., AISTATS 2015) and say, by how
far they agree with it, how good a mask is (Zhao et al. 2021, deep-supervision Dice).
"""

from __future__ import annotations

from typing import cast

import torch
from monai.networks.layers import SkipConnection
from monai.networks.nets import UNet
from torch import nn

__all__ = ["SIDES", "SupervisedUNet"]

SIDES = 2
"""Side outputs of a network."""


class SupervisedUNet(nn.Module):
    """MONAI's U-Net with heads on the outputs of its inner levels.

    Args:
        unet: A two-dimensional U-Net of at least three levels.
    """

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = unet
        self._classes = unet.out_channels
        # A level is (down, skip over the level inside, up); a level's output has as many
        # channels as the level outside it has after its way down.
        self._inner: list[nn.Module] = []
        level: nn.Module = unet.model
        for _ in range(SIDES):
            _, skip, _ = level.children()
            level = cast(SkipConnection, skip).submodule
            self._inner.append(level)
        self.heads = nn.ModuleList(
            nn.Conv2d(width, self._classes, kernel_size=1) for width in unet.channels[:SIDES]
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C, H, W]`."""
        logits: torch.Tensor = self.unet(images)
        return logits

    def with_sides(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of the main output and of the sides, `[N, C * (1 + sides), H, W]`.

        The sides are brought to full size; the finest comes first.
        """
        found: list[torch.Tensor] = []

        def keep(_: nn.Module, __: object, output: torch.Tensor) -> None:
            found.append(output)

        hooks = [inner.register_forward_hook(keep) for inner in self._inner]
        try:
            main = self.unet(images)
        finally:
            for hook in hooks:
                hook.remove()
        inside_out = zip(self.heads, reversed(found), strict=True)
        sides = [
            nn.functional.interpolate(head(level), size=images.shape[2:], mode="bilinear")
            for head, level in inside_out
        ]
        return torch.cat([main, *sides], dim=1)
