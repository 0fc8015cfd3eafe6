"""Writing the folder of a batch: each slice in its place, its mask to correct, and the texts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt

from activeseg.annotations import read_mask, slice_geometry, slice_shape, write_slice
from activeseg.cohort import (
    CohortVolume,
    Geometry,
    picture,
    picture_spacing,
    take_slice,
    write_image,
    write_label,
)
from activeseg.errors import AnnotationError, ProjectError
from activeseg.files import make_folder, write_atomic, write_json
from activeseg.offline.layout import PARTS, Layout, check_target
from activeseg.offline.table import write_table
from activeseg.offline.wording import label_description, read_me
from activeseg.progress import Progress
from activeseg.project import Batch, Project, Suggestion
from activeseg.project.handed_out import HandedSlice, hand_out, mask_checksum
from activeseg.report.png import grey_png
from activeseg.report.thumbnails import grey_window

__all__ = ["write_folder"]

_PREVIEW_PIXELS = 400
"""A smaller picture is enlarged up to this many on its longer side: a crop is seen by itself."""


def write_folder(project: Project, batch: Batch, folder: Path, progress: Progress) -> None:
    """Write a batch as a folder that can be answered without this program.

    Args:
        project: The project that chose the batch.
        batch: The batch.
        folder: A new or empty folder (`check_target`).
        progress: Told of each slice.

    Raises:
        CohortError: If an image cannot be read. ProjectError: If the folder is not fit for it, or
            the disk refuses. Then the folder is left as it was found, or empty.
    """
    check_target(folder)
    layout = Layout(folder)
    finished = False
    try:
        for part in PARTS:
            make_folder(folder / part)
        slices = _write_slices(project, batch, layout, progress)
        write_table(layout, slices)
        write_atomic(layout.labels, label_description(project.structures).encode())
        write_atomic(layout.readme, read_me(batch, project.structures).encode())
        handed = hand_out(project, batch.round, slices)
        write_json(layout.mark, handed.mark(project))
        finished = True
    except OSError as error:
        raise ProjectError(
            f"cannot be written ({error.strerror or error}); the batch is chosen all the same: "
            "name another folder and choose again",
            str(folder),
        ) from error
    finally:
        if not finished:
            _clear(layout)


def _clear(layout: Layout) -> None:
    """Take away what was begun; the folder was empty before."""
    for part in PARTS:
        shutil.rmtree(layout.folder / part, ignore_errors=True)
    for file in (layout.table, layout.labels, layout.readme, layout.mark):
        file.unlink(missing_ok=True)


def _write_slices(
    project: Project, batch: Batch, layout: Layout, progress: Progress
) -> list[HandedSlice]:
    """Write what belongs to single slices, volume by volume; the slices in order of answering."""
    written: list[HandedSlice] = []
    with progress.stage("Writing slices", len(batch.suggestions)) as stage:
        for name in sorted({each.key.volume for each in batch.suggestions}):
            volume = project.cohort.volume(name)
            image = project.cohort.read_image(name)
            window = grey_window(image, volume.modality)
            for each in batch.suggestions:
                if each.key.volume != name:
                    continue
                mask = _shown(project, batch.round, each, volume.geometry)
                handed = HandedSlice(each, mask_checksum(mask))
                grey = take_slice(image, volume.geometry, each.key.plane, each.key.index)
                _write_grey(layout, handed, grey, volume.geometry, window)
                _write_masks(project, layout, handed, mask, volume)
                written.append(handed)
                stage.advance()
    return sorted(written, key=lambda handed: handed.suggestion.rank)


def _shown(
    project: Project, round_number: int, asked: Suggestion, geometry: Geometry
) -> npt.NDArray[np.uint8]:
    """The mask that lies in the folder: the proposal, or nothing where it is shown blank."""
    proposal = project.round(round_number).read_proposal(asked.key)
    if proposal is None or asked.audit:
        return np.zeros(slice_shape(geometry, asked.key.plane), dtype=np.uint8)
    return proposal


def _write_grey(
    layout: Layout,
    handed: HandedSlice,
    grey: npt.NDArray[np.float32],
    geometry: Geometry,
    window: tuple[float, float],
) -> None:
    """Write a slice's grey values, in their place and as a picture."""
    key = handed.suggestion.key
    place = slice_geometry(geometry, key)
    write_image(layout.image(handed.name), _compact(grey).reshape(place.shape), place)
    low, high = window
    turned = picture(grey, geometry, key.plane)
    shown = np.rint(255 * np.clip((turned - low) / max(high - low, 1e-6), 0, 1)).astype(np.uint8)
    rows_mm, cols_mm = picture_spacing(geometry, key.plane)
    least = min(rows_mm, cols_mm)
    down, across = round(rows_mm / least), round(cols_mm / least)  # a picture's pixels are square
    larger = max(1, _PREVIEW_PIXELS // max(down * shown.shape[0], across * shown.shape[1]))
    shown = shown.repeat(larger * down, axis=0).repeat(larger * across, axis=1)
    write_atomic(layout.preview(handed.name), grey_png(shown))


def _write_masks(
    project: Project,
    layout: Layout,
    handed: HandedSlice,
    mask: npt.NDArray[np.uint8],
    volume: CohortVolume,
) -> None:
    """Write a slice's mask for any program and for 3D Slicer, and look whether it comes back.

    NIfTI keeps places in single precision; far from the scanner's centre what is read may not lie
    where it was written, and the annotator's work must not be lost by that.
    """
    key, structures = handed.suggestion.key, project.structures
    place = slice_geometry(volume.geometry, key)
    plain, segmentation = layout.mask(handed.name), layout.segmentation(handed.name)
    try:
        write_label(plain, mask.reshape(place.shape), place)
        write_slice(segmentation, mask, volume.geometry, key, structures)
        read = [read_mask(file, volume, key, structures) for file in (plain, segmentation)]
    except AnnotationError as error:
        raise ProjectError(f"a mask does not read back as written ({error})") from error
    if not all(np.array_equal(each, mask) for each in read):
        raise ProjectError(
            f"the masks of {key} do not read back as written; is the disk full?",
            str(layout.folder),
        )


def _compact(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | npt.NDArray[np.int16]:
    """Grey values as 16-bit numbers where none is lost by it, which is half the size."""
    small = np.iinfo(np.int16)
    fits = small.min <= grey.min() and grey.max() <= small.max
    return grey.astype(np.int16) if fits and np.array_equal(grey, np.rint(grey)) else grey
