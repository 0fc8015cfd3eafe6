"""Rounds of a project: what each left in its folder, and the batch of slices it asked for.

Round 0 is the one-shot batch, chosen without a model. Each later round trains, scores and
chooses: ``rounds/003/{model.pt, scores.npz, proposals.npz, estimate.json, batch.json,
log.jsonl}``. `batch.json` is written last, so a round without one was interrupted (or is under
way) and is taken up again rather than counted.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from activeseg.errors import ActiveSegError, ProjectError
from activeseg.files import atomic_path, make_folder, read_json, write_json
from activeseg.keys import SliceKey
from activeseg.project.damaged import damaged

__all__ = ["Batch", "RoundFiles", "Suggestion", "list_rounds"]


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


@dataclass(frozen=True)
class RoundFiles:
    """The files of one round; any of them may be missing.

    Attributes:
        folder: ``rounds/<NNN>``; the number is its name.
    """

    folder: Path

    @property
    def number(self) -> int:
        """The round's number, from 0."""
        return int(self.folder.name)

    @property
    def model(self) -> Path:
        """The checkpoint trained in this round."""
        return self.folder / "model.pt"

    @property
    def scores(self) -> Path:
        """Scores of the pool's slices under this round's model."""
        return self.folder / "scores.npz"

    @property
    def proposals(self) -> Path:
        """The model's masks of the slices that the batch asks for."""
        return self.folder / "proposals.npz"

    @property
    def estimate(self) -> Path:
        """The expected quality; its ``estimated_dice`` (0 to 1 or null) is shown by status."""
        return self.folder / "estimate.json"

    @property
    def batch(self) -> Path:
        """The batch: its presence says that the round is complete."""
        return self.folder / "batch.json"

    @property
    def log(self) -> Path:
        """What happened during the training, one JSON object a line."""
        return self.folder / "log.jsonl"

    def existing(self) -> tuple[str, ...]:
        """Names of the round's files that are there."""
        files = (self.model, self.scores, self.proposals, self.estimate, self.batch, self.log)
        return tuple(file.name for file in files if file.is_file())

    def make(self) -> RoundFiles:
        """Make the round's folder if it is missing.

        Raises:
            ProjectError: If the disk refuses.
        """
        try:
            make_folder(self.folder)
        except OSError as error:
            raise ProjectError(f"cannot make the round ({error})", str(self.folder)) from error
        return self

    def read_batch(self) -> Batch | None:
        """The round's batch; None when the round has none yet.

        Raises:
            ProjectError: If the file is damaged.
        """
        try:
            return Batch.from_json(read_json(self.batch))
        except FileNotFoundError:
            return None
        except (OSError, KeyError, TypeError, ValueError, ActiveSegError) as error:
            raise damaged(self.batch, error) from error

    def write_batch(self, batch: Batch) -> None:
        """Keep the batch, which completes the round; write everything else before it.

        Raises:
            ProjectError: If the batch is another round's, or if the disk refuses.
        """
        if batch.round != self.number:
            raise ProjectError(
                f"a batch of round {batch.round} cannot complete round {self.number}",
                str(self.folder),
            )
        try:
            write_json(self.make().batch, batch.to_json())
        except OSError as error:
            raise ProjectError(f"cannot write the batch ({error})", str(self.batch)) from error

    def write_proposals(self, proposals: Mapping[SliceKey, npt.NDArray[np.uint8]]) -> None:
        """Keep the masks that are shown with the batch: native 2-D slices of label values.

        Raises:
            ProjectError: If the disk refuses.
        """
        arrays = {str(key): np.asarray(mask, dtype=np.uint8) for key, mask in proposals.items()}
        try:
            with atomic_path(self.make().proposals) as temporary:
                np.savez_compressed(temporary, allow_pickle=False, **arrays)
        except OSError as error:
            raise ProjectError(
                f"cannot write the proposals ({error})", str(self.proposals)
            ) from error

    def read_proposal(self, key: SliceKey) -> npt.NDArray[np.uint8] | None:
        """The mask proposed for a slice: native, 2-D, label values; None when there is none.

        Raises:
            ProjectError: If the file is damaged.
        """
        try:
            # Opened here, since numpy leaves a damaged archive open.
            with self.proposals.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if str(key) not in archive.files:
                    return None
                return np.asarray(archive[str(key)], dtype=np.uint8)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
            raise damaged(self.proposals, error) from error

    def read_estimate(self) -> dict[str, Any]:
        """What ``estimate.json`` holds; empty when the round has none.

        Raises:
            ProjectError: If the file is damaged.
        """
        try:
            return read_json(self.estimate)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise damaged(self.estimate, error) from error


def _maybe(value: Any) -> float | None:
    return None if value is None else float(value)


def list_rounds(folder: Path) -> tuple[RoundFiles, ...]:
    """The rounds below ``rounds/``, by number; what is no round is passed over."""
    try:
        entries = list(folder.iterdir())
    except FileNotFoundError:
        return ()
    named = (entry for entry in entries if re.fullmatch(r"[0-9]{3,}", entry.name))
    rounds = (RoundFiles(entry) for entry in named if entry.is_dir())
    return tuple(sorted(rounds, key=lambda files: files.number))
