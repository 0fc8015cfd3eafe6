"""What a sampler is given and what it hands back.

A `Pool` holds the slices that may be asked for as columns, so that a million of them are a few
arrays; a `Candidate` is one of its rows, a `Choice` one slice of the batch with the seconds that
it costs there, `Chosen` the batch. Every sampler is a pure function
``(pool, budget_s, rng) -> Chosen`` (`activeseg.sampling.strategies.Sampler`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.cost import How
from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.sampling.screened import Screened

__all__ = [
    "PLANES",
    "REDUNDANCY_MM",
    "Annotated",
    "Candidate",
    "Choice",
    "Chosen",
    "Pool",
    "Scored",
    "Words",
    "find_row",
    "needed",
    "run_of",
]

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
"""Single precision in a pool that is read from a score table: millions of rows are held at once."""

Words: TypeAlias = npt.NDArray[np.str_] | Sequence[str]
"""One word or sentence a row; only those of the chosen rows are ever looked at."""

Annotated: TypeAlias = tuple[str, Plane, float]
"""A slice that is annotated already: volume id, plane, position in mm along the normal."""

PLANES = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)
"""`Pool.plane` counts in these; in the order of their names."""

REDUNDANCY_MM = 6.0
"""How far one annotated slice speaks for its neighbours (`redundancy.redundancy`)."""


@dataclass(frozen=True)
class Candidate:
    """One slice of a pool, with what a person is told of it; see `Pool` and `Scored`."""

    key: SliceKey
    seconds: float
    how: How
    expected_dice: float | None = None
    dice_low: float | None = None
    dice_high: float | None = None
    entropy: float | None = None
    doubt: str = ""


@dataclass(frozen=True)
class Choice:
    """One slice of a batch.

    Attributes:
        candidate: The slice and its scores.
        seconds: Expected seconds in this batch: the candidate's, and the first-slice overhead
            where this is the batch's first slice of its volume.
        reason: One sentence for the person who is asked.
        value: What the sampler ranked the slice by when it took it (0 where it ranks nothing).
        audit: Whether it was drawn by chance to check the estimate; it is shown blank.
    """

    candidate: Candidate
    seconds: float
    reason: str
    value: float
    audit: bool = False


@dataclass(frozen=True)
class Chosen:
    """A batch.

    Attributes:
        choices: In the order of answering: the slices of a volume follow each other.
        note: One line on it as a whole, for people: what was proven, what was left out; may be
            empty.
    """

    choices: tuple[Choice, ...]
    note: str = ""


@dataclass(frozen=True)
class Scored:
    """What a model says of the slices of a pool; every array has N columns or entries.

    Attributes:
        gain: Expected gain of an answer, not negative (`activeseg.quality.gain`).
        uncertainty: Entropy round the predicted edge, weighed by how much is shown.
        band_entropy: Mean entropy in the band round the predicted foreground, nats.
        whole_entropy: Mean entropy of the whole slice, nats.
        epistemic: Mean BALD of the whole slice, nats.
        expected_dice: Expected Dice of the proposal, 0 to 1.
        dice_low, dice_high: Its 90 % interval.
        shown: `[structures, N]`, how much of each structure the slice is expected to show, 1 for
            the mean slice that shows it.
        class_entropy: `[structures, N]`, ClaSP's map of each structure, mean over the slice.
        doubt: What the model is unsure of, in words; may be empty.
        round: Number of the round, from 1.
        trust: How far the expected Dice has earned to decide, 0 to 1.
        islands: How many false islands a proposal has on average, at the least.
        energy: Mean free energy round the predicted edge, above the least of the pool: how unlike
            the slice is to what the model learned from. None where the model has none.
        foreground_entropy: Mean over the whole slice of the foreground classes' part of the
            entropy, nats. This and what follows is None where an earlier version has scored, or
            where the strategy does not say that it reads it (`Strategy.reads`).
        top_patches: Sum of the mean BALD of the slice's most uncertain patches, nats.
        contour_mm: Length of the contours that the slice is expected to show.
        gradient: `[C * C, N]`, of C classes with the background: sizes of the gradient at the
            last layer, mean over the slice (`activeseg.uncertainty.gradient_sizes`).
    """

    gain: Floats
    uncertainty: Floats
    band_entropy: Floats
    whole_entropy: Floats
    epistemic: Floats
    expected_dice: Floats
    dice_low: Floats
    dice_high: Floats
    shown: Floats
    class_entropy: Floats
    doubt: Words
    round: int
    trust: float = 0.0
    islands: float = 0.0
    energy: Floats | None = None
    foreground_entropy: Floats | None = None
    top_patches: Floats | None = None
    contour_mm: Floats | None = None
    gradient: Floats | None = None


def needed(column: Floats | None, what: str) -> Floats:
    """A column of `Scored` that a strategy ranks by.

    Raises:
        ProjectError: If an earlier version has scored, which did not know it.
    """
    if column is None:
        raise ProjectError(
            f"an earlier version scored the pool, without {what}; train and score again with "
            "'activeseg round', or choose with another --strategy"
        )
    return column


@dataclass(frozen=True)
class Pool:
    """What a sampler may choose from: the slices that nobody has annotated, one row each.

    Attributes:
        volumes: Names of the volumes, ascending.
        volume: `[N]` number of the slice's volume in `volumes`.
        plane: `[N]` number of its plane in `PLANES`.
        index: `[N]` native index. Rows ascend by volume, plane and index.
        position_mm: `[N]` position along the plane's normal; one origin for a volume and plane.
        seconds: `[N]` expected seconds of the answer without the first-slice overhead, above 0.
        how: `[N]` how the answer is expected to be given.
        first_slice_s: Overhead of the first slice of a volume in a batch.
        acquired: `[len(volumes)]` number of the plane in which each volume was taken.
        annotated: Slices that are annotated already.
        scored: What a model says of them; None before any.
        features: Frozen features `[N, D]`; None where nobody computed them.
        blank_seconds: `[N]` expected seconds where the slice is shown blank, as audit slices are,
            above 0; None where that is `seconds`.
        information: How much there is to see in each slice, `[N]`, not negative (e.g. the share
            of body); strategies that choose by features alone read it; None counts all alike.
        redundancy_mm: How far an annotated slice speaks for its neighbours.
        annotated_features: `[len(annotated), D]`, those of the annotated slices; None where
            nobody computed them.
        truth_shown: `[structures, N]` whether the reference label shows a structure; None
            everywhere but in a benchmark whose strategy asks for it.
        screened: What the images themselves say; only one-shot reads it; None where nobody looked.

    Raises:
        ValueError: If rows do not ascend (so none is there twice), columns differ in length, or
            a number is out of its range.
    """

    volumes: tuple[str, ...]
    volume: npt.NDArray[np.integer]
    plane: npt.NDArray[np.integer]
    index: npt.NDArray[np.integer]
    position_mm: Floats
    seconds: Floats
    how: Words
    first_slice_s: float
    acquired: npt.NDArray[np.integer]
    annotated: Sequence[Annotated] = ()
    scored: Scored | None = None
    features: npt.NDArray[np.float32] | None = None
    information: npt.NDArray[np.float32] | None = None
    blank_seconds: Floats | None = None
    redundancy_mm: float = REDUNDANCY_MM
    annotated_features: npt.NDArray[np.float32] | None = None
    truth_shown: npt.NDArray[np.bool_] | None = None
    screened: Screened | None = None

    def __post_init__(self) -> None:
        _check_columns(self)
        if self.first_slice_s < 0 or self.redundancy_mm <= 0:
            raise ValueError("first_slice_s must not be negative, redundancy_mm must be above 0")
        for seconds in (self.seconds, self.blank_seconds):
            if seconds is not None and not (np.isfinite(seconds).all() and (seconds > 0).all()):
                raise ValueError("seconds must be finite and above 0")
        if list(self.volumes) != sorted(set(self.volumes)):
            raise ValueError("the volumes' names must ascend")
        planes = len(PLANES)
        numbers = (self.volume, len(self.volumes)), (self.plane, planes), (self.acquired, planes)
        if any(((column < 0) | (column >= count)).any() for column, count in numbers):
            raise ValueError("there are numbers of volumes or planes that do not exist")
        if not _ascend(self.volume, self.plane, self.index):
            raise ValueError("the rows must ascend by volume, plane and index")

    def __len__(self) -> int:
        return len(self.seconds)

    def model_scores(self) -> Scored:
        """What a model says of the slices.

        Raises:
            ValueError: If no model has scored them.
        """
        if self.scored is None:
            raise ValueError("this strategy needs the scores of a model; score the pool first")
        return self.scored

    def key(self, row: int) -> SliceKey:
        """The slice of a row."""
        plane = PLANES[int(self.plane[row])]
        return SliceKey(self.volumes[int(self.volume[row])], plane, int(self.index[row]))

    def row(self, key: SliceKey) -> int | None:
        """The row of a slice; None if it is not in the pool."""
        return find_row(self.volumes, self.volume, self.plane, self.index, key)

    def candidate(self, row: int) -> Candidate:
        """A row with what a person is told of it."""
        how: Any = str(self.how[row])
        if self.scored is None:
            return Candidate(self.key(row), float(self.seconds[row]), how)
        return Candidate(
            key=self.key(row),
            seconds=float(self.seconds[row]),
            how=how,
            expected_dice=float(self.scored.expected_dice[row]),
            dice_low=float(self.scored.dice_low[row]),
            dice_high=float(self.scored.dice_high[row]),
            entropy=float(self.scored.band_entropy[row]),
            doubt=str(self.scored.doubt[row]),
        )


def find_row(
    volumes: Sequence[str],
    volume: npt.NDArray[np.integer],
    plane: npt.NDArray[np.integer],
    index: npt.NDArray[np.integer],
    key: SliceKey,
) -> int | None:
    """The row of a slice in columns as those of a `Pool`; None if there is none."""
    code = bisect_left(volumes, key.volume)
    if code == len(volumes) or volumes[code] != key.volume:
        return None
    first, end = run_of(volume, code)
    low, high = run_of(plane[first:end], PLANES.index(key.plane))
    row = first + low + int(np.searchsorted(index[first + low : first + high], key.index))
    return row if row < first + high and index[row] == key.index else None


def run_of(column: npt.NDArray[np.integer], number: int) -> tuple[int, int]:
    """Where an ascending column holds a number: the first row, and the one after the last.

    The number is looked for as one of the column's own type: of any other, numpy would first
    copy the whole column.
    """
    wanted = np.array([number, number + 1], dtype=column.dtype)
    first, end = np.searchsorted(column, wanted).tolist()
    return first, end


def _ascend(*columns: npt.NDArray[np.integer]) -> bool:
    """Whether rows ascend by the first column, where it is equal by the second, and so on.

    Column by column and with truth values alone: of millions of rows nothing else is copied.
    """
    ascends = np.zeros(max(len(columns[0]) - 1, 0), dtype=bool)
    equal = ~ascends
    for column in columns:
        ascends |= equal & (column[1:] > column[:-1])
        equal &= column[1:] == column[:-1]
    return bool(ascends.all())


_ROWS = "volume", "plane", "index", "position_mm", "how", "features", "information", "blank_seconds"


def _check_columns(pool: Pool) -> None:
    count = len(pool.seconds)
    found = {name: getattr(pool, name) for name in _ROWS}
    columns: dict[str, npt.NDArray[Any]] = {k: v for k, v in found.items() if v is not None}
    by_volume: dict[str, npt.NDArray[Any]] = {"acquired": pool.acquired}
    if pool.screened is not None:
        columns["excluded"], by_volume["group"] = pool.screened.excluded, pool.screened.group
    for name, column in by_volume.items():
        if len(column) != len(pool.volumes):
            raise ValueError(f"{name} has {len(column)} entries for {len(pool.volumes)} volumes")
    for name, column in columns.items():
        if len(column) != count:
            raise ValueError(f"{name} has {len(column)} rows for {count} slices")
    if (known := pool.annotated_features) is not None and len(known) != len(pool.annotated):
        raise ValueError(f"annotated_features has {len(known)} rows, not {len(pool.annotated)}")
    if pool.truth_shown is not None and pool.truth_shown.shape[-1] != count:
        raise ValueError(f"truth_shown has not {count} entries a structure")
    if pool.scored is None:
        return
    if len(pool.scored.doubt) != count:
        raise ValueError(f"doubt has {len(pool.scored.doubt)} entries for {count} slices")
    for field in fields(pool.scored):
        value = getattr(pool.scored, field.name)
        if not isinstance(value, np.ndarray):
            continue
        if (entries := value.shape[-1]) != count:
            raise ValueError(f"{field.name} has {entries} entries for {count} slices")
        # The least and the most of a column are NaN where any of it is.
        numbers = value.dtype.kind == "f" and value.size > 0
        if numbers and not (value.min() >= 0 and value.max() < np.inf):
            raise ValueError(f"{field.name} must be finite and not negative")
