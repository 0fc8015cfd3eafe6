"""Masks that people hand in: found, checked and brought into the slice's native grid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from activeseg.annotations.grid import Grid
from activeseg.annotations.slices import block_geometry, slice_geometry, slice_shape
from activeseg.errors import AnnotationError
from activeseg.keys import SliceKey

if TYPE_CHECKING:
    import SimpleITK

    from activeseg.cohort import CohortVolume, Geometry, Structure

__all__ = ["check_mask", "read_mask"]


def read_mask(
    path: Path, volume: CohortVolume, key: SliceKey, structures: Sequence[Structure]
) -> npt.NDArray[np.uint8]:
    """Read the mask of one slice from a file.

    The file is one of

    * a label image with the volume's geometry, of which only the slice is read;
    * a 3-D label image of that slice alone, lying where the slice lies;
    * either of these with axes that run the other way round in the file, if its header says so;
    * a 2-D image of the slice: rows and columns as `take_slice` cuts it, in the file's order;
    * a ``.seg.nrrd`` of 3D Slicer with one layer, whole or cropped: its segments are matched to
      the structures by name, and what is outside a cropped one is background; one without any
      painted voxel is background everywhere.

    Args:
        path: The file.
        volume: The volume that the slice is of.
        key: The slice, in any plane.
        structures: The project's structures.

    Returns:
        Native 2-D slice of label values, 0 where nothing is marked.

    Raises:
        AnnotationError: If the volume has no such slice, or if the file is missing, unreadable,
            of another size or place, of several components, or holds anything but the
            structures' label values.
    """
    geometry = volume.geometry
    slice_geometry(geometry, key)
    reader = _open(path, key)
    names = _segment_names(reader)
    if _holds_nothing(reader, path, key):
        values = np.zeros(slice_shape(geometry, key.plane), dtype=np.uint8)
    elif reader.GetDimension() == 2:
        values = _read_flat(reader, path, geometry, key)
    elif names and tuple(reader.GetSize()) != geometry.size:
        values = _read_cropped(reader, path, geometry, key)
    else:
        values = _read_placed(reader, path, geometry, key)
    if names:
        values = _by_name(values, names, structures, key)
    return check_mask(values, geometry, key, structures)


def check_mask(
    mask2d: npt.NDArray[Any], geometry: Geometry, key: SliceKey, structures: Sequence[Structure]
) -> npt.NDArray[np.uint8]:
    """A mask of the slice's size that holds only label values, as unsigned bytes.

    Args:
        mask2d: Native 2-D slice of any number type.
        geometry: The volume's geometry.
        key: The slice.
        structures: The project's structures.

    Raises:
        AnnotationError: If the slice does not exist, the size differs, or a value is neither 0
            nor a structure's.
    """
    slice_geometry(geometry, key)
    shape = slice_shape(geometry, key.plane)
    if mask2d.shape != shape:
        raise _wrong_size(mask2d.shape, shape, "the mask", key)
    values = _distinct(mask2d, key)
    allowed = {0, *(structure.value for structure in structures)}
    strange = sorted(set(values) - allowed)
    if strange:
        expected = ", ".join(f"{s.value} ({s.name})" for s in structures)
        raise AnnotationError(
            f"label value {', '.join(map(str, strange[:5]))} in the mask; expected 0 or {expected}",
            str(key),
        )
    return mask2d.astype(np.uint8)


def _open(path: Path, key: SliceKey) -> SimpleITK.ImageFileReader:
    """The header of a file with one number a voxel in two or three dimensions."""
    import SimpleITK

    if not path.is_file():
        raise AnnotationError(f"no file {path}; give an image with --mask", str(key))
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # the errors say it in one line
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise AnnotationError(
            f"{path} is not an image that can be read; expected NRRD, NIfTI, MHA or PNG", str(key)
        ) from error
    if reader.GetDimension() not in (2, 3):
        raise AnnotationError(
            f"{path} has {reader.GetDimension()} dimensions; expected 2 or 3", str(key)
        )
    if reader.GetNumberOfComponents() != 1:
        raise AnnotationError(
            f"{path} has {reader.GetNumberOfComponents()} components a voxel (colours, or segments "
            "that overlap); expected one label value",
            str(key),
        )
    return reader


def _read_flat(
    reader: SimpleITK.ImageFileReader, path: Path, geometry: Geometry, key: SliceKey
) -> npt.NDArray[Any]:
    """A 2-D file, whose size must be the slice's."""
    cols, rows = reader.GetSize()
    shape = slice_shape(geometry, key.plane)
    if (rows, cols) != shape:
        raise _wrong_size((rows, cols), shape, str(path), key)
    return _read(reader, path, key)


def _read_placed(
    reader: SimpleITK.ImageFileReader, path: Path, geometry: Geometry, key: SliceKey
) -> npt.NDArray[Any]:
    """The slice's voxels of a 3-D file: the whole volume's, or of this slice alone."""
    grid, place = Grid.of(reader, geometry), slice_geometry(geometry, key)
    alone = grid.geometry.size == place.size
    differs = grid.mismatch(place if alone else geometry)
    if differs:
        raise AnnotationError(
            f"{path} does not lie on {'this slice' if alone else 'the volume'}: {differs}", str(key)
        )
    start = [0, 0, 0]
    if not alone:
        start[2 - geometry.array_axis(key.plane)] = key.index
    order = grid.extract(reader, start, place.size)
    return _read(reader, path, key)[order].reshape(slice_shape(geometry, key.plane))


