"""A cohort as it comes: some scans of another scanner, a copy, noise, spoilt slices.

Made of the volumes that are handed in: the last ones are changed as another scanner would, one is
written twice, and one has slices that hold no image.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Geometry
from activeseg.cohort.images import write_image
from activeseg.keys import Plane

COPY = "z_copy"
NOISE = "z_noise"
ORIGINAL = "v01"
SPOILT = "v02"


@dataclass(frozen=True)
class Image:
    """One volume to begin with; `array` is native, `[k, j, i]`."""

    array: npt.NDArray[np.floating]
    geometry: Geometry


@dataclass(frozen=True)
class Mixed:
    """What was written.

    Attributes:
        folder: The cohort.
        minority: Ids of the volumes of the other scanner.
        volumes: How many different volumes with an image there are.
        spoilt: Axial slices of `SPOILT` that hold no image, as they lie in the file.
        lined: An axial slice of it with a bright line across it.
    """

    folder: Path
    minority: frozenset[str]
    volumes: int
    spoilt: frozenset[int]
    lined: int


def write_mixed_cohort(
    folder: Path, images: Sequence[Image], minority: int, modality: str
) -> Mixed:
    """Write ``images/`` and a ``dataset.json``; ids are v00, v01, ..., `COPY` and `NOISE`."""
    (folder / "images").mkdir(parents=True)
    others = {f"v{number:02d}" for number in range(len(images) - minority, len(images))}
    spoilt: dict[int, str] = {}
    for number, image in enumerate(images):
        name = f"v{number:02d}"
        if name in others:
            image = of_another_scanner(image)
        if name == SPOILT:
            image, spoilt = with_spoilt_slices(image)
        write_image(_file(folder, name), np.rint(image.array).astype(np.int32), image.geometry)
    shutil.copy(_file(folder, ORIGINAL), _file(folder, COPY))
    first = images[0]
    noise = np.random.default_rng(5).normal(
        first.array.mean(), first.array.std(), first.array.shape
    )
    write_image(_file(folder, NOISE), np.rint(noise).astype(np.int32), first.geometry)
    described = {"channel_names": {"0": modality}, "labels": {"background": 0, "liver": 1}}
    (folder / "dataset.json").write_text(json.dumps(described))
    lined = next(index for index, what in spoilt.items() if what == "line")
    return Mixed(folder, frozenset(others), len(images), frozenset(spoilt) - {lined}, lined)


def of_another_scanner(image: Image) -> Image:
    """Grey values on a gamma curve, scaled and shifted; voxels of nearly twice the size."""
    low, high = np.percentile(image.array, (0.5, 99.5))
    part = np.clip((image.array - low) / (high - low), 0, None) ** 0.6
    array = low + 1.2 * (high - low) * part + 0.1 * (high - low)
    i, j, k = image.geometry.spacing
    return Image(array, replace(image.geometry, spacing=(1.8 * i, 1.8 * j, 1.8 * k)))


def with_spoilt_slices(image: Image) -> tuple[Image, dict[int, str]]:
    """Axial slices in the middle that hold no image, and one with a line across it.

    Returns:
        The image, and what was done to which slice of the file.
    """
    canonical = image.geometry.to_canonical(image.array.astype(np.float64)).copy()
    rng = np.random.default_rng(9)
    middle = len(canonical) // 2
    places = {middle - 6: "constant", middle - 3: "noise", middle: "mostly one value"}
    places[middle + 3] = "line"
    for index, what in places.items():
        if what == "constant":
            canonical[index] = canonical.mean()
        elif what == "noise":
            canonical[index] = rng.permutation(canonical[index].ravel()).reshape(
                canonical[index].shape
            )
        elif what == "line":
            canonical[index, canonical.shape[1] // 2] = canonical.max()
        else:
            canonical[index][rng.random(canonical[index].shape) < 0.8] = 0.0
    found = {
        image.geometry.native_index(Plane.AXIAL, index): what for index, what in places.items()
    }
    return Image(image.geometry.from_canonical(canonical), image.geometry), found


def _file(folder: Path, name: str) -> Path:
    return folder / "images" / f"{name}.nii.gz"
