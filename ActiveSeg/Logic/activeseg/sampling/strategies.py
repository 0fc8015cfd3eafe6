"""The one registry of strategies, by name: what is scored, whether minutes count, who chooses.

::

    choices = strategy("entropy-band").choose(pool, budget_s=600, rng=np.random.default_rng(seed))
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from activeseg.errors import ProjectError
from activeseg.sampling.baselines import by_whole_entropy, random_slices, strided_slices
from activeseg.sampling.candidates import Choice, Pool
from activeseg.sampling.one_shot import one_shot
from activeseg.sampling.per_minute import per_minute

__all__ = ["DEFAULT_STRATEGY", "STRATEGIES", "Acquisition", "Sampler", "Strategy", "strategy"]

Acquisition: TypeAlias = Literal["entropy-band", "entropy-mean", "none"]
"""Which score of a candidate the sampler ranks by."""

Sampler: TypeAlias = Callable[[Pool, float, np.random.Generator], list[Choice]]
"""``(pool, budget_s, rng)`` to the batch; a pure function."""


@dataclass(frozen=True)
class Strategy:
    """A combination of acquisition, cost and sampling.

    Attributes:
        name: As the command line and `project.json` write it.
        acquisition: `entropy-band`: the sampler ranks by `Candidate.value`, which the scorer
            sets from the band; `entropy-mean`: by `Candidate.whole_entropy`; `none`: by no score.
        per_minute: Whether the score is divided by the seconds that the answer takes.
        sampling: Who fills the budget.
        needs_model: Whether the scores of a trained model are needed.
        needs_features: Whether `Pool.features` are needed.
        summary: One line for `--help`.
    """

    name: str
    acquisition: Acquisition
    per_minute: bool
    sampling: Sampler
    needs_model: bool
    needs_features: bool
    summary: str

    def choose(self, pool: Pool, *, budget_s: float, rng: np.random.Generator) -> list[Choice]:
        """The next batch, grouped by volume, best volume first.

        Args:
            pool: What there is to choose from.
            budget_s: Seconds that the batch may cost, first-slice overheads included.
            rng: The only source of chance; the same state gives the same batch.

        Returns:
            The choices; empty when not even one slice fits.

        Raises:
            ProjectError: If the budget is not a finite number above 0.
        """
        if not (math.isfinite(budget_s) and budget_s > 0):
            raise ProjectError(f"a budget of {budget_s / 60:g} minutes; give more than 0")
        return self.sampling(pool, budget_s, rng)


STRATEGIES: dict[str, Strategy] = {
    each.name: each
    for each in (
        Strategy(
            name="entropy-band",
            acquisition="entropy-band",
            per_minute=True,
            sampling=per_minute,
            needs_model=True,
            needs_features=False,
            summary="uncertainty round the predicted edge per minute, neighbours count less",
        ),
        Strategy(
            name="entropy-mean",
            acquisition="entropy-mean",
            per_minute=False,
            sampling=by_whole_entropy,
            needs_model=True,
            needs_features=False,
            summary="baseline: highest mean entropy of the whole slice, whatever it costs",
        ),
        Strategy(
            name="random",
            acquisition="none",
            per_minute=False,
            sampling=random_slices,
            needs_model=False,
            needs_features=False,
            summary="baseline: slices at random",
        ),
        Strategy(
            name="strided",
            acquisition="none",
            per_minute=False,
            sampling=strided_slices,
            needs_model=False,
            needs_features=False,
            summary="baseline: evenly over all volumes and positions",
        ),
        Strategy(
            name="one-shot",
            acquisition="none",
            per_minute=False,
            sampling=one_shot,
            needs_model=False,
            needs_features=True,
            summary="before any annotation: representative slices, spread over the volumes",
        ),
    )
}

DEFAULT_STRATEGY = "entropy-band"


def strategy(name: str) -> Strategy:
    """Look a strategy up by its name.

    Raises:
        ProjectError: If there is none of that name; the message lists those there are.
    """
    if name not in STRATEGIES:
        raise ProjectError(f"no strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    return STRATEGIES[name]
