"""What a network makes of each slice at its bottleneck, as features of slices.

The bottleneck is found by watching one pass: of the maps that are computed, the last one of the
smallest size. Operations are watched, not layers, as a TorchScript file has none to look at. Maps
of a single voxel are passed over: they are means of whole volumes (squeeze and excitation), and of
slices they say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from activeseg.errors import ModelError
from activeseg.keys import Plane
from activeseg.model.foreign import ForeignModel
from activeseg.model.frame import along
from activeseg.model.network import STRIDE, NetworkConfig, load, pick_device
from activeseg.model.opened import Opened
from activeseg.model.scan import Box, Scan, axis_of
from activeseg.model.slices import resize

__all__ = ["SliceNetwork", "bottleneck", "check_bottleneck", "volume_bottlenecks"]

Features = npt.NDArray[np.float32]

_PIXELS_AT_ONCE = 1 << 18

_JOINED = (torch.ops.aten.cat,)
"""A skip connection laid beside the bottleneck is not what the bottleneck holds."""


class _Smallest(TorchDispatchMode):
    """Keeps the last of the smallest maps of a pass."""

    def __init__(self, batch: int, dimensions: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._batch = batch
        self._dimensions = dimensions
        self.voxels = math.inf
        self.found: torch.Tensor | None = None

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Let an operation answer, and look at the answer."""
        answer = func(*args, **(kwargs or {}))
        if (
            isinstance(answer, torch.Tensor)
            and answer.ndim == 2 + self._dimensions
            and len(answer) == self._batch
            and func.overloadpacket not in _JOINED
        ):
            voxels = math.prod(answer.shape[2:])
            if 1 < voxels <= self.voxels:
                self.voxels, self.found = voxels, answer
        return answer


def bottleneck(network: nn.Module, images: torch.Tensor, where: str) -> torch.Tensor:
    """The map at the bottleneck of a network.

    Args:
        network: The network, in evaluation mode.
        images: `[N, channels, ...]`, on its device.
        where: Its file or folder, for the message.

    Returns:
        `[N, C, ...]` on the processor.

    Raises:
        ModelError: If no map is smaller than the images.
    """
    watch = _Smallest(len(images), images.ndim - 2)
    with torch.inference_mode(), watch:
        network(images)
    if watch.found is None or watch.voxels >= math.prod(images.shape[2:]):
        raise ModelError(
            f"{where}: the network has no bottleneck (none of its maps is smaller than the image), "
            "so it gives no features; leave --features out for the frozen ones"
        )
    return watch.found.float().cpu()


