"""Stochastic passes of the built-in network at little more than the cost of a single one.

Dropout acts in the innermost level of the decoder alone. What comes before it is the same in every
pass, and what it changes in the side output of that level, at quarter resolution, is added to the
plain logits. Slices rank as by passes with dropout in every deep layer (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from activeseg.model.masks import dropped
from activeseg.model.supervised import SIDES, SupervisedUNet

__all__ = ["DecoderPasses"]

UNLIKELY = -4.0
"""How far the logit of each structure lies below the background's where nothing is shown."""


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
        # MONAI's transposed convolution and the residual unit after it.
        self._innermost: Any = network.ups[-1]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of the main output, of the sides, and of each pass, in this order.

        Of an image in which no pixel may be foreground they are all those of the main output.

        Args:
            images: `[N, channels, H, W]`.

        Returns:
            `[N, C * (1 + SIDES + count), H, W]`.
        """
        network = self._network
        *skips, bottom = network.encode(images)
        enlarge, unit = self._innermost
        # Norm comes before dropout, so all of it up to there is without chance.
        known = enlarge.adn.N(enlarge.conv(torch.cat([skips[-1], bottom], dim=1)))
        plain = unit(enlarge.adn.A(known))
        *levels, main = network.outward(skips[:-1], plain)
        busy = _may_show(main)
        if not busy.any():
            return main.repeat(1, 1 + SIDES + self._count, 1, 1)
        sides = network.sides([each[busy] for each in levels], main.shape[2:])
        passes = self._passes(known[busy], plain[busy], main[busy])
        answers = main.new_empty((len(sides[0]), 1 + SIDES + self._count, *main.shape[1:]))
        for at, each in enumerate((main[busy], *sides, *passes)):
            answers[:, at] = each
        if busy.all():
            return answers.flatten(1, 2)
        found = main[:, None].repeat(1, 1 + SIDES + self._count, 1, 1, 1)
        found[busy] = answers
        return found.flatten(1, 2)

    def _passes(
        self, known: torch.Tensor, plain: torch.Tensor, main: torch.Tensor
    ) -> Iterator[torch.Tensor]:
        """Logits of each pass, one after the other.

        Args:
            known: What the level is before its first dropout.
            plain: What it answers without chance.
            main: Logits without chance.
        """
        if not self._count:
            return
        enlarge, unit = self._innermost
        chance = self._active(enlarge.adn, known.repeat(self._count, 1, 1, 1))
        inner = unit.conv.unit0
        chance = chance + self._active(inner.adn, inner.adn.N(inner.conv(chance)))
        head = self._network.heads[-1]
        changes = head(chance) - head(plain).repeat(self._count, 1, 1, 1)
        for each in changes.to(main.dtype).chunk(self._count):
            yield _added(main, each)

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
    count, classes, rows, columns = small.shape
    across = large.shape[3] // columns
    wide = small[..., None].expand(*small.shape, across).reshape(count, classes, rows, 1, -1)
    # Rows of one small pixel's row lie behind each other, so that it is added to all at once.
    found = large.reshape(count, classes, rows, -1, large.shape[3]) + wide
    return found.view(large.shape)


def _may_show(logits: torch.Tensor) -> torch.Tensor:
    """Whether a pixel of an image may be foreground, `[N]`."""
    foreground = logits[:, 1:].amax(dim=1) - logits[:, 0]
    return foreground.amax(dim=(1, 2)) >= UNLIKELY
