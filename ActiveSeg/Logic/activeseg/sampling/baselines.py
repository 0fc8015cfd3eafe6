"""Baselines that an acquisition must beat, under the same accounting of seconds."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.sampling.batch import Batch, descending, highest
from activeseg.sampling.candidates import PLANES, Chosen, Pool, needed
from activeseg.sampling.class_balance import LEAST_SHOWN, fill_by_class

__all__ = [
    "by_whole_entropy",
    "foreground_random",
    "random_slices",
    "volume_epistemic",
    "worst_dice",
]

Rows: TypeAlias = npt.NDArray[np.intp]


def random_slices(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Uniformly random slices; one that does not fit is passed over."""
    batch = Batch(pool, budget_s)
    batch.fill(rng.permutation(len(pool)), np.zeros(len(pool)), "random")
    return Chosen(batch.choices())


def foreground_random(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Random slices, two thirds of the seconds where a structure is expected, each in its turn.

    Foreground-aware random of nnActive (TMLR 2025, arXiv 2511.19183), which draws 3-D patches
    there. No score decides, the model only says where structures are.

    Raises:
        ValueError: If no model has scored the pool.
    """
    shown = pool.model_scores().shown >= LEAST_SHOWN
    chance = np.where(shown, rng.random(shown.shape), -np.inf)
    batch = Batch(pool, budget_s)
    fill_by_class(batch, chance, rng.random(len(pool)), np.zeros(len(pool)), rng, "random")
    return Chosen(batch.choices())


def by_whole_entropy(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The slices of highest whole-slice mean entropy, whatever they cost.

    Raises:
        ValueError: If no model has scored the pool.
    """
    return highest(pool, budget_s, pool.model_scores().whole_entropy, rng)


def volume_epistemic(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Whole volumes, that of the highest mean epistemic score first.

    MONAI Label's rule (`monailabel/tasks/scoring/epistemic.py`, version 0.8.5): the entropy of
    the mean of the stochastic passes, the foreground classes' part of it, mean over all voxels of
    the volume; the volume of the highest score is annotated whole. Its 10 passes are a matter of
    how the pool is scored (`Scoring.passes`), not of the choice. A volume gives the slices of the
    plane in which it was taken, in order (of that in which it has most, if it is not asked for in
    that one). One that was begun so is finished before any other; one that is done does not come
    again: its other planes only follow when all volumes are done.

    Raises:
        ValueError: If no model has scored the pool. ProjectError: If an earlier version has.
    """
    epistemic = needed(pool.model_scores().foreground_entropy, "the foreground's entropy")
    count = np.bincount(pool.volume, minlength=len(pool.volumes))
    mean = np.bincount(pool.volume, weights=epistemic, minlength=count.size) / np.maximum(count, 1)
    rank = np.empty(count.size, dtype=np.intp)
    rank[descending(mean, rng)] = np.arange(count.size)
    whole, begun = _whole_planes(pool)
    rank[begun] -= count.size
    other = pool.plane != whole[pool.volume]
    values = mean[pool.volume]
    batch = Batch(pool, budget_s)
    # Sorted stably, so the slices of a volume stay in the order of plane and index.
    order = np.lexsort((rank[pool.volume], other))
    batch.fill(order, values, "the model is least sure of this volume as a whole")
    return Chosen(batch.choices())


def _whole_planes(pool: Pool) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """In which plane each volume is annotated whole, and whether that was begun.

    Begun is a volume that has an annotated slice in that plane below all that are left: a slice
    somewhere in the middle is of another rule's batch.
    """
    slices = np.zeros((len(pool.volumes), len(PLANES)), dtype=np.intp)
    np.add.at(slices, (pool.volume, pool.plane), 1)
    lowest = np.full(slices.shape, np.inf)
    np.minimum.at(lowest, (pool.volume, pool.plane), pool.position_mm)
    annotated = np.full(slices.shape, np.inf)
    number = {name: code for code, name in enumerate(pool.volumes)}
    for name, plane, position_mm in pool.annotated:
        if name in number:
            place = number[name], PLANES.index(plane)
            slices[place] += 1
            annotated[place] = min(annotated[place], position_mm)
    every = np.arange(len(pool.volumes))
    asked = slices[every, pool.acquired] > 0
    whole = np.where(asked, pool.acquired, slices.argmax(axis=1))
    return whole, annotated[every, whole] < lowest[every, whole]


def worst_dice(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """The slices of the lowest expected Dice, whatever they cost.

    Where no structure is expected, or none proposed, there is no Dice to speak of: such slices
    come last.

    Raises:
        ValueError: If no model has scored the pool.
    """
    scored = pool.model_scores()
    missing = 1.0 - scored.expected_dice
    empty = ~(scored.shown >= LEAST_SHOWN).any(axis=0) | (scored.expected_dice <= 0)
    batch = Batch(pool, budget_s)
    batch.fill(descending(np.where(empty, -1.0, missing), rng), missing)
    return Chosen(batch.choices())
