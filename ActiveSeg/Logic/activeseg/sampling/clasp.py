"""ClaSP PE for slices: entropy by class, drawn by power, shared by class; with cost and without.

ClaSP PE: Lueth et al., TMLR 2026, arXiv 2601.13677.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.class_balance import CLASS_SHARE, fill_by_class
from activeseg.sampling.noise import power, power_draws
from activeseg.sampling.redundancy import beside, nearest_annotated_mm
from activeseg.sampling.turns import fill_in_turns

__all__ = ["clasp", "clasp_pe"]


def clasp(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Class-stratified, scheduled power predictive entropy per second.

    ClaSP PE chooses 3-D patches of one size; here it is slices, so a score is divided by the
    seconds of the answer. A class ranks by its entropy map's mean (`Scored.class_entropy`), the
    rest of the budget by the whole-slice entropy; both with Gumbel noise that falls from round to
    round (`noise.power`).

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


def clasp_pe(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """ClaSP PE as published, with slices for patches: no score is divided by seconds.

    The class maps U_c = H(mean p) x mean p_c are averaged over the slice, as nnActive averages
    over the patch; log score + Gumbel(0, 1 / beta) ranks, with beta 1, 3.2, 10, 31.6 and 100 over
    the rounds. 66 % of the slices are shared out equally over the foreground classes and the rest
    go by plain entropy; the batch is as long as the budget allows. nnActive refuses a patch that
    overlaps one that is annotated or chosen; here a slice is passed over, as long as there are
    others, that lies nearer to one of its volume and plane than an answer speaks for
    (`Pool.redundancy_mm`). The mean over 5 members, or 5 snapshots, is a matter of how the pool is
    scored (`Scoring`).

    Raises:
        ValueError: If no model has scored the pool.
    """
    scored = pool.model_scores()
    beta, free = power(scored.round), np.ones(len(pool))
    scores = (*scored.class_entropy, scored.whole_entropy)
    ranks = np.array([power_draws(each, free, beta, rng) for each in scores])
    classes = len(scores) - 1
    shares = [CLASS_SHARE / max(classes, 1)] * classes + [1 - CLASS_SHARE]
    batch = Batch(pool, budget_s)
    values, near = scored.whole_entropy, nearest_annotated_mm(pool) < pool.redundancy_mm
    fill_in_turns(batch, ranks, shares, values, rng, partial(beside, pool), near)
    fill_in_turns(batch, ranks, shares, values, rng)
    return Chosen(batch.choices())
