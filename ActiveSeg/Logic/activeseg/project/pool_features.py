"""The features of the slices that may be asked for, and of those that are annotated."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

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
from activeseg.model.scan import Scan, make_scan
from activeseg.progress import Progress
from activeseg.project.feature_cache import FeatureCache, file_checksum
from activeseg.project.feature_source import FROZEN, FeatureSource
from activeseg.project.screening import RECIPE, Measured, measured, screened
from activeseg.sampling import Pool

__all__ = ["Look", "Looking", "VolumeFeatures", "features_of_volume", "with_features"]

Features: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Looking:
    """How the volumes of a pool are looked at.

    Attributes:
        source: Who makes the features.
        screening: Whether each volume is measured as a whole too (`Pool.screened`).
        cache: Where what is found is kept; None for nowhere.
    """

    source: FeatureSource = FROZEN
    screening: bool = True
    cache: FeatureCache | None = None


@dataclass(frozen=True)
class Look:
    """One volume to look at; it can be sent to other processes, as what is found.

    Attributes:
        cohort: Its cohort, or as much of it as holds the volume.
        plane_policy: In which planes.
        volume: Its id.
        looking: How.
    """

    cohort: Cohort
    plane_policy: str
    volume: str
    looking: Looking


@dataclass(frozen=True)
class VolumeFeatures:
    """What is found in one volume.

    Attributes:
        features: `[slices, D]` of each plane, in canonical order.
        information: `[slices]` how much there is to see, of each plane.
        measured: The volume as a whole, where that was asked for.
    """

    features: Mapping[Plane, Features]
    information: Mapping[Plane, Features]
    measured: Measured | None


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
    looking: Looking | None = None,
) -> Pool:
    """A pool with the features of its slices and what its images say, each volume read once.

    Args:
        cohort: Where the slices are.
        plane_policy: In which planes.
        pool: The pool.
        keys: Its slices, in its order.
        annotated: The annotated slices, in the order of `Pool.annotated`.
        progress: Told about the volumes.
        looking: How they are looked at; None for frozen features, measured, not kept.

    Raises:
        CohortError: If an image cannot be read. ModelError: If a network cannot any more.
    """
    looking = looking or Looking()
    wanted = [*keys, *annotated]
    places: dict[str, dict[Plane, list[int]]] = defaultdict(lambda: defaultdict(list))
    canonical = np.zeros(len(wanted), dtype=np.intp)
    for place, key in enumerate(wanted):
        places[key.volume][key.plane].append(place)
        geometry = cohort.volume(key.volume).geometry
        canonical[place] = geometry.canonical_index(key.plane, key.index)
    # Of copies the first is kept: better one that has answers than one that has none.
    answered = {key.volume for key in annotated}
    volumes = sorted(places, key=lambda name: (name not in answered, name))
    # Of the cohort no more than the volume, as a look may have to travel.
    looks = [
        Look(replace(cohort, volumes=(cohort.volume(name),)), plane_policy, name, looking)
        for name in volumes
    ]
    columns = _Columns(len(wanted))
    found: dict[str, Measured] = {}
    with progress.stage("Looking at volumes", len(volumes)) as stage:
        for look, each in as_they_come(features_of_volume, looks):
            for plane, there in places[look.volume].items():
                order = canonical[there]
                columns.put(there, each.features[plane][order], each.information[plane][order])
            if each.measured is not None:
                found[look.volume] = each.measured
            stage.advance()
    features = columns.features
    if features is None:
        features = np.zeros((0, 1), dtype=np.float32)
    count = len(keys)
    # They come in any order; of copies the first one in this order is kept.
    found = {name: found[name] for name in volumes if name in found}
    judged = screened(found, pool.volumes, keys, canonical[:count]) if looking.screening else None
    return replace(
        pool,
        features=features[:count],
        information=columns.information[:count],
        annotated_features=features[count:],
        screened=judged,
    )


def features_of_volume(look: Look) -> VolumeFeatures:
    """Look at one volume, or at what is known of it from before.

    Its image is read only where something is not known.

    Raises:
        CohortError: If the image cannot be read. ModelError: If a network cannot any more.
    """
    seen, looking = _Seen(look), look.looking
    slices = _kept(seen, looking, "slices", looking.source.identity)
    if slices is None:
        slices = seen.slices(looking.source)
        _keep(slices, seen, looking, "slices", looking.source.identity)
    whole = None
    if looking.screening:
        arrays = _kept(seen, looking, "screening", str(RECIPE))
        if arrays is None:
            frozen = slices if looking.source == FROZEN else None
            whole = seen.measured(frozen)
            _keep(whole.to_arrays(), seen, looking, "screening", str(RECIPE))
        else:
            whole = Measured.from_arrays(arrays)
    return VolumeFeatures(
        features={plane: slices[f"features {plane.value}"] for plane in seen.planes},
        information={plane: slices[f"information {plane.value}"] for plane in seen.planes},
        measured=whole,
    )


class _Seen:
    """One volume, of which no more is read than is asked for."""

    def __init__(self, look: Look) -> None:
        self._cohort = look.cohort
        self._volume = look.cohort.volume(look.volume)
        self.planes = self._volume.geometry.planes(look.plane_policy)

    @cached_property
    def image(self) -> npt.NDArray[Any]:
        """Grey values as they are in the file, native array `[k, j, i]`."""
        return self._cohort.read_stored(self._volume.id)

    @cached_property
    def scan(self) -> Scan:
        """As the frozen filters see it."""
        volume = self._volume
        return make_scan(self.image, volume.geometry, volume.modality, self.planes)

    @cached_property
    def content(self) -> tuple[str, ...]:
        """What everything follows from that is found in it."""
        checksum = file_checksum(self._cohort, self._volume.id)
        if checksum is None:
            pixels = np.ascontiguousarray(self.image)
            checksum = f"pixels {hashlib.sha256(pixels.data).hexdigest()}"
        geometry = str(sorted(self._volume.geometry.to_json().items()))
        planes = " ".join(plane.value for plane in self.planes)
        return (checksum, geometry, self._volume.modality, planes)

    def slices(self, source: FeatureSource) -> dict[str, npt.NDArray[Any]]:
        """Features and information of its slices, by plane."""
        found: dict[str, npt.NDArray[Any]] = {}
        for plane, features in source.of(self.image, self._volume, self.scan).items():
            worth = slice_information(self.scan, plane)
            found[f"features {plane.value}"] = features
            found[f"information {plane.value}"] = worth * slice_centrality(len(worth))
        return found

    def measured(self, frozen: Mapping[str, npt.NDArray[Any]] | None) -> Measured:
        """The volume as a whole; from its frozen features, where they are known."""
        energies = [
            texture_energy(
                slice_features(self.scan, plane)
                if frozen is None
                else frozen[f"features {plane.value}"]
            )
            for plane in self.planes
        ]
        texture = np.concatenate(energies).mean(axis=0)
        return measured(self.image, self._volume, self.planes, texture)


def _kept(
    seen: _Seen, looking: Looking, kind: str, recipe: str
) -> dict[str, npt.NDArray[Any]] | None:
    """What was found before; None if nothing was."""
    if looking.cache is None:
        return None
    return looking.cache.read(kind, *seen.content, recipe)


def _keep(
    arrays: Mapping[str, npt.NDArray[Any]], seen: _Seen, looking: Looking, kind: str, recipe: str
) -> None:
    """Keep what was found for the next time."""
    if looking.cache is not None:
        looking.cache.keep(arrays, kind, *seen.content, recipe)
