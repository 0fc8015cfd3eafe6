"""A U-Net that also answers from inside: side outputs at half and quarter resolution.

They are trained with the main output (deep supervision: Lee et al., AISTATS 2015) and say, by how
far they agree with it, how good a mask is (Zhao et al. 2021, deep-supervision Dice).
"""

from __future__ import annotations

from collections.abc import Sequence
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
        unet: A two-dimensional U-Net of a level more than there are sides, and a bottom.
    """

    def __init__(self, unet: UNet) -> None:
        super().__init__()
        self.unet = unet
        self._classes = unet.out_channels
        # A level is (down, skip over the level inside, up); a level's output has as many
        # channels as the level outside it has after its way down. In plain lists: the modules
        # are the U-Net's, and have their names there.
        self.downs: list[nn.Module] = []
        self.ups: list[nn.Module] = []
        level: nn.Module = unet.model
        while isinstance(level, nn.Sequential):
            down, skip, up = level.children()
            self.downs.append(down)
            self.ups.append(up)
            level = cast(SkipConnection, skip).submodule
        self.bottom = [level]
        self.heads = nn.ModuleList(
            nn.Conv2d(width, self._classes, kernel_size=1) for width in unet.channels[:SIDES]
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C, H, W]`."""
        logits: torch.Tensor = self.unet(images)
        return logits

    def encode(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What the way down says at each level, the outermost first; last, the bottom's answer."""
        found = []
        for down in self.downs:
            images = down(images)
            found.append(images)
        return [*found, self.bottom[0](images)]

    def from_inside(self, skips: Sequence[torch.Tensor], inside: torch.Tensor) -> torch.Tensor:
        """What `with_sides` gives, from the innermost level on.

        Args:
            skips: The first of `encode`, of the levels outside that one.
            inside: The output of the level.
        """
        levels = [inside]
        for up, skip in zip(reversed(self.ups[:-1]), reversed(skips), strict=True):
            levels.append(up(torch.cat([skip, levels[-1]], dim=1)))
        main = levels.pop()
        sides = [
            nn.functional.interpolate(head(level), size=main.shape[2:], mode="bilinear")
            for head, level in zip(self.heads, reversed(levels), strict=True)
        ]
        return torch.cat([main, *sides], dim=1)

    def with_sides(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of the main output and of the sides, `[N, C * (1 + sides), H, W]`.

        The sides are brought to full size; the finest comes first.
        """
        *skips, bottom = self.encode(images)
        inside = self.ups[-1](torch.cat([skips[-1], bottom], dim=1))
        return self.from_inside(skips[:-1], inside)
