"""A cohort by hand: geometries without image files, enough for whatever reads no image."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from activeseg.cohort import Cohort, CohortVolume, Geometry, Structure
from activeseg.project import Project

STRUCTURES = (Structure("liver", 1), Structure("spleen", 4))

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def turned(degrees: float, tilt: float) -> tuple[float, ...]:
    """Cosines turned about z, then tilted about x."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    d, t = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    return (c, -s, 0.0, s * d, c * d, -t, s * t, c * t, d)


GEOMETRIES = {
    "plain": Geometry((5, 6, 7), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), IDENTITY),
    "oblique": Geometry((5, 6, 7), (0.7, 0.9, 3.3), (-31.5, 12.25, 800.1), turned(17, 23)),
    "at-45-degrees": Geometry((4, 6, 5), (0.5, 0.5, 2.0), (9.0, -7.0, 1.0), turned(45, 0)),
    "flipped": Geometry(
        (5, 4, 6), (1.5, 0.8, 2.0), (40.0, -60.0, 7.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1)
    ),
    "sagittal-first": Geometry(
        (6, 7, 4), (0.8, 0.8, 4.0), (3.0, 2.0, 1.0), (0, 0, 1, 1, 0, 0, 0, -1, 0)
    ),
}


def small_cohort(root: Path) -> Cohort:
    """Five volumes whose axes lie in every way in the body; their files do not exist."""
    volumes = tuple(
        CohortVolume(name, root / "images" / f"{name}.nii.gz", None, geometry, "ct")
        for name, geometry in sorted(GEOMETRIES.items())
    )
    return Cohort(root, volumes, STRUCTURES)


def small_project(folder: Path) -> Project:
    """A project of the small cohort in ``folder / "project"``, in which nothing was asked yet."""
    cohort = small_cohort(folder / "cohort")
    return Project.create(folder / "project", cohort, "all", "auto", 0, "scratch")


def plain_mask(value: int) -> np.ndarray:
    """A block of a label value on an axial slice of the volume `plain`."""
    found = np.zeros((6, 5), np.uint8)
    found[1:4, 2:] = value
    return found
