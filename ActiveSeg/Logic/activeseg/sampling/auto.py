"""The default: drawn by structure and value per minute, and a few slices to check the estimate."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch, descending
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.class_balance import LEAST_SHOWN, fill_by_class
from activeseg.sampling.noise import power_draws
from activeseg.sampling.redundancy import left_by_annotated, within_reach
from activeseg.sampling.visits import Visits, planes_of

__all__ = ["MOST_WEIGHT", "WHOLE", "Parts", "auto", "auto_value"]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]

MOST_WEIGHT = 0.5
"""The weight of the gain once the estimate is fully trusted. By gain alone the first rounds ask for
odd slices and end behind slices at random (docs/experiments.md)."""

POWER = 2.0
"""How much value per second decides over chance (`noise.power_draws`)."""

EMPTY_WORTH = 0.4
"""What a slice in which nothing is expected is worth to all structures together, where models take
something for a structure that is none; 1 is the mean slice of a structure."""

MISTAKEN = 0.1
"""False islands a proposal, at the least, from which on models are held to do that."""

AUDIT_SHARE = 0.1
"""The share of the budget that goes to audit slices."""

AUDIT_FROM = 10
"""A batch of as many slices or more has at least one audit slice."""

AUDIT_ANYWHERE = 0.1
"""The chance that an audit slice is drawn from all slices alike, not by what they show: what the
model does not see must not be invisible to the check either."""


@dataclass(frozen=True)
class Parts:
    """The parts of the default; a benchmark switches one off at a time to see what it is worth.

    Attributes:
        cost: Whether a slice ranks by value per second; otherwise by value.
        coverage: Whether typical slices, slices far from answered ones, and volumes with few
            answers count more; otherwise the gain alone makes the value.
        quota: Whether the structures have equal shares; otherwise the sum of their values ranks.
        noise: Whether slices are drawn; otherwise the best are taken.
        visits: Whether a volume that is opened gives a slice in each of its planes; otherwise each
            slice stands for itself.
        empties: Whether slices in which nothing is expected are worth something.
        audits: Whether some slices are drawn by chance to check the estimate.
    """

    cost: bool = True
    coverage: bool = True
    quota: bool = True
    noise: bool = True
    visits: bool = True
    empties: bool = True
    audits: bool = True


WHOLE = Parts()


def auto(pool: Pool, budget_s: float, rng: np.random.Generator, *, parts: Parts = WHOLE) -> Chosen:
    """Audit slices first, then draws by value per second, two thirds of them by class.

    The audit slices are drawn before anything is chosen: drawn from what the choice leaves over,
    they would be of the slices that the model is sure of. Two thirds of what is left go in equal
    parts to the structures (`fill_by_class`), the rest to all of them together, and to slices in
    which nothing is expected by what those are worth. A structure draws, with a chance in
    proportion to the `POWER`-th power of value per second, rather than taking the best: those are
    odd and much alike while the model is weak, and slices at random where a structure is expected
    are hard to beat (nnActive, TMLR 2025, arXiv 2511.19183). What is drawn takes along the best
    drawn slice of each other plane of its volume (`Visits`), and so does an audit slice. The
    seconds hold a slice's part of the opening of its volume.

    Args:
        pool: What there is to choose from.
        budget_s: Seconds that the batch may cost.
        rng: The only source of chance.
        parts: What of it is switched on.

    Raises:
        ValueError: If no model has scored the pool.
    """
    untold = _untold(pool, parts)
    values = _value(pool, parts, untold)
    ranked = values if parts.quota else values.sum(axis=0, keepdims=True)
    opening_s = pool.first_slice_s / _together(pool, parts)
    seconds = pool.seconds + opening_s if parts.cost else np.ones(len(pool))
    beta = POWER if parts.noise else math.inf
    every = (*ranked, _overall(pool, values, parts, untold))
    draws = np.array([power_draws(each, seconds, beta, rng) for each in every])
    state = rng.bit_generator.state
    batch = _batch(pool, budget_s, draws, values, rng, parts, least=0)
    unchecked = parts.audits and not any(choice.audit for choice in batch.choices())
    if unchecked and len(batch) >= AUDIT_FROM:
        rng.bit_generator.state = state
        batch = _batch(pool, budget_s, draws, values, rng, parts, least=1)
    return Chosen(batch.choices())


def auto_value(pool: Pool, parts: Parts = WHOLE) -> Floats:
    """What each slice is worth to each structure, `[structures, N]`.

    sqrt(shown)^(1 - w) x gain^w x what annotated neighbours leave of it / (1 + visits), and
    nothing where the structure is not expected. Slices that show much of a structure teach most
    for their minutes, but not as much more as their area says: the square root of it goes with
    the length of the contour, which is what a slice teaches and what its correction costs
    (docs/experiments.md). The first estimates are poor; the weight w of the expected gain grows
    with the trust that they earn (`Scored.trust`; budget-adaptive choice, after Hacohen et al.,
    ICML 2022: typical first, uncertain later). Volumes that have answered slices already count
    less, because slices of many volumes teach more.

    Without `parts.coverage` the value is gain^w with the full w.

    Raises:
        ValueError: If no model has scored the pool.
    """
    return _value(pool, parts, _untold(pool, parts))


def _value(pool: Pool, parts: Parts, untold: Floats) -> Floats:
    """`auto_value`, where it is known what is left of each slice's worth."""
    scored = pool.model_scores()
    expected = scored.shown >= LEAST_SHOWN
    if not parts.coverage:
        return expected * scored.gain**MOST_WEIGHT
    weight = MOST_WEIGHT * scored.trust
    worth = scored.gain**weight * untold
    contour = np.sqrt(scored.shown * expected)
    value: Floats = contour ** (1.0 - weight) * worth
    return value


