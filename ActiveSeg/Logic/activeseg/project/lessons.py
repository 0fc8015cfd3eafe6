"""The annotated slices as a foreign 3-D network learns from them: in their whole volumes."""

from __future__ import annotations

from collections.abc import Iterable

from activeseg.keys import SliceKey
from activeseg.model.foreign import ForeignModel
from activeseg.model.windows import Lesson, Taught
from activeseg.progress import Progress
from activeseg.project.folder import Project
from activeseg.project.records import Annotation
from activeseg.project.scans import canonical_slice, channel_table, scan_for

__all__ = ["taught_volumes"]


def taught_volumes(
    project: Project, annotations: Iterable[Annotation], model: ForeignModel, progress: Progress
) -> dict[str, Taught]:
    """Every annotated volume with its slices, each read once.

    A volume stays in memory as the network is shown it, in half precision.

    Raises:
        CohortError, ProjectError: If an image or an accepted mask cannot be read.
    """
    by_volume: dict[str, dict[SliceKey, Annotation]] = {}
    for annotation in annotations:
        by_volume.setdefault(annotation.key.volume, {})[annotation.key] = annotation
    channel_of = channel_table(model.config.structures)
    found: dict[str, Taught] = {}
    with progress.stage("Reading annotated slices", len(by_volume)) as stage:
        for volume, of_volume in by_volume.items():
            shown = model.show(scan_for(model, project.cohort, volume, project.plane_policy))
            geometry = project.cohort.volume(volume).geometry
            lessons = []
            for key in sorted(of_volume):
                mask = canonical_slice(project.read_annotation(of_volume[key]), geometry, key)
                index = geometry.canonical_index(key.plane, key.index)
                lessons.append(Lesson.of(key.plane, index, channel_of[mask]))
            found[volume] = Taught.of(shown, lessons)
            stage.advance()
    return found
