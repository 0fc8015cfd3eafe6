"""Training blocks: cut out of partly annotated volumes, turned, bent, changed in grey values.

What `patches` does with slices, in three dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import grid_sample

from activeseg.model.augmentation import MOST_SCALED, MOST_TURNED, TURNED_SHARE, Chance, bent_share
from activeseg.model.scan import PLACES
from activeseg.model.volumes import LabelledVolume, places_at

__all__ = ["Blocks", "cut_block"]

PAIRS = ((0, 1), (0, 2), (1, 2))
"""The axes in whose planes a block is turned."""

MOST_CENTRES = 4096
"""Voxels of a volume and a class that a block may lie round; of more, as many by chance."""


def cut_block(volume: LabelledVolume, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take a block out of a volume.

    What lies outside repeats the edge in the image and is unknown (0) in the label.

    Args:
        volume: The volume.
        at: `[d, h, w, 3]` where in its part each voxel is taken from, along S, P, L.

    Returns:
        Image `[1, channels + PLACES, d, h, w]`, interpolated, and label `[1, 1, d, h, w]`, of the
        nearest voxel.
    """
    sides = []
    for axis, count in enumerate(volume.label.shape):
        least, most = (float(each) for each in torch.aminmax(at[..., axis]))
        first = min(max(0, math.floor(least)), count - 1)
        sides.append(slice(first, min(max(first, math.ceil(most)) + 1, count)))
    there = tuple(sides)
    low = torch.tensor([side.start for side in sides])
    size = torch.tensor([side.stop - side.start for side in sides])
    # Only so much is brought to single precision. grid_sample counts from -1 to 1 between the
    # outer edges, in the order L, P, S.
    grid = ((2 * (at - low) + 1) / size - 1).flip(-1)[None]
    image = volume.image[(slice(None), *there)].float()[None]
    label = volume.label[there].float()[None, None]
    grey = grid_sample(image, grid, padding_mode="border", align_corners=False)
    places = places_at(at + torch.tensor(volume.corner), volume.whole).movedim(-1, 0)[None]
    known = grid_sample(label, grid, mode="nearest", align_corners=False)
    return torch.cat([grey, places], dim=1), known


class Blocks:
    """Draws batches of changed blocks; the same seed draws the same.

    A class is drawn first, then a volume that is known to show it, then a voxel of it, so that
    every class is seen as often as any other.

    Args:
        volumes: At least one, with something annotated.
        size: Voxels of a block along each axis.
        slices: Annotated slices of all of them together.
        seed: Fixes what is drawn.
    """

    def __init__(
        self, volumes: Sequence[LabelledVolume], size: int, slices: int, seed: int
    ) -> None:
        self._volumes = volumes
        self._size = size
        self._rng = np.random.default_rng(seed)
        self._chance = Chance(seed)
        self._bent_share = bent_share(slices)
        self._centres: dict[int, list[tuple[int, npt.NDArray[np.intp]]]] = {}
        for number, volume in enumerate(volumes):
            label = volume.label.numpy().ravel()
            for value in np.unique(label[label > 0]).tolist():
                voxels = np.flatnonzero(label == value)
                if len(voxels) > MOST_CENTRES:
                    voxels = self._rng.choice(voxels, MOST_CENTRES, replace=False)
                self._centres.setdefault(value, []).append((number, voxels))
        self._classes = sorted(self._centres)

    def draw(self, count: int, part: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor]:
        """Images `[N, channels + PLACES, d, d, d]` and labels `[N, 1, d, d, d]` of a batch.

        Chance is drawn for the whole batch, so that its parts are the same wherever they are cut.
        """
        turned, bends = self._turns(count), self._bends(count)
        windows = [self._window() for _ in range(count)]
        pairs = [
            cut_block(volume, self._offsets(volume, turn) + bend + centre)
            for (volume, centre), turn, bend in zip(
                windows[part], turned[part], bends[part], strict=True
            )
        ]
        images, labels = (torch.cat(each) for each in zip(*pairs, strict=True))
        grey, places = images[:, :-PLACES], images[:, -PLACES:]
        grey = self._chance.other_scanner(grey, count, part)
        return torch.cat([grey, self._chance.other_place(places, count, part)], dim=1), labels

    def _window(self) -> tuple[LabelledVolume, torch.Tensor]:
        """A volume and the centre of a block in its part; the block stays inside where it can."""
        among = self._centres[self._classes[self._rng.integers(len(self._classes))]]
        number, voxels = among[self._rng.integers(len(among))]
        volume = self._volumes[number]
        voxel = np.unravel_index(voxels[self._rng.integers(len(voxels))], volume.label.shape)
        near = self._size // 4
        centre = np.array(voxel) + self._rng.integers(-near, near + 1, 3)
        # Where the part ends the volume may go on, but nothing is known there.
        half = (self._size - 1) / 2
        last = np.maximum(np.array(volume.label.shape) - 1 - half, half)
        return volume, torch.from_numpy(np.clip(centre, half, last)).float()

    def _offsets(self, volume: LabelledVolume, turn: torch.Tensor) -> torch.Tensor:
        """Of each voxel of a turned block its way from the centre, `[d, d, d, 3]` voxels.

        Turned in millimetres: voxels need not be cubes.
        """
        spacing = torch.tensor(volume.spacing)
        steps = torch.arange(self._size) - (self._size - 1) / 2
        plain = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), dim=-1)
        return (plain * spacing) @ turn.T / spacing

    def _turns(self, count: int) -> torch.Tensor:
        """How blocks are turned and scaled, or the identity, `[N, 3, 3]`."""
        chance = self._chance
        some = chance.some(count, TURNED_SHARE)
        matrix = torch.eye(3).repeat(count, 1, 1)
        for first, second in PAIRS:
            angle = chance.within(MOST_TURNED, count) * some
            turn = torch.eye(3).repeat(count, 1, 1)
            turn[:, first, first] = turn[:, second, second] = torch.cos(angle)
            turn[:, second, first] = torch.sin(angle)
            turn[:, first, second] = -turn[:, second, first]
            matrix = matrix @ turn
        scale = 1 + chance.within(MOST_SCALED, count, 3) * some.view(count, 1)
        return matrix @ torch.diag_embed(scale)

    def _bends(self, count: int) -> torch.Tensor:
        """How far each voxel of some blocks is moved, `[N, d, d, d, 3]` voxels."""
        return self._chance.bends(count, (self._size,) * 3, self._bent_share)
