"""Softmax maps of whole scans, with and without dropout.

Every plane of a scan is predicted slice by slice with MONAI's sliding windows; where there are
several planes the mean of their softmax maps is taken, so a sample of a fused model also shows
where the planes disagree.
"""

from __future__ import annotations

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
from activeseg.model.precision import autocast
from activeseg.model.protocol import SegmentationModel, View
from activeseg.model.scan import Box, Scan, axis_of
from activeseg.model.slices import resize
from activeseg.model.supervised import SupervisedUNet

__all__ = ["SliceModel", "dropout_only", "moved", "padded_logits"]

WINDOW = 192
"""Rows and columns that the network sees at once at the most."""

SLICES_AT_ONCE = 24

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
        return self._fused(scan)[0]

    def views(self, scan: Scan) -> Iterator[View]:
        """Softmax `[C, S, P, L]`, energy and sides of the scan, in one plane after the other."""
        self._network.eval()
        answer: Answer = self._network
        if isinstance(self._network, SupervisedUNet):
            answer = self._network.with_sides
        for plane in scan.planes:
            main, *sides, energy = self._fused(replace(scan, planes=(plane,)), answer, True)
            labels = [side.argmax(axis=0).astype(np.uint8) for side in sides]
            yield View(plane, main, energy[0], labels)

    def samples(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """MC dropout (Gal 2017): softmax maps `[C, s, p, l]` of one part of the scan.

        Each pass looks in one of the planes, in turn: as many opinions for a fraction of the work
        of asking all planes each time, and their spread shows where the planes disagree.
        """
        part = scan.part(box)
        for number in range(passes):
            plane = scan.planes[number % len(scan.planes)]
            with seeded(seed * 1009 + number):
                dropout_only(self._network)
                sample = self._fused(replace(part, planes=(plane,)))[0]
                self._network.eval()
            yield sample

    def augmented(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Test-time augmentation (Wang et al. 2019): the answer to a changed part, changed back.

        Grey values are scaled and shifted as in training, and the part is moved by up to two
        voxels along each axis. It is not mirrored: left and right are different structures.
        """
        self._network.eval()
        part = scan.part(box)
        rng = np.random.default_rng(seed)
        for _ in range(passes):
            steps = rng.integers(-MOST_MOVED, MOST_MOVED + 1, size=3)
            scale, shift = (
                rng.uniform(1 - MOST_SCALED, 1 + MOST_SCALED),
                rng.uniform(-MOST_SCALED, MOST_SCALED),
            )
            changed = (scale * moved(part.channels, steps) + shift).astype(np.float32)
            yield moved(self._fused(replace(part, channels=changed))[0], -steps)

    def snapshots(self, scan: Scan, box: Box) -> Iterator[npt.NDArray[np.float32]]:
        """One answer of each kept member of the training run, the network itself last."""
        part = scan.part(box)
        latest = {name: value.clone() for name, value in self._network.state_dict().items()}
        for weights in (*self._members, latest):
            self._network.load_state_dict(weights)
            try:
                found = self._fused(part)[0]
            finally:
                self._network.load_state_dict(latest)
            yield found

    def _fused(
        self, scan: Scan, answer: Answer | None = None, with_energy: bool = False
    ) -> list[npt.NDArray[np.float32]]:
        """Mean of the planes' softmax maps, for each output; the main output's energy last."""
        answer = answer or self._network
        totals: list[npt.NDArray[np.float32]] = []
        for plane in scan.planes:
            axis = axis_of(plane) + 1
            for first in range(0, scan.shape[axis - 1], SLICES_AT_ONCE):
                last = min(first + SLICES_AT_ONCE, scan.shape[axis - 1])
                found = self._maps(scan, plane, range(first, last), answer, with_energy)
                for output in found[len(totals) :]:
                    totals.append(np.zeros((output.shape[1], *scan.shape), dtype=np.float32))
                for total, output in zip(totals, found, strict=True):
                    np.moveaxis(total, axis, 0)[first:last] += output
        for total in totals:
            total /= len(scan.planes)
        return totals

    def _maps(
        self, scan: Scan, plane: Plane, indices: range, answer: Answer, with_energy: bool
    ) -> list[npt.NDArray[np.float32]]:
        """Softmax `[N, C, H, W]` of some slices of one plane at the scan's own pixel size.

        One map an output of the network; with energy, `[N, 1, H, W]` of the main output at the end.
        """
        classes = 1 + len(self.config.structures)
        stacks = torch.from_numpy(np.stack([scan.seen(plane, index) for index in indices]))
        pixels = resize(stacks, scan.pixel_mm(plane), self.config.pixel_mm)
        device = next(self._network.parameters()).device
        outputs = padded_logits(answer, pixels, device).split(classes, dim=1)
        maps = [logits.softmax(dim=1) for logits in outputs]
        if with_energy:
            maps.append(-outputs[0].logsumexp(dim=1, keepdim=True))
        found = []
        for each in maps:
            if each.shape[2:] != stacks.shape[2:]:
                each = nn.functional.interpolate(
                    each, size=stacks.shape[2:], mode="bilinear", align_corners=False
                )
            found.append(each.cpu().numpy())
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
            inferer = SlidingWindowInferer(window, sw_batch_size=SLICES_AT_ONCE, mode="gaussian")
            # Windows are blended in single precision, whatever the network answers in.
            blended = inferer(padded.to(device), lambda part: answer(part).float())
            logits = cast(torch.Tensor, blended)
    inside: torch.Tensor = logits[..., :rows, :columns].float()
    return inside
