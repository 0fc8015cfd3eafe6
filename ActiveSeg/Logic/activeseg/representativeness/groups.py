"""Which volumes of a cohort are of another kind: another scanner, contrast phase or size of body.

Each descriptor is looked at for itself: where its sorted values leave a gap that is wide both in
its own terms (a spacing that differs by less than a fifth is no other spacing) and by how the
cohort scatters, the volumes on the two sides differ. A kind is a combination of sides. A cohort
without such a gap is of one kind, however wide it is spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.representativeness.appearance import Appearance

__all__ = ["Kinds", "kinds_of"]

Floats: TypeAlias = npt.NDArray[np.float64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Numbers: TypeAlias = npt.NDArray[np.intp]

GAP = 2.5
"""A gap is at least so many standard deviations of the cohort wide."""

FEW = 7
"""Of few volumes the deviation is known badly: the gap is wider by the square of FEW / volumes."""

LEAST = 2
"""A kind has at least so many volumes, or"""

LEAST_SHARE = 0.02
"""one, if that is this share of the cohort and the gap is `ALONE` times as wide."""

ALONE = 2.0


@dataclass(frozen=True)
class Kinds:
    """The kinds of the volumes of a cohort.

    Attributes:
        number: `[V]` kind of each volume; 0 is the one with most volumes.
        words: For each kind what sets it apart from kind 0; empty for that one.
    """

    number: Numbers
    words: tuple[str, ...]


@dataclass(frozen=True)
class _Descriptor:
    """One number of each volume, and the least gap in it that matters."""

    topic: str
    values: Floats
    least: float


def kinds_of(looks: Sequence[Appearance]) -> Kinds:
    """Sort the volumes of a cohort into kinds.

    Args:
        looks: Of each volume; those of copies and of noise are best left out.

    Returns:
        One kind where there is no gap.
    """
    if len(looks) < 2:
        return Kinds(np.zeros(len(looks), dtype=np.intp), ("",) * min(1, len(looks)))
    descriptors = _descriptors(looks)
    sides = np.stack([_sides(each) for each in descriptors], axis=1)
    number = _by_size(_combined(sides))
    count = int(number.max()) + 1
    words = [_words(looks, descriptors, sides, number, kind) for kind in range(1, count)]
    return Kinds(number, ("", *words))


def _descriptors(looks: Sequence[Appearance]) -> list[_Descriptor]:
    """What volumes are compared by; logarithms where ratios count."""
    found = []
    for topic, least in (("spacing", 0.2), ("extent", 0.35)):
        millimetres = np.log([getattr(look, topic) for look in looks])
        found += [_Descriptor(topic, column, least) for column in millimetres.T]
    greys = [look.greys for look in looks]
    units = [grey.hounsfield for grey in greys if grey.hounsfield is not None]
    if len(units) == len(greys):
        found += [_Descriptor("greys", column, 25.0) for column in np.array(units).T]
    else:
        levels = np.array([grey.levels for grey in greys])
        found += [_Descriptor("greys", column, 0.05) for column in levels.T]
        found.append(_Descriptor("greys", np.array([grey.tissue for grey in greys]), 0.03))
    fine, coarse = np.log(np.maximum([look.texture for look in looks], 1e-6)).T
    found += [_Descriptor("texture", each, 0.05) for each in (fine, coarse, fine - coarse)]
    return found


def _sides(descriptor: _Descriptor) -> Numbers:
    """`[V]`: between which gaps of its sorted values a volume lies, from 0."""
    values = descriptor.values
    count = len(values)
    wide = max(descriptor.least, GAP * (1 + (FEW / count) ** 2) * _deviation(values))
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order])
    cuts = [int(place) + 1 for place in np.flatnonzero(steps > wide)]
    while (cut := _cut_to_heal(steps, cuts, wide)) is not None:
        cuts.remove(cut)
    sides = np.empty(count, dtype=np.intp)
    sides[order] = np.searchsorted(cuts, np.arange(count), side="right")
    return sides


def _cut_to_heal(steps: Floats, cuts: Sequence[int], wide: float) -> int | None:
    """The cut next to a volume that is alone between two cuts and no kind; None if there is none.

    Args:
        steps: Between the sorted values.
        cuts: Before which of them there is a cut, ascending.
        wide: How wide a gap is at least.
    """
    count = len(steps) + 1
    edges = [0, *cuts, count]
    found = []
    for start, stop in pairwise(edges):
        if stop - start >= LEAST or not cuts:
            continue
        gap, cut = min((float(steps[cut - 1]), cut) for cut in (start, stop) if 0 < cut < count)
        beyond = edges.index(cut) + (1 if cut == stop else -1)
        # Two odd volumes side by side are of one odd kind.
        lonely = abs(edges[beyond] - cut) >= LEAST
        if not (lonely and gap > ALONE * wide and (stop - start) / count >= LEAST_SHARE):
            found.append((gap, cut))
    return min(found)[1] if found else None


def _deviation(values: Floats) -> float:
    """Standard deviation by the shortest interval that holds half of the values.

    A minority, wherever it lies, does not widen it (Rousseeuw and Leroy 1988).
    """
    ordered = np.sort(values)
    half = len(ordered) // 2 + 1
    shortest = (ordered[half - 1 :] - ordered[: len(ordered) - half + 1]).min()
    return float(shortest) / 1.349  # the middle half of a normal distribution


def _combined(sides: Numbers) -> Numbers:
    """One number for each combination of sides, `[V]`.

    A volume with a combination of its own joins the kind that it differs from in the fewest
    descriptors, of such kinds the smallest; one that is alone on a side stays alone, as `_sides`
    has judged that gap.
    """
    distinct, found = np.unique(sides, axis=0, return_inverse=True)
    number = found.reshape(-1).astype(np.intp)
    for kind, row in enumerate(distinct):
        sizes = np.bincount(number, minlength=len(distinct))
        alone = ((sides == row).sum(axis=0) == 1).any()
        others = np.flatnonzero((sizes > 0) & (np.arange(len(distinct)) != kind))
        if 0 < sizes[kind] < LEAST and not alone and others.size:
            unlike = (distinct[others] != row).sum(axis=1)
            number[number == kind] = others[np.lexsort((sizes[others], unlike))[0]]
    return number


def _by_size(number: Numbers) -> Numbers:
    """The same kinds, numbered from that with most volumes; of equals the first met leads."""
    kinds, first, sizes = np.unique(number, return_index=True, return_counts=True)
    order = sorted(range(len(kinds)), key=lambda place: (-sizes[place], first[place]))
    rank = np.empty(len(kinds), dtype=np.intp)
    rank[order] = np.arange(len(kinds))
    found: Numbers = rank[np.searchsorted(kinds, number)]
    return found


def _words(
    looks: Sequence[Appearance],
    descriptors: Sequence[_Descriptor],
    sides: Numbers,
    number: Numbers,
    kind: int,
) -> str:
    """What sets a kind apart from kind 0, in words."""
    own, main = number == kind, number == 0
    differs = {
        each.topic
        for column, each in enumerate(descriptors)
        if np.median(sides[own, column]) != np.median(sides[main, column])
    }
    said = []
    for topic, name in (("spacing", "spacing"), ("extent", "field of view")):
        if topic in differs:
            ours, theirs = _most_unlike(
                np.array([getattr(look, topic) for look in looks]), own, main
            )
            said.append(f"{name} {ours:.3g} mm instead of {theirs:.3g} mm")
    names = (("greys", "grey values"), ("texture", "texture"))
    seen = [name for topic, name in names if topic in differs]
    if seen or not said:
        said.append(f"{' and '.join(seen) or 'looks'} unlike the others")
    return ", ".join(said)


def _most_unlike(millimetres: Floats, own: Bools, main: Bools) -> tuple[float, float]:
    """Along the axis in which a kind differs most, its median and that of kind 0."""
    ours, theirs = np.median(millimetres[own], axis=0), np.median(millimetres[main], axis=0)
    axis = int(np.argmax(np.abs(np.log(ours / theirs))))
    return float(ours[axis]), float(theirs[axis])
