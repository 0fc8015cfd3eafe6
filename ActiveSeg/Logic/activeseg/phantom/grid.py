"""Where the voxels of a phantom volume lie: field of view, spacing, orientation.

The phantom's patients are scanned axially. What differs, as between scanners and export
programs, is the order of the array's axes, their signs, the slice thickness, the field of view
and now and then a tilted gantry.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from activeseg.cohort.geometry import Geometry
from activeseg.phantom.waves import Points

__all__ = ["body_points", "draw_geometry", "slice_axis"]

_Matrix = npt.NDArray[np.float64]


def draw_geometry(
    rng: np.random.Generator, near_isotropic: bool, oblique: bool, reordered: bool
) -> tuple[Geometry, npt.NDArray[np.float64]]:
    """Draw the grid of one scan.

    Args:
        rng: Source of chance.
        near_isotropic: Slices about as thick as a pixel is wide, rather than two to four times.
        oblique: Tilt the grid by 5 to 15 degrees against the body.
        reordered: Store the three axes in any order, rather than slice by slice.

    Returns:
        The geometry, and the LPS position in mm of the body's own origin.
    """
    extent = rng.uniform(145, 200)
    if near_isotropic:
        pixel, thickness = rng.uniform(2.2, 2.7), rng.uniform(2.6, 3.6)
        slices = int(rng.integers(32, 41))
    else:
        pixel = rng.uniform(2.0, 3.0)
        thickness = rng.uniform(max(5.0, 2.1 * pixel), 8.0)
        slices = int(np.clip(round(rng.uniform(140, 200) / thickness), 24, 34))
    pixels = int(np.clip(round(extent / pixel), 56, 72))
    size = np.array([pixels, pixels, slices])
    spacing = np.array([pixel, pixel, thickness])
    axes = np.diag(rng.choice([-1.0, 1.0], size=3))
    if oblique:
        axes = _tilt(rng) @ axes
    order = rng.permutation(3) if reordered else np.arange(3)
    size, spacing, axes = size[order], spacing[order], axes[:, order]
    body_origin = rng.uniform((-20, -40, -300), (20, 40, 300))
    centre = body_origin + rng.uniform((-8, -6, -8), (8, 6, 8))
    origin = centre - axes @ (spacing * (size - 1) / 2)
    axes = axes + 0.0  # no minus zeros in the header
    geometry = Geometry(
        size=(int(size[0]), int(size[1]), int(size[2])),
        spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        origin=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=tuple(float(number) for number in axes.ravel()),
    )
    return geometry, body_origin


def slice_axis(geometry: Geometry) -> int:
    """The ITK axis (0 to 2) that runs most along the body, from slice to slice."""
    return int(np.argmax(np.abs(_columns(geometry)[2])))


def body_points(
    geometry: Geometry, body_origin: npt.NDArray[np.float64], shift: float = 0.0
) -> Points:
    """Positions of the voxel centres relative to the body's origin.

    Args:
        geometry: The grid.
        body_origin: LPS position in mm of the body's own origin.
        shift: Move every point by this share of a slice along the slice axis, to sample inside
            a slice's thickness.

    Returns:
        Three arrays [k, j, i] in mm.
    """
    columns = _columns(geometry) * geometry.spacing
    start = geometry.origin - body_origin + shift * columns[:, slice_axis(geometry)]
    i, j, k = (np.arange(count, dtype=np.float64) for count in geometry.size)
    x, y, z = (
        (
            start[axis]
            + columns[axis, 2] * k[:, None, None]
            + columns[axis, 1] * j[None, :, None]
            + columns[axis, 0] * i[None, None, :]
        ).astype(np.float32)
        for axis in range(3)
    )
    return x, y, z


def _columns(geometry: Geometry) -> _Matrix:
    return np.array(geometry.direction, dtype=np.float64).reshape(3, 3)


def _tilt(rng: np.random.Generator) -> _Matrix:
    """Rotation by 5 to 15 degrees about a random axis (Rodrigues' formula)."""
    x, y, z = (axis := rng.normal(size=3)) / np.linalg.norm(axis)
    angle = np.radians(rng.uniform(5, 15))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: _Matrix = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return rotation
