"""Which slices stand for the others, judged without any annotation."""

from activeseg.representativeness.covered import Cohesion
from activeseg.representativeness.curriculum import composite, difficulty_coverage, pacing
from activeseg.representativeness.emptiness import nearly_empty
from activeseg.representativeness.probcover import Balls, pure_radius
from activeseg.representativeness.reach import Reach, reach
from activeseg.representativeness.space import reduced
from activeseg.representativeness.spread import Representative, clusters, k_means, spread
from activeseg.representativeness.typicality import typicality

__all__ = [
    "Balls",
    "Cohesion",
    "Reach",
    "Representative",
    "clusters",
    "composite",
    "difficulty_coverage",
    "k_means",
    "nearly_empty",
    "pacing",
    "pure_radius",
    "reach",
    "reduced",
    "spread",
    "typicality",
]
