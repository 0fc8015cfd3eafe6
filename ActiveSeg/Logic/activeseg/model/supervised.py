"""A U-Net that also answers from inside: side outputs at half and quarter resolution.

They are trained with the main output (deep supervision: Lee et al., AISTATS 2015) and say, by how
far they agree with it, how good a mask is (Zhao et al. 2021, deep-supervision Dice).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import cast

import torch
from monai.networks.layers import SkipConnection
from monai.networks.nets import UNet
from torch import nn

__all__ = ["SIDES", "SliceVolumeUNet", "SupervisedUNet"]

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

    def outward(self, skips: Sequence[torch.Tensor], inside: torch.Tensor) -> list[torch.Tensor]:
        """The output of each level from the innermost on; the last one is the logits.

        Args:
            skips: The first of `encode`, of the levels outside the innermost one.
            inside: The output of that level.
        """
        levels = [inside]
        for up, skip in zip(reversed(self.ups[:-1]), reversed(skips), strict=True):
            levels.append(up(torch.cat([skip, levels[-1]], dim=1)))
        return levels

    def sides(self, levels: Sequence[torch.Tensor], size: torch.Size) -> list[torch.Tensor]:
        """Logits `[N, C, H, W]` of each side, the finest first; of levels without the last one."""
        return [
            _enlarged(head(level), size)
            for head, level in zip(self.heads, reversed(levels), strict=True)
        ]

    def with_sides(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of the main output and of the sides, `[N, C * (1 + sides), H, W]`.

        The sides are brought to full size; the finest comes first.
        """
        *skips, bottom = self.encode(images)
        inside = self.ups[-1](torch.cat([skips[-1], bottom], dim=1))
        *levels, main = self.outward(skips[:-1], inside)
        return torch.cat([main, *self.sides(levels, main.shape[2:])], dim=1)


class SliceVolumeUNet(SupervisedUNet):
    """The same with a second U-Net beside it, which sees volumes.

    Args:
        unet: As in `SupervisedUNet`.
        volume: A three-dimensional U-Net with as many outputs.

    Attributes:
        volume: From `[N, channels + PLACES, D, H, W]` to logits `[N, C, D, H, W]`.
        volume_steps: Steps that it was trained for; without any it has no say.
    """

    volume_steps: torch.Tensor

    def __init__(self, unet: UNet, volume: UNet) -> None:
        super().__init__(unet)
        self.volume = volume
        self.register_buffer("volume_steps", torch.zeros((), dtype=torch.int64))

    @property
    def sees_volumes(self) -> bool:
        """Whether the network of volumes has learned anything."""
        return bool(self.volume_steps > 0)


def _enlarged(maps: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Maps `[N, C, h, w]` interpolated linearly to rows and columns, as torch's `interpolate` does.

    By two matrix products, which on a processor take a third of the time.
    """
    down, across = (
        _weights(n, to, maps.device) for n, to in zip(maps.shape[2:], size, strict=True)
    )
    return down.T @ (maps.float() @ across)


@cache
def _weights(count: int, size: int, device: torch.device) -> torch.Tensor:
    """`[count, size]`, how much each of some pixels has of each of more pixels in a row."""
    with torch.inference_mode(False), torch.no_grad():
        each = torch.eye(count)[None]
        return nn.functional.interpolate(each, size=size, mode="linear")[0].to(device)