def _read_cropped(
    reader: SimpleITK.ImageFileReader, path: Path, geometry: Geometry, key: SliceKey
) -> npt.NDArray[Any]:
    """The slice's voxels of a segmentation that 3D Slicer cropped to what was painted."""
    grid = Grid.of(reader, geometry)
    found = grid.geometry
    axes = np.asarray(geometry.direction).reshape(3, 3) * geometry.spacing
    offset = np.linalg.solve(axes, np.subtract(found.origin, geometry.origin))
    i, j, k = (round(float(n)) for n in offset)
    differs = grid.mismatch(block_geometry(geometry, (i, j, k), found.size))
    if differs:
        raise AnnotationError(f"{path} does not lie on the volume's grid: {differs}", str(key))
    first = (k, j, i)
    axis = geometry.array_axis(key.plane)
    ends = tuple(start + size for start, size in zip(first, found.shape, strict=True))
    if min(first) < 0 or any(end > size for end, size in zip(ends, geometry.shape, strict=True)):
        raise AnnotationError(f"{path} reaches beyond the volume", str(key))
    if not first[axis] <= key.index < ends[axis]:
        # Taking it as "nothing here" would accept the mask of another slice as an empty one.
        raise AnnotationError(
            f"{path} holds {key.plane} slices {first[axis]} to {ends[axis] - 1} only", str(key)
        )
    start, size = [0, 0, 0], list(found.size)
    start[2 - axis], size[2 - axis] = key.index - first[axis], 1
    order = grid.extract(reader, start, size)
    block = _read(reader, path, key)[order]
    mask = np.zeros(slice_geometry(geometry, key).shape, dtype=block.dtype)
    into = [slice(start, end) for start, end in zip(first, ends, strict=True)]
    into[axis] = slice(0, 1)
    mask[tuple(into)] = block
    return mask.reshape(slice_shape(geometry, key.plane))


def _holds_nothing(reader: SimpleITK.ImageFileReader, path: Path, key: SliceKey) -> bool:
    """Whether 3D Slicer saved a segmentation in which no voxel is painted: one voxel, nowhere.

    Source: "Segmentation labelmap file format" of 3D Slicer's manual, which lets readers ignore
    the place of such a voxel. A segmentation of one painted voxel looks alike, but is not 0.
    """
    slicers = any(name.startswith("Segmentation_") for name in reader.GetMetaDataKeys())
    return slicers and reader.GetSize() == (1, 1, 1) and not np.any(_read(reader, path, key))


def _read(reader: SimpleITK.ImageFileReader, path: Path, key: SliceKey) -> npt.NDArray[Any]:
    """The voxels that the reader is set to."""
    import SimpleITK

    try:
        array: npt.NDArray[Any] = SimpleITK.GetArrayFromImage(reader.Execute())
    except RuntimeError as error:
        raise AnnotationError(
            f"{path} is damaged or cut short; write it again", str(key)
        ) from error
    return array


def _segment_names(reader: SimpleITK.ImageFileReader) -> dict[int, str]:
    """Label value to segment name, as 3D Slicer writes them; empty for other label images."""
    fields = {name: reader.GetMetaData(name) for name in reader.GetMetaDataKeys()}
    names = {}
    for field, name in fields.items():
        match = re.fullmatch(r"(Segment[0-9]+)_Name", field)
        if match:
            # A segmentation of one segment may leave its value out; it is 1 then.
            value = fields.get(f"{match[1]}_LabelValue", "1").strip()
            if value.isdecimal():
                names[int(value)] = name.strip()
    return names


def _by_name(
    mask2d: npt.NDArray[Any], names: dict[int, str], structures: Sequence[Structure], key: SliceKey
) -> npt.NDArray[np.uint8]:
    """The project's label values in place of those that 3D Slicer gave its segments."""
    result = np.zeros(mask2d.shape, dtype=np.uint8)
    exact = {structure.name: structure.value for structure in structures}
    loose = {structure.name.casefold(): structure.value for structure in structures}
    for value in _distinct(mask2d, key):
        if value == 0:
            continue
        name = names.get(value)
        if name is None:
            raise AnnotationError(
                f"label value {value} belongs to no segment of the file", str(key)
            )
        known = exact.get(name, loose.get(name.casefold()))
        if known is None:
            raise AnnotationError(
                f"segment '{name}' is no structure of the project; expected {', '.join(exact)}",
                str(key),
            )
        result[mask2d == value] = known
    return result


def _distinct(mask2d: npt.NDArray[Any], key: SliceKey) -> list[int]:
    """The label values that occur, which must be whole numbers."""
    if mask2d.dtype.kind not in "buif":
        raise AnnotationError(f"the mask holds {mask2d.dtype} values; expected labels", str(key))
    values = np.unique(mask2d)
    whole = np.isfinite(values) & (np.floor(values) == values) if values.dtype.kind == "f" else True
    if not np.all(whole):
        raise AnnotationError(
            "the mask holds fractions, NaN or infinity; expected whole label values", str(key)
        )
    return [int(value) for value in values]


def _wrong_size(
    found: tuple[int, ...], expected: tuple[int, int], what: str, key: SliceKey
) -> AnnotationError:
    """A mask of another size than the slice."""
    return AnnotationError(
        f"{what} has {' x '.join(map(str, found))} voxels (rows x columns); the slice has "
        f"{expected[0]} x {expected[1]}",
        str(key),
    )
