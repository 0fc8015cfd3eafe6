"""Sheets to lay on a desk in tests: small volumes that no flip, swap or shift leaves alike."""

from __future__ import annotations

import math

import numpy as np

from activeseg.cohort import Geometry, Structure
from activeseg.keys import Plane, SliceKey
from activeseg_slicer.flow.desk import Sheet

SIZE = (7, 6, 5)  # i, j, k
STRUCTURES = (Structure("liver", 1), Structure("something_else", 4), Structure("spleen", 2))


def rotated(*turns: tuple[int, float]) -> tuple[float, ...]:
    """Cosines after turns about LPS axes: (axis, degrees), one after the other."""
    matrix = np.eye(3)
    for axis, degrees in turns:
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        a, b = [n for n in range(3) if n != axis]
        turn = np.eye(3)
        turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
        matrix = turn @ matrix
    return tuple(matrix.ravel())


def flipped(x: int, y: int, z: int) -> tuple[float, ...]:
    return (float(x), 0.0, 0.0, 0.0, float(y), 0.0, 0.0, 0.0, float(z))


PLACE = (-31.5, 12.25, 804.0)
GEOMETRIES = {
    "aligned": Geometry(SIZE, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), flipped(1, 1, 1)),
    "anisotropic": Geometry(SIZE, (0.7, 0.9, 5.0), PLACE, flipped(1, 1, 1)),
    "flipped": Geometry(SIZE, (0.7, 0.9, 2.5), PLACE, flipped(-1, 1, -1)),
    "oblique": Geometry(SIZE, (0.7, 0.9, 2.5), PLACE, rotated((0, 23), (1, -14), (2, 9))),
    "oblique-flipped": Geometry(
        SIZE,
        (0.7, 0.9, 2.5),
        PLACE,
        tuple((np.reshape(rotated((2, 31), (0, 17)), (3, 3)) @ np.diag([1, -1, -1])).ravel()),
    ),
    "coronal": Geometry(
        SIZE, (0.7, 0.9, 2.5), PLACE, (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)
    ),
    "diagonal": Geometry(SIZE, (0.7, 0.9, 2.5), PLACE, rotated((0, 45))),
}


def pattern(shape: tuple[int, ...], values: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Random label values, many of each: no two slices, rows or columns are alike."""
    draw = np.random.default_rng(seed)
    return draw.choice(np.array((0, *values), np.uint8), size=shape)


def image(geometry: Geometry) -> np.ndarray:
    """Every voxel holds its own number, from -100 on."""
    return (np.arange(math.prod(geometry.shape)) - 100.0).reshape(geometry.shape).astype(np.float32)


def shape_of(geometry: Geometry, plane: Plane) -> tuple[int, ...]:
    axis = geometry.array_axis(plane)
    return tuple(n for a, n in enumerate(geometry.shape) if a != axis)


def sheet(
    geometry: Geometry,
    plane: Plane = Plane.AXIAL,
    index: int = 2,
    *,
    mask: np.ndarray | None = None,
    entropy: np.ndarray | None = None,
    around: dict[SliceKey, np.ndarray] | None = None,
    volume: str = "case_003",
) -> Sheet:
    """A sheet of a volume; blank where no mask is given."""
    blank = np.zeros(shape_of(geometry, plane), np.uint8)
    return Sheet(
        SliceKey(volume, plane, index),
        image(geometry),
        geometry,
        STRUCTURES,
        blank if mask is None else mask,
        entropy,
        around or {},
    )