def _overall(pool: Pool, values: Floats, parts: Parts, untold: Floats) -> Floats:
    """What each slice is worth to all structures together, `[N]`.

    A look where nothing is expected takes little time, and nothing else teaches what is no
    structure. Models need that where the surroundings look like what is wanted, so where proposals
    turned out to have islands of which nothing was accepted (docs/experiments.md).
    """
    worth: Floats = values.sum(axis=0)
    if parts.empties and pool.model_scores().islands >= MISTAKEN:
        worth = np.maximum(worth, EMPTY_WORTH * untold)
    return worth


def _untold(pool: Pool, parts: Parts) -> Floats:
    """What annotated neighbours and answers of the same volume leave of a slice's worth, `[N]`.

    All of it without `parts.coverage`.
    """
    if not parts.coverage:
        return np.ones(len(pool))
    answered = Counter(volume for volume, _, _ in pool.annotated)
    count = np.array([answered[name] for name in pool.volumes], dtype=np.float64)[pool.volume]
    visits = count / _together(pool, parts)
    untold: Floats = left_by_annotated(pool) / (1.0 + visits)
    return untold


def _together(pool: Pool, parts: Parts) -> int:
    """How many slices of a volume are asked for together."""
    return max(1, planes_of(pool)) if parts.visits else 1


def _batch(
    pool: Pool,
    budget_s: float,
    draws: Floats,
    values: Floats,
    rng: np.random.Generator,
    parts: Parts,
    least: int,
) -> Batch:
    """Fill a budget by the draws of each class and, last of them, of all together."""
    batch = Batch(pool, budget_s)
    noted = values.max(axis=0, initial=0.0)
    complete = Visits(batch, draws[-1], noted).complete if parts.visits else None
    if parts.audits:
        _take_audits(batch, rng, least)
    if complete is not None:
        for row in batch.rows:
            complete(row)
    fill_by_class(batch, draws[:-1], draws[-1], noted, rng, taken=complete)
    return batch


def _take_audits(batch: Batch, rng: np.random.Generator, least: int) -> None:
    """Draw slices by chance until about `AUDIT_SHARE` of the budget is spent, no two neighbours.

    Args:
        batch: An empty batch.
        rng: Draws.
        least: How many to draw also where the share does not pay for them.
    """
    pool, whole = batch.pool, batch.left_ms
    for row in _audit_order(pool, rng):
        spent = whole - batch.left_ms
        # Whole slices: the one that crosses the share is taken if more than half of it is inside.
        over = spent + batch.audit_ms(row) / 2 > AUDIT_SHARE * whole
        if over and len(batch) >= least:
            return
        if not within_reach(pool, np.array([row]), batch.rows)[0]:
            batch.take(row, 0.0, audit=True)


def _audit_order(pool: Pool, rng: np.random.Generator) -> Iterator[int]:
    """All rows in the order of drawing without replacement, by what they show."""
    shown = pool.model_scores().shown.sum(axis=0)
    chance = np.full(len(pool), 1.0)
    if shown.any():
        chance = AUDIT_ANYWHERE + (1 - AUDIT_ANYWHERE) * shown / shown.mean()
    # The race of Efraimidis and Spirakis (2006): the least of Exp(1) / chance is drawn first.
    return map(int, descending(-rng.exponential(size=len(pool)) / chance, rng))
