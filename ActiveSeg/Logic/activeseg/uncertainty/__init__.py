"""How unsure a model is, voxel by voxel, and what that says about a slice."""

from activeseg.uncertainty.aggregate import (
    AGGREGATIONS,
    Aggregation,
    band_mean,
    band_sum,
    class_entropy,
    per_area,
    presence,
    slice_mean,
    top_patches,
    volume_rank,
)
from activeseg.uncertainty.band import foreground_band
from activeseg.uncertainty.disagreement import neighbour_disagreement, view_disagreement
from activeseg.uncertainty.doubts import slice_doubts
from activeseg.uncertainty.entropy import (
    entropy_of_foreground,
    entropy_of_mean,
    predictive_entropy,
)
from activeseg.uncertainty.gradient import gradient_sizes
from activeseg.uncertainty.running import RunningSamples
from activeseg.uncertainty.sampled import (
    MEASURES,
    Measure,
    bald,
    foreground_variance,
    mean_variance,
    variation_ratio,
    vote_entropy,
)
from activeseg.uncertainty.single import least_confidence, margin_uncertainty

__all__ = [
    "AGGREGATIONS",
    "MEASURES",
    "Aggregation",
    "Measure",
    "RunningSamples",
    "bald",
    "band_mean",
    "band_sum",
    "class_entropy",
    "entropy_of_foreground",
    "entropy_of_mean",
    "foreground_band",
    "foreground_variance",
    "gradient_sizes",
    "least_confidence",
    "margin_uncertainty",
    "mean_variance",
    "neighbour_disagreement",
    "per_area",
    "predictive_entropy",
    "presence",
    "slice_doubts",
    "slice_mean",
    "top_patches",
    "variation_ratio",
    "view_disagreement",
    "volume_rank",
    "vote_entropy",
]
