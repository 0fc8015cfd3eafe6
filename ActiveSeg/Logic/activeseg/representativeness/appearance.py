"""What is measured of a volume as a whole, to tell volumes of one kind from those of another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Appearance", "Greys", "greys_of"]

_VOXELS = 50_000
"""At most so many voxels, evenly spread, say what the grey values of a volume are."""

AIR_OF_RANGE = 0.1
"""Where grey values have no unit, the lowest part of their range that counts as air."""


@dataclass(frozen=True)
class Greys:
    """How the grey values of one volume lie, before any normalisation.

    Attributes:
        air: What is not brighter is air, in the volume's own values.
        levels: Quartiles of what is brighter, as parts of the way from the darkest voxels to its
            brightest 5 %; a scale and an offset do not change them, a gamma curve does.
        tissue: How much of the volume is brighter than air, 0 to 1.
        hounsfield: The same quartiles in Hounsfield units; None where there are none.
    """

    air: float
    levels: tuple[float, float, float]
    tissue: float
    hounsfield: tuple[float, float, float] | None


@dataclass(frozen=True)
class Appearance:
    """One volume among the others of its cohort.

    Attributes:
        spacing: Millimetres between voxels along S, P and L.
        extent: Millimetres that it spans along them.
        greys: Its grey values.
        texture: Mean responses of the frozen filters at the fine and the coarse scale, above 0.
    """

    spacing: tuple[float, float, float]
    extent: tuple[float, float, float]
    greys: Greys
    texture: tuple[float, float]


def greys_of(volume: npt.NDArray[Any], air: float | None, zero_hu: float | None = None) -> Greys:
    """How the grey values of a volume lie.

    Args:
        volume: `[S, P, L]`, as they are in the file.
        air: What is not brighter is air; None where it has to be judged by the range.
        zero_hu: The value of water; None where the values are no Hounsfield units.
    """
    stride = max(1, math.ceil((volume.size / _VOXELS) ** (1 / 3)))
    sample = volume[::stride, ::stride, ::stride].ravel().astype(np.float64)
    low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
    if air is None:
        air = low + AIR_OF_RANGE * (high - low)
    tissue = sample[sample > air]
    if tissue.size == 0:
        return Greys(air, (0.0, 0.0, 0.0), 0.0, None if zero_hu is None else (0.0, 0.0, 0.0))
    *quartiles, bright = (float(each) for each in np.percentile(tissue, (25, 50, 75, 95)))
    first, second, third = ((each - low) / max(bright - low, 1e-9) for each in quartiles)
    return Greys(
        air=air,
        levels=(first, second, third),
        tissue=tissue.size / sample.size,
        hounsfield=None
        if zero_hu is None
        else (quartiles[0] - zero_hu, quartiles[1] - zero_hu, quartiles[2] - zero_hu),
    )
