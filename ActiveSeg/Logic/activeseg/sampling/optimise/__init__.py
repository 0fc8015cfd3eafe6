"""Choosing under a budget: the exact knapsack and coverage, as pure functions on arrays."""

from activeseg.sampling.optimise.coverage import Covered, cover
from activeseg.sampling.optimise.knapsack import Packed, solve_knapsack

__all__ = ["Covered", "Packed", "cover", "solve_knapsack"]
