"""Softmax maps of whole scans, with and without dropout.

Every plane of a scan is predicted slice by slice (`activeseg.model.planes`), and by the network of
volumes all at once (`activeseg.model.volume_view`). Labels come from what these views say together
(`activeseg.model.fusion`), maps are the plain mean of the planes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from activeseg.keys import Plane
from activeseg.model.decoder_passes import DecoderPasses
from activeseg.model.fusion import Fusion, handicaps
from activeseg.model.network import (
    NetworkConfig,
    Weights,
    load,
    load_members,
    pick_device,
    seeded,
)
from activeseg.model.passes import Passes
from activeseg.model.planes import WIDE, Answer, Maps, PlaneReader, softmaxes, view_maps
from activeseg.model.protocol import Sampled, SegmentationModel, View
from activeseg.model.scan import Box, Scan, axis_of, grown, within
from activeseg.model.smoothing import WIDTH, smoothed
from activeseg.model.stored import stored_labels
from activeseg.model.supervised import SIDES, SliceVolumeUNet, SupervisedUNet
from activeseg.model.volume_view import volume_softmax

__all__ = ["SliceModel", "dropout_only", "moved"]

LEAST_LIKELY = 0.05
"""Probability of the foreground in the first plane below which the other planes are not asked."""

ROOM = 4
"""Voxels round that, on each side, where they are asked all the same."""

MOST_MOVED = 2
MOST_SCALED = 0.1
"""Voxels, and share of the grey values' range, by which test-time augmentation changes a scan."""


