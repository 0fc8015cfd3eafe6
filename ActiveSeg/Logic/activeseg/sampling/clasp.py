"""ClaSP PE for slices, with their cost: entropy by class, drawn by power, shared by class."""

from __future__ import annotations

import numpy as np

from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.class_balance import fill_by_class
from activeseg.sampling.noise import power, power_draws

__all__ = ["clasp"]


def clasp(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Class-stratified, scheduled power predictive entropy per second.

    ClaSP PE (Lueth et al., TMLR 2026, arXiv 2601.13677) chooses 3-D patches of one size; here it
    is slices, so a score is divided by the seconds of the answer. A class ranks by its entropy
    map's mean (`Scored.class_entropy`), the rest of the budget by the whole-slice entropy; both
    with Gumbel noise that falls from round to round (`noise.power`).

    Raises:
        ValueError: If no model has scored the pool.
    """
    scored = pool.model_scores()
    beta = power(scored.round)
    scores = (*scored.class_entropy, scored.whole_entropy)
    draws = np.array([power_draws(each, pool.seconds, beta, rng) for each in scores])
    batch = Batch(pool, budget_s)
    fill_by_class(batch, draws[:-1], draws[-1], scored.whole_entropy, rng)
    return Chosen(batch.choices())
