"""Which slices stand for the others, judged without any annotation."""

from activeseg.representativeness.covered import Cohesion
from activeseg.representativeness.space import reduced
from activeseg.representativeness.spread import Representative, clusters, k_means, spread
from activeseg.representativeness.typicality import typicality

__all__ = ["Cohesion", "Representative", "clusters", "k_means", "reduced", "spread", "typicality"]
