"""The slices that may be asked for, as columns; before any model, by geometry alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.cost import STANDARD, prior_answer
from activeseg.keys import SliceKey
from activeseg.minutes import Work
from activeseg.sampling import Scored

__all__ = ["Slices", "unscored"]


@dataclass(frozen=True)
class Slices:
    """The columns of a pool that its seconds follow from, one row a slice.

    Attributes:
        keys: The slices, ascending.
        work: What their minutes are predicted from.
        blank: The same if they are shown blank.
        how: `[N]` how the answer is expected to be given.
        scored: What a model says of them; None before any.
    """

    keys: list[SliceKey]
    work: Work
    blank: Work
    how: npt.NDArray[np.str_]
    scored: Scored | None


def unscored(
    cohort: Cohort,
    plane_policy: str,
    sizes_mm: Sequence[float | None],
    taken: Collection[SliceKey] = (),
) -> Slices:
    """Every slice of the cohort, with the prior of drawing it.

    Args:
        cohort: The cohort.
        plane_policy: In which planes slices are asked for.
        sizes_mm: Typical diameter of each structure; None where nobody said.
        taken: Slices that are left out.
    """
    keys, answers = [], []
    for volume in cohort.volumes:
        geometry = volume.geometry
        for plane in geometry.planes(plane_policy):
            count = geometry.slice_count(plane)
            depth = count * geometry.thickness(plane)
            answer = prior_answer(sizes_mm, geometry.slice_extent(plane), depth, STANDARD)
            for index in range(count):
                key = SliceKey(volume.id, plane, index)
                if key not in taken:
                    keys.append(key)
                    answers.append(answer)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    work = Work.of_answers([answers[k] for k in order], [False] * len(order), [None] * len(order))
    how = np.full(len(order), "draw", "U7")
    return Slices([keys[k] for k in order], work, work, how, None)
