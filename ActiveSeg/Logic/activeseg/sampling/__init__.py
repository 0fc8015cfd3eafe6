"""Who is asked next: samplers that fill a budget of minutes, and their registry."""

from activeseg.sampling.arms import RESEARCH
from activeseg.sampling.candidates import (
    PLANES,
    REDUNDANCY_MM,
    Annotated,
    Candidate,
    Choice,
    Chosen,
    Pool,
    Scored,
    find_row,
)
from activeseg.sampling.sampler import Strategy
from activeseg.sampling.screened import Screened
from activeseg.sampling.strategies import DEFAULT_STRATEGY, STRATEGIES, strategy
from activeseg.sampling.words import Coded

__all__ = [
    "DEFAULT_STRATEGY",
    "PLANES",
    "REDUNDANCY_MM",
    "RESEARCH",
    "STRATEGIES",
    "Annotated",
    "Candidate",
    "Choice",
    "Chosen",
    "Coded",
    "Pool",
    "Scored",
    "Screened",
    "Strategy",
    "find_row",
    "strategy",
]