def check_bottleneck(opened: Opened) -> None:
    """Show a foreign network a window of noise.

    Raises:
        ModelError: As `bottleneck`.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand((1, 1, *opened.description.window), generator=generator)
    bottleneck(opened.network.eval(), noise, opened.where)


@dataclass(frozen=True)
class SliceNetwork:
    """The built-in network of a checkpoint.

    Attributes:
        network: The network, in evaluation mode.
        config: What it was built for.
        where: Its file, for messages.
    """

    network: nn.Module
    config: NetworkConfig
    where: str

    @classmethod
    def read(cls, path: Path) -> SliceNetwork:
        """Read a checkpoint.

        Raises:
            ModelError: If it cannot be read.
        """
        network, config, _ = load(path)
        return cls(network.to(pick_device()).eval(), config, str(path))

    def bottlenecks(self, scan: Scan, plane: Plane) -> Features:
        """Features `[slices, C]`: of each slice the mean of the bottleneck's map."""
        count = scan.shape[axis_of(plane)]
        together = max(1, _PIXELS_AT_ONCE * count // math.prod(scan.shape))
        starts = range(0, count, together)
        found = [
            self._means(scan, plane, range(first, min(first + together, count))) for first in starts
        ]
        features: Features = torch.cat(found).numpy()
        return features

    def _means(self, scan: Scan, plane: Plane, indices: range) -> torch.Tensor:
        """Features `[n, C]` of some slices."""
        stacks = torch.from_numpy(scan.seen(plane, indices))
        pixels = resize(stacks, scan.pixel_mm(plane), self.config.pixel_mm)
        real = (pixels.shape[2], pixels.shape[3])
        # Two cells at least, as a map of one voxel is passed over.
        rows, columns = (max(2 * STRIDE, -(-size // STRIDE) * STRIDE) for size in real)
        far = (0, columns - real[1], 0, rows - real[0])
        padded = nn.functional.pad(pixels, far, mode="replicate")
        device = next(self.network.parameters()).device
        maps = bottleneck(self.network, padded.to(device), self.where)
        for axis, (size, padded_to) in enumerate(zip(real, (rows, columns), strict=True), start=2):
            maps = maps.index_select(axis, _inside(maps.shape[axis], padded_to, 0, size))
        return maps.mean(dim=(2, 3))


def volume_bottlenecks(model: ForeignModel, scan: Scan) -> dict[Plane, Features]:
    """Features `[slices, C]` of each of the scan's planes, from a network of volumes.

    The volume goes through the network window by window. A slice's features are the mean of the
    bottleneck's map over the plane at the slice's place, between two layers of cells in
    proportion; where windows overlap, the mean of them.

    Args:
        model: The network, with what it is to be shown.
        scan: Grey values as they are (`activeseg.model.scan.grey_scan`).

    Raises:
        ModelError: As `bottleneck`.
    """
    shown = model.show(scan)
    window, shape = model.description.window, shown.frame.shape
    model.network.eval()
    sums: list[torch.Tensor] = []
    weights = [torch.zeros(count) for count in shape]
    for part in _tiles(shape, window):
        image, lead = _padded(shown.image[(slice(None), *part)], window)
        maps = bottleneck(model.network, image[None].to(model.device), model.where)[0]
        sums = sums or [torch.zeros(len(maps), count) for count in shape]
        extent = [side.stop - side.start for side in part]
        inside = [
            _inside(cells, *each)
            for cells, *each in zip(maps.shape[1:], window, lead, extent, strict=True)
        ]
        for axis in range(3):
            others = [each for each in range(3) if each != axis]
            layer = maps
            for other in others:
                layer = layer.index_select(other + 1, inside[other])
            profile = layer.mean(dim=[other + 1 for other in others])
            voxels = torch.arange(extent[axis], dtype=torch.float64) + lead[axis]
            cells = (voxels + 0.5) * maps.shape[axis + 1] / window[axis] - 0.5
            cells = cells.clamp(int(inside[axis][0]), int(inside[axis][-1]))
            weight = float(math.prod(extent[other] for other in others))
            sums[axis][:, part[axis]] += weight * along(profile, 1, cells)
            weights[axis][part[axis]] += weight
    found: dict[Plane, Features] = {}
    for plane in scan.planes:
        own = shown.frame.order.index(axis_of(plane))
        index = torch.arange(scan.shape[axis_of(plane)], dtype=torch.float64)
        places = shown.frame.position(axis_of(plane), index)
        found[plane] = along(sums[own] / weights[own], 1, places).T.contiguous().numpy()
    return found


def _tiles(shape: Sequence[int], window: Sequence[int]) -> Iterator[Box]:
    """Parts of a volume as large as the window, side by side; the last ones reach its end."""
    sides = []
    for count, size in zip(shape, window, strict=True):
        last = max(0, count - size)
        starts = [*range(0, last, size), last]
        sides.append([slice(start, min(start + size, count)) for start in starts])
    for first in sides[0]:
        for second in sides[1]:
            for third in sides[2]:
                yield (first, second, third)


def _padded(image: torch.Tensor, window: Sequence[int]) -> tuple[torch.Tensor, list[int]]:
    """A part `[1, ...]` in the middle of a window of zeros, as sliding windows pad it.

    Returns:
        The window, and the voxels before the part along each axis.
    """
    lead: list[int] = []
    pads: list[int] = []
    for size, count in zip(window, image.shape[1:], strict=True):
        lead.append((size - count) // 2)
        pads = [lead[-1], size - count - lead[-1], *pads]
    return nn.functional.pad(image, pads).float(), lead


def _inside(cells: int, size: int, lead: int, extent: int) -> torch.Tensor:
    """Indices of the cells whose middle lies in the real part of a padded side; one at least."""
    middle = (torch.arange(cells, dtype=torch.float64) + 0.5) * size / cells
    found = torch.nonzero((middle >= lead) & (middle < lead + extent))[:, 0]
    if len(found):
        return found
    return torch.tensor([min(cells - 1, int((lead + extent / 2) * cells / size))])
