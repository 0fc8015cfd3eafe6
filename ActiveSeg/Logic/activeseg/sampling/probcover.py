"""ProbCover: the slices whose balls hold most of the pool."""

from __future__ import annotations

import numpy as np

from activeseg.representativeness import Balls, k_means, pure_radius
from activeseg.sampling.candidates import Chosen, Pool
from activeseg.sampling.looks import MORE, Look, look_by_look, slices

__all__ = ["probcover"]

KINDS = 2
"""Pseudo-classes: a slice shows something or it does not."""


def probcover(pool: Pool, budget_s: float, rng: np.random.Generator) -> Chosen:
    """Always the slice that has most slices near it that nothing annotated or chosen covers.

    Yehuda et al., NeurIPS 2022 (algorithm 1). Near is what is nearer than delta, the largest
    radius at which 95 % of the balls hold slices of one pseudo-class (`pure_radius`). The
    pseudo-classes are those of k-means, as many as there are classes; the classes of slices are
    not known, so there are two (docs/method.md). The features are frozen ones (`reduced`) for the
    paper's self-supervised network. Nearly empty slices need no cover, and come last. Once
    everything is covered, covering begins anew; the paper's code goes on with any slice.

    Raises:
        ValueError: If the pool has no features.
    """
    return look_by_look(pool, budget_s, rng, "probcover", _covering)


def _covering(look: Look) -> str:
    points, known = look.points()
    count = min(KINDS, len(points))
    kinds, _ = k_means(points, np.ones(len(points)), count, look.seed)
    balls = Balls(points, pure_radius(points, kinds))
    balls.cover_round(known)
    begun_anew = False
    while (place := look.best(balls.holds)) is not None:
        held = int(balls.holds[place])
        if held == 0:
            balls.uncover()
            begun_anew = True
            continue
        why = MORE if begun_anew else f"covers {slices(held, look.times)} that nothing else covers"
        look.take(place, 0.0 if begun_anew else held * look.times, why)
        balls.cover(place)
    return ""
