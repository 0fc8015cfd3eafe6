"""The frozen features of the slices that may be asked for, and of those that are annotated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.keys import Plane, SliceKey
from activeseg.model.features import slice_centrality, slice_features, slice_information
from activeseg.progress import Progress
from activeseg.project.scans import scan_of
from activeseg.sampling import PLANES, Pool

__all__ = ["with_features"]


def with_features(
    cohort: Cohort,
    plane_policy: str,
    pool: Pool,
    keys: Sequence[SliceKey],
    annotated: Sequence[SliceKey],
    progress: Progress,
) -> Pool:
    """A pool with the features and information of its slices, each volume read once.

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
    for place, key in enumerate(wanted):
        places[key.volume, key.plane].append(place)
    volumes = sorted({key.volume for key in wanted})
    features: npt.NDArray[np.float32] | None = None
    information = np.zeros(len(wanted), dtype=np.float32)
    with progress.stage("Looking at volumes", len(volumes)) as stage:
        for volume in volumes:
            scan = scan_of(cohort, volume, plane_policy)
            geometry = cohort.volume(volume).geometry
            for plane in PLANES:
                if (volume, plane) not in places:
                    continue
                there = places[volume, plane]
                order = [geometry.canonical_index(plane, wanted[place].index) for place in there]
                found = slice_features(scan, plane)[order]
                if features is None:
                    features = np.zeros((len(wanted), found.shape[1]), dtype=np.float32)
                features[there] = found
                worth = slice_information(scan, plane)
                information[there] = (worth * slice_centrality(len(worth)))[order]
            stage.advance()
    if features is None:
        features = np.zeros((0, 1), dtype=np.float32)
    return replace(
        pool,
        features=features[: len(keys)],
        information=information[: len(keys)],
        annotated_features=features[len(keys) :],
    )
