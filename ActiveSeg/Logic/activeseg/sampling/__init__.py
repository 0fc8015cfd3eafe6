"""Who is asked next: samplers that fill a budget of minutes, and their registry."""

from activeseg.sampling.candidates import REDUNDANCY_MM, Annotated, Candidate, Choice, Pool
from activeseg.sampling.strategies import DEFAULT_STRATEGY, STRATEGIES, Strategy, strategy

__all__ = [
    "DEFAULT_STRATEGY",
    "REDUNDANCY_MM",
    "STRATEGIES",
    "Annotated",
    "Candidate",
    "Choice",
    "Pool",
    "Strategy",
    "strategy",
]
