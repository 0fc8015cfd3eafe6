"""Which slices stand for the others, and which to leave out, judged without any annotation."""

from activeseg.representativeness.body import NO_BODY, SIDE, body_shares
from activeseg.representativeness.groups import Kinds, kinds_of
from activeseg.representativeness.looks import Look, greys_of
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
    "Kinds",
    "Look",
    "Representative",
    "autocorrelation",
    "body_shares",
    "broken_slices",
    "clusters",
    "duplicates",
    "fingerprint",
    "greys_of",
    "k_means",
    "kinds_of",
    "noise_like",
    "reduced",
    "spread",
    "thumbnail",
    "typicality",
]
