"""A synthetic cohort with reference labels, for trying ActiveSeg without patients' images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from activeseg.cohort.geometry import Geometry
from activeseg.cohort.images import write_image, write_label
from activeseg.errors import CohortError
from activeseg.files import write_json
from activeseg.phantom.anatomy import PHANTOM_STRUCTURES, Anatomy, Tissue
from activeseg.phantom.appearance import Look, ct_image, mr_image
from activeseg.phantom.grid import body_points, draw_geometry, slice_axis
from activeseg.progress import Progress, Silent

__all__ = ["PhantomVolume", "make_volume", "write_phantom"]

_IMAGES = {"ct": ct_image, "mr": mr_image}
_CHANNELS = {"ct": "CT", "mr": "MR"}


@dataclass(frozen=True)
class PhantomVolume:
    """One synthetic scan.

    Attributes:
        id: ``phantom_`` and the number.
        modality: 'ct' (Hounsfield units) or 'mr' (arbitrary scale).
        image: Grey values [k, j, i].
        label: 0 is background, 1 to 3 are `PHANTOM_STRUCTURES` [k, j, i].
        geometry: Where the voxels lie.
    """

    id: str
    modality: str
    image: npt.NDArray[np.int16]
    label: npt.NDArray[np.uint8]
    geometry: Geometry


@dataclass(frozen=True)
class _Traits:
    """What sets a volume apart; spread evenly over the numbers so that small cohorts have all."""

    near_isotropic: bool
    oblique: bool
    reordered: bool
    rare: bool
    missing: Tissue | None

    @classmethod
    def of(cls, number: int, seed: int) -> _Traits:
        turn = number + np.random.default_rng([seed, 0]).integers(0, 60, size=5)
        order = (Tissue.GLAND, Tissue.VESSEL, Tissue.ORGAN)
        lacks = int(turn[4])
        return cls(
            near_isotropic=bool(turn[0] % 4 == 0),
            oblique=bool(turn[1] % 6 == 0),
            reordered=bool(turn[2] % 3 == 0),
            rare=bool(turn[3] % 5 == 0),
            missing=order[lacks // 6 % 3] if lacks % 6 == 0 else None,
        )


def make_volume(number: int, seed: int, modality: str = "ct") -> PhantomVolume:
    """Make one synthetic scan; the same arguments give the same voxels.

    The same number and seed are the same patient on the same grid in both modalities. One volume
    of four is near isotropic, one of six oblique, one of three stored in another order of axes,
    one of five has the other contrast, and one of six lacks one of the structures.

    Args:
        number: Which volume of the cohort, from 0.
        seed: Which cohort, from 0.
        modality: 'ct' or 'mr'.

    Raises:
        CohortError: If the modality is neither, or a number is negative.
    """
    _check(number, seed, modality)
    traits = _Traits.of(number, seed)
    grid_rng, body_rng, look_rng = (np.random.default_rng([seed, number, n]) for n in (1, 2, 3))
    geometry, body_origin = draw_geometry(
        grid_rng, traits.near_isotropic, traits.oblique, traits.reordered
    )
    anatomy = Anatomy.draw(body_rng, traits.missing)
    # Thick slices mix what lies at several depths; thin ones hardly do.
    shifts = (0.0,) if traits.near_isotropic else (-1 / 3, 0.0, 1 / 3)
    layers = tuple(anatomy.tissues(body_points(geometry, body_origin, s)) for s in shifts)
    along = slice_axis(geometry)
    first, second = (2 - axis for axis in range(3) if axis != along)
    look = Look(
        points=body_points(geometry, body_origin),
        layers=layers,
        pixel_axes=(first, second),
        thickness=geometry.spacing[along],
        rare=traits.rare,
    )
    return PhantomVolume(
        id=f"phantom_{number:03d}",
        modality=modality,
        image=_IMAGES[modality](look_rng, look),
        label=_label(layers[len(layers) // 2]),
        geometry=geometry,
    )


def write_phantom(
    folder: Path,
    volumes: int = 24,
    seed: int = 0,
    progress: Progress = Silent(),
    modality: str = "ct",
) -> None:
    """Write a cohort: ``images/ID.nii.gz``, ``labels/ID.nii.gz`` and ``dataset.json``.

    Args:
        folder: A new or empty folder.
        volumes: How many volumes, at least 1.
        seed: Which cohort, from 0; the first volumes of a longer cohort are the same.
        progress: Told once for each volume.
        modality: 'ct' or 'mr', for all volumes.

    Raises:
        CohortError: If an argument is out of range or the folder already holds files.
    """
    _check(0, seed, modality)
    if volumes < 1:
        raise CohortError(f"{volumes} phantom volumes asked for; give at least 1")
    if folder.exists() and not folder.is_dir():
        raise CohortError("is a file; give a new or empty folder", str(folder))
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise CohortError("already holds files; give a new or empty folder", str(folder))
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with progress.stage("phantom", volumes) as stage:
        for number in range(volumes):
            volume = make_volume(number, seed, modality)
            file = f"{volume.id}.nii.gz"
            write_image(folder / "images" / file, volume.image, volume.geometry)
            write_label(folder / "labels" / file, volume.label, volume.geometry)
            stage.advance()
    description = {
        "name": "ActiveSeg phantom",
        "channel_names": {"0": _CHANNELS[modality]},
        "labels": {"background": 0}
        | {name: value for value, name in enumerate(PHANTOM_STRUCTURES, start=1)},
        "numTraining": volumes,
        "file_ending": ".nii.gz",
    }
    write_json(folder / "dataset.json", description)


def _check(number: int, seed: int, modality: str) -> None:
    if modality not in _IMAGES:
        raise CohortError(f"no phantom of modality {modality!r}; choose ct or mr")
    if seed < 0 or number < 0:
        raise CohortError(f"phantom seed {seed}, volume {number}: give numbers from 0")


def _label(tissue: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Label values of the structures; the seam of fat is part of the gland."""
    table = np.zeros(len(Tissue), dtype=np.uint8)
    for structure in (Tissue.ORGAN, Tissue.VESSEL, Tissue.GLAND):
        table[structure] = structure
    table[Tissue.SEAM] = Tissue.GLAND
    return table[tissue]
