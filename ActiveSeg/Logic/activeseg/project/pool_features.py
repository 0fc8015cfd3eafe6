"""The frozen features of the slices that may be asked for, and of those that are annotated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.executors import as_they_come
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


@dataclass(frozen=True)
class _Look:
    """One volume to look at.

    Attributes:
        cohort: The volume's cohort, or as much of it as holds the volume.
        plane_policy: In which planes.
        volume: Its id.
        slices: Of each plane, the canonical indices of the slices that are asked about.
    """

    cohort: Cohort
    plane_policy: str
    volume: str
    slices: Mapping[Plane, Sequence[int]]


@dataclass(frozen=True)
class _Sight:
    """What one volume shows: of each plane the features and the information of its slices."""

    features: Mapping[Plane, npt.NDArray[np.float32]]
    information: Mapping[Plane, npt.NDArray[np.float32]]
    whole: Measured


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
    places: dict[str, dict[Plane, list[int]]] = defaultdict(lambda: defaultdict(list))
    canonical = []
    for place, key in enumerate(wanted):
        places[key.volume][key.plane].append(place)
        geometry = cohort.volume(key.volume).geometry
        canonical.append(geometry.canonical_index(key.plane, key.index))
    # Of copies the first is kept: better one that has answers than one that has none.
    answered = {key.volume for key in annotated}
    volumes = sorted({key.volume for key in wanted}, key=lambda name: (name not in answered, name))
    looks = []
    for name in volumes:
        slices = {plane: [canonical[n] for n in there] for plane, there in places[name].items()}
        # Of the cohort no more than the volume, as a look may have to travel.
        alone = replace(cohort, volumes=(cohort.volume(name),))
        looks.append(_Look(alone, plane_policy, name, slices))
    features = np.zeros((0, 1), dtype=np.float32)
    information = np.zeros(len(wanted), dtype=np.float32)
    found: dict[str, Measured] = {}
    with progress.stage("Looking at volumes", len(volumes)) as stage:
        for look, sight in as_they_come(_look_at, looks):
            for plane, there in places[look.volume].items():
                if not len(features):
                    width = sight.features[plane].shape[1]
                    features = np.zeros((len(wanted), width), dtype=np.float32)
                features[there] = sight.features[plane]
                information[there] = sight.information[plane]
            found[look.volume] = sight.whole
            stage.advance()
    in_order = {name: found[name] for name in volumes}
    return replace(
        pool,
        features=features[: len(keys)],
        information=information[: len(keys)],
        annotated_features=features[len(keys) :],
        screened=screened(in_order, pool.volumes, keys, canonical[: len(keys)]),
    )


def _look_at(look: _Look) -> _Sight:
    """Read one volume, look at its slices and measure it as a whole."""
    known = look.cohort.volume(look.volume)
    image = look.cohort.read_image(look.volume)
    planes = known.geometry.planes(look.plane_policy)
    scan = make_scan(image, known.geometry, known.modality, planes)
    energies, found, worth = [], {}, {}
    for plane in PLANES:
        order = look.slices.get(plane)
        if order is None:
            continue
        features = slice_features(scan, plane)
        shown = slice_information(scan, plane)
        found[plane] = features[order]
        worth[plane] = (shown * slice_centrality(len(shown)))[order]
        energies.append(texture_energy(features))
    texture = np.concatenate(energies).mean(axis=0)
    return _Sight(found, worth, measured(image, known, planes, texture))