class SliceModel(SegmentationModel):
    """The trained built-in network as a `SegmentationModel`.

    Args:
        network: The network.
        config: What it was built for.
        members: Weights that it had earlier in its training, of slices alone (`snapshots`).
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

    def grid(self, scan: Scan) -> Scan:
        """Large volumes on a grid about as coarse as the network's pixels."""
        return scan.on_grid(self.config.pixel_mm)

    def probabilities(self, scan: Scan) -> npt.NDArray[np.float32]:
        """Softmax `[C, S, P, L]` of the whole scan, without chance: the mean of its planes."""
        self._network.eval()
        return self._fused(scan, scan.box)

    def views(self, scan: Scan, passes: int = 0, seed: int = 0) -> Iterator[View]:
        """Softmax, energy, sides and passes of one plane after the other.

        Of a network other than the built-in one there are neither sides nor passes.
        """
        self._network.eval()
        turns = {plane: (count, chance) for plane, count, chance in _turns(scan, passes, seed)}
        classes = 1 + len(self.config.structures)

        def reader(plane: Plane) -> PlaneReader:
            answer: Answer = self._network
            if isinstance(self._network, SupervisedUNet):
                answer = DecoderPasses(self._network, *turns.get(plane, (0, seed)))
            return self._reader(answer, view_maps(classes))

        sides = SIDES if isinstance(self._network, SupervisedUNet) else 0
        for plane, (softmax, energy, *others), box in _where_needed(scan, reader):
            labels = [each[0] for each in others[:sides]]
            yield View(plane, softmax, box, energy[0], labels, _sampled(others[sides:]))
        yield from self._volume_view(scan, box)

    def labels(self, scan: Scan) -> npt.NDArray[np.uint8]:
        """The class of each stored voxel `[S, P, L]`, by what the planes say together."""
        self._network.eval()
        grid, fusion = self.grid(scan), Fusion()
        for _, (softmax, *_), here in _where_needed(grid, lambda _: self._reader(self._network)):
            box = here
            fusion.add(softmax)
        for view in self._volume_view(grid, box):
            fusion.add(view.softmax, view.beside)
        settled = self.settled(fusion.softmax(), grid)
        return stored_labels(settled, box, grid, self.handicaps(settled))

    def settled(self, softmax: npt.NDArray[np.float32], scan: Scan) -> npt.NDArray[np.float32]:
        """Smoothed by about half a pixel of the network: its views are slices, each for itself."""
        return smoothed(softmax, WIDTH * self.config.pixel_mm, scan.spacing)

    def handicaps(self, settled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """An unsure structure is labelled from less than 1/2 on (`activeseg.model.fusion`)."""
        return handicaps(settled)

    def samples(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """MC dropout (Gal 2017): softmax maps `[C, s, p, l]` of one part of the scan.

        Each pass looks in one of the planes, evenly: as many opinions for a fraction of the work
        of asking all planes each time, and their spread shows where the planes disagree. The
        passes of a plane share what comes before the first dropout layer.
        """
        for plane, count, chance in _turns(scan, passes, seed):
            with seeded(chance):
                dropout_only(self._network)
                passed = Passes(self._network, count, chance)
                found = self._reader(passed).in_box(scan, plane, box)
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
        rng, shown = np.random.default_rng(seed), scan.channels
        for _ in range(passes):
            steps = rng.integers(-MOST_MOVED, MOST_MOVED + 1, size=3)
            scale, shift = (
                rng.uniform(1 - MOST_SCALED, 1 + MOST_SCALED),
                rng.uniform(-MOST_SCALED, MOST_SCALED),
            )
            changed = (scale * moved(shown, steps * scan.step) + shift).astype(np.float32)
            # Room for the way back, so that no edge is repeated where the volume goes on.
            room = grown(box, (MOST_MOVED,) * 3, scan.shape)
            found = self._fused(replace(scan, stored=changed, tone=None), room)
            inside = (slice(None), *within(box, room))
            yield np.ascontiguousarray(moved(found, -steps)[inside])

    def snapshots(self, scan: Scan, box: Box) -> Iterator[npt.NDArray[np.float32]]:
        """One answer of each kept member of the training run, the network itself last."""
        latest = {name: value.clone() for name, value in self._network.state_dict().items()}
        for weights in (*self._members, latest):
            self._network.load_state_dict(latest | dict(weights))
            try:
                found = self._fused(scan, box)
            finally:
                self._network.load_state_dict(latest)
            yield found

    def _volume_view(self, scan: Scan, box: Box) -> Iterator[View]:
        """What the network of volumes sees in a box, if it has learned anything."""
        network = self._network
        if isinstance(network, SliceVolumeUNet) and network.sees_volumes:
            device = next(network.parameters()).device
            softmax = volume_softmax(network.volume, scan, box, device)
            yield View(None, softmax, box, beside=True)

    def _fused(self, scan: Scan, box: Box) -> npt.NDArray[np.float32]:
        """Softmax `[C, s, p, l]` in a box: the mean of the planes."""
        reader = self._reader(self._network)
        total, *others = (reader.in_box(scan, plane, box)[0] for plane in scan.planes)
        for each in others:
            total += each
        total /= np.float32(len(scan.planes))
        return total

    def _reader(self, answer: Answer, maps: Maps | None = None) -> PlaneReader:
        """What reads maps, if none are given softmax maps, of what answers."""
        classes = 1 + len(self.config.structures)
        return PlaneReader(
            answer,
            maps or softmaxes(classes),
            classes,
            self.config.pixel_mm,
            next(self._network.parameters()).device,
        )


def _sampled(maps: Sequence[npt.NDArray[Any]]) -> Sampled | None:
    """What passes say, of the maps that they come with; None of none."""
    if not maps:
        return None
    *labels, mean, entropy = maps
    return Sampled([each[0] for each in labels], mean, entropy[0])


def _turns(scan: Scan, passes: int, seed: int) -> Iterator[tuple[Plane, int, int]]:
    """The planes, with how many of the passes look in each, and what fixes their chance."""
    for turn, plane in enumerate(scan.planes[:passes]):
        yield plane, len(range(turn, passes, len(scan.planes))), seed * 1009 + turn


def _where_needed(
    scan: Scan, reader: Callable[[Plane], PlaneReader]
) -> Iterator[tuple[Plane, list[npt.NDArray[Any]], Box]]:
    """The maps of each plane in the box, the same for all, where there may be foreground.

    Where that is, is found by the plane that cuts the thickest slices, on all of them; the other
    planes are asked in the box alone.

    Args:
        scan: The scan.
        reader: Reads a plane.
    """
    first, *others = sorted(scan.planes, key=lambda each: -scan.spacing[axis_of(each)])
    found = reader(first).where(scan, first, LEAST_LIKELY, ROOM)
    box = found.box(ROOM)
    if box is None:  # nothing anywhere: then what is likeliest is everywhere
        box, others = scan.box, [first, *others]
    else:
        yield first, found.maps(box), box
    for plane in others:
        yield plane, replace(reader(plane), margin=WIDE).in_box(scan, plane, box), box


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
