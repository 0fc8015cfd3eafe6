"""What a strategy is: who fills a budget, and what that needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from activeseg.errors import ProjectError
from activeseg.sampling.candidates import Chosen, Pool

__all__ = ["Sampler", "Strategy"]

Sampler: TypeAlias = Callable[[Pool, float, np.random.Generator], Chosen]
"""``(pool, budget_s, rng)`` to the batch; a pure function."""


@dataclass(frozen=True)
class Strategy:
    """A way of choosing.

    Attributes:
        name: As the command line and `project.json` write it.
        needs_model: Whether the scores of a trained model are needed.
        needs_features: Whether `Pool.features` are needed.
        sampling: Who fills the budget.
        summary: One line for `--help`.
        needs_truth: Whether `Pool.truth_shown` is needed: only a benchmark knows the truth.
        calibrated: Whether the expected Dice is to be what earlier answers taught; otherwise it
            is the prior's, as before the first answer.
        reads: Columns of `Scored` that few strategies rank by and this one does; those that it
            does not name are not read.
    """

    name: str
    needs_model: bool
    needs_features: bool
    sampling: Sampler
    summary: str
    needs_truth: bool = False
    calibrated: bool = True
    reads: tuple[str, ...] = ()

    def choose(self, pool: Pool, *, budget_s: float, rng: np.random.Generator) -> Chosen:
        """The next batch, grouped by volume, best volume first.

        Args:
            pool: What there is to choose from.
            budget_s: Seconds that the batch may cost, first-slice overheads included.
            rng: The only source of chance; the same state gives the same batch.

        Returns:
            The batch; empty when not even one slice fits.

        Raises:
            ProjectError: If the budget is not a finite number above 0, or the pool was scored by
                an earlier version that did not know what the strategy ranks by. ValueError: If
                the pool lacks what the strategy needs.
        """
        if not (math.isfinite(budget_s) and budget_s > 0):
            raise ProjectError(f"a budget of {budget_s / 60:g} minutes; give more than 0")
        return self.sampling(pool, budget_s, rng)
