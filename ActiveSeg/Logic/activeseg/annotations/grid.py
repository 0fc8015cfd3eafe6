"""The voxels of a 3-D label file, counted along the axes of the volume that they belong to.

Programs may store an image's axes the other way round: 3D Slicer turns the last one of every
image whose axes are left-handed. The voxels are the same ones, in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activeseg.annotations.slices import block_geometry, image_geometry

if TYPE_CHECKING:
    import SimpleITK

    from activeseg.cohort import Geometry

__all__ = ["Grid"]


@dataclass(frozen=True)
class Grid:
    """Where a file's voxels lie.

    Attributes:
        stored: The file's geometry, as in its header.
        geometry: The same voxels with the axes running as the volume's.
        backwards: For i, j, k: whether the file stores that axis the other way round.
    """

    stored: Geometry
    geometry: Geometry
    backwards: tuple[bool, bool, bool]

    @classmethod
    def of(cls, reader: SimpleITK.ImageFileReader, volume: Geometry) -> Grid:
        """The grid in the header of a 3-D file, next to its volume's."""
        stored = image_geometry(reader, volume)
        theirs, ours = (
            np.asarray(geometry.direction, dtype=np.float64).reshape(3, 3)
            for geometry in (stored, volume)
        )
        i, j, k = (bool(theirs[:, axis] @ ours[:, axis] < 0) for axis in range(3))
        backwards = (i, j, k)
        last = [n - 1 if back else 0 for n, back in zip(stored.size, backwards, strict=True)]
        begun = block_geometry(stored, (last[0], last[1], last[2]), stored.size)
        cosines = theirs * np.where(backwards, -1.0, 1.0)
        turned = replace(begun, direction=tuple(cosines.ravel().tolist()))
        return cls(stored, turned, backwards)

    def mismatch(self, expected: Geometry) -> str | None:
        """What of the file's header does not fit, in one phrase; None when the voxels agree."""
        return self.stored.mismatch(expected) if self.geometry.mismatch(expected) else None

    def extract(
        self, reader: SimpleITK.ImageFileReader, start: Sequence[int], size: Sequence[int]
    ) -> tuple[slice, ...]:
        """Set the reader to a block of the file.

        Args:
            reader: The file's reader.
            start: The block's first voxel along the volume's axes i, j, k.
            size: Its voxels along i, j, k.

        Returns:
            The index that puts what is read, native ``[k, j, i]``, into the volume's order.
        """
        places = zip(self.geometry.size, start, size, self.backwards, strict=True)
        reader.SetExtractIndex([n - s - c if back else s for n, s, c, back in places])
        reader.SetExtractSize(list(size))
        return tuple(slice(None, None, -1 if back else 1) for back in reversed(self.backwards))
