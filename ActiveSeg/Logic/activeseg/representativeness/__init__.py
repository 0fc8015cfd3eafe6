"""Which slices stand for the others, judged without any annotation."""

from activeseg.representativeness.space import reduced
from activeseg.representativeness.spread import Representative, clusters, k_means, spread
from activeseg.representativeness.typicality import typicality

__all__ = ["Representative", "clusters", "k_means", "reduced", "spread", "typicality"]
