"""Masks of one slice on disk: what a person hands in, and what a project keeps.

Importing this package does not load SimpleITK; the functions do when they run.
"""

from __future__ import annotations

from activeseg.annotations.masks import check_mask, read_mask
from activeseg.annotations.slices import (
    read_slice,
    slice_geometry,
    slice_shape,
    structure_colour,
    write_slice,
)

__all__ = [
    "check_mask",
    "read_mask",
    "read_slice",
    "slice_geometry",
    "slice_shape",
    "structure_colour",
    "write_slice",
]
