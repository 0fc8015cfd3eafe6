"""What a scanner makes of the anatomy: grey values, texture, artefacts, noise.

The gland has the organ's mean grey value in every volume, and so have the decoys. One group of
volumes, the rare one, has no contrast agent: there vessel and organ look much alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from activeseg.phantom.anatomy import Tissue
from activeseg.phantom.waves import FloatArray, Points, Waves

__all__ = ["Look", "ct_image", "mr_image"]

_CT_LEVELS: dict[Tissue, float] = {
    Tissue.AIR: -1000,
    Tissue.FAT: -100,
    Tissue.MUSCLE: 58,
    Tissue.BONE: 420,
    Tissue.DISC: 75,
    Tissue.LUNG: -820,
    Tissue.SEAM: -20,
    Tissue.TABLE: -350,
}
_MR_LEVELS: dict[Tissue, float] = {
    Tissue.AIR: 0.0,
    Tissue.FAT: 1.0,
    Tissue.MUSCLE: 0.42,
    Tissue.BONE: 0.3,
    Tissue.DISC: 0.5,
    Tissue.LUNG: 0.05,
    Tissue.SEAM: 0.85,
    Tissue.TABLE: 0.0,
}
_LIKE_ORGAN = (Tissue.ORGAN, Tissue.GLAND, Tissue.SECOND_ORGAN, Tissue.KIDNEY, Tissue.BOWEL)
_LIKE_VESSEL = (Tissue.VESSEL, Tissue.GREAT_VESSEL)
# Share of the coarse and of the fine texture that each tissue shows.
_TEXTURE: dict[Tissue, tuple[float, float]] = {
    Tissue.ORGAN: (1.0, 0.0),
    Tissue.GLAND: (0.3, 2.7),
    Tissue.SECOND_ORGAN: (0.3, 0.0),
    Tissue.KIDNEY: (0.3, 0.2),
    Tissue.BOWEL: (1.2, 0.4),
    Tissue.FAT: (0.4, 0.4),
    Tissue.MUSCLE: (0.3, 0.4),
    Tissue.BONE: (0.5, 4.0),
    Tissue.LUNG: (1.0, 2.0),
}


@dataclass(frozen=True)
class Look:
    """What an image is made from.

    Attributes:
        points: Voxel centres [k, j, i] in mm from the body's origin.
        layers: The tissue [k, j, i] at several depths of each slice; their mean is the image,
            which gives thick slices their partial volume.
        pixel_axes: The two array axes that lie in the slice.
        thickness: Slice thickness in mm; thin slices are noisier.
        rare: Whether the volume belongs to the rare group with the other contrast.
    """

    points: Points
    layers: tuple[npt.NDArray[np.uint8], ...]
    pixel_axes: tuple[int, int]
    thickness: float
    rare: bool


def ct_image(rng: np.random.Generator, look: Look) -> npt.NDArray[np.int16]:
    """Hounsfield units with the artefacts of beam hardening.

    Cupping, dark bands beside the spine, noise and, in one volume of four, a metal clip's streaks.
    """
    levels = dict(_CT_LEVELS)
    organ = rng.uniform(55, 65) if look.rare else rng.uniform(95, 120)
    vessel = rng.uniform(36, 46) if look.rare else organ + rng.uniform(45, 80)
    levels |= dict.fromkeys(_LIKE_ORGAN, organ) | dict.fromkeys(_LIKE_VESSEL, vessel)
    image = _signal(rng, look, levels, texture=11.0)
    inside = look.layers[0] != Tissue.AIR
    x, y, _ = look.points
    cupping = rng.uniform(5, 20) * np.clip(1 - (x / 85) ** 2 - (y / 65) ** 2, 0, None)
    band = rng.uniform(5, 18) * np.exp(-(((y - 36) / 11) ** 2))
    image -= np.where(inside, cupping + band, 0).astype(np.float32)
    if rng.random() < 0.25:
        _add_clip(rng, look.points, image)
    spread = rng.uniform(10, 17) * np.sqrt(6 / look.thickness)
    noise = _in_slice(look, rng.normal(size=image.shape).astype(np.float32), 0.55)
    image += noise * np.float32(spread / noise.std())
    return _whole(image, -1024, 3071)


def mr_image(rng: np.random.Generator, look: Look) -> npt.NDArray[np.int16]:
    """A T1-like image at an arbitrary scale with a smooth bias field and Rician noise."""
    levels = dict(_MR_LEVELS)
    organ = rng.uniform(0.52, 0.62)
    vessel = rng.uniform(0.38, 0.46) if look.rare else rng.uniform(0.12, 0.2)
    levels |= dict.fromkeys(_LIKE_ORGAN, organ) | dict.fromkeys(_LIKE_VESSEL, vessel)
    image = _signal(rng, look, levels, texture=0.07)
    bias = Waves.draw(rng, 4, (220, 420), rng.uniform(0.1, 0.22)).at(look.points)
    image = np.clip(image, 0, None) * np.exp(bias)
    spread = rng.uniform(0.015, 0.03) * np.sqrt(6 / look.thickness)
    real, imaginary = rng.normal(0, spread, size=(2, *image.shape)).astype(np.float32)
    scale = np.exp(rng.uniform(np.log(150), np.log(3000)))
    return _whole(np.hypot(image + real, imaginary) * scale, 0, 32767)


def _signal(
    rng: np.random.Generator, look: Look, levels: dict[Tissue, float], texture: float
) -> FloatArray:
    """Mean grey value over the layers plus texture, blurred by the scanner."""
    table = np.array([levels[tissue] for tissue in Tissue], dtype=np.float32)
    image = np.mean([table[layer] for layer in look.layers], axis=0, dtype=np.float32)
    shares = np.array([_TEXTURE.get(tissue, (0.0, 0.0)) for tissue in Tissue], dtype=np.float32)
    middle = look.layers[len(look.layers) // 2]
    coarse = Waves.draw(rng, 16, (16, 30), texture).at(look.points)
    fine = Waves.draw(rng, 20, (8, 12), texture).at(look.points)
    image += coarse * shares[middle, 0] + fine * shares[middle, 1]
    return _in_slice(look, image, 0.5)


def _whole(image: npt.NDArray[Any], lowest: int, highest: int) -> npt.NDArray[np.int16]:
    whole: npt.NDArray[np.int16] = np.rint(image).clip(lowest, highest).astype(np.int16)
    return whole


def _in_slice(look: Look, image: FloatArray, sigma_pixels: float) -> FloatArray:
    sigma = [sigma_pixels if axis in look.pixel_axes else 0.0 for axis in range(3)]
    blurred: FloatArray = ndimage.gaussian_filter(image, sigma)
    return blurred


def _add_clip(rng: np.random.Generator, points: Points, image: FloatArray) -> None:
    """A metal clip and its streaks, which fan out within the slices that it touches."""
    x, y, z = (p - np.float32(c) for p, c in zip(points, _clip_place(rng), strict=True))
    distance = np.hypot(x, y)
    angle = np.arctan2(y, x)
    rays = sum(np.cos(n * angle + rng.uniform(0, 2 * np.pi)) for n in (2, 5, 9, 14))
    fade = rng.uniform(50, 110) * 14 / (distance + 14) * np.exp(-((z / 9) ** 2))
    image += (rays * fade).astype(np.float32)
    image[distance**2 + z**2 < 16] = 3000


def _clip_place(rng: np.random.Generator) -> tuple[float, float, float]:
    x, y, z = rng.uniform((-25, -20, -25), (15, 15, 25))
    return float(x), float(y), float(z)
