"""What a face shows of a session: the rows of the table, today's budget, the estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from activeseg.keys import Plane, SliceKey
from activeseg.project import Suggestion

__all__ = ["Estimate", "EstimatePoint", "Gain", "Look", "Progress", "Row", "State"]


class State(str, Enum):
    """How far the answer to one suggestion is; the first that holds, in this order."""

    CURRENT = "current"
    """On this person's desk."""
    ACCEPTED = "accepted"
    SKIPPED = "skipped"
    TAKEN = "taken"
    """Another person works on it."""
    DRAFT = "draft"
    """This person has painted on it and has not answered yet."""
    OPEN = "open"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Row:
    """One suggestion and its state.

    Attributes:
        key: The slice.
        rank: Place in the latest batch, from 1; 0 for a slice that the person has begun and that
            the latest batch does not ask for.
        volume, plane, index: The parts of the key.
        expected_dice: Expected mean Dice of the proposal, 0 to 1; None without a model.
        entropy: Uncertainty of the slice; None without a model.
        minutes: Expected minutes of the answer; None where no batch asks for it any more.
        reason: Why it is asked, what there is to do and how long it takes, in one sentence
            (`activeseg.sampling.reasons`); empty where no batch asks for it any more.
        audit: Whether it was drawn by chance; it is laid blank.
        state: How far the answer is.
        who: Who accepted, skipped or holds it; empty for the other states.
    """

    key: SliceKey
    rank: int
    volume: str
    plane: Plane
    index: int
    expected_dice: float | None
    entropy: float | None
    minutes: float | None
    reason: str
    audit: bool
    state: State
    who: str

    @classmethod
    def of(cls, key: SliceKey, asked: Suggestion | None, state: State, who: str) -> Row:
        """The row of a slice; `asked` is None where no batch asks for it any more."""
        return cls(
            key=key,
            rank=asked.rank if asked else 0,
            volume=key.volume,
            plane=key.plane,
            index=key.index,
            expected_dice=asked.expected_dice if asked else None,
            entropy=asked.entropy if asked else None,
            minutes=asked.minutes if asked else None,
            reason=asked.reason if asked else "",
            audit=asked.audit if asked else False,
            state=state,
            who=who,
        )


@dataclass(frozen=True)
class Progress:
    """How much of the latest batch is done.

    Attributes:
        round: Number of the batch's round; None before any batch.
        minutes: Minutes that its answers took so far, withdrawn ones too, of all authors.
        budget_minutes: Minutes that the batch was chosen for; 0 before any.
        counts: How many of its suggestions are in each state; every state is there.
    """

    round: int | None
    minutes: float
    budget_minutes: float
    counts: Mapping[State, int]


@dataclass(frozen=True)
class Look:
    """One look at the latest batch.

    Attributes:
        rows: The batch by rank, then what else the person has begun, with rank 0.
        progress: How much of the batch is done; the slice on the desk counts when accepted.
        answered: Whether there is a batch and nothing of it is open, whoever answered.
    """

    rows: list[Row]
    progress: Progress
    answered: bool


@dataclass(frozen=True)
class EstimatePoint:
    """What one round's model was expected to reach.

    Attributes:
        minutes: Minutes of annotation spent by then.
        dice: Estimated mean Dice over the cohort, 0 to 1.
        low, high: Its 90 % interval.
    """

    minutes: float
    dice: float
    low: float
    high: float


@dataclass(frozen=True)
class Gain:
    """What going on is expected to bring.

    Attributes:
        minutes: For so many minutes more.
        dice: Expected rise of the mean Dice.
        low, high: Its 90 % interval.
    """

    minutes: float
    dice: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """Estimated quality against minutes spent.

    Attributes:
        history: A point for each round that has an estimate, by round.
        next_gain: From the latest estimate; None while it is not known.
    """

    history: tuple[EstimatePoint, ...]
    next_gain: Gain | None
