"""The frozen features of the slices that may be asked for, and of those that are annotated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.keys import Plane, SliceKey
from activeseg.model.features import (
    slice_centrality,
    slice_features,
    slice_information,
    texture_energy,
)
from activeseg.model.scan import make_scan
from activeseg.progress import Progress
from activeseg.project.screening import Measured, measured, screened
from activeseg.sampling import PLANES, Pool

__all__ = ["with_features"]

Places: TypeAlias = Mapping[tuple[str, Plane], Sequence[int]]


class _Columns:
    """Features and information of so many slices, filled in volume by volume."""

    def __init__(self, count: int) -> None:
        self.features: npt.NDArray[np.float32] | None = None
        self.information = np.zeros(count, dtype=np.float32)

    def put(
        self,
        there: Sequence[int],
        features: npt.NDArray[np.float32],
        information: npt.NDArray[np.float32],
    ) -> None:
        if self.features is None:
            shape = (len(self.information), features.shape[1])
            self.features = np.zeros(shape, dtype=np.float32)
        self.features[there] = features
        self.information[there] = information


def with_features(
    cohort: Cohort,
    plane_policy: str,
    pool: Pool,
    keys: Sequence[SliceKey],
    annotated: Sequence[SliceKey],
    progress: Progress,
) -> Pool:
    """A pool with the features of its slices and what its images say, each volume read once.

    Args:
        cohort: Where the slices are.
        plane_policy: In which planes.
        pool: The pool.
        keys: Its slices, in its order.
        annotated: The annotated slices, in the order of `Pool.annotated`.
        progress: Told about the volumes.

    Raises:
        CohortError: If an image cannot be read.
    """
    wanted = [*keys, *annotated]
    places: dict[tuple[str, Plane], list[int]] = defaultdict(list)
    canonical = []
    for place, key in enumerate(wanted):
        places[key.volume, key.plane].append(place)
        geometry = cohort.volume(key.volume).geometry
        canonical.append(geometry.canonical_index(key.plane, key.index))
    # Of copies the first is kept: better one that has answers than one that has none.
    answered = {key.volume for key in annotated}
    volumes = sorted({key.volume for key in wanted}, key=lambda name: (name not in answered, name))
    columns = _Columns(len(wanted))
    look = partial(_look_at, cohort, plane_policy, places, canonical, columns)
    found = {}
    with progress.stage("Looking at volumes", len(volumes)) as stage:
        for volume in volumes:
            found[volume] = look(volume)
            stage.advance()
    features = columns.features
    if features is None:
        features = np.zeros((0, 1), dtype=np.float32)
    return replace(
        pool,
        features=features[: len(keys)],
        information=columns.information[: len(keys)],
        annotated_features=features[len(keys) :],
        screened=screened(found, pool.volumes, keys, canonical[: len(keys)]),
    )


def _look_at(
    cohort: Cohort,
    plane_policy: str,
    places: Places,
    canonical: Sequence[int],
    columns: _Columns,
    volume: str,
) -> Measured:
    """Read one volume, fill in its slices and measure it as a whole."""
    known = cohort.volume(volume)
    image = cohort.read_image(volume)
    planes = known.geometry.planes(plane_policy)
    scan = make_scan(image, known.geometry, known.modality, planes)
    energies = []
    for plane in PLANES:
        there = places.get((volume, plane))
        if there is None:
            continue
        order = [canonical[place] for place in there]
        features = slice_features(scan, plane)
        worth = slice_information(scan, plane)
        columns.put(there, features[order], (worth * slice_centrality(len(worth)))[order])
        energies.append(texture_energy(features))
    return measured(image, known, planes, np.concatenate(energies).mean(axis=0))
