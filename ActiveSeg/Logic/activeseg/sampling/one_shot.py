"""The first batch, before any annotation: representative slices, spread over the volumes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import spread
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Choice, Pool

__all__ = ["one_shot"]


def one_shot(pool: Pool, budget_s: float, rng: np.random.Generator) -> list[Choice]:
    """As many representatives of the pool (`spread`) as the budget affords.

    Where the representatives cost less than expected, those of the rest of the pool follow,
    until nothing fits.

    Raises:
        ValueError: If the pool has no features.
    """
    if pool.features is None:
        raise ValueError("one-shot needs the features of the pool")
    # Sorted by key, so that the order in which the pool was put together does not matter.
    left = np.array(sorted(range(len(pool.candidates)), key=lambda k: pool.candidates[k].key), int)
    volumes = np.array([c.key.volume for c in pool.candidates])
    seconds = np.array([c.seconds for c in pool.candidates])
    information = pool.information
    if information is None:
        information = np.ones(len(pool.candidates), dtype=np.float32)

    batch = Batch(budget_s, pool.first_slice_s)
    taken = [volume for volume, _, _ in pool.annotated]
    while True:
        opens = np.array([batch.opens(volume) for volume in volumes[left]])
        left = left[seconds[left] + opens <= batch.left_s]
        if left.size == 0:
            return batch.choices()
        count = _affordable(seconds[left], volumes[left], batch)
        found = spread(
            pool.features[left], volumes[left], information[left], count, rng, taken=taken
        )
        for each in found:
            candidate = pool.candidates[left[each.row]]
            why = f"representative of {each.stands_for} similar slices"
            if each.stands_for == 1:
                why = "unlike every other slice"
            if each.stands_for == 0:
                why = "one more, as all kinds of slices are represented"
            if batch.take(candidate, float(each.stands_for), why):
                taken.append(candidate.key.volume)
        left = np.delete(left, [each.row for each in found])


def _affordable(
    seconds: npt.NDArray[np.float64], volumes: npt.NDArray[np.str_], batch: Batch
) -> int:
    """How many slices of mean cost fit, each opening a volume while there are unopened ones."""
    mean = float(seconds.mean())
    budget, count = batch.left_s, 0
    for volume in np.unique(volumes):
        cost = mean + batch.opens(str(volume))
        if cost > budget:
            break
        budget -= cost
        count += 1
    else:
        count += int(budget / mean)
    return min(max(1, count), len(seconds))
