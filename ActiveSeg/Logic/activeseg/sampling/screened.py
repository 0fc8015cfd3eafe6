"""What a look at the images found before a choice: what to leave out, what not to forget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["EVERY_KIND", "Screened", "kinds_note", "left_out_note", "shares"]

Integers: TypeAlias = npt.NDArray[np.integer]

EVERY_KIND = 10
"""From so many slices on, each kind of volumes gets one at least."""

_NAMED = 6
"""So many volumes that are left out are named; more are counted."""

_KINDS_NAMED = 4


@dataclass(frozen=True)
class Screened:
    """What the images of a pool say before any label.

    Attributes:
        excluded: `[N]` whether a slice is only to be asked for where nothing else is left.
        group: `[volumes]` the number of each volume's kind.
        kinds: Of each kind what sets it apart from most volumes, in words; empty for those.
        volumes_out: Volumes that are left out as a whole, each with its reason in words, e.g.
            ``("noise_01", "no structure")``.
        slices_out: How many slices of the other volumes are left out, by reason in words.

    Raises:
        ValueError: If a kind has a number without words.
    """

    excluded: npt.NDArray[np.bool_]
    group: Integers
    kinds: tuple[str, ...] = ("",)
    volumes_out: tuple[tuple[str, str], ...] = ()
    slices_out: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if ((self.group < 0) | (self.group >= len(self.kinds))).any():
            raise ValueError(f"a volume is of a kind that is none of the {len(self.kinds)}")


def shares(volumes: Integers, count: int) -> npt.NDArray[np.int64]:
    """How many of `count` slices each kind gets.

    Each gets what its volumes are a part of all volumes, rounded down; what is left goes to the
    smallest kinds first, as what is rare must not be forgotten. From `EVERY_KIND` slices on each
    kind gets one, at the cost of whoever has most.

    Args:
        volumes: `[kinds]` how many volumes each has; one without any gets nothing.
        count: Slices, not negative.
    """
    sizes = volumes.astype(np.int64)
    if count == 0 or not sizes.any():
        return np.zeros(len(sizes), dtype=np.int64)
    given: npt.NDArray[np.int64] = sizes * count // sizes.sum()
    fractions = sizes * count % sizes.sum() > 0
    smallest = [kind for kind in np.argsort(sizes, kind="stable") if sizes[kind]]
    for kind in [kind for kind in smallest if fractions[kind]][: count - int(given.sum())]:
        given[kind] += 1
    if count >= EVERY_KIND:
        for kind in smallest[::-1]:  # where there are more kinds than slices, the largest
            richest = int(np.argmax(given))
            if given[kind] == 0 and given[richest] > 1:
                given[richest] -= 1
                given[kind] += 1
    return given


def left_out_note(screened: Screened) -> str:
    """What is left out and why, in one phrase; empty where nothing is."""
    said = [f"{volume} ({why})" for volume, why in screened.volumes_out[:_NAMED]]
    others = len(screened.volumes_out) - len(said)
    if others:
        said.append(f"{others} more volume{'s' * (others > 1)}")
    said += [f"{count} slice{'s' * (count > 1)} {why}" for why, count in screened.slices_out]
    return f"left out: {', '.join(said)}" if said else ""


def kinds_note(screened: Screened, volumes: Integers, chosen: Integers) -> str:
    """How many slices of which kinds of volumes were chosen; empty where there is one kind.

    Args:
        screened: What was found.
        volumes: `[kinds]` how many volumes of each kind there are to choose from.
        chosen: `[slices]` the kind of each chosen slice.
    """
    present = [kind for kind, count in enumerate(volumes) if count]
    if len(present) < 2:
        return ""
    slices = np.bincount(chosen, minlength=len(volumes))
    said = [
        f"{slices[kind]} from {volumes[kind]} volume{'s' if volumes[kind] > 1 else ''} "
        f"({screened.kinds[kind] or 'like most'})"
        for kind in present[:_KINDS_NAMED]
    ]
    if len(present) > _KINDS_NAMED:
        rest = present[_KINDS_NAMED:]
        said.append(f"{slices[rest].sum()} from {volumes[rest].sum()} volumes of other kinds")
    return f"slices by kind of volume: {', '.join(said)}"
