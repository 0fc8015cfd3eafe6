"""Where the voxels of a foreign model's grid lie in a canonical volume, and the way there and back.

Such a model was trained on axes and spacing of its own. Both grids are aligned with the body's
axes, so each way is a transposition, flips, and linear interpolation along one axis after the
other, which is what MONAI's Orientation, Spacing and their inverses do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from activeseg.errors import ModelError
from activeseg.model.scan import Box

__all__ = ["AXES", "Frame", "along"]

AXES = {
    "S": (0, False),
    "I": (0, True),
    "P": (1, False),
    "A": (1, True),
    "L": (2, False),
    "R": (2, True),
}
"""The canonical axis (of `[S, P, L]`) that a letter names, and whether it runs against it."""


@dataclass(frozen=True)
class Frame:
    """A model's grid over one canonical volume.

    Attributes:
        order: The canonical axis of each axis of the model.
        flipped: Whether the model's axis runs against it.
        step: Canonical voxels from one of the model's voxels to the next, by the model's axes.
        canonical_shape: Voxels of the volume along S, P, L.
        shape: Voxels of the model's grid.
    """

    order: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    step: tuple[float, float, float]
    canonical_shape: tuple[int, int, int]
    shape: tuple[int, int, int]

    @classmethod
    def over(
        cls,
        axes: str,
        pixdim: Sequence[float | None],
        canonical_shape: tuple[int, int, int],
        spacing: tuple[float, float, float],
    ) -> Frame:
        """The grid that MONAI's Orientation and Spacing would make.

        Args:
            axes: Three letters such as RAS, each the side that an axis runs to.
            pixdim: Millimetres between voxels along these axes; None keeps the volume's own.
            canonical_shape: Voxels along S, P, L.
            spacing: Millimetres between them.

        Raises:
            ModelError: If the letters do not name the three axes.
        """
        if len(axes) != 3 or {AXES.get(letter, (None,))[0] for letter in axes} != {0, 1, 2}:
            raise ModelError(f"axes '{axes}'; expected three letters such as RAS or LPS")
        found = [AXES[letter] for letter in axes]
        order = [axis for axis, _ in found]
        step = [
            1.0 if mm is None else mm / spacing[axis]
            for mm, axis in zip(pixdim, order, strict=True)
        ]
        # The first voxels coincide, as in MONAI's Spacing; the last is the nearest to the end.
        shape = [
            max(1, int(np.around((canonical_shape[axis] - 1) / each + 1)))
            for axis, each in zip(order, step, strict=True)
        ]
        return cls(
            (order[0], order[1], order[2]),
            (found[0][1], found[1][1], found[2][1]),
            (step[0], step[1], step[2]),
            canonical_shape,
            (shape[0], shape[1], shape[2]),
        )

    def turned(self, values: torch.Tensor) -> torch.Tensor:
        """A canonical volume `[C, S, P, L]` with the model's axes, at its own spacing."""
        turned = values.permute(0, *(axis + 1 for axis in self.order))
        return turned.flip([axis + 1 for axis, against in enumerate(self.flipped) if against])

    def resampled(self, turned: torch.Tensor) -> torch.Tensor:
        """What `turned` gave, `[C, ...]`, at the model's spacing."""
        for axis, (count, step) in enumerate(zip(self.shape, self.step, strict=True)):
            turned = along(turned, axis + 1, torch.arange(count, dtype=torch.float64) * step)
        return turned

    def position(self, axis: int, index: torch.Tensor) -> torch.Tensor:
        """Where canonical indices of a canonical axis lie along the model's, in its voxels.

        What lies beyond the model's last voxel counts as there.
        """
        own = self.order.index(axis)
        if self.flipped[own]:
            index = self.canonical_shape[axis] - 1 - index
        return (index / self.step[own]).clamp(0, self.shape[own] - 1)

    def around(self, box: Box, least: Sequence[int]) -> Box:
        """The part of the model's grid that a canonical box needs, and at least so large.

        Args:
            box: A part of the canonical volume.
            least: Voxels along the model's axes; of a smaller grid all is taken.
        """
        sides = []
        for own, axis in enumerate(self.order):
            ends = torch.tensor([box[axis].start, box[axis].stop - 1], dtype=torch.float64)
            places = self.position(axis, ends)
            first, last = int(places.min().floor()), int(places.max().ceil())
            more = max(0, min(least[own], self.shape[own]) - (last - first + 1))
            start = min(max(0, first - more // 2), self.shape[own] - (last - first + 1) - more)
            start = max(0, start)
            sides.append(slice(start, min(self.shape[own], start + last - first + 1 + more)))
        return (sides[0], sides[1], sides[2])

    def back(self, values: torch.Tensor, part: Box, box: Box) -> torch.Tensor:
        """Maps on a part of the model's grid, brought to a canonical box.

        Args:
            values: `[C, ...]` on `part`.
            part: Which part of the model's grid; `around` says which suffices.
            box: The canonical box.

        Returns:
            `[C, s, p, l]`.
        """
        for own, axis in enumerate(self.order):
            index = torch.arange(box[axis].start, box[axis].stop, dtype=torch.float64)
            values = along(values, own + 1, self.position(axis, index) - part[own].start)
        return values.permute(0, *(self.order.index(axis) + 1 for axis in range(3)))


def along(values: torch.Tensor, axis: int, places: torch.Tensor) -> torch.Tensor:
    """Linear interpolation along one axis; beyond the ends the end is repeated.

    Args:
        values: Any shape.
        axis: The axis.
        places: `[n]` where to look, in voxels of that axis.

    Returns:
        As `values`, with n entries along the axis.
    """
    last = values.shape[axis] - 1
    inside = places.clamp(0, last)
    if len(places) == last + 1 and torch.equal(inside, torch.arange(last + 1, dtype=inside.dtype)):
        return values
    low = inside.floor().long()
    high = (low + 1).clamp(max=last)
    shape = [1] * values.ndim
    shape[axis] = -1
    weight = (inside - low).to(values.dtype).reshape(shape).to(values.device)
    low, high = low.to(values.device), high.to(values.device)
    return torch.lerp(values.index_select(axis, low), values.index_select(axis, high), weight)
