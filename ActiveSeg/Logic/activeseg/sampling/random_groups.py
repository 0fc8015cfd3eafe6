"""The best of the groups that a pool falls into by chance."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.optimise.goods import budget_ms, counted_ms

__all__ = ["random_groups", "stochastic_batches"]

Rows: TypeAlias = npt.NDArray[np.intp]


def stochastic_batches(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The group of slices with the highest mean uncertainty.

    Stochastic batches (Gaillochet, Desrosiers and Lombaert, Medical Image Analysis 2023, arXiv
    2301.07670): the pool is shuffled and cut into groups of the size of a batch, and the group of
    the highest mean of its slices' entropies is asked for. Here a batch is as long as its minutes
    (`random_groups`). What the group leaves of the budget goes to slices at random.

    Raises:
        ValueError: If no model has scored the pool.
    """
    entropy = pool.model_scores().whole_entropy
    order = rng.permutation(len(pool))
    batch = Batch(pool, budget_s)
    groups = random_groups(pool, budget_s, order)
    if groups:
        means = [float(entropy[group].mean()) for group in groups]
        batch.fill(groups[int(np.argmax(means))], entropy)
    batch.fill(order, entropy)
    return Chosen(batch.choices())


def random_groups(pool: Pool, budget_s: float, order: Rows) -> list[Rows]:
    """Cut an order of the slices where the budget is spent, over and over.

    Args:
        pool: What the slices cost.
        budget_s: Seconds that a group may cost, the first slices of its volumes included.
        order: Rows, each once.

    Returns:
        The groups in the order given; slices that are too dear for any are in none, and a last
        group that the order's end cut short only counts where it is the only one.
    """
    budget = budget_ms(budget_s)
    own = counted_ms(pool.seconds).tolist()
    first = int(counted_ms(np.array([pool.first_slice_s]))[0])
    groups: list[list[int]] = [[]]
    left, opened = budget, set[int]()
    for row in order.tolist():
        volume = int(pool.volume[row])
        if own[row] + first > budget:
            continue
        cost = own[row] + (0 if volume in opened else first)
        if cost > left:
            groups.append([])
            left, opened = budget, set()
            cost = own[row] + first
        groups[-1].append(row)
        left -= cost
        opened.add(volume)
    whole = groups[:-1] if len(groups) > 1 else groups
    return [np.array(group, dtype=np.intp) for group in whole if group]
