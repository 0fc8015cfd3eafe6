"""A batch of the tiny cohort that lies in a folder, to be answered as another tool would."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK

from activeseg.annotations import slice_shape
from activeseg.cohort import take_slice
from activeseg.keys import Plane, SliceKey
from activeseg.offline import write_folder
from activeseg.progress import Silent
from activeseg.project import Batch, Project
from rounds_by_hand import batch, suggestion
from tiny_cohort import new_project

Mask = npt.NDArray[np.uint8]

_INDEX = {Plane.AXIAL: 4, Plane.CORONAL: 9, Plane.SAGITTAL: 6}
"""Slices that show a structure in all four volumes."""

KEYS = [
    *(SliceKey(f"v{number:02d}", plane, at) for number in range(4) for plane, at in _INDEX.items()),
    SliceKey("v00", Plane.AXIAL, 5),
]
"""A slice of each volume in each plane, and one that is an audit; in the order of answering."""

AUDIT = KEYS[-1]


def truth(project: Project, key: SliceKey) -> Mask:
    """The reference label of a slice."""
    geometry = project.cohort.volume(key.volume).geometry
    label = project.cohort.read_label(key.volume)
    return take_slice(label, geometry, key.plane, key.index).copy()


def proposed(project: Project, key: SliceKey) -> Mask:
    """What round 1 proposes: the reference label without its first row that holds any."""
    mask = truth(project, key)
    mask[np.flatnonzero(mask.any(axis=1))[:1]] = 0
    return mask


def asked_project(folder: Path, cohort: Path, **changes: object) -> tuple[Project, Batch]:
    """A project whose round 1 has asked for `KEYS`, with proposals; `changes` of its options."""
    project = new_project(folder, cohort, plane_policy="all", **changes)
    made = batch(1, [asked(rank, key) for rank, key in enumerate(KEYS, 1)])
    files = project.round(1).make()
    files.write_proposals({key: proposed(project, key) for key in KEYS})
    files.write_batch(made)
    return project, made


def asked(rank: int, key: SliceKey):
    """A suggestion of round 1 that expects a Dice of 0.8."""
    return suggestion(key, rank, 0.8, audit=key == AUDIT)


def handed(tmp_path: Path, cohort: Path) -> tuple[Project, Path]:
    """The project and its batch as a folder."""
    project, made = asked_project(tmp_path / "project", cohort)
    write_folder(project, made, tmp_path / "folder", Silent())
    return project, tmp_path / "folder"


def name_of(key: SliceKey) -> str:
    """The name of a slice's files."""
    return f"{KEYS.index(key) + 1:03d}_{key.volume}_{key.plane}_{key.index:03d}"


def mask_file(folder: Path, key: SliceKey) -> Path:
    return folder / "masks" / f"{name_of(key)}.nii.gz"


def read_voxels(project: Project, file: Path, key: SliceKey) -> npt.NDArray[np.generic]:
    """The voxels of a one-slice image as a native 2-D slice."""
    geometry = project.cohort.volume(key.volume).geometry
    array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file)))
    return array.reshape(slice_shape(geometry, key.plane))


def edit(file: Path, change: Callable[[npt.NDArray[np.generic]], object]) -> None:
    """Change the voxels of a file in place, as an editor does that keeps the header."""
    image = SimpleITK.ReadImage(str(file))
    array = SimpleITK.GetArrayFromImage(image)
    change(array)
    edited = SimpleITK.GetImageFromArray(array)
    edited.CopyInformation(image)
    SimpleITK.WriteImage(edited, str(file), True)


def draw(project: Project, folder: Path, key: SliceKey) -> Mask:
    """Answer a slice with its reference label; the label."""
    wanted = truth(project, key)

    def paint(array):
        array[...] = wanted.reshape(array.shape)

    edit(mask_file(folder, key), paint)
    return wanted


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the table."""
    with (folder / "slices.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fill_in(folder: Path, seconds: dict[SliceKey, str]) -> None:
    """Write seconds into the table."""
    table = rows(folder)
    for row in table:
        row["seconds"] = seconds.get(SliceKey.parse(row["key"]), row["seconds"])
    write_rows(folder, table)


def write_rows(folder: Path, table: list[dict[str, str]], delimiter: str = ",") -> None:
    """Replace the table."""
    with (folder / "slices.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table)


def chosen_anew(project: Project) -> Batch:
    """The round's batch after another choice: what was an audit is none now, and the other way."""
    former = project.round(1).read_batch()
    assert former is not None
    turned = [replace(each, audit=not each.audit, rank=1) for each in former.suggestions]
    made = replace(former, suggestions=tuple(turned))
    project.round(1).write_batch(made)
    return made
