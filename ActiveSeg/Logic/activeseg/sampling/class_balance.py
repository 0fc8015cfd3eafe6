"""A share of the budget for each structure, whatever a slice is ranked by.

Ranked by one number, slices that show a small or easy structure may never be asked for. ClaSP PE
(Lueth et al., TMLR 2026, arXiv 2601.13677) splits 66 % of each batch equally over the foreground
classes, and nnActive (TMLR 2025, arXiv 2511.19183) draws its foreground-aware random patches in a
like manner. Here the shares are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch, descending

__all__ = ["CLASS_SHARE", "LEAST_SHOWN", "fill_by_class"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]

CLASS_SHARE = 0.66
"""The share of the budget that is split over the structures."""

LEAST_SHOWN = 0.05
"""From this on a structure is expected in a slice (`Scored.shown`: 1 is its mean slice)."""


def fill_by_class(
    batch: Batch,
    per_class: Floats,
    overall: Floats,
    values: Floats,
    rng: np.random.Generator,
    why: str = "",
    share: float = CLASS_SHARE,
    taken: Callable[[int], None] | None = None,
) -> None:
    """Fill a batch: a share of what is left of it by class, the rest by the overall rank.

    Of the classes that have spent less than their equal share, the one that has spent least takes
    the highest of its slices that fits. Its last slice may cost more than its share has left,
    as long as all classes together keep to theirs; what a class cannot use goes to the rest.

    Args:
        batch: What is in it already stays.
        per_class: `[C, N]` rank of each slice for a class, the highest first; minus infinity
            keeps it out.
        overall: `[N]` rank of each slice for the rest of the budget; every slice that fits is
            taken in the end, also at minus infinity.
        values: `[N]`, what is noted as the slices' value.
        rng: Decides between equals.
        why: What is added to the reasons.
        share: The share of the seconds for all classes together, 0 to 1.
        taken: Called with each row that is taken; what it takes along is on the same class's bill,
            and may go beyond the share of all classes, into the rest.
    """
    if len(per_class):
        _fill_classes(batch, per_class, values, rng, why, share, taken)
    batch.fill(descending(overall, rng), values, why, taken)


def _fill_classes(
    batch: Batch,
    per_class: Floats,
    values: Floats,
    rng: np.random.Generator,
    why: str,
    whole_share: float,
    taken: Callable[[int], None] | None,
) -> None:
    orders = []
    for ranks in per_class:
        order = descending(ranks, rng)
        orders.append(order[np.isfinite(ranks[order])])
    pot = int(whole_share * batch.left_ms)
    share = pot / len(orders)
    spent = [0] * len(orders)
    place = [0] * len(orders)
    waiting = set(range(len(orders)))
    while waiting:
        turn = min(waiting, key=lambda each: (spent[each], each))
        order = orders[turn]
        place[turn] = batch.next_fitting(order, place[turn], pot)
        if spent[turn] >= share or place[turn] == order.size:
            waiting.remove(turn)
            continue
        row, before = int(order[place[turn]]), batch.left_ms
        batch.take(row, float(values[row]), why)
        if taken is not None:
            taken(row)
        spent[turn] += before - batch.left_ms
        pot -= before - batch.left_ms
