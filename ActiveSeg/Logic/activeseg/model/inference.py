"""Softmax maps of whole scans, with and without dropout.

Every plane of a scan is predicted slice by slice with MONAI's sliding windows; where there are
several planes the mean of their softmax maps is taken, so a sample of a fused model also shows
where the planes disagree.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from activeseg.keys import Plane
from activeseg.model.network import (
    STRIDE,
    NetworkConfig,
    Weights,
    load,
    load_members,
    pick_device,
    seeded,
)
from activeseg.model.passes import Passes
from activeseg.model.precision import autocast
from activeseg.model.protocol import SegmentationModel, View
from activeseg.model.scan import Box, Scan, axis_of, grown, within
from activeseg.model.slices import resize
from activeseg.model.supervised import SupervisedUNet

__all__ = ["SliceModel", "dropout_only", "moved", "padded_logits"]

WINDOW = 192
"""Rows and columns that the network sees at once at the most."""

PIXELS_AT_ONCE = 1 << 18
"""Of the slices, or windows, that go through the network together."""

MARGIN = 8
"""Voxels round a part that the network is shown with it, where there are any."""

MOST_MOVED = 2
MOST_SCALED = 0.1
"""Voxels, and share of the grey values' range, by which test-time augmentation changes a scan."""

Answer: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
"""From images `[N, channels, H, W]` to logits of one or more outputs `[N, outputs * C, H, W]`."""


