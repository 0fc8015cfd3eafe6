"""Representative annotation: within each kind of slice those that are most like the others."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness import k_means
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.looks import Look, look_by_look, slices
from activeseg.sampling.one_shot import affordable
from activeseg.sampling.optimise.facility import Facility, Scale, directions

__all__ = ["representative"]

Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.intp]


def representative(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Clusters, and in each of them the slices that cover it best, greedily.

    Representative annotation (RA), Zheng et al., AAAI 2019: the features are clustered, and a
    cluster C gives the set S with the most of sum over C of max over S of the cosine similarity,
    slice by slice (max-cover, at least 1 - 1/e of the optimum for as many slices).

    Departures: slices for patches, and frozen features (`reduced`, seen from the middle of the
    pool) for those of an encoder trained on the images. k-means makes as many clusters as the
    square root of how many slices can be paid, and the clusters take turns in proportion to what
    they weigh, as seats are given to parties (Sainte-Lague), since a budget of minutes does not
    say how many slices there will be. A slice weighs its information, as something to be covered
    as well. Annotated slices cover what they are like, and count as given by their cluster.

    Raises:
        ValueError: If the pool has no features.
    """
    return look_by_look(pool, budget_s, rng, "representative", _max_cover)


class _Kind:
    """A cluster, and how well it is covered.

    Args:
        members: Places in the look.
        facility: What covers what among the members.
        weight: What they weigh together.
        given: How many of its slices are annotated or chosen.
    """

    def __init__(self, members: Rows, facility: Facility, weight: float, given: int) -> None:
        self.members = members
        self.weight = weight
        self.given = given
        self._facility = facility
        self._reached = facility.reached

    @property
    def turn(self) -> float:
        """The kind with the least of this gives the next slice."""
        return (self.given + 0.5) / self.weight

    def gains(self) -> Floats:
        """What each member would add to the cover."""
        every = np.arange(self.members.size)
        found: Floats = self._facility.gains(every, self._reached[None])[0]
        return found

    def give(self, member: int) -> None:
        """Count a member as chosen."""
        self.given += 1
        similar = self._facility.similar(np.array([member]))[0]
        self._reached = np.maximum(self._reached, similar)


def _max_cover(look: Look) -> str:
    kinds = _kinds(look)
    worth = np.zeros(look.rows.size)
    while kinds:
        kind = min(kinds, key=lambda each: each.turn)
        worth[kind.members] = kind.gains()
        place = look.best(worth, kind.members)
        if place is None:
            kinds.remove(kind)
            continue
        why = f"adds most to covering {slices(kind.members.size, look.times, 'similar')}"
        look.take(place, float(worth[place]) * look.times, why)
        kind.give(int(np.searchsorted(kind.members, place)))
    return ""


def _kinds(look: Look) -> list[_Kind]:
    """The clusters of a look, as the annotated slices leave them."""
    points, known = look.points()
    every = np.concatenate([points, known])
    weight = look.information / look.information.mean()
    count = math.ceil(math.sqrt(affordable(look.batch, look.rows)))
    counted = np.concatenate([weight, np.ones(len(known))])
    nearest, _ = k_means(every, counted, min(count, len(every)), look.seed)
    ours, theirs = nearest[: len(points)], nearest[len(points) :]
    as_they_are = Scale(np.zeros(points.shape[1]), np.ones(points.shape[1]))
    ways = directions(every, as_they_are)
    found = []
    for cluster in np.unique(ours):
        members = np.flatnonzero(ours == cluster)
        here = ways[members]
        nothing = np.zeros(members.size)
        annotated = Facility(ways[len(points) :], here, weight[members], nothing)
        reached = annotated.similar(np.arange(len(known))).max(axis=0, initial=0.0)
        facility = Facility(here, here, weight[members], reached)
        given = int((theirs == cluster).sum())
        found.append(_Kind(members, facility, float(weight[members].sum()), given))
    return found
