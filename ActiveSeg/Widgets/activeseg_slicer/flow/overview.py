"""How far a batch is, seen by one person: the rows of the table, the budget, the estimate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from activeseg.keys import SliceKey
from activeseg.project import Project
from activeseg_slicer.flow.rows import Estimate, EstimatePoint, Gain, Progress, Row, State

__all__ = ["Overview"]


class Overview:
    """Reads the project's folder anew at each call, so it shows what others do.

    Args:
        project: The project.
        author: Who looks, as `author_name` returns it.
    """

    def __init__(self, project: Project, author: str) -> None:
        self._project = project
        self._author = author

    def rows(self, current: SliceKey | None) -> list[Row]:
        """The latest batch by rank; then what else the author has begun, with rank 0.

        Args:
            current: The slice on the author's desk.

        Raises:
            ProjectError: If a file of the project is damaged.
        """
        batch = self._project.latest_batch()
        asked = {each.key: each for each in (batch.suggestions if batch is not None else ())}
        skipped = {skip.key: skip.author for skip in self._project.skips()}
        drafts = self._project.drafts(self._author)
        begun = [key for key in {*drafts, current} if key is not None and key not in asked]
        rows = [
            Row.of(key, suggestion, *self._state(key, current, skipped, key in drafts))
            for key, suggestion in asked.items()
        ]
        return rows + [self._begun(key, current) for key in sorted(begun)]

    def progress(self, current: SliceKey | None) -> Progress:
        """How much of the latest batch is done.

        Raises:
            ProjectError: If a file of the project is damaged.
        """
        batch = self._project.latest_batch()
        counts = Counter(row.state for row in self.rows(current) if row.rank)
        each = {state: counts[state] for state in State}
        if batch is None:
            return Progress(None, 0.0, 0.0, each)
        seconds = sum(
            answer.seconds
            for suggestion in batch.suggestions
            for answer in self._project.slice_acceptances(suggestion.key)
            if answer.shown is not None and answer.shown["round"] == batch.round
        )
        return Progress(batch.round, seconds / 60, batch.budget_minutes, each)

    def answered(self) -> bool:
        """Whether there is a batch and nothing of the latest is open, whoever answered.

        Raises:
            ProjectError: If a file of the project is damaged.
        """
        return self._project.latest_batch() is not None and not self._project.open_suggestions()

    def estimate(self) -> Estimate:
        """The estimates of all rounds that have one.

        Raises:
            ProjectError: If a file of the project is damaged.
        """
        points, gain = [], None
        for files in self._project.rounds():
            found = files.read_estimate()
            if not found:
                continue
            more = found["next_gain"]
            gain = (
                None
                if more is None
                else Gain(found["next_minutes"], more["dice"], more["low"], more["high"])
            )
            if found["estimated_dice"] is not None:
                dice, low, high = found["estimated_dice"], found["low"], found["high"]
                points.append(EstimatePoint(files.number, found["minutes"], dice, low, high))
        return Estimate(tuple(points), gain)

    def _begun(self, key: SliceKey, current: SliceKey | None) -> Row:
        """The row of a slice that the latest batch does not ask for."""
        earlier = self._project.asked(key)
        suggestion = earlier[1] if earlier is not None else None
        state, who = (State.CURRENT, "") if key == current else self._free(key, State.DRAFT)
        return replace(Row.of(key, suggestion, state, who), rank=0)

    def _state(
        self,
        key: SliceKey,
        current: SliceKey | None,
        skipped: dict[SliceKey, str],
        drafted: bool,
    ) -> tuple[State, str]:
        """The first state that holds, and who brought it about."""
        if key == current:
            return State.CURRENT, ""
        answers = self._project.history(key)
        if answers:
            return State.ACCEPTED, answers[-1].author
        if key in skipped:
            return State.SKIPPED, skipped[key]
        return self._free(key, State.DRAFT if drafted else State.OPEN)

    def _free(self, key: SliceKey, state: State) -> tuple[State, str]:
        """A state that holds unless another person works on the slice."""
        claim = self._project.holder(key)
        if claim is not None and claim.author != self._author:
            return State.TAKEN, claim.author
        return state, ""
