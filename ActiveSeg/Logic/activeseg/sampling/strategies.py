"""The one registry of strategies, by name: who chooses, and what that needs.

::

    chosen = strategy("auto").choose(pool, budget_s=600, rng=np.random.default_rng(seed))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from activeseg.errors import ProjectError
from activeseg.sampling.auto import auto
from activeseg.sampling.baselines import (
    by_whole_entropy,
    foreground_random,
    random_slices,
    volume_epistemic,
    worst_dice,
)
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.clasp import clasp
from activeseg.sampling.clue import clue
from activeseg.sampling.one_shot import one_shot
from activeseg.sampling.packing import coverage, knapsack
from activeseg.sampling.per_minute import by_energy, by_uncertainty
from activeseg.sampling.strided import strided_slices

__all__ = ["DEFAULT_STRATEGY", "STRATEGIES", "Sampler", "Strategy", "strategy"]

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
    """

    name: str
    needs_model: bool
    needs_features: bool
    sampling: Sampler
    summary: str

    def choose(self, pool: Pool, *, budget_s: float, rng: np.random.Generator) -> Chosen:
        """The next batch, grouped by volume, best volume first.

        Args:
            pool: What there is to choose from.
            budget_s: Seconds that the batch may cost, first-slice overheads included.
            rng: The only source of chance; the same state gives the same batch.

        Returns:
            The batch; empty when not even one slice fits.

        Raises:
            ProjectError: If the budget is not a finite number above 0. ValueError: If the pool
                lacks what the strategy needs.
        """
        if not (math.isfinite(budget_s) and budget_s > 0):
            raise ProjectError(f"a budget of {budget_s / 60:g} minutes; give more than 0")
        return self.sampling(pool, budget_s, rng)


STRATEGIES: dict[str, Strategy] = {
    name: Strategy(name, needs_model, needs_features, sampling, summary)
    for name, needs_model, needs_features, sampling, summary in (
        (
            "auto",
            True,
            False,
            auto,
            "expected gain per minute, typical slices first, and some by chance as a check",
        ),
        (
            "knapsack",
            True,
            False,
            knapsack,
            "the most expected gain that the minutes can buy, exactly",
        ),
        (
            "coverage",
            True,
            True,
            coverage,
            "expected gain, and slices that speak for the rest of the pool",
        ),
        (
            "clasp",
            True,
            False,
            clasp,
            "entropy per second, a share for each structure, less chance in every round",
        ),
        (
            "entropy-band",
            True,
            False,
            by_uncertainty,
            "uncertainty round the predicted edge per minute, neighbours count less",
        ),
        (
            "clue",
            True,
            True,
            clue,
            "of each kind of slice that the model is unsure of one, for scans of another kind",
        ),
        (
            "energy",
            True,
            False,
            by_energy,
            "how unlike the scans that the model learned from, per minute",
        ),
        (
            "one-shot",
            False,
            True,
            one_shot,
            "before any annotation: representative slices, spread over the volumes",
        ),
        ("random", False, False, random_slices, "baseline: slices at random"),
        (
            "strided",
            False,
            False,
            strided_slices,
            "baseline: evenly over all volumes and positions",
        ),
        (
            "foreground-random",
            True,
            False,
            foreground_random,
            "baseline: at random, two thirds where a structure is expected",
        ),
        (
            "entropy-mean",
            True,
            False,
            by_whole_entropy,
            "baseline: highest mean entropy of the whole slice, whatever it costs",
        ),
        (
            "volume-epistemic",
            True,
            False,
            volume_epistemic,
            "baseline: whole volumes, where the model's own doubt is highest",
        ),
        (
            "worst-dice",
            True,
            False,
            worst_dice,
            "baseline: lowest expected Dice, whatever it costs",
        ),
    )
}

DEFAULT_STRATEGY = "auto"


def strategy(name: str) -> Strategy:
    """Look a strategy up by its name.

    Raises:
        ProjectError: If there is none of that name; the message lists those there are.
    """
    if name not in STRATEGIES:
        raise ProjectError(f"no strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]
