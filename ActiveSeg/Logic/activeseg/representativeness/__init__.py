"""Which slices stand for the others, judged without any annotation."""

from activeseg.representativeness.spread import Representative, spread

__all__ = ["Representative", "spread"]
