"""A share of the slices for each of several rankings, whatever the slices cost.

`class_balance` shares out seconds; a rule that knows no seconds shares out slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch, descending

__all__ = ["fill_in_turns"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Rows: TypeAlias = npt.NDArray[np.intp]


def fill_in_turns(
    batch: Batch,
    ranks: Floats,
    shares: Sequence[float],
    values: Floats,
    rng: np.random.Generator,
    apart: Callable[[int], Rows] | None = None,
    near: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Fill a batch so that at every length each ranking has given its share of the slices.

    The next slice is that of the ranking with the least of (given + 1/2) / share, as seats are
    given to parties (Sainte-Lague): how many slices there will be need not be known, as only the
    budget is. What a ranking cannot use goes to the others.

    Args:
        batch: What is in it already stays, and counts for no ranking.
        ranks: `[R, N]`, the highest first; minus infinity keeps a slice out, but for the last
            ranking, which takes every slice that fits in the end and is not kept out.
        shares: One a ranking, above 0.
        values: `[N]`, what is noted as the slices' value.
        rng: Decides between equals.
        apart: The rows that a row keeps out once it is taken; None where none does.
        near: `[N]` what is kept out from the start; not written to.
    """
    out = np.zeros(len(batch.free), dtype=bool) if near is None else near.copy()
    orders = [_order(each, rng) for each in ranks[:-1]] + [descending(ranks[-1], rng)]
    given = [0] * len(orders)
    place = [0] * len(orders)
    waiting = set(range(len(orders)))
    while waiting:
        turn = min(waiting, key=lambda each: ((given[each] + 0.5) / shares[each], each))
        order = orders[turn]
        place[turn] = batch.next_fitting(order, place[turn], batch.left_ms)
        while place[turn] < order.size and out[order[place[turn]]]:
            place[turn] = batch.next_fitting(order, place[turn] + 1, batch.left_ms)
        if place[turn] == order.size:
            waiting.remove(turn)
            continue
        row = int(order[place[turn]])
        batch.take(row, float(values[row]))
        given[turn] += 1
        if apart is not None:
            out[apart(row)] = True


def _order(ranks: Floats, rng: np.random.Generator) -> Rows:
    """The rows of finite rank, by falling rank."""
    order = descending(ranks, rng)
    finite: Rows = order[np.isfinite(ranks[order])]
    return finite
