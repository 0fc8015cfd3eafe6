"""The body of one phantom patient: which tissue is where.

Everything is an implicit surface (a level that is negative inside) over a common warp, in mm
toward the patient's left (x), back (y) and head (z) from the middle of the trunk. Three
structures are to be found:

- *organ*: a big deformed body on the patient's right;
- *vessel*: a thin winding tube beside the spine that runs through many slices;
- *gland*: small, leaning on the organ's inner side with the same grey value, apart from it only
  by finer texture and a patchy seam of fat.

The rest misleads: a second organ of the organ's grey value on the left, kidneys and bowel of the
gland's, a straight great vessel of the vessel's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from activeseg.phantom.waves import FloatArray, Points, Waves

__all__ = ["PHANTOM_STRUCTURES", "Anatomy", "Blob", "Tissue"]

PHANTOM_STRUCTURES: tuple[str, ...] = ("organ", "vessel", "gland")
"""Names of the label values 1, 2 and 3."""


class Tissue(IntEnum):
    """What a point of the body is made of; the first three are the structures' label values."""

    AIR = 0
    ORGAN = 1
    VESSEL = 2
    GLAND = 3
    FAT = 4
    MUSCLE = 5
    BONE = 6
    DISC = 7
    LUNG = 8
    BOWEL = 9
    KIDNEY = 10
    SECOND_ORGAN = 11
    GREAT_VESSEL = 12
    SEAM = 13
    TABLE = 14


@dataclass(frozen=True)
class Blob:
    """An ellipsoid with a bumpy surface; centre and half axes in mm."""

    centre: tuple[float, float, float]
    axes: tuple[float, float, float]
    bumps: Waves

    def level(self, points: Points) -> FloatArray:
        """Relative distance from the surface: -1 at the centre, 0 on it, positive outside."""
        squares = sum(
            ((p - np.float32(c)) / np.float32(a)) ** 2
            for p, c, a in zip(points, self.centre, self.axes, strict=True)
        )
        level: FloatArray = np.sqrt(squares, dtype=np.float32) - 1 + self.bumps.at(points)
        return level


