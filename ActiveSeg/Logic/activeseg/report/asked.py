"""What each round of each arm asked for, as far as the page has room to show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from activeseg.keys import SliceKey
from activeseg.project import Annotation, Batch, Project, RoundFiles, Suggestion

__all__ = ["Asked", "AskedRound", "asked_rounds"]

CARDS_A_ROUND = 24
CARDS_IN_ALL = 200
"""About 30 kB each at most, so that the page stays small enough for a mail."""


@dataclass(frozen=True)
class Asked:
    """One suggested slice.

    Attributes:
        arm: Who asked.
        project: The arm's project.
        files: The round's files.
        suggestion: The suggestion.
        answer: The annotation that answered it; None while it is open.
    """

    arm: str
    project: Project
    files: RoundFiles
    suggestion: Suggestion
    answer: Annotation | None

    @property
    def where(self) -> tuple[str, int, SliceKey]:
        """Arm, round and slice: no two cards share all three."""
        return (self.arm, self.files.number, self.suggestion.key)


@dataclass(frozen=True)
class AskedRound:
    """One round of one arm.

    Attributes:
        batch: What it asked for.
        estimate: The Dice that it expected of its proposals over the whole pool, if it had any.
        shown: The suggestions that get a card, in the order of their ranks.
        left_out: How many get none.
    """

    batch: Batch
    estimate: float | None
    shown: tuple[Asked, ...]
    left_out: int


def asked_rounds(projects: Mapping[str, Project]) -> dict[str, list[AskedRound]]:
    """The rounds of each arm that have a batch.

    Args:
        projects: Each arm's project.

    Raises:
        ProjectError: If a batch, an estimate or a record is damaged.
    """
    batches = {
        arm: [
            (files, batch)
            for files in project.rounds()
            if (batch := files.read_batch()) is not None
        ]
        for arm, project in projects.items()
    }
    rounds = sum(len(found) for found in batches.values())
    room = min(CARDS_A_ROUND, max(1, CARDS_IN_ALL // max(1, rounds)))
    return {
        arm: [_round(arm, projects[arm], files, batch, room) for files, batch in found]
        for arm, found in batches.items()
    }


def _round(arm: str, project: Project, files: RoundFiles, batch: Batch, room: int) -> AskedRound:
    shown = tuple(
        Asked(arm, project, files, suggestion, _answer(project, suggestion.key, files.number))
        for suggestion in batch.suggestions[:room]
    )
    estimate = files.read_estimate().get("estimated_dice")
    return AskedRound(batch, estimate, shown, len(batch.suggestions) - len(shown))


def _answer(project: Project, key: SliceKey, number: int) -> Annotation | None:
    """The newest acceptance that answered the round's suggestion."""
    answers = [a for a in project.history(key) if a.shown and a.shown.get("round") == number]
    return answers[-1] if answers else None
