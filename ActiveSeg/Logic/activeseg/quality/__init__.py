"""How good a proposal is: measured against the truth, and estimated without it."""

from activeseg.quality.agreement import (
    Compared,
    dice_with,
    mc_iou,
    neighbour_dice,
    pairwise_dice,
)
from activeseg.quality.confidence import LEAST_VOXELS, LIKELY, soft_dice_confidence
from activeseg.quality.estimates import Estimate, Volumes
from activeseg.quality.estimator import EVIDENCE, DiceEstimator, Judged, proposed
from activeseg.quality.gain import expected_gain, sizes_over
from activeseg.quality.islands import false_islands, islands_at_least
from activeseg.quality.measured import dice, hd95_mm
from activeseg.quality.opinions import Opinions
from activeseg.quality.trend import Trend, Worth
from activeseg.quality.trust import trust_in

__all__ = [
    "EVIDENCE",
    "LEAST_VOXELS",
    "LIKELY",
    "Compared",
    "DiceEstimator",
    "Estimate",
    "Judged",
    "Opinions",
    "Trend",
    "Volumes",
    "Worth",
    "dice",
    "dice_with",
    "expected_gain",
    "false_islands",
    "hd95_mm",
    "islands_at_least",
    "mc_iou",
    "neighbour_dice",
    "pairwise_dice",
    "proposed",
    "sizes_over",
    "soft_dice_confidence",
    "trust_in",
]