@dataclass(frozen=True)
class Anatomy:
    """One patient.

    Attributes:
        warp: Displacement in mm along x, y and z that bends everything together.
        trunk: Half axes in mm of the elliptic trunk (x, y).
        fat_mm: Thickness of the fat under the skin.
        organ, gland, second_organ, kidneys, bowel: Bumpy ellipsoids.
        vessel_path: For x and y: (mean mm, swing mm, swing mm, phase, phase) of the tube's line.
        vessel_radius: Radius of the tube in mm.
        seam: Where the fat between gland and organ is missing (negative).
        missing: The structure that this patient lacks, if any.
    """

    warp: tuple[Waves, Waves, Waves]
    trunk: tuple[float, float]
    fat_mm: float
    organ: Blob
    gland: Blob
    second_organ: Blob
    kidneys: tuple[Blob, Blob]
    bowel: tuple[Blob, ...]
    vessel_path: tuple[tuple[float, ...], tuple[float, ...]]
    vessel_radius: float
    seam: Waves
    missing: Tissue | None

    @classmethod
    def draw(cls, rng: np.random.Generator, missing: Tissue | None) -> Anatomy:
        """Draw a patient; one who lacks a structure is otherwise the same."""
        size = rng.uniform(0.9, 1.1)
        organ = _blob(rng, (-36, -6, 2), (30, 33, 36), size, jitter=6, bumps=0.13)
        gland = _beside(rng, organ, size)
        loops = [_loop(rng, size) for _ in range(int(rng.integers(8, 13)))]
        return cls(
            warp=(
                Waves.draw(rng, 5, (110, 220), 4.0),
                Waves.draw(rng, 5, (110, 220), 4.0),
                Waves.draw(rng, 5, (110, 220), 4.0),
            ),
            trunk=(size * rng.uniform(78, 86), size * rng.uniform(58, 66)),
            fat_mm=rng.uniform(4, 13),
            organ=organ,
            gland=gland,
            second_organ=_blob(rng, (46, 8, 8), (17, 24, 26), size, jitter=7, bumps=0.13),
            kidneys=(
                _blob(rng, (-40, 34, -34), (13, 12, 24), size, jitter=5, bumps=0.08),
                _blob(rng, (40, 34, -26), (13, 12, 24), size, jitter=5, bumps=0.08),
            ),
            bowel=tuple(loop for loop in loops if not _touch(loop, gland)),
            vessel_path=(
                (rng.uniform(-9, -3), *rng.uniform(3, 6, 2), *rng.uniform(0, 2 * np.pi, 2)),
                (rng.uniform(7, 12), *rng.uniform(2, 4, 2), *rng.uniform(0, 2 * np.pi, 2)),
            ),
            vessel_radius=size * rng.uniform(6.5, 8.5),
            seam=Waves.draw(rng, 12, (14, 30), 1.0),
            missing=missing,
        )

    def bent(self, points: Points) -> Points:
        """The points after the warp, in the frame where the shapes are simple."""
        x, y, z = points
        along_x, along_y, along_z = (waves.at(points) for waves in self.warp)
        return x + along_x, y + along_y, z + along_z

    def tissues(self, points: Points) -> npt.NDArray[np.uint8]:
        """The `Tissue` at each point, in the points' shape."""
        bent = self.bent(points)
        x, y, z = bent
        radius = np.hypot(x / self.trunk[0], y / self.trunk[1])
        inward = (1 - radius) * np.float32(min(self.trunk))
        tissue = np.zeros(x.shape, dtype=np.uint8)
        tissue[inward > 0] = Tissue.FAT
        wall = (inward > self.fat_mm) & (inward < self.fat_mm + 9)
        tissue[wall] = Tissue.MUSCLE
        ribs = (np.abs(inward - self.fat_mm - 4.5) < 2.5) & (y > -0.6 * self.trunk[1])
        tissue[ribs & (np.cos((z + 0.35 * y) * np.float32(2 * np.pi / 26)) > 0.6)] = Tissue.BONE
        inside = inward > self.fat_mm + 9
        self._fill_cavity(tissue, bent, inside)
        self._set_spine(tissue, bent)
        self._set_structures(tissue, bent, inside)
        table = np.abs(points[1] - self.trunk[1] - 8 + 0.002 * points[0] ** 2) < 3
        tissue[table & (inward < -2)] = Tissue.TABLE
        return tissue

    def _fill_cavity(
        self, tissue: npt.NDArray[np.uint8], bent: Points, inside: npt.NDArray[np.bool_]
    ) -> None:
        x, y, z = bent
        for loop in self.bowel:
            level = loop.level(bent)
            tissue[inside & (level < 0)] = Tissue.BOWEL
            gas = (level < -0.35) & (y < loop.centre[1])
            tissue[inside & gas & (loop.axes[0] > 12)] = Tissue.AIR
        for kidney in self.kidneys:
            tissue[inside & (kidney.level(bent) < 0)] = Tissue.KIDNEY
        tissue[inside & (self.second_organ.level(bent) < 0)] = Tissue.SECOND_ORGAN
        dome = 50 - 0.006 * (np.abs(x) - 36) ** 2 - 0.006 * y**2
        tissue[inside & (z > dome) & (np.abs(x) > 12)] = Tissue.LUNG

    def _set_spine(self, tissue: npt.NDArray[np.uint8], bent: Points) -> None:
        x, y, z = bent
        back = np.float32(self.trunk[1] * 0.58)
        body = (x / 15) ** 2 + ((y - back) / 12) ** 2 < 1
        disc = np.cos(z * np.float32(2 * np.pi / 28)) < -0.75
        tissue[body] = np.where(disc, Tissue.DISC, Tissue.BONE)[body]
        canal = np.hypot(x, y - back - 15)
        tissue[canal < 8] = Tissue.BONE
        tissue[canal < 5] = Tissue.DISC
        muscle = ((np.abs(x) - 17) / 11) ** 2 + ((y - back - 8) / 9) ** 2 < 1
        tissue[muscle & (tissue == Tissue.FAT)] = Tissue.MUSCLE

    def _set_structures(
        self, tissue: npt.NDArray[np.uint8], bent: Points, inside: npt.NDArray[np.bool_]
    ) -> None:
        x, y, z = bent
        tissue[inside & (np.hypot(x - 17, y - 19) < self.vessel_radius)] = Tissue.GREAT_VESSEL
        organ = self.organ.level(bent)
        if self.missing != Tissue.GLAND:
            gland = inside & (self.gland.level(bent) < 0)
            tissue[gland] = Tissue.GLAND
            seam = gland & (organ > 0) & (organ < 0.09) & (self.seam.at(bent) > -0.6)
            tissue[seam] = Tissue.SEAM
        if self.missing != Tissue.ORGAN:
            tissue[inside & (organ < 0)] = Tissue.ORGAN
        if self.missing != Tissue.VESSEL:
            tissue[inside & self._in_vessel(x, y, z)] = Tissue.VESSEL

    def _in_vessel(self, x: FloatArray, y: FloatArray, z: FloatArray) -> npt.NDArray[np.bool_]:
        def line(path: tuple[float, ...]) -> FloatArray:
            mean, slow, fast, first, second = (np.float32(number) for number in path)
            slowly = np.cos(z / np.float32(30) + first)
            quickly = np.cos(z / np.float32(16) + second)
            return np.asarray(mean + slow * slowly + fast * quickly, dtype=np.float32)

        distance = np.hypot(x - line(self.vessel_path[0]), y - line(self.vessel_path[1]))
        inside: npt.NDArray[np.bool_] = (distance < self.vessel_radius) & (np.abs(z) < 58)
        return inside


