"""Training patches: cut out of annotated slices, turned, bent and changed in their grey values.

One interpolation a patch cuts and turns at once, and grey values are changed for the whole batch;
a chain of transforms over single patches took as long as the network itself (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import grid_sample

from activeseg.model.augmentation import MOST_SCALED, MOST_TURNED, TURNED_SHARE, Chance, bent_share
from activeseg.model.scan import PLACES
from activeseg.model.slices import LabelledSlice, Sampler, Window

__all__ = ["Patches", "cut", "plain_offsets"]

MOST_SHEARED = 0.1
"""Part of one, in either direction, by which turned patches are sheared."""


def plain_offsets(patch: tuple[int, int]) -> torch.Tensor:
    """Of each pixel of a patch its way from the patch's centre, `[h, w, 2]` pixels (x, y)."""
    rows, columns = (torch.arange(size) - (size - 1) / 2 for size in patch)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], dim=2)


def cut(window: Window, offsets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take a patch out of its slice.

    What lies outside the slice repeats its edge in the image and is unknown (0) in the label.

    Args:
        window: Where.
        offsets: `[h, w, 2]` where each pixel is taken from, (x, y) from the window's centre.

    Returns:
        Image `[1, channels, h, w]`, interpolated, and label `[1, 1, h, w]`, of the nearest pixel.
    """
    image, label = window.slice.image.float()[None], window.slice.label.float()[None]
    size = torch.tensor([image.shape[3], image.shape[2]])
    # grid_sample counts from -1 to 1 between the outer edges of the slice.
    grid = ((offsets + torch.tensor([window.column, window.row])) / size * 2 - 1)[None]
    return (
        grid_sample(image, grid, padding_mode="border", align_corners=False),
        grid_sample(label, grid, mode="nearest", align_corners=False),
    )


class Patches:
    """Draws batches of changed patches; the same seed draws the same.

    Args:
        slices: At least one annotated slice.
        patch: Rows and columns of a patch.
        seed: Fixes what is drawn.
    """

    def __init__(self, slices: Sequence[LabelledSlice], patch: tuple[int, int], seed: int) -> None:
        self._sampler = Sampler(slices, patch, np.random.default_rng(seed))
        self._chance = Chance(seed)
        self._bent_share = bent_share(len(slices))

    def draw(self, count: int, part: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor]:
        """Images `[N, channels, h, w]` and labels `[N, 1, h, w]` of a batch, or of a part of it.

        Chance is drawn for the whole batch, so that its parts are the same wherever they are cut.
        """
        moved = self._turned(count) + self._bends(count)
        windows = [self._sampler.draw() for _ in range(count)]
        pairs = [cut(*each) for each in zip(windows[part], moved[part], strict=True)]
        images, labels = zip(*pairs, strict=True)
        return self._changed(torch.cat(images), count, part), torch.cat(labels)

    def _turned(self, count: int) -> torch.Tensor:
        """`plain_offsets`, turned, scaled and sheared or left as they are, `[N, h, w, 2]`."""
        chance = self._chance
        some = chance.some(count, TURNED_SHARE)
        angle = chance.within(MOST_TURNED, count) * some
        cosine, sine = torch.cos(angle), torch.sin(angle)
        turn = torch.stack([cosine, -sine, sine, cosine], dim=1).view(count, 2, 2)
        scale, shear = chance.within(MOST_SCALED, count, 2), chance.within(MOST_SHEARED, count, 2)
        bend = torch.diag_embed(scale) + torch.diag_embed(shear).flip(2)
        matrix = turn @ (torch.eye(2) + bend * some.view(count, 1, 1))
        offsets = plain_offsets(self._sampler.patch)
        return (offsets.view(1, -1, 2) @ matrix.mT).view(count, *offsets.shape)

    def _bends(self, count: int) -> torch.Tensor:
        """How far each pixel of some patches is moved, `[N, h, w, 2]` pixels (x, y)."""
        return self._chance.bends(count, self._sampler.patch, self._bent_share)

    def _changed(self, images: torch.Tensor, count: int, part: slice) -> torch.Tensor:
        """Other grey values, as from another scanner, and a place that is a little off.

        Args:
            images: Those of the part.
            count: Patches of the whole batch.
            part: Which of them these are.
        """
        grey, places = images[:, :-PLACES], images[:, -PLACES:]
        grey = self._chance.other_scanner(grey, count, part)
        return torch.cat([grey, self._chance.other_place(places, count, part)], dim=1)
