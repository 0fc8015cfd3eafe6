"""Planes of the body and the name of one slice.

A plane is anatomical: which axis of an array it cuts follows from the image's direction
cosines (`activeseg.cohort.geometry`), never from the order of the array.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from activeseg.errors import AnnotationError

__all__ = ["PLANE_POLICIES", "Plane", "SliceKey"]


class Plane(str, Enum):
    """An anatomical plane."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"

    def __str__(self) -> str:
        return self.value


PLANE_POLICIES: tuple[str, ...] = ("auto", "axial", "coronal", "sagittal", "all")
"""What ``init --plane`` takes; `auto` looks at each volume's spacing."""

_KEY = re.compile(r"(?P<volume>[^/\\]+)/(?P<plane>axial|coronal|sagittal)/(?P<index>\d+)")


@dataclass(frozen=True, order=True)
class SliceKey:
    """One slice of one volume.

    Attributes:
        volume: The volume's id in the cohort.
        plane: The anatomical plane.
        index: Voxel index (from 0) along the array axis that the plane cuts, in the order of
            the file.
    """

    volume: str
    plane: Plane
    index: int

    def __str__(self) -> str:
        return f"{self.volume}/{self.plane}/{self.index:03d}"

    @classmethod
    def parse(cls, text: str) -> SliceKey:
        """Read a key as it is printed, e.g. ``case_003/axial/057``.

        Raises:
            AnnotationError: If the text is not a key.
        """
        match = _KEY.fullmatch(text.strip())
        if match is None:
            raise AnnotationError(
                "not a slice key; expected VOLUME/PLANE/INDEX such as case_003/axial/057",
                text,
            )
        return cls(match["volume"], Plane(match["plane"]), int(match["index"]))
