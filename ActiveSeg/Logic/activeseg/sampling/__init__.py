"""Who is asked next: samplers that fill a budget of minutes, and their registry."""

from activeseg.sampling.candidates import (
    PLANES,
    REDUNDANCY_MM,
    Annotated,
    Candidate,
    Choice,
    Chosen,
    Pool,
    Scored,
)
from activeseg.sampling.strategies import DEFAULT_STRATEGY, STRATEGIES, Strategy, strategy

__all__ = [
    "DEFAULT_STRATEGY",
    "PLANES",
    "REDUNDANCY_MM",
    "STRATEGIES",
    "Annotated",
    "Candidate",
    "Choice",
    "Chosen",
    "Pool",
    "Scored",
    "Strategy",
    "strategy",
]
