"""Slices with their reference labels, as a project's training has annotated ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.keys import SliceKey
from activeseg.model.network import NetworkConfig
from activeseg.model.propagation import taught
from activeseg.model.scan import axis_of
from activeseg.model.slices import LabelledSlice
from activeseg.model.volumes import Lesson
from activeseg.progress import Progress
from activeseg.project.scans import channel_table, scan_of

__all__ = ["every_slice", "reference_slices"]


def every_slice(pool: Cohort, plane_policy: str) -> list[SliceKey]:
    """All slices of all volumes, in the planes of the policy; indices are canonical."""
    return [
        SliceKey(volume.id, plane, index)
        for volume in pool.volumes
        for plane in volume.geometry.planes(plane_policy)
        for index in range(volume.geometry.slice_count(plane))
    ]


def reference_slices(
    pool: Cohort,
    keys: Sequence[SliceKey],
    config: NetworkConfig,
    plane_policy: str,
    propagation: bool,
    progress: Progress,
) -> list[LabelledSlice]:
    """The slices of these keys, whose indices are canonical, in the same order.

    Args:
        pool: The volumes.
        keys: Which slices.
        config: What the network is built for.
        plane_policy: As in the project.
        propagation: Whether they say something of the slices beside them, if they are few.
        progress: Told about the volumes.

    Raises:
        CohortError: If an image or label cannot be read.
    """
    of: dict[str, list[SliceKey]] = {}
    for key in keys:
        of.setdefault(key.volume, []).append(key)
    channel_of = channel_table(config.structures)
    found: dict[SliceKey, LabelledSlice] = {}
    with progress.stage("Reading annotated slices", len(of)) as stage:
        for volume, own in of.items():
            scan, geometry = scan_of(pool, volume, plane_policy), pool.volume(volume).geometry
            label = channel_of[geometry.to_canonical(pool.read_label(volume))]
            lessons = [Lesson(key.plane, key.index, _cut(label, key)) for key in own]
            made = taught(scan, lessons, config.pixel_mm, len(keys), propagation)
            found |= zip(own, made, strict=True)
            stage.advance()
    return [found[key] for key in keys]


def _cut(label: npt.NDArray[np.uint8], key: SliceKey) -> npt.NDArray[np.uint8]:
    """One slice `[H, W]` of a canonical array."""
    found: npt.NDArray[np.uint8] = np.moveaxis(label, axis_of(key.plane), 0)[key.index]
    return found
