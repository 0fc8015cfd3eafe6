"""The slices that may be asked for, as columns; before any model, by geometry alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.cost import STANDARD, Answer, prior_answer
from activeseg.keys import SliceKey
from activeseg.minutes import Work
from activeseg.sampling import PLANES, Coded, Scored, find_row

__all__ = ["Places", "Slices", "unscored"]


@dataclass(frozen=True)
class Places:
    """Which slices there are; rows ascend by volume, plane and index.

    Attributes:
        volumes: Names, ascending; each has a slice.
        volume: `[N]` number of each slice's volume.
        plane: `[N]` number of its plane in `activeseg.sampling.PLANES`.
        index: `[N]` native index.
    """

    volumes: tuple[str, ...]
    volume: npt.NDArray[np.int32]
    plane: npt.NDArray[np.int8]
    index: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.index)

    def key(self, row: int) -> SliceKey:
        """The slice of a row."""
        volume, plane = self.volumes[self.volume[row]], PLANES[self.plane[row]]
        return SliceKey(volume, plane, int(self.index[row]))

    def without(self, taken: Collection[SliceKey]) -> npt.NDArray[np.intp]:
        """The rows of the slices that are not among the taken ones, ascending."""
        left = np.ones(len(self), dtype=bool)
        for key in taken:
            row = find_row(self.volumes, self.volume, self.plane, self.index, key)
            if row is not None:
                left[row] = False
        return np.flatnonzero(left)

    def only(self, rows: npt.NDArray[np.intp]) -> Places:
        """The slices of some rows, ascending."""
        numbers, volume = np.unique(self.volume[rows], return_inverse=True)
        names = tuple(self.volumes[number] for number in numbers.tolist())
        return Places(names, volume.astype(np.int32), self.plane[rows], self.index[rows])


@dataclass(frozen=True)
class Slices:
    """The columns of a pool that its seconds follow from, one row a slice.

    Attributes:
        places: The slices.
        work: What their minutes are predicted from.
        blank: The same if they are shown blank.
        how: `[N]` how the answer is expected to be given.
        scored: What a model says of them; None before any.
    """

    places: Places
    work: Work
    blank: Work
    how: Coded
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
    names = sorted(volume.id for volume in cohort.volumes)
    stacks: list[tuple[int, int, int]] = []
    answers: list[Answer] = []
    for number, name in enumerate(names):
        geometry = cohort.volume(name).geometry
        for plane in sorted(geometry.planes(plane_policy)):
            count = geometry.slice_count(plane)
            depth = count * geometry.thickness(plane)
            stacks.append((number, PLANES.index(plane), count))
            answers.append(prior_answer(sizes_mm, geometry.slice_extent(plane), depth, STANDARD))
    volume, plane_number, counts = np.array(stacks).T
    every = Places(
        tuple(names),
        np.repeat(volume, counts).astype(np.int32),
        np.repeat(plane_number, counts).astype(np.int8),
        np.concatenate([np.arange(count, dtype=np.int32) for count in counts]),
    )
    rows = every.without(taken)
    stack = np.repeat(np.arange(len(stacks)), counts)[rows]
    of_stack = Work.of_answers(answers, [False] * len(answers), [None] * len(answers))
    work = of_stack.part(stack)
    how = Coded(("draw",), np.zeros(len(rows), dtype=np.int8))
    return Slices(every.only(rows), work, work, how, None)
