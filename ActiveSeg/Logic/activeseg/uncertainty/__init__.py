"""How unsure a model is, voxel by voxel, and what that says about a slice."""

from activeseg.uncertainty.aggregate import (
    band_mean,
    band_sum,
    foreground_band,
    presence,
    slice_mean,
)
from activeseg.uncertainty.entropy import entropy_of_mean, predictive_entropy

__all__ = [
    "band_mean",
    "band_sum",
    "entropy_of_mean",
    "foreground_band",
    "predictive_entropy",
    "presence",
    "slice_mean",
]
