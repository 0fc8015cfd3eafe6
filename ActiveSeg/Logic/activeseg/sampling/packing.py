"""Strategies that solve the choice as an optimisation problem, and say what they proved."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch, descending
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.optimise import cover, solve_knapsack
from activeseg.sampling.optimise.goods import budget_ms, counted
from activeseg.sampling.optimise.lagrange import upper_bound
from activeseg.sampling.redundancy import left_by_annotated

__all__ = ["coverage", "knapsack"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


def knapsack(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The slices of the greatest expected gain in all, exactly (`solve_knapsack`).

    Each slice counts by itself, next to another or not; slices without a gain are not asked for.

    Raises:
        ValueError: If no model has scored the pool.
    """
    gain = pool.model_scores().gain
    packed = solve_knapsack(gain, pool.seconds, pool.volume, pool.first_slice_s, budget_s)
    batch = Batch(pool, budget_s)
    batch.fill(packed.rows, gain)
    # Where the time limit ended the search, or gains differ by less than the solver looks at.
    _fill_up(batch, gain, rng)
    spent_s = (budget_ms(budget_s) - batch.left_ms) / 1000
    used = f"budget used {spent_s / 60:.1f} of {budget_s / 60:.1f} minutes"
    # Rounded up, so that no gap reads as none.
    gap = math.ceil(10_000 * packed.gap) / 100
    return Chosen(batch.choices(), f"{used}, gap {gap:g} %")


def coverage(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Slices of much gain whose features speak for the rest of the pool (`cover`).

    Both terms are counted so that they can be added: 1 is the most gain that the budget could
    buy by itself (`upper_bound`), and 1 is a pool that is covered fully. A slice next to an
    annotated one has less to gain, and needs covering less, by `redundancy`.

    Raises:
        ValueError: If no model has scored the pool, or it has no features.
    """
    gain = pool.model_scores().gain * left_by_annotated(pool)
    if pool.features is None:
        raise ValueError("coverage needs the features of the pool")
    goods = counted(gain, pool.seconds, pool.volume, pool.first_slice_s)
    able = goods.only(np.flatnonzero(goods.alone_ms() <= budget_ms(budget_s)))
    most = upper_bound(able, budget_ms(budget_s)) if gain.any() else 0.0
    values = gain / most if most > 0 else gain
    needs = left_by_annotated(pool)
    covered = cover(
        values,
        pool.seconds,
        pool.volume,
        pool.first_slice_s,
        budget_s,
        pool.features,
        rng,
        weights=needs / needs.sum() if needs.any() else None,
    )
    batch = Batch(pool, budget_s)
    batch.fill(covered.rows, values)
    # Where the best single slice beat the greedy choice, others may still fit.
    _fill_up(batch, values, rng)
    note = f"at least {math.floor(100 * covered.share)} % of the optimum"
    if not covered.exact_problem:
        note += f" (covering judged on a sample of the {len(pool)} slices)"
    return Chosen(batch.choices(), note)


def _fill_up(batch: Batch, values: Floats, rng: np.random.Generator) -> None:
    """Take what still fits and is worth anything, the most per second first."""
    rest = descending(values / batch.pool.seconds, rng)
    batch.fill(rest[values[rest] > 0], values)
