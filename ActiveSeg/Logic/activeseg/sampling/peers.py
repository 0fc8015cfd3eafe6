"""Rules of others that rank each slice for itself, as arms of a benchmark.

A rule that knows no cost takes slices in its own order until the budget is spent: what does not
fit is passed over, so that every arm spends its minutes.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch, descending, highest
from activeseg.sampling.candidates import Chosen, Pool, needed
from activeseg.sampling.class_balance import fill_by_class
from activeseg.sampling.optimise import solve_knapsack

__all__ = ["atzeni", "bald", "kuo", "oracle_foreground"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def bald(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The slices of highest whole-slice mean BALD, whatever they cost.

    Houlsby et al. 2011 (arXiv 1112.5745), for MC dropout Gal, Islam and Ghahramani, ICML 2017:
    the top of the ranking, no slice knowing of another.

    Raises:
        ValueError: If no model has scored the pool.
    """
    return highest(pool, budget_s, pool.model_scores().epistemic, rng)


def kuo(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The most uncertainty that the minutes can buy, exactly.

    Kuo et al., Cost-Sensitive Active Learning for Intracranial Hemorrhage Detection, MICCAI 2018:
    a 0-1 knapsack of the sum of the top-K patches' uncertainty, the Jensen-Shannon divergence of
    the models' answers (which is BALD), against the minutes that a log-linear regression on
    contour length and components predicts (`Pool.seconds`). The first slice of a volume costs
    more here, so it is the knapsack with that charge. What still fits and adds nothing follows.

    Raises:
        ValueError: If no model has scored the pool. ProjectError: If an earlier version has.
    """
    values = needed(pool.model_scores().top_patches, "the uncertainty of patches")
    packed = solve_knapsack(values, pool.seconds, pool.volume, pool.first_slice_s, budget_s)
    batch = Batch(pool, budget_s)
    batch.fill(packed.rows, values)
    batch.fill(descending(values / pool.seconds, rng), values)
    return Chosen(batch.choices())


def atzeni(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The slices of the greatest expected gain for each millimetre that is to be traced.

    Atzeni et al., Medical Image Analysis 81, 2022: what tracing a region is expected to add to
    the mean Dice of the structures, divided by the length of its boundary. `Scored.gain` is that
    addition but for a constant factor: the sum over the structures of (1 - E[Dice]) times the
    slice's share of the structure. There a region is one structure of one slice, and boundaries
    shared with structures that are traced already are free; here a slice is answered for all
    structures at once, so none is. The gain counts what is probable, the contour what is proposed.
    Where that is but a sliver of what is expected, the boundary is taken to be that of a region of
    the expected size: it goes with the square root of how much is shown. A slice with nothing to
    trace ranks last: as a structure becomes small its area vanishes before its boundary does.

    Raises:
        ValueError: If no model has scored the pool. ProjectError: If an earlier version has.
    """
    scored = pool.model_scores()
    contour_mm = needed(scored.contour_mm, "the length of contours")
    traced = contour_mm > 0
    if not traced.any():
        return highest(pool, budget_s, np.zeros(len(pool)), rng)
    width = np.sqrt(scored.shown.sum(axis=0))
    wide = traced & (width > 0)
    mm_per_width = float(np.median(contour_mm[wide] / width[wide])) if wide.any() else 0.0
    boundary_mm = np.maximum(contour_mm, mm_per_width * width)
    values = np.where(traced, scored.gain / np.where(traced, boundary_mm, 1.0), 0.0)
    return highest(pool, budget_s, values, rng)


def oracle_foreground(
    pool: Pool, budget_s: float, rng: np.random.Generator, *, share: float
) -> Chosen:
    """Random slices, a share of the seconds where the truth shows a structure, each in its turn.

    Foreground-aware random as nnActive draws it (TMLR 2025, arXiv 2511.19183), 33 or 66 % of the
    queries: a structure is drawn, then a place where the *reference label* has it. A benchmark's
    bound for what knowing where the structures are is worth, never a strategy for people.

    Args:
        pool: What there is to choose from.
        budget_s: Seconds that the batch may cost.
        rng: The only source of chance.
        share: The share of the seconds, 0 to 1, in equal parts for the structures.

    Raises:
        ValueError: If the pool does not know the truth.
    """
    if pool.truth_shown is None:
        raise ValueError("oracle-foreground needs the truth of the pool")
    chance = np.where(pool.truth_shown, rng.random(pool.truth_shown.shape), -np.inf)
    anywhere, none = rng.random(len(pool)), np.zeros(len(pool))
    batch = Batch(pool, budget_s)
    fill_by_class(batch, chance, anywhere, none, rng, "random", share)
    return Chosen(batch.choices())
