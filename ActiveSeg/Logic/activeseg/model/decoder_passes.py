"""Stochastic passes of the built-in network at little more than the cost of a single one.

Dropout acts in the innermost level of the decoder alone. What comes before it is the same in every
pass, and what it changes in the side output of that level, at quarter resolution, is added to the
plain logits. Slices rank as by passes with dropout in every deep layer (docs/performance.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from activeseg.model.changed import DECIDED
from activeseg.model.masks import dropped
from activeseg.model.planes import Answered
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

    def __call__(self, images: torch.Tensor) -> Answered:
        """Logits of the main output and of the sides, and what each pass changes in the former.

        Of an image in which no pixel may be foreground the sides' logits are those of the main
        output, and no pass changes anything; nor does it far from where the images are not sure.

        Args:
            images: `[N, channels, H, W]`.
        """
        network = self._network
        *skips, bottom = network.encode(images)
        enlarge, unit = self._innermost
        # Norm comes before dropout, so all of it up to there is without chance.
        known = enlarge.adn.N(enlarge.conv(torch.cat([skips[-1], bottom], dim=1)))
        plain = unit(enlarge.adn.A(known))
        *levels, main = network.outward(skips[:-1], plain)
        logits = main.repeat(1, 1 + SIDES, 1, 1)
        shape = (self._count, *main.shape[:2], *plain.shape[2:])
        changes = main.new_zeros(shape) if self._count else None
        busy = _may_show(main)
        if busy.any():
            sides = network.sides([each[busy] for each in levels], main.shape[2:])
            logits[busy, main.shape[1] :] = torch.cat(sides, dim=1).to(logits.dtype)
            where = _unsure(main[busy], plain.shape[2:])
            if changes is not None and where is not None:
                part = (slice(None), slice(None), *where)
                found = self._changes(known[busy][part], plain[busy][part])
                changes[(slice(None), busy, slice(None), *where)] = found.to(changes.dtype)
        return Answered(logits, changes)

    def _changes(self, known: torch.Tensor, plain: torch.Tensor) -> torch.Tensor:
        """What each pass changes in the logits, `[T, N, C, h, w]`.

        Args:
            known: What the level is before its first dropout.
            plain: What it answers without chance.
        """
        enlarge, unit = self._innermost
        chance = self._active(enlarge.adn, known.repeat(self._count, 1, 1, 1))
        inner = unit.conv.unit0
        chance = chance + self._active(inner.adn, inner.adn.N(inner.conv(chance)))
        head = self._network.heads[-1]
        answers: torch.Tensor = head(chance)
        changes: torch.Tensor = answers.unflatten(0, (self._count, len(plain))) - head(plain)
        return changes

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


def _unsure(logits: torch.Tensor, cells: torch.Size) -> tuple[slice, slice] | None:
    """The rows and columns of cells where some of the images are not sure, and one more around.

    Args:
        logits: `[N, C, H, W]`.
        cells: How many rows and columns of cells lie over the images.
    """
    unsure = (logits.float().softmax(dim=1).amax(dim=1) < DECIDED).any(dim=0)
    sides = []
    for axis, count in enumerate(cells):
        there = torch.nonzero(unsure.any(dim=1 - axis))[:, 0].tolist()
        if not there:
            return None
        pixels = unsure.shape[axis] // count
        # One more: what the convolution there lacks at the border does not reach further.
        sides.append(slice(max(0, there[0] // pixels - 1), there[-1] // pixels + 2))
    return sides[0], sides[1]


def _may_show(logits: torch.Tensor) -> torch.Tensor:
    """Whether a pixel of an image may be foreground, `[N]`."""
    foreground = logits[:, 1:].amax(dim=1) - logits[:, 0]
    return foreground.amax(dim=(1, 2)) >= UNLIKELY
