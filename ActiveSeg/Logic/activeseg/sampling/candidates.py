"""What a sampler is given and what it hands back.

A `Candidate` is one slice of the pool with its scores; a `Choice` is one slice of the batch with
the seconds that it costs there. Every sampler is a pure function
``(pool, budget_s, rng) -> list[Choice]`` (`activeseg.sampling.strategies.Sampler`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.cost import How
from activeseg.keys import Plane, SliceKey

__all__ = ["REDUNDANCY_MM", "Annotated", "Candidate", "Choice", "Pool"]

Annotated: TypeAlias = tuple[str, Plane, float]
"""A slice that is annotated already: volume id, plane, position in mm along the normal."""

REDUNDANCY_MM = 6.0
"""How far one annotated slice speaks for its neighbours (`per_minute.redundancy`)."""


@dataclass(frozen=True)
class Candidate:
    """One slice of the pool with its scores.

    Attributes:
        key: The slice.
        value: What an answer is worth by the project's acquisition, finite and not negative;
            whoever scores the pool decides what it is (e.g. mean entropy in the band).
        seconds: Expected seconds of the answer, without the first-slice-of-a-volume overhead.
        position_mm: Position along the plane's normal; one origin for a volume and plane.
        expected_dice: Estimated Dice of the proposal in this slice; None before a model.
        entropy: Mean entropy in the band round the predicted foreground, nats; None before a
            model.
        how: How the answer is expected to be given.
        whole_entropy: Mean entropy of the whole slice, nats (the named baseline); None before
            a model.

    Raises:
        ValueError: If the value is negative or not finite, or the seconds are not above 0.
    """

    key: SliceKey
    value: float
    seconds: float
    position_mm: float
    expected_dice: float | None
    entropy: float | None
    how: How
    whole_entropy: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and self.value >= 0):
            raise ValueError(f"{self.key}: value {self.value}; expected a finite number >= 0")
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError(f"{self.key}: {self.seconds} seconds; expected a finite number > 0")


@dataclass(frozen=True)
class Choice:
    """One slice of a batch.

    Attributes:
        candidate: The slice and its scores.
        seconds: Expected seconds in this batch: the candidate's, and the first-slice overhead
            where this is the batch's first slice of its volume.
        reason: One sentence for the person who is asked.
        value: What the sampler ranked the slice by when it took it (0 where it ranks nothing).
    """

    candidate: Candidate
    seconds: float
    reason: str
    value: float


@dataclass(frozen=True)
class Pool:
    """What a sampler may choose from.

    Attributes:
        candidates: The slices that nobody has annotated, each once.
        first_slice_s: Overhead of the first slice of a volume in a batch.
        annotated: Slices that are annotated already.
        features: Frozen features `[N, D]`, one row a candidate; only one-shot reads them.
        information: How much there is to see in each slice, `[N]`, not negative (e.g. the share
            of body); only one-shot reads it; None counts all alike.
        redundancy_mm: How far an annotated slice speaks for its neighbours.

    Raises:
        ValueError: If a slice is there twice or the rows do not match the candidates.
    """

    candidates: Sequence[Candidate]
    first_slice_s: float
    annotated: Sequence[Annotated] = ()
    features: npt.NDArray[np.float32] | None = None
    information: npt.NDArray[np.float32] | None = None
    redundancy_mm: float = REDUNDANCY_MM

    def __post_init__(self) -> None:
        count = len(self.candidates)
        if len({candidate.key for candidate in self.candidates}) != count:
            raise ValueError("a slice is in the pool twice")
        if self.first_slice_s < 0 or self.redundancy_mm <= 0:
            raise ValueError("first_slice_s must not be negative, redundancy_mm must be above 0")
        if self.features is not None and (self.features.ndim != 2 or len(self.features) != count):
            raise ValueError(f"features {self.features.shape} for {count} candidates")
        if self.information is not None and self.information.shape != (count,):
            raise ValueError(f"information {self.information.shape} for {count} candidates")
