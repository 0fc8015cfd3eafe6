"""Baselines that an acquisition must beat, under the same accounting of seconds."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator

import numpy as np

from activeseg.keys import Plane
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Candidate, Choice, Pool

__all__ = ["by_whole_entropy", "random_slices", "strided_slices"]

_GOLDEN = (5**0.5 - 1) / 2


def random_slices(pool: Pool, budget_s: float, rng: np.random.Generator) -> list[Choice]:
    """Uniformly random slices; one that does not fit is passed over."""
    ordered = sorted(pool.candidates, key=lambda c: c.key)
    picks = ((ordered[place], 0.0, "random") for place in rng.permutation(len(ordered)))
    return _fill(pool, budget_s, picks)


def by_whole_entropy(pool: Pool, budget_s: float, rng: np.random.Generator) -> list[Choice]:
    """The slices of highest whole-slice mean entropy, whatever they cost.

    Raises:
        ValueError: If a candidate has no `whole_entropy`.
    """
    ordered = sorted(pool.candidates, key=lambda c: c.key)
    ranked = [(_whole_entropy(ordered[k]), ordered[k]) for k in rng.permutation(len(ordered))]
    # Stable, so equals stay in the order of the shuffle.
    ranked.sort(key=lambda pair: -pair[0])
    picks = ((c, entropy, f"whole-slice entropy {entropy:.2f}") for entropy, c in ranked)
    return _fill(pool, budget_s, picks)


def strided_slices(pool: Pool, budget_s: float, rng: np.random.Generator) -> list[Choice]:
    """Slices evenly over all volumes and positions.

    One slice of each volume (least annotated first, else in a seeded order), then a second of
    each, and so on; a volume's planes take turns. The positions within a volume halve the gaps
    (0, 1/2, 1/4, 3/4, ... of the stack, shifted round its end) and the shift moves by the golden
    ratio from one volume to the next, so that few slices already cover every height.
    """
    picks = ((candidate, 0.0, "evenly spaced") for candidate in _strided(pool, rng))
    return _fill(pool, budget_s, picks)


def _fill(
    pool: Pool, budget_s: float, picks: Iterator[tuple[Candidate, float, str]]
) -> list[Choice]:
    batch = Batch(budget_s, pool.first_slice_s)
    least = min((c.seconds for c in pool.candidates), default=0.0)
    for candidate, value, why in picks:
        if batch.left_s < least:
            break
        batch.take(candidate, value, why)
    return batch.choices()


def _whole_entropy(candidate: Candidate) -> float:
    if candidate.whole_entropy is None:
        raise ValueError(f"{candidate.key}: no whole-slice entropy; score the pool first")
    return candidate.whole_entropy


def _strided(pool: Pool, rng: np.random.Generator) -> Iterator[Candidate]:
    stacks: dict[str, dict[Plane, list[Candidate]]] = {}
    for candidate in sorted(pool.candidates, key=lambda c: (c.key.volume, c.position_mm, c.key)):
        planes = stacks.setdefault(candidate.key.volume, {})
        planes.setdefault(candidate.key.plane, []).append(candidate)
    names = sorted(stacks)
    shift = float(rng.random())
    answered = Counter(volume for volume, _, _ in pool.annotated)
    orders = []
    waiting: list[tuple[int, int]] = []
    for rank, place in enumerate(rng.permutation(len(names))):
        planes = stacks[names[place]]
        first = rank % len(planes)
        turn = sorted(planes)[first:] + sorted(planes)[:first]
        orders.append(_turns([planes[plane] for plane in turn], (shift + rank * _GOLDEN) % 1))
        waiting.append((answered[names[place]], rank))

    heapq.heapify(waiting)
    while waiting:
        count, rank = heapq.heappop(waiting)
        following = next(orders[rank], None)
        if following is not None:
            yield following
            heapq.heappush(waiting, (count + 1, rank))


def _turns(stacks: list[list[Candidate]], shift: float) -> Iterator[Candidate]:
    """All slices of a volume, its planes in turn, each stack spread over its height."""
    left = [list(stack) for stack in stacks]
    step = 0
    while any(left):
        fraction = (shift + _halving(step)) % 1
        for stack, rest in zip(stacks, left, strict=True):
            if rest:
                low, high = stack[0].position_mm, stack[-1].position_mm
                target = low + fraction * (high - low)
                nearest = min(range(len(rest)), key=lambda k: abs(rest[k].position_mm - target))
                yield rest.pop(nearest)
        step += 1


def _halving(step: int) -> float:
    """The van der Corput sequence to base 2: 0, 1/2, 1/4, 3/4, 1/8, ..."""
    value, unit = 0.0, 0.5
    while step:
        value += unit * (step & 1)
        step >>= 1
        unit /= 2
    return value
