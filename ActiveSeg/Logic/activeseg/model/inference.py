"""Softmax maps of whole scans, with and without dropout.

Every plane of a scan is predicted slice by slice with MONAI's sliding windows; where there are
several planes the mean of their softmax maps is taken, so a sample of a fused model also shows
where the planes disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers import SlidingWindowInferer
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from activeseg.keys import Plane
from activeseg.model.network import STRIDE, NetworkConfig, load, pick_device, seeded
from activeseg.model.precision import autocast
from activeseg.model.protocol import Box, SegmentationModel
from activeseg.model.scan import Scan, axis_of
from activeseg.model.slices import resize

__all__ = ["SliceModel", "dropout_only", "padded_logits"]

WINDOW = 192
"""Rows and columns that the network sees at once at the most."""

SLICES_AT_ONCE = 24


class SliceModel(SegmentationModel):
    """A trained 2.5-D network as a `SegmentationModel`.

    Args:
        network: The network.
        config: What it was built for.
    """

    def __init__(self, network: nn.Module, config: NetworkConfig) -> None:
        self.config = config
        self._network = network.to(pick_device()).eval()

    @classmethod
    def from_checkpoint(cls, path: Path) -> SliceModel:
        """Read a checkpoint.

        Raises:
            ModelError: If it cannot be read.
        """
        network, config, _ = load(path)
        return cls(network, config)

    def probabilities(self, scan: Scan) -> npt.NDArray[np.float32]:
        """Softmax `[C, S, P, L]` of the whole scan, without chance."""
        self._network.eval()
        return self._fused(scan)

    def samples(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """MC dropout (Gal 2017): softmax maps `[C, s, p, l]` of one part of the scan."""
        inside = scan.channels[(slice(None), *box)]
        part = Scan(np.ascontiguousarray(inside), scan.spacing, scan.planes)
        for number in range(passes):
            with seeded(seed * 1009 + number):
                dropout_only(self._network)
                sample = self._fused(part)
                self._network.eval()
            yield sample

    def _fused(self, scan: Scan) -> npt.NDArray[np.float32]:
        """Mean of the planes' softmax maps."""
        total = np.zeros((1 + len(self.config.structures), *scan.shape), dtype=np.float32)
        for plane in scan.planes:
            in_front = np.moveaxis(total, axis_of(plane) + 1, 0)
            for first in range(0, len(in_front), SLICES_AT_ONCE):
                chunk = in_front[first : first + SLICES_AT_ONCE]
                chunk += self._softmax(scan, plane, range(first, first + len(chunk)))
        total /= len(scan.planes)
        return total

    def _softmax(self, scan: Scan, plane: Plane, indices: range) -> npt.NDArray[np.float32]:
        """Softmax `[N, C, H, W]` of some slices of one plane at the scan's own pixel size."""
        stacks = torch.from_numpy(np.stack([scan.stack(plane, index) for index in indices]))
        pixels = resize(stacks, scan.pixel_mm(plane), self.config.pixel_mm)
        softmax = padded_logits(self._network, pixels).softmax(dim=1)
        if softmax.shape[2:] != stacks.shape[2:]:
            softmax = nn.functional.interpolate(
                softmax, size=stacks.shape[2:], mode="bilinear", align_corners=False
            )
        found: npt.NDArray[np.float32] = softmax.cpu().numpy()
        return found


def dropout_only(network: nn.Module) -> None:
    """Switch on every dropout layer, of any kind, and nothing else (never batch norm)."""
    network.eval()
    for module in network.modules():
        if isinstance(module, _DropoutNd):
            module.train()


def padded_logits(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits `[N, C, H, W]` of images of any size, in windows where they are large."""
    rows, columns = images.shape[2:]
    far = (0, -columns % STRIDE, 0, -rows % STRIDE)
    padded = nn.functional.pad(images, far, mode="replicate")
    window = (min(WINDOW, padded.shape[2]), min(WINDOW, padded.shape[3]))
    device = next(network.parameters()).device
    with torch.inference_mode(), autocast(device):
        if window == tuple(padded.shape[2:]):
            logits = network(padded.to(device))
        else:
            inferer = SlidingWindowInferer(window, sw_batch_size=SLICES_AT_ONCE, mode="gaussian")
            # Windows are blended in single precision, whatever the network answers in.
            logits = inferer(padded.to(device), lambda part: network(part).float())
    inside: torch.Tensor = logits[..., :rows, :columns].float()
    return inside
