"""The first batch, before any annotation: representative slices, spread over the volumes.

What a look at the images alone rules out (`Pool.screened`: copies, noise, broken slices, air) is
not chosen, and each kind of volumes gets its share.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import spread
from activeseg.sampling.batch import Batch
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.redundancy import within_reach
from activeseg.sampling.screened import Screened, kinds_note, left_out_note, shares

__all__ = ["MOST_ROWS", "affordable", "one_shot"]

Rows: TypeAlias = npt.NDArray[np.intp]

MOST_ROWS = 10_000
"""A larger pool is represented by as many of its slices, drawn by chance; so is a larger kind."""

NOTHING_ELSE = "nothing else is left: these are slices that would be left out"


def one_shot(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """As many representatives of the pool (`spread`) as the budget affords.

    Where the representatives cost less than expected, those of the rest of the pool follow,
    until nothing fits.

    Raises:
        ValueError: If the pool has no features.
    """
    if pool.features is None:
        raise ValueError("one-shot needs the features of the pool")
    found = pool.screened
    if found is None:
        found = Screened(np.zeros(len(pool), dtype=bool), np.zeros(len(pool.volumes), dtype=int))
    batch = Batch(pool, budget_s)
    allowed = np.flatnonzero(~found.excluded)
    _fill(batch, allowed, found, rng)
    if len(batch):
        chosen = found.group[pool.volume[batch.rows]]
        kinds = kinds_note(found, _volumes(pool, found, allowed), chosen)
        parts = [left_out_note(found), kinds]
    else:
        _fill(batch, np.flatnonzero(found.excluded), found, rng)
        parts = [NOTHING_ELSE, left_out_note(found)] if len(batch) else []
    return Chosen(batch.choices(), "; ".join(part for part in parts if part))


def _volumes(pool: Pool, found: Screened, rows: Rows) -> Rows:
    """Of each kind, how many volumes these rows are of."""
    numbers = np.unique(pool.volume[rows])
    return np.bincount(found.group[numbers], minlength=len(found.kinds)).astype(np.intp)


def _fill(batch: Batch, rows: Rows, found: Screened, rng: np.random.Generator) -> None:
    """Take representatives of these rows, of each kind its share, until none fits.

    Those of the first pass stand for all rows. What follows while minutes are left stands for
    nothing that is not stood for already, and is ranked last.
    """
    pool = batch.pool
    kind = found.group[pool.volume]
    volumes = _volumes(pool, found, rows)
    taken = [volume for volume, _, _ in pool.annotated]
    while True:
        rows = rows[batch.free[rows] & (batch.cost_ms(rows) <= batch.left_ms)]
        if rows.size == 0:
            return
        more = len(batch) > 0
        # What a neighbour speaks for comes after everything else.
        near = within_reach(pool, rows, batch.rows)
        apart = rows if near.all() else rows[~near]
        count = affordable(batch, apart)
        given = np.bincount(kind[batch.rows], minlength=len(volumes))
        left = np.bincount(kind[apart], minlength=len(volumes))
        wanted = shares(volumes, count + len(batch)) - given
        wanted = np.clip(wanted, 0, left)
        if not wanted.any():  # who has a claim has no slices left
            wanted = shares(left, count)
        for each in np.argsort(volumes, kind="stable"):  # what is rare first, while it fits
            if wanted[each]:
                ours = apart[kind[apart] == each]
                _represent(batch, ours, int(wanted[each]), taken, bool(near.all()), more, rng)


def _represent(
    batch: Batch,
    rows: Rows,
    count: int,
    taken: list[str],
    neighbours: bool,
    more: bool,
    rng: np.random.Generator,
) -> None:
    """Take representatives of the rows while they fit; `taken` grows by their volumes.

    Unless there is nothing but `neighbours` left, what one that was taken just now speaks for is
    passed over. Where they are taken for `more` than a first pass could pay, they stand for none.
    """
    pool = batch.pool
    assert pool.features is not None  # `one_shot` has looked
    information = pool.information
    if information is None:
        information = np.ones(len(pool), dtype=np.float32)
    names = np.array(pool.volumes)
    times = 1.0
    if rows.size > MOST_ROWS:
        times = rows.size / MOST_ROWS
        rows = np.sort(rng.choice(rows, MOST_ROWS, replace=False))
    found = spread(
        pool.features[rows],
        names[pool.volume[rows]],
        information[rows],
        count,
        rng,
        taken=taken,
    )
    for each in found:
        row = int(rows[each.row])
        if not neighbours and within_reach(pool, np.array([row]), batch.rows)[0]:
            continue
        stands_for = 0 if more else each.stands_for
        why = "one more, for the minutes that were left" if more else _why(stands_for, times)
        if batch.take(row, stands_for * times, why):
            taken.append(str(names[pool.volume[row]]))


def _why(stands_for: int, times: float) -> str:
    """What a representative stands for, where each row stands for so many slices itself."""
    if stands_for == 0:
        return "one more, as all kinds of slices are represented"
    if times > 1:
        return f"representative of about {stands_for * times:.0f} similar slices"
    if stands_for == 1:
        return "unlike every other slice"
    return f"representative of {stands_for} similar slices"


def affordable(batch: Batch, rows: Rows) -> int:
    """How many slices of mean cost fit, each opening a volume while there are unopened ones."""
    pool = batch.pool
    mean_ms = 1000 * float(pool.seconds[rows].mean())
    _, first = np.unique(pool.volume[rows], return_index=True)
    spent = np.cumsum(mean_ms + batch.opening_ms(rows[first]))
    count = int(np.searchsorted(spent, batch.left_ms, side="right"))
    if count == spent.size:
        count += int((batch.left_ms - spent[-1]) / mean_ms)
    return min(max(1, count), rows.size)
