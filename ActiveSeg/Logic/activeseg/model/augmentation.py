"""The chance by which training data are changed: turned a little, and seen by another scanner."""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate

__all__ = ["MOST_SCALED", "MOST_TURNED", "TURNED_SHARE", "Chance", "bent_share"]

TURNED_SHARE = 0.8
MOST_TURNED = 0.25
MOST_SCALED = 0.15
"""Share of what is turned; radians, and parts of one, in either direction."""

BENT_SHARE, BENT, KNOTS_APART, FEW_SLICES = 0.8, 1.5, 6.5, 100
"""Share of what is bent, standard deviation of the bends and their distance, pixels or voxels; of
more slices than so few a smaller share, as they show themselves how shapes differ."""

NOISE_SHARE, NOISE = 0.3, 0.1
GREY_SHARE, MOST_GREY = 0.5, 0.2
"""Grey values: share of what is changed, and standard deviation or most scaling and shift."""

PLACE_NOISE = 0.1
"""Standard deviation by which a place is moved along S, P and L (-1 to 1)."""


def bent_share(slices: int) -> float:
    """The share of patches or blocks that are bent, of so many annotated slices."""
    return BENT_SHARE * min(1.0, FEW_SLICES / slices)


class Chance:
    """Draws for a whole batch, so that its parts are the same wherever they are made.

    Args:
        seed: Fixes what is drawn.
    """

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def within(self, most: float, *shape: int) -> torch.Tensor:
        """Uniform in -most to most."""
        return (2 * torch.rand(shape, generator=self.generator) - 1) * most

    def some(self, count: int, share: float) -> torch.Tensor:
        """`[N]` 1 for about a share of them, else 0."""
        return (torch.rand(count, generator=self.generator) < share).float()

    def normal(self, *shape: int) -> torch.Tensor:
        """Of standard deviation 1."""
        return torch.randn(shape, generator=self.generator)

    def bends(self, count: int, size: tuple[int, ...], share: float) -> torch.Tensor:
        """How far each pixel or voxel of some of them is moved, smoothly, `[N, *size, axes]`.

        Organs differ in shape by more than turning and scaling (elastic deformation: Simard et
        al., ICDAR 2003).

        Args:
            count: How many patches or blocks.
            size: Their pixels or voxels along two or three axes.
            share: How many of them are bent.
        """
        axes = len(size)
        knots = [max(2, round((each - 1) / KNOTS_APART) + 1) for each in size]
        field = self.normal(count, axes, *knots) * BENT
        mode = {2: "bicubic", 3: "trilinear"}[axes]
        smooth = interpolate(field, size=size, mode=mode, align_corners=True)
        some = self.some(count, share).view(count, *(1,) * (1 + axes))
        return smooth.movedim(1, -1) * some

    def other_scanner(self, grey: torch.Tensor, count: int, part: slice) -> torch.Tensor:
        """Grey values with noise, scaled and shifted.

        Args:
            grey: `[n, channels, ...]`, those of the part.
            count: How many the whole batch has.
            part: Which of them these are.
        """
        beyond = (1,) * (grey.ndim - 1)

        def each(values: torch.Tensor) -> torch.Tensor:
            return values.view(count, *beyond)[part]

        noise = self.normal(count, *grey.shape[1:])[part] * NOISE
        grey = grey + noise * each(self.some(count, NOISE_SHARE))
        scale = self.within(MOST_GREY, count) * self.some(count, GREY_SHARE)
        shift = self.within(MOST_GREY, count) * self.some(count, GREY_SHARE)
        return grey * each(1 + scale) + each(shift)

    def other_place(self, places: torch.Tensor, count: int, part: slice) -> torch.Tensor:
        """Places `[n, PLACES, ...]` of the part, each moved a little along S, P and L."""
        moved = self.normal(count, places.shape[1]) * PLACE_NOISE
        return places + moved.view(*moved.shape, *(1,) * (places.ndim - 2))[part]
