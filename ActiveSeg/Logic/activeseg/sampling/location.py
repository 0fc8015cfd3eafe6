"""Facility location: the slices that speak best for the whole pool, under the budget."""

from __future__ import annotations

import math

import numpy as np

from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.looks import MORE, Look, look_by_look
from activeseg.sampling.optimise import cover

__all__ = ["facility_location"]


def facility_location(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The most of the sum, over the pool, of the similarity to the chosen slice most like it.

    Facility location under a budget of seconds, the opening of a volume included: what adds most
    per second, lazily, or the best single slice, with the bound of Tang et al., SIGMETRICS 2021
    (`cover`, with no value but coverage). Similar is the cosine of standardised features, nothing
    where that is negative; a slice needs covering by its information, and annotated slices cover
    what they are like. The bound is told of the very instance.

    Raises:
        ValueError: If the pool has no features.
    """
    return look_by_look(pool, budget_s, rng, "facility-location", _covering)


def _covering(look: Look) -> str:
    pool = look.batch.pool
    covered = cover(
        np.zeros(look.rows.size),
        pool.seconds[look.rows],
        pool.volume[look.rows],
        pool.first_slice_s,
        look.batch.left_ms / 1000,
        look.features,
        look.rng,
        weights=look.information / look.information.sum(),
        already=look.known,
    )
    for place, added in zip(covered.rows.tolist(), covered.added.tolist(), strict=True):
        look.take(place, added, f"adds {100 * added:.1f} % to how well the pool is covered")
    if not covered.rows.size:
        look.fill(look.information, 0.0, MORE)
    note = f"at least {math.floor(100 * covered.share)} % of the optimum"
    if look.times > 1 or not covered.exact_problem:
        note += f" (judged on a sample of the {len(pool)} slices)"
    return note
