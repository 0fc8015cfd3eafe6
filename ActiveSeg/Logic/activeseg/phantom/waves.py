"""Smooth random fields, defined everywhere in space without a grid.

A sum of plane waves of random direction and phase bends surfaces and paints texture. It is
evaluated at points in mm, so anatomy does not depend on how a volume is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "Points", "Waves"]

FloatArray = npt.NDArray[np.float32]
Points = tuple[FloatArray, FloatArray, FloatArray]
"""Coordinates in mm toward the patient's left, back and head, three arrays of one shape."""


@dataclass(frozen=True)
class Waves:
    """A random field with mean 0 and standard deviation `spread`.

    Attributes:
        vectors: Wave vectors [n, 3] in radians per mm.
        phases: Phases [n] in radians.
        spread: Standard deviation over space, in the unit of the field.
    """

    vectors: FloatArray
    phases: FloatArray
    spread: float

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        count: int,
        wavelength_mm: tuple[float, float],
        spread: float,
    ) -> Waves:
        """Draw `count` waves with directions uniform on the sphere and lengths in a range."""
        direction = rng.normal(size=(count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        length = rng.uniform(*wavelength_mm, size=(count, 1))
        phases = rng.uniform(0, 2 * np.pi, size=count)
        vectors = direction * (2 * np.pi / length)
        return cls(vectors.astype(np.float32), phases.astype(np.float32), spread)

    def at(self, points: Points) -> FloatArray:
        """Value of the field at each point, in the points' shape."""
        x, y, z = points
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.float32)
        for (a, b, c), phase in zip(self.vectors, self.phases, strict=True):
            total += np.cos(a * x + b * y + c * z + phase)
        total *= np.float32(self.spread * np.sqrt(2 / len(self.phases)))
        return total
