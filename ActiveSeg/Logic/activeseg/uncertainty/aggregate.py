"""From a map of uncertainty to one number a slice.

The mean over a whole slice grows with the organ and asks for big slices that are segmented well
already, so the default is the mean over a band round the predicted foreground; the whole-slice
mean stays as a named baseline. All arrays are canonical, `[S, P, L]`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["band_mean", "band_sum", "foreground_band", "presence", "slice_mean"]

UNSEEN_SHARE = 0.01
"""Share of a volume that stands in for the foreground where the model sees none."""

HALF_PRESENT = 0.1


def foreground_band(
    proposal: npt.NDArray[np.integer],
    spacing: tuple[float, float, float],
    radius_mm: float,
    foreground_probability: npt.NDArray[np.float32],
) -> npt.NDArray[np.bool_]:
    """Voxels within `radius_mm` of the predicted foreground, the foreground included.

    A volume in which the model sees nothing must not be invisible: there the 1 % of voxels with
    the highest foreground probability stand in for the foreground.

    Args:
        proposal: `[S, P, L]` label values, 0 is background.
        spacing: mm along S, P, L.
        radius_mm: Reach of the band, 0 for the foreground alone.
        foreground_probability: `[S, P, L]`, 1 minus the background's probability.
    """
    seeds: npt.NDArray[np.bool_] = proposal != 0
    if not seeds.any():
        count = max(1, math.ceil(UNSEEN_SHARE * seeds.size))
        likely = np.argpartition(foreground_probability.ravel(), -count)[-count:]
        seeds.flat[likely] = True

    # Farther than the radius from the seeds' bounding box nothing can be in the band.
    box = tuple(
        slice(max(0, found.start - reach), found.stop + reach)
        for found, reach in zip(
            ndimage.find_objects(seeds.view(np.uint8))[0],
            (math.ceil(radius_mm / mm) for mm in spacing),
            strict=True,
        )
    )
    band = np.zeros_like(seeds)
    band[box] = ndimage.distance_transform_edt(~seeds[box], sampling=spacing) <= radius_mm
    return band


def band_sum(
    map3d: npt.NDArray[np.float32], band3d: npt.NDArray[np.bool_], axis: int
) -> npt.NDArray[np.float64]:
    """Sum of the map over the band, slice by slice.

    Args:
        map3d: `[S, P, L]`.
        band3d: `[S, P, L]`.
        axis: The axis that is cut: 0 axial, 1 coronal, 2 sagittal.

    Returns:
        `[n_slices]`.
    """
    total: npt.NDArray[np.float64] = np.sum(
        map3d, axis=_others(axis), where=band3d, dtype=np.float64
    )
    return total


def band_mean(
    map3d: npt.NDArray[np.float32], band3d: npt.NDArray[np.bool_], axis: int
) -> npt.NDArray[np.float64]:
    """Mean of the map over the band, slice by slice; 0 where a slice has no band.

    Args and returns are those of `band_sum`.
    """
    voxels = np.count_nonzero(band3d, axis=_others(axis))
    mean: npt.NDArray[np.float64] = band_sum(map3d, band3d, axis) / np.maximum(voxels, 1)
    return mean


def presence(
    foreground: npt.NDArray[np.float64], half: float = HALF_PRESENT
) -> npt.NDArray[np.float64]:
    """How much of the structures a slice shows, 0 to 1: m / (m + half * largest m).

    A mean over the band is as high at the last pixels of an organ, and on stray pixels of a model
    that has learned little, as in the organ's middle; those slices are cheap and teach little.

    Args:
        foreground: `[n_slices]` expected foreground of the slices of one volume and plane (sum
            of the foreground probability over the band).
        half: Share of the fullest slice's foreground at which half of the value counts.

    Returns:
        `[n_slices]`; all 0 where nothing is expected anywhere.
    """
    most = float(foreground.max(initial=0.0))
    if most <= 0:
        return np.zeros_like(foreground)
    share: npt.NDArray[np.float64] = foreground / (foreground + half * most)
    return share


def slice_mean(map3d: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float64]:
    """Mean of the map over each whole slice: the baseline `entropy-mean`.

    Args:
        map3d: `[S, P, L]`.
        axis: The axis that is cut.

    Returns:
        `[n_slices]`.
    """
    mean: npt.NDArray[np.float64] = map3d.mean(axis=_others(axis), dtype=np.float64)
    return mean


def _others(axis: int) -> tuple[int, int]:
    first, second = (each for each in range(3) if each != axis)
    return first, second
