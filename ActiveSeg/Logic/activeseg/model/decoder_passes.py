"""Stochastic passes of the built-in network at little more than the cost of a single one.

Dropout acts in the innermost level of the decoder alone. What comes before it is the same in every
pass, and what it changes in the side output of that level, at quarter resolution, is added to the
plain logits. Slices rank as by passes with dropout in every deep layer (docs/performance.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from activeseg.model.masks import dropped
from activeseg.model.supervised import SupervisedUNet

__all__ = ["DecoderPasses"]


class DecoderPasses:
    """Asks the innermost level of a network's decoder several times at once.

    Args:
        network: The network, in evaluation mode; its dropout layers say with what chance.
        count: How often.
        seed: Fixes the masks.
    """

    def __init__(self, network: SupervisedUNet, count: int, seed: int) -> None:
        self._network = network
        self._count = count
        self._rng = np.random.Generator(np.random.SFC64(seed))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of the main output, of the sides, and of each pass, in this order.

        Args:
            images: `[N, channels, H, W]`.

        Returns:
            `[N, C * (1 + SIDES + count), H, W]`; main output and sides are those of
            `SupervisedUNet.with_sides`.
        """
        network = self._network
        *skips, bottom = network.encode(images)
        level: Any = network.ups[-1]  # of MONAI's U-Net: a transposed convolution and a unit
        enlarge, unit = level
        # Norm comes before dropout, so all of it up to there is without chance.
        known = enlarge.adn.N(enlarge.conv(torch.cat([skips[-1], bottom], dim=1)))
        plain = unit(enlarge.adn.A(known))
        answers = network.from_inside(skips[:-1], plain)
        if not self._count:
            return answers
        chance = self._active(enlarge.adn, known.repeat(self._count, 1, 1, 1))
        inner = unit.conv.unit0
        chance = chance + self._active(inner.adn, inner.adn.N(inner.conv(chance)))
        head = network.heads[-1]
        changes = head(chance) - head(plain).repeat(self._count, 1, 1, 1)
        main = answers[:, : changes.shape[1]]
        passes = [_added(main, each) for each in changes.to(main.dtype).chunk(self._count)]
        return torch.cat([answers, *passes], dim=1)

    def _active(self, adn: Any, values: torch.Tensor) -> torch.Tensor:
        """Dropout and activation of a block."""
        if values.device.type == "cpu":
            values = dropped(values, adn.D.p, self._rng)
        else:
            generator = torch.Generator(values.device).manual_seed(int(self._rng.integers(2**62)))
            kept = torch.empty_like(values).bernoulli_(1 - adn.D.p, generator=generator)
            values = values * kept / (1 - adn.D.p)
        active: torch.Tensor = adn.A(values)
        return active


def _added(large: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
    """Maps `[N, C, H, W]` and, to each square of their pixels, the pixel of smaller maps."""
    rows, columns = small.shape[2:]
    squares = large.unflatten(3, (columns, -1)).unflatten(2, (rows, -1))
    added: torch.Tensor = squares + small[:, :, :, None, :, None]
    return added.flatten(4, 5).flatten(2, 3)
