"""What the simulated clinician's answers to a batch cost, and where the time went.

Everything is read off the project folder: what was shown, what was accepted, what was logged. So
the answers of a batch are the same whether they were given in one go or before and after a kill.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.cost import STANDARD, TIME_MODELS, Answer, answer_seconds
from activeseg.keys import SliceKey
from activeseg.project import Annotation, Batch, Project, Suggestion

__all__ = ["PARTS", "LoggedAnswer", "logged_answers"]

PARTS = ("overhead", "opening", "draw", "correct", "empty")
"""Where seconds go: looking at and accepting a slice that shows something, the first slice of a
volume in a batch, drawing, correcting, and looking at slices on which there is nothing."""


@dataclass(frozen=True)
class LoggedAnswer:
    """One answered suggestion.

    Attributes:
        key: The slice.
        round: The batch's round.
        rank: Its place in the batch, from 1.
        how: `draw`, `correct` or `confirm`, as the standard time model chose.
        first: Whether it was the first slice of its volume in the batch.
        audit: Whether it was drawn by chance and shown blank.
        seconds: Seconds by the name of the time model, the person's noise included.
        parts: The standard seconds by what they went into (`PARTS`).
        foreground: Voxels of structures in the accepted mask.
        expected_minutes: What the batch had expected.
        expected_dice: What the batch had expected of the proposal; None before a model.
        dice: Mean Dice of the proposal, shown or held back, with the answer; None without one.
    """

    key: SliceKey
    round: int
    rank: int
    how: str
    first: bool
    audit: bool
    seconds: Mapping[str, float]
    parts: Mapping[str, float]
    foreground: int
    expected_minutes: float
    expected_dice: float | None
    dice: float | None

    def to_json(self) -> dict[str, Any]:
        """The answer as a file keeps it."""
        return vars(self) | {
            "key": str(self.key),
            "seconds": dict(self.seconds),
            "parts": dict(self.parts),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LoggedAnswer:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError, ActiveSegError: If it is damaged.
        """
        return cls(**{**data, "key": SliceKey.parse(data["key"])})


def logged_answers(project: Project, batch: Batch, proposals: bool = True) -> list[LoggedAnswer]:
    """The answers to a batch in the order of their ranks, which is that of the clinician.

    The noise of the person is what was logged over what the standard time model says.

    Args:
        project: The project; each slice of the batch was answered with the reference label.
        batch: The latest batch.
        proposals: Whether the clinician was shown what it proposes.

    Raises:
        ProjectError, AnnotationError: If a file of the project is damaged.
    """
    newest = project.annotations()
    opened: set[str] = set()
    found = []
    for suggestion in batch.suggestions:
        volume = suggestion.key.volume
        first = volume not in opened
        shown = project.proposal(suggestion.key) if proposals else None
        found.append(_logged(project, batch, suggestion, newest[suggestion.key], shown, first))
        opened.add(volume)
    return found


def _logged(
    project: Project,
    batch: Batch,
    suggestion: Suggestion,
    accepted: Annotation,
    shown: npt.NDArray[np.uint8] | None,
    first: bool,
) -> LoggedAnswer:
    """One slice, timed under every model."""
    key = suggestion.key
    spacing = project.cohort.volume(key.volume).geometry.slice_spacing(key.plane)
    values = [structure.value for structure in project.structures]
    wanted = project.read_annotation(accepted)
    answers = {
        name: answer_seconds(shown, wanted, values, spacing, model, first)
        for name, model in TIME_MODELS.items()
    }
    standard = answers[STANDARD.name]
    noise = accepted.seconds / standard.seconds
    foreground = int(np.isin(wanted, values).sum())
    found = accepted.shown["dice"] if accepted.shown is not None else None
    known = [value for value in (found or {}).values() if value is not None]
    return LoggedAnswer(
        key=key,
        round=batch.round,
        rank=suggestion.rank,
        how=standard.how,
        first=first,
        audit=suggestion.audit,
        seconds={name: noise * answer.seconds for name, answer in answers.items()},
        parts={part: noise * s for part, s in _parts(standard, first, foreground == 0).items()},
        foreground=foreground,
        expected_minutes=suggestion.minutes,
        expected_dice=suggestion.expected_dice,
        dice=sum(known) / len(known) if known else None,
    )


def _parts(answer: Answer, first: bool, empty: bool) -> dict[str, float]:
    """Where the standard seconds of an answer go, without noise."""
    parts = dict.fromkeys(PARTS, 0.0)
    parts["empty" if empty else "overhead"] = STANDARD.overhead_s
    parts["opening"] = STANDARD.first_slice_s if first else 0.0
    if answer.how == "draw":
        parts["draw"] = answer.draw_s
    elif answer.how == "correct" and answer.correct_s is not None:
        parts["correct"] = answer.correct_s
    return parts