def _blob(
    rng: np.random.Generator,
    centre: tuple[float, float, float],
    axes: tuple[float, float, float],
    size: float,
    jitter: float,
    bumps: float,
) -> Blob:
    x, y, z = np.array(centre) * size + rng.uniform(-jitter, jitter, 3)
    a, b, c = np.array(axes) * size * rng.uniform(0.85, 1.15, 3)
    waves = Waves.draw(rng, 8, (35, 80), bumps)
    return Blob((float(x), float(y), float(z)), (float(a), float(b), float(c)), waves)


def _beside(rng: np.random.Generator, organ: Blob, size: float) -> Blob:
    """A gland that leans on the inner (left) side of the organ, overlapping a little."""
    turn, rise = rng.uniform(-0.7, 0.2), rng.uniform(-0.45, 0.45)
    toward = np.array([np.cos(turn) * np.cos(rise), np.sin(turn) * np.cos(rise), np.sin(rise)])
    axes = np.array([16.0, 14.0, 18.0]) * size * rng.uniform(0.85, 1.15, 3)
    reach = 1 / np.linalg.norm(toward / np.array(organ.axes))
    own = 1 / np.linalg.norm(toward / axes)
    x, y, z = np.array(organ.centre) + toward * (reach + 0.55 * own)
    waves = Waves.draw(rng, 8, (20, 40), 0.12)
    a, b, c = axes
    return Blob((float(x), float(y), float(z)), (float(a), float(b), float(c)), waves)


def _loop(rng: np.random.Generator, size: float) -> Blob:
    """A loop of bowel somewhere in the front of the trunk."""
    x, y, z = rng.uniform((-45, -40, -85), (55, 5, 25)) * size
    a, b, c = rng.uniform(8, 15, 3)
    waves = Waves.draw(rng, 6, (20, 45), 0.15)
    return Blob((float(x), float(y), float(z)), (float(a), float(b), float(c)), waves)


def _touch(one: Blob, other: Blob) -> bool:
    """Whether two blobs come so close that their border could not be told by eye."""
    apart = np.subtract(one.centre, other.centre)
    return bool(np.linalg.norm(apart / np.add(one.axes, other.axes)) < 1.1)