class SliceModel(SegmentationModel):
    """A trained 2.5-D network as a `SegmentationModel`.

    Args:
        network: The network.
        config: What it was built for.
        members: Weights that the network had earlier in its training (`snapshots`).
        device: Where it runs (`activeseg.model.network.DEVICES`).

    Raises:
        ModelError: If there is no such device.
    """

    def __init__(
        self,
        network: nn.Module,
        config: NetworkConfig,
        members: Sequence[Weights] = (),
        device: str = "auto",
    ) -> None:
        self.config = config
        self._network = network.to(pick_device(device)).eval()
        self._members = tuple(members)

    @classmethod
    def from_checkpoint(cls, path: Path, device: str = "auto") -> SliceModel:
        """Read a checkpoint.

        Raises:
            ModelError: If it cannot be read, or there is no such device.
        """
        network, config, _ = load(path)
        return cls(network, config, load_members(path), device)

    def probabilities(self, scan: Scan) -> npt.NDArray[np.float32]:
        """Softmax `[C, S, P, L]` of the whole scan, without chance: the mean of its views."""
        self._network.eval()
        return self._fused(scan, scan.box)[0]

    def views(self, scan: Scan) -> Iterator[View]:
        """Softmax `[C, S, P, L]`, energy and sides of the scan, in one plane after the other."""
        self._network.eval()
        answer: Answer = self._network
        if isinstance(self._network, SupervisedUNet):
            answer = self._network.with_sides
        for plane in scan.planes:
            one = replace(scan, planes=(plane,))
            main, *sides, energy = self._fused(one, scan.box, answer, view=True)
            yield View(plane, main, energy[0], [side[0].astype(np.uint8) for side in sides])

    def samples(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """MC dropout (Gal 2017): softmax maps `[C, s, p, l]` of one part of the scan.

        Each pass looks in one of the planes, evenly: as many opinions for a fraction of the work
        of asking all planes each time, and their spread shows where the planes disagree. The
        passes of a plane share what comes before the first dropout layer.
        """
        for turn, plane in enumerate(scan.planes):
            count = len(range(turn, passes, len(scan.planes)))
            if not count:
                return
            one, chance = replace(scan, planes=(plane,)), seed * 1009 + turn
            with seeded(chance):
                dropout_only(self._network)
                found = self._fused(one, box, Passes(self._network, count, chance))
                self._network.eval()
            yield from found

    def augmented(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Test-time augmentation (Wang et al. 2019): the answer to a changed part, changed back.

        Grey values are scaled and shifted as in training, and the part is moved by up to two
        voxels along each axis. It is not mirrored: left and right are different structures.
        """
        self._network.eval()
        rng = np.random.default_rng(seed)
        for _ in range(passes):
            steps = rng.integers(-MOST_MOVED, MOST_MOVED + 1, size=3)
            scale, shift = (
                rng.uniform(1 - MOST_SCALED, 1 + MOST_SCALED),
                rng.uniform(-MOST_SCALED, MOST_SCALED),
            )
            changed = (scale * moved(scan.channels, steps) + shift).astype(np.float32)
            # Room for the way back, so that no edge is repeated where the volume goes on.
            room = grown(box, (MOST_MOVED,) * 3, scan.shape)
            found = self._fused(replace(scan, channels=changed), room)[0]
            inside = (slice(None), *within(box, room))
            yield np.ascontiguousarray(moved(found, -steps)[inside])

    def snapshots(self, scan: Scan, box: Box) -> Iterator[npt.NDArray[np.float32]]:
        """One answer of each kept member of the training run, the network itself last."""
        latest = {name: value.clone() for name, value in self._network.state_dict().items()}
        for weights in (*self._members, latest):
            self._network.load_state_dict(weights)
            try:
                found = self._fused(scan, box)[0]
            finally:
                self._network.load_state_dict(latest)
            yield found

    def _fused(
        self, scan: Scan, box: Box, answer: Answer | None = None, view: bool = False
    ) -> list[npt.NDArray[np.float32]]:
        """Mean over the planes of what `_maps` gives, in a box.

        Of each plane only the slices through the box are looked at, with what is round them.
        """
        answer = answer or self._network
        shape = tuple(side.stop - side.start for side in box)
        totals: list[npt.NDArray[np.float32]] = []
        for plane in scan.planes:
            axis = axis_of(plane)
            reach = tuple(1 if each == axis else MARGIN for each in range(3))
            around = grown(box, reach, scan.shape)
            part, inside = scan.part(around), within(box, around)
            rows, columns = (side for each, side in enumerate(inside) if each != axis)
            together = max(1, PIXELS_AT_ONCE * part.shape[axis] // math.prod(part.shape))
            start = inside[axis].start
            for first in range(0, shape[axis], together):
                last = min(first + together, shape[axis])
                indices = range(start + first, start + last)
                found = self._maps(part, plane, indices, answer, view)
                for output in found[len(totals) :]:
                    totals.append(np.zeros((output.shape[1], *shape), dtype=np.float32))
                for total, output in zip(totals, found, strict=True):
                    np.moveaxis(total, axis + 1, 0)[first:last] += output[:, :, rows, columns]
        for total in totals:
            total /= len(scan.planes)
        return totals

    def _maps(
        self, scan: Scan, plane: Plane, indices: range, answer: Answer, view: bool
    ) -> list[npt.NDArray[np.float32]]:
        """Maps `[N, ..., H, W]` of some slices of one plane at the scan's own pixel size.

        The softmax of each output of the network. Of a view the softmax of the main output, the
        labels of the others, and the energy of the main output.
        """
        stacks = torch.from_numpy(scan.seen(plane, indices))
        pixels = resize(stacks, scan.pixel_mm(plane), self.config.pixel_mm)
        device = next(self._network.parameters()).device
        logits = padded_logits(answer, pixels, device)
        size = (stacks.shape[2], stacks.shape[3])
        outputs = logits.split(1 + len(self.config.structures), dim=1)
        if not view:
            maps = [_sized(each.softmax(dim=1), size) for each in outputs]
        else:
            main, *sides = outputs
            maps = [_sized(main.softmax(dim=1), size)]
            maps += [_labels(_sized(side, size)) for side in sides]
            maps.append(_sized(-main.logsumexp(dim=1, keepdim=True), size))
        return [each.cpu().numpy() for each in maps]


def _sized(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Maps `[N, channels, H, W]` brought to a number of rows and columns."""
    if tuple(maps.shape[2:]) == size:
        return maps
    return nn.functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def _labels(logits: torch.Tensor) -> torch.Tensor:
    """The likeliest class, `[N, 1, H, W]`.

    On a processor torch's argmax over a middle axis takes ten times as long.
    """
    best, found = logits[:, :1], torch.zeros_like(logits[:, :1])
    for channel in range(1, logits.shape[1]):
        each = logits[:, channel : channel + 1]
        found = torch.where(each > best, channel, found)
        best = torch.maximum(best, each)
    return found


def moved(
    array: npt.NDArray[np.float32], steps: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """An array `[C, S, P, L]` moved by whole voxels; the edge is repeated where it came from."""
    for axis, step in enumerate(steps, start=1):
        last = array.shape[axis] - 1
        array = array.take(np.clip(np.arange(last + 1) - step, 0, last), axis=axis)
    return array


def dropout_only(network: nn.Module) -> None:
    """Switch on every dropout layer, of any kind, and nothing else (never batch norm)."""
    network.eval()
    for module in network.modules():
        if isinstance(module, _DropoutNd):
            module.train()


def padded_logits(answer: Answer, images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Logits `[N, C, H, W]` of images of any size, in windows where they are large."""
    rows, columns = images.shape[2:]
    far = (0, -columns % STRIDE, 0, -rows % STRIDE)
    padded = nn.functional.pad(images, far, mode="replicate")
    window = (min(WINDOW, padded.shape[2]), min(WINDOW, padded.shape[3]))
    with torch.inference_mode(), autocast(device):
        if window == tuple(padded.shape[2:]):
            logits = answer(padded.to(device))
        else:
            together = PIXELS_AT_ONCE // WINDOW**2
            inferer = SlidingWindowInferer(window, sw_batch_size=together, mode="gaussian")
            # Windows are blended in single precision, whatever the network answers in.
            blended = inferer(padded.to(device), lambda part: answer(part).float())
            logits = cast(torch.Tensor, blended)
    inside: torch.Tensor = logits[..., :rows, :columns].float()
    return inside
