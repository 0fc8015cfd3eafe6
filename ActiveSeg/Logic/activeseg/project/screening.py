"""What the images of a cohort say before any label: measured volume by volume, judged together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.cohort import CohortVolume
from activeseg.keys import Plane, SliceKey
from activeseg.model.scan import axis_of
from activeseg.representativeness import (
    NO_BODY,
    SIDE,
    Appearance,
    Greys,
    autocorrelation,
    body_shares,
    broken_slices,
    duplicates,
    fingerprint,
    greys_of,
    kinds_of,
    noise_like,
    thumbnail,
)
from activeseg.sampling import Screened, Strategy
from activeseg.sampling.one_shot import one_shot

__all__ = ["RECIPE", "Measured", "measured", "reads_screening", "screened"]

Bools: TypeAlias = npt.NDArray[np.bool_]

RECIPE = 1
"""Of what is measured; raise it whenever that changes, or a cache gives the former figures."""

_AIR_HU = -500.0
"""Halfway from air to water; lung is air here, the chest wall round it is body."""

_OFFSET_HU = {"ct": 0.0, "ct-offset": 1024.0}
"""The grey value of water."""

WITHOUT_BODY = "without body"
BROKEN = "without an image"


@dataclass(frozen=True)
class Measured:
    """What is kept of one volume once it has been looked at.

    Attributes:
        look: What tells its kind.
        fingerprint: What tells its copies.
        autocorrelation: How alike its neighbouring voxels are.
        without_body: Of each plane, which slices show none, in canonical order.
        broken: Of each plane, which slices hold no image, in canonical order.
    """

    look: Appearance
    fingerprint: npt.NDArray[np.float32]
    autocorrelation: float
    without_body: Mapping[Plane, Bools]
    broken: Mapping[Plane, Bools]

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything as arrays with names, for a cache."""
        look, greys = self.look, self.look.greys
        found: dict[str, npt.NDArray[Any]] = {
            "spacing": np.array(look.spacing),
            "extent": np.array(look.extent),
            "texture": np.array(look.texture),
            "air_tissue": np.array([greys.air, greys.tissue]),
            "levels": np.array(greys.levels),
            "hounsfield": np.array(greys.hounsfield or ()),
            "fingerprint": self.fingerprint,
            "autocorrelation": np.array(self.autocorrelation),
        }
        found |= {f"without_body {plane.value}": on for plane, on in self.without_body.items()}
        return found | {f"broken {plane.value}": on for plane, on in self.broken.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Measured:
        """What `to_arrays` gave."""
        air, tissue = arrays["air_tissue"].tolist()
        hounsfield = tuple(arrays["hounsfield"].tolist()) or None
        greys = Greys(air, tuple(arrays["levels"].tolist()), tissue, hounsfield)
        spacing, extent, texture = (
            tuple(arrays[name].tolist()) for name in ("spacing", "extent", "texture")
        )
        return cls(
            look=Appearance(spacing, extent, greys, texture),
            fingerprint=arrays["fingerprint"],
            autocorrelation=float(arrays["autocorrelation"]),
            without_body=_by_plane(arrays, "without_body"),
            broken=_by_plane(arrays, "broken"),
        )


def _by_plane(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> dict[Plane, Bools]:
    return {
        Plane(key.partition(" ")[2]): array
        for key, array in arrays.items()
        if key.partition(" ")[0] == name
    }


def reads_screening(chosen_by: Strategy) -> bool:
    """Whether a strategy looks at what was measured; for the others it need not be."""
    return chosen_by.sampling is one_shot


def measured(
    image: npt.NDArray[Any],
    volume: CohortVolume,
    planes: Sequence[Plane],
    texture: npt.NDArray[np.float64],
) -> Measured:
    """Look at one volume.

    Args:
        image: Its grey values as they are in the file, native array `[k, j, i]`.
        volume: What the cohort knows of it.
        planes: The planes in which slices may be asked for.
        texture: `[2]`, its mean `activeseg.model.features.texture_energy`.
    """
    geometry = volume.geometry
    array = np.ascontiguousarray(geometry.to_canonical(image))
    zero_hu = _OFFSET_HU.get(volume.modality)
    greys = greys_of(array, None if zero_hu is None else zero_hu + _AIR_HU, zero_hu)
    small = thumbnail(array, tuple(min(SIDE, count) for count in array.shape))
    bodies = body_shares(small, array.shape, greys.air)
    s, p, left = (
        count * mm for count, mm in zip(array.shape, geometry.canonical_spacing, strict=True)
    )
    fine, coarse = (float(each) for each in texture)
    return Measured(
        look=Appearance(geometry.canonical_spacing, (s, p, left), greys, (fine, coarse)),
        fingerprint=fingerprint(small),
        autocorrelation=autocorrelation(array),
        without_body={plane: bodies[axis_of(plane)] < NO_BODY for plane in planes},
        broken={plane: broken_slices(np.moveaxis(array, axis_of(plane), 0)) for plane in planes},
    )


def screened(
    found: Mapping[str, Measured],
    volumes: Sequence[str],
    keys: Sequence[SliceKey],
    canonical: Sequence[int] | npt.NDArray[np.intp],
) -> Screened:
    """Judge the volumes of a pool together.

    Args:
        found: What was measured of each volume that was looked at; of copies the first here is
            kept.
        volumes: The volumes of the pool.
        keys: Its slices.
        canonical: The index of each along its canonical axis.
    """
    out = _volumes_out(found)
    kept = [name for name in found if name not in out]
    kinds = kinds_of([found[name].look for name in kept])
    kind_of = dict(zip(kept, kinds.number.tolist(), strict=True))
    excluded = np.zeros(len(keys), dtype=bool)
    reasons: Counter[str] = Counter()
    for row, (key, index) in enumerate(zip(keys, canonical, strict=True)):
        if key.volume in out:
            excluded[row] = True
        elif found[key.volume].without_body[key.plane][index]:
            reasons[WITHOUT_BODY] += 1
            excluded[row] = True
        elif found[key.volume].broken[key.plane][index]:
            reasons[BROKEN] += 1
            excluded[row] = True
    return Screened(
        excluded=excluded,
        group=np.array([kind_of.get(name, 0) for name in volumes], dtype=np.intp),
        kinds=kinds.words or ("",),
        volumes_out=tuple((name, out[name]) for name in sorted(out)),
        slices_out=tuple(sorted(reasons.items())),
    )


def _volumes_out(found: Mapping[str, Measured]) -> dict[str, str]:
    """Volumes that are copies or noise, with the reason."""
    names = list(found)
    noise = noise_like(np.array([each.autocorrelation for each in found.values()], dtype=float))
    out = {name: "no structure" for name, is_noise in zip(names, noise, strict=True) if is_noise}
    left = [name for name in names if name not in out]
    prints = [found[name].fingerprint for name in left]
    if prints:
        for name, first in zip(left, duplicates(np.stack(prints)), strict=True):
            if first >= 0:
                out[name] = f"same image as {left[first]}"
    return out
