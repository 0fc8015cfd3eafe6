"""What a round asked for: the batch and its suggestions, as the folder keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activeseg.keys import SliceKey

__all__ = ["Batch", "Suggestion"]


@dataclass(frozen=True)
class Suggestion:
    """One slice that a batch asks for.

    Attributes:
        key: The slice.
        rank: Place in the batch, from 1.
        value: What the strategy hopes to gain from it; larger is better.
        minutes: Expected minutes of annotation.
        expected_dice: Expected mean Dice of the proposal, 0 to 1; None without a model.
        entropy: Uncertainty of the slice, as the strategy aggregates it; None without a model.
        reason: Why it is asked, in a few words for the clinician.
        how: How the answer is expected to be given: draw, correct or confirm.
        minutes_low, minutes_high: 90 % interval of the minutes.
        dice_low, dice_high: 90 % interval of the expected Dice; None without a model.
        audit: Whether it was drawn by chance, to check the estimate; it is shown blank.
        work: What the minutes were predicted from (`activeseg.minutes.Work.row`).
    """

    key: SliceKey
    rank: int
    value: float
    minutes: float
    expected_dice: float | None
    entropy: float | None
    reason: str
    how: str
    minutes_low: float
    minutes_high: float
    dice_low: float | None
    dice_high: float | None
    audit: bool
    work: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The suggestion as the command line and the faces know it."""
        return {
            "key": str(self.key),
            "volume": self.key.volume,
            "plane": str(self.key.plane),
            "index": self.key.index,
            "rank": self.rank,
            "value": self.value,
            "minutes": self.minutes,
            "expected_dice": self.expected_dice,
            "entropy": self.entropy,
            "reason": self.reason,
            "how": self.how,
            "minutes_low": self.minutes_low,
            "minutes_high": self.minutes_high,
            "dice_low": self.dice_low,
            "dice_high": self.dice_high,
            "audit": self.audit,
        }

    def record(self) -> dict[str, Any]:
        """The suggestion as the folder keeps it."""
        return self.to_json() | {"work": dict(self.work)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Suggestion:
        """Read what `record` wrote.

        Raises:
            KeyError, TypeError, ValueError, ActiveSegError: If it is damaged.
        """
        return cls(
            SliceKey.parse(data["key"]),
            int(data["rank"]),
            float(data["value"]),
            float(data["minutes"]),
            _maybe(data["expected_dice"]),
            _maybe(data["entropy"]),
            str(data["reason"]),
            str(data["how"]),
            float(data["minutes_low"]),
            float(data["minutes_high"]),
            _maybe(data["dice_low"]),
            _maybe(data["dice_high"]),
            bool(data["audit"]),
            dict(data["work"]),
        )


@dataclass(frozen=True)
class Batch:
    """The slices that one round asks for.

    Attributes:
        round: The round's number.
        strategy: Name of the strategy that chose.
        seed: Seed of the choice.
        budget_minutes: Minutes of annotation that were offered.
        time: When it was chosen, ISO text in UTC (`activeseg.project.names.timestamp`).
        suggestions: In the order of their ranks.
        author: For whom the minutes are; None for anybody.
        note: What the strategy can say of the batch as a whole; may be empty.
        former: What earlier batches of the same round asked for and this one does not: answers
            to it still say how good its proposal was.
    """

    round: int
    strategy: str
    seed: int
    budget_minutes: float
    time: str
    suggestions: tuple[Suggestion, ...]
    author: str | None
    note: str
    former: tuple[Suggestion, ...] = ()

    def asked(self, key: SliceKey) -> Suggestion | None:
        """What the round says of a slice, in this batch or else in a former one."""
        every = (*self.suggestions, *self.former)
        return next((each for each in every if each.key == key), None)

    def to_json(self) -> dict[str, Any]:
        """What ``batch.json`` holds."""
        return {
            "round": self.round,
            "strategy": self.strategy,
            "seed": self.seed,
            "budget_minutes": self.budget_minutes,
            "time": self.time,
            "suggestions": [suggestion.record() for suggestion in self.suggestions],
            "author": self.author,
            "note": self.note,
            "former": [suggestion.record() for suggestion in self.former],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Batch:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError, ActiveSegError: If it is damaged.
        """
        return cls(
            int(data["round"]),
            str(data["strategy"]),
            int(data["seed"]),
            float(data["budget_minutes"]),
            str(data["time"]),
            tuple(Suggestion.from_json(entry) for entry in data["suggestions"]),
            None if data["author"] is None else str(data["author"]),
            str(data["note"]),
            tuple(Suggestion.from_json(entry) for entry in data["former"]),
        )


def _maybe(value: Any) -> float | None:
    return None if value is None else float(value)
