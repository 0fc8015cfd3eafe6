"""Which slices stand for the others, judged without any annotation."""

from activeseg.representativeness.appearance import Appearance, Greys, greys_of
from activeseg.representativeness.body import NO_BODY, SIDE, body_shares
from activeseg.representativeness.covered import Cohesion
from activeseg.representativeness.curriculum import composite, difficulty_coverage, pacing
from activeseg.representativeness.emptiness import nearly_empty
from activeseg.representativeness.groups import Kinds, kinds_of
from activeseg.representativeness.probcover import Balls, pure_radius
from activeseg.representativeness.reach import Reach, reach
from activeseg.representativeness.screening import (
    autocorrelation,
    broken_slices,
    duplicates,
    fingerprint,
    noise_like,
    thumbnail,
)
from activeseg.representativeness.space import reduced
from activeseg.representativeness.spread import Representative, clusters, k_means, spread
from activeseg.representativeness.typicality import typicality

__all__ = [
    "NO_BODY",
    "SIDE",
    "Appearance",
    "Balls",
    "Cohesion",
    "Greys",
    "Kinds",
    "Reach",
    "Representative",
    "autocorrelation",
    "body_shares",
    "broken_slices",
    "clusters",
    "composite",
    "difficulty_coverage",
    "duplicates",
    "fingerprint",
    "greys_of",
    "k_means",
    "kinds_of",
    "nearly_empty",
    "noise_like",
    "pacing",
    "pure_radius",
    "reach",
    "reduced",
    "spread",
    "thumbnail",
    "typicality",
]
