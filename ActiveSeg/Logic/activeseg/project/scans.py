"""The cohort's volumes and the annotated slices, brought to what the model works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort, Geometry
from activeseg.keys import SliceKey
from activeseg.model.network import NetworkConfig
from activeseg.model.propagation import taught
from activeseg.model.protocol import SegmentationModel
from activeseg.model.scan import CHANNELS, Scan, axis_of, grey_scan, make_scan
from activeseg.model.slices import LabelledSlice, working_pixel_mm
from activeseg.model.volumes import Lesson
from activeseg.progress import Progress
from activeseg.project.folder import Project
from activeseg.project.records import Annotation

__all__ = [
    "annotated_slices",
    "canonical_slice",
    "channel_table",
    "cohort_network",
    "read_scan",
    "scan_for",
    "scan_of",
]


def cohort_network(cohort: Cohort, plane_policy: str) -> NetworkConfig:
    """What a network for a cohort is built for; the same in every round."""
    shapes = []
    for volume in cohort.volumes:
        geometry = volume.geometry
        for plane in geometry.planes(plane_policy):
            rows, columns = (
                n for axis, n in enumerate(geometry.shape) if axis != geometry.array_axis(plane)
            )
            shapes.append(((rows, columns), geometry.slice_spacing(plane)))
    modality = cohort.volumes[0].modality
    return NetworkConfig(
        image_channels=CHANNELS[modality],
        structures=tuple(structure.value for structure in cohort.structures),
        pixel_mm=working_pixel_mm(shapes),
        modality=modality,
    )


def scan_of(cohort: Cohort, volume: str, plane_policy: str) -> Scan:
    """Read one volume and bring it to canonical axes and normalised grey values.

    Raises:
        CohortError: If the image cannot be read or is no longer the one that was checked.
    """
    found = cohort.volume(volume)
    planes = found.geometry.planes(plane_policy)
    return make_scan(cohort.read_stored(volume), found.geometry, found.modality, planes)


def scan_for(model: SegmentationModel, cohort: Cohort, volume: str, plane_policy: str) -> Scan:
    """Read one volume as a model wants to see it.

    Raises:
        CohortError: As `scan_of`.
    """
    if not model.sees_grey:
        return scan_of(cohort, volume, plane_policy)
    found = cohort.volume(volume)
    planes = found.geometry.planes(plane_policy)
    return grey_scan(cohort.read_stored(volume), found.geometry, found.modality, planes)


def read_scan(project: Project, volume: str) -> Scan:
    """`scan_of` for a project's volume, in the project's planes."""
    return scan_of(project.cohort, volume, project.plane_policy)


def canonical_slice(
    slice2d: npt.NDArray[np.uint8], geometry: Geometry, key: SliceKey
) -> npt.NDArray[np.uint8]:
    """A native 2-D slice in canonical orientation, `[H, W]`."""
    one_slice = np.expand_dims(slice2d, geometry.array_axis(key.plane))
    canonical: npt.NDArray[np.uint8] = geometry.to_canonical(one_slice)
    return canonical.squeeze(axis=axis_of(key.plane))


def annotated_slices(
    project: Project,
    annotations: Mapping[SliceKey, Annotation],
    config: NetworkConfig,
    progress: Progress,
    propagation: bool,
) -> dict[SliceKey, LabelledSlice]:
    """Every annotated slice with its label, each volume read once and let go again.

    With propagation, few of them come with what they say of the slices beside them
    (`model.propagation`).

    Raises:
        CohortError, ProjectError: If an image or an accepted mask cannot be read.
    """
    by_volume: dict[str, list[SliceKey]] = {}
    for key in annotations:
        by_volume.setdefault(key.volume, []).append(key)
    channel_of = channel_table(config.structures)
    found: dict[SliceKey, LabelledSlice] = {}
    with progress.stage("Reading annotated slices", len(by_volume)) as stage:
        for volume, keys in by_volume.items():
            scan = read_scan(project, volume)
            geometry = project.cohort.volume(volume).geometry
            lessons = []
            for key in keys:
                mask = canonical_slice(project.read_annotation(annotations[key]), geometry, key)
                index = geometry.canonical_index(key.plane, key.index)
                lessons.append(Lesson(key.plane, index, channel_of[mask]))
            made = taught(scan, lessons, config.pixel_mm, len(annotations), propagation)
            found |= zip(keys, made, strict=True)
            stage.advance()
    return found


def channel_table(structures: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Output channel of each label value; what is no structure is background."""
    table = np.zeros(256, dtype=np.uint8)
    for channel, value in enumerate(structures, start=1):
        table[value] = channel
    return table
