"""The one-slice label image that a project keeps for each accepted mask.

A 3-D ``.seg.nrrd`` of thickness one, placed where the slice lies in its volume, with the names
of the structures: 3D Slicer opens it as a segmentation, any NRRD reader as a label image, and
each voxel centre is the same physical point as in the whole volume.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from activeseg.errors import AnnotationError
from activeseg.files import atomic_path
from activeseg.keys import Plane, SliceKey

if TYPE_CHECKING:
    import SimpleITK

    from activeseg.cohort import Geometry, Structure

__all__ = [
    "image_geometry",
    "read_slice",
    "slice_geometry",
    "slice_shape",
    "structure_colour",
    "write_slice",
]


def slice_shape(geometry: Geometry, plane: Plane) -> tuple[int, int]:
    """Rows and columns of a native slice: the two array axes that the plane leaves."""
    axis = geometry.array_axis(plane)
    rows, cols = (size for a, size in enumerate(geometry.shape) if a != axis)
    return (rows, cols)


def slice_geometry(geometry: Geometry, key: SliceKey) -> Geometry:
    """Where one slice lies: the volume's geometry with thickness one and a moved origin.

    Raises:
        AnnotationError: If the volume has no such slice.
    """
    count = geometry.slice_count(key.plane)
    if not 0 <= key.index < count:
        raise AnnotationError(
            f"no such slice; the volume has {key.plane} slices 0 to {count - 1}", str(key)
        )
    axis = 2 - geometry.array_axis(key.plane)  # ITK counts axes i, j, k; numpy k, j, i
    first = [0, 0, 0]
    first[axis] = key.index
    size = list(geometry.size)
    size[axis] = 1
    return block_geometry(geometry, (first[0], first[1], first[2]), (size[0], size[1], size[2]))


def block_geometry(
    geometry: Geometry, first: tuple[int, int, int], size: tuple[int, int, int]
) -> Geometry:
    """The geometry of a block of voxels: its first voxel and size in ITK order (i, j, k)."""
    axes = np.asarray(geometry.direction, dtype=np.float64).reshape(3, 3)
    moved = np.asarray(geometry.origin) + axes @ (np.asarray(geometry.spacing) * first)
    x, y, z = (float(mm) for mm in moved)
    return replace(geometry, size=size, origin=(x, y, z))


def write_slice(
    path: Path,
    mask2d: npt.NDArray[np.uint8],
    geometry: Geometry,
    key: SliceKey,
    structures: Sequence[Structure],
) -> None:
    """Write a mask as a one-slice label image in its place in the volume, and check it.

    Args:
        path: The file, ending in ``.seg.nrrd``; written whole or not at all.
        mask2d: Native 2-D slice of label values, as `take_slice` cuts it.
        geometry: The volume's geometry.
        key: The slice.
        structures: The project's structures; each becomes a named segment.

    Raises:
        AnnotationError: If the mask is not the slice's size, or if the file does not read back
            as it was written (a full disk).
        OSError: If the disk refuses.
    """
    import SimpleITK

    place = slice_geometry(geometry, key)
    if mask2d.shape != slice_shape(geometry, key.plane):
        raise AnnotationError(
            f"the mask has {_times(mask2d.shape)} voxels (rows x columns); the slice has "
            f"{_times(slice_shape(geometry, key.plane))}",
            str(key),
        )
    block = np.ascontiguousarray(mask2d, dtype=np.uint8).reshape(place.shape)
    image = SimpleITK.GetImageFromArray(block)
    image.SetOrigin(place.origin)
    image.SetSpacing(place.spacing)
    image.SetDirection(place.direction)
    for name, text in _segment_metadata(block, structures, geometry, key).items():
        image.SetMetaData(name, text)
    with atomic_path(path) as temporary:
        try:
            SimpleITK.WriteImage(image, str(temporary), useCompression=True)
            kept = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(temporary)))
        except RuntimeError as error:
            raise AnnotationError(
                f"nothing was accepted: the mask cannot be written ({_last_line(error)})", str(key)
            ) from error
        if not np.array_equal(kept, block):
            raise AnnotationError(
                "nothing was accepted: the mask does not read back as written; is the disk full?",
                str(key),
            )


def read_slice(path: Path, geometry: Geometry, key: SliceKey) -> npt.NDArray[np.uint8]:
    """Read what `write_slice` wrote.

    Args:
        path: The file.
        geometry: The volume's geometry.
        key: The slice.

    Returns:
        Native 2-D slice of label values.

    Raises:
        AnnotationError: If the file is missing, damaged, or not this slice's.
    """
    import SimpleITK

    place = slice_geometry(geometry, key)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise AnnotationError(
            f"{path} cannot be read ({_last_line(error)}); restore the file", str(key)
        ) from error
    if reader.GetDimension() != 3 or reader.GetPixelID() != SimpleITK.sitkUInt8:
        raise AnnotationError(f"{path} is not a one-slice label image", str(key))
    differs = image_geometry(reader, place).mismatch(place)
    if differs:
        raise AnnotationError(f"{path} lies elsewhere than the slice: {differs}", str(key))
    mask: npt.NDArray[np.uint8] = SimpleITK.GetArrayFromImage(image)
    return mask.reshape(slice_shape(geometry, key.plane))


def image_geometry(reader: SimpleITK.ImageFileReader, like: Geometry) -> Geometry:
    """The geometry in a 3-D file's header, of the same class as `like`."""
    i, j, k = (int(n) for n in reader.GetSize())
    di, dj, dk = (float(mm) for mm in reader.GetSpacing())
    x, y, z = (float(mm) for mm in reader.GetOrigin())
    direction = tuple(float(cosine) for cosine in reader.GetDirection())
    return replace(
        like, size=(i, j, k), spacing=(di, dj, dk), origin=(x, y, z), direction=direction
    )


def structure_colour(number: int) -> tuple[float, float, float]:
    """Red, green and blue, 0 to 1, of a project's structure: hues a golden angle apart.

    Args:
        number: The structure's place among the project's, from 0.
    """
    return colorsys.hsv_to_rgb(number * 0.381966 % 1, 0.6, 0.9)


def _segment_metadata(
    block: npt.NDArray[np.uint8],
    structures: Sequence[Structure],
    geometry: Geometry,
    key: SliceKey,
) -> Mapping[str, str]:
    """The header fields by which 3D Slicer knows the segments of a ``.seg.nrrd``.

    Source: "Segmentation file format" of vtkMRMLSegmentationStorageNode (3D Slicer manual).
    """
    extent = " ".join(f"0 {size - 1}" for size in reversed(block.shape))
    offset = [0, 0, 0]
    offset[2 - geometry.array_axis(key.plane)] = key.index
    fields = {
        "Segmentation_MasterRepresentation": "Binary labelmap",
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_ReferenceImageExtentOffset": " ".join(map(str, offset)),
    }
    for number, structure in enumerate(structures):
        fields |= {
            f"Segment{number}_ID": f"Segment_{structure.value}",
            f"Segment{number}_Name": structure.name,
            f"Segment{number}_LabelValue": str(structure.value),
            f"Segment{number}_Layer": "0",
            f"Segment{number}_Extent": extent,
            f"Segment{number}_Tags": "|",
            f"Segment{number}_Color": " ".join(f"{part:.4f}" for part in structure_colour(number)),
        }
    return fields


def _times(numbers: tuple[int, ...]) -> str:
    """Numbers as ``a x b``."""
    return " x ".join(str(n) for n in numbers)


def _last_line(error: RuntimeError) -> str:
    """What ITK means: the last line of its message."""
    return str(error).strip().splitlines()[-1]
