"""Which slices stand for the others, judged without any annotation."""

from activeseg.representativeness.spread import Representative, clusters, spread

__all__ = ["Representative", "clusters", "spread"]
