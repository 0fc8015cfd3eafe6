"""How far a batch is, seen by one person: the rows of the table, the budget, the estimate.

Everything is read anew from the project's folder at each call, so it shows what others do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from activeseg.keys import SliceKey
from activeseg.project import Annotation, Batch, Claim, Project
from activeseg_slicer.flow.rows import Estimate, EstimatePoint, Gain, Look, Progress, Row, State

__all__ = ["estimate", "look"]

_Answers: TypeAlias = Mapping[SliceKey, Sequence[Annotation]]


def look(project: Project, author: str, current: SliceKey | None) -> Look:
    """The latest batch as one person sees it; the folder is read once for rows and progress.

    Args:
        project: The project.
        author: Who looks, as `author_name` returns it.
        current: The slice on the author's desk.

    Raises:
        ProjectError: If a file of the project is damaged.
    """
    batch = project.latest_batch()
    asked = {each.key: each for each in (batch.suggestions if batch is not None else ())}
    answers = project.acceptances_of(asked)
    done = _done(project, asked, answers)
    drafts = project.drafts(author)
    begun = sorted(key for key in {*drafts, current} if key is not None and key not in asked)
    claims = project.holders(key for key in (*asked, *begun) if key not in done)
    seen = _Seen(author, current, done, drafts, claims)
    rows = [Row.of(key, suggestion, *seen.state(key)) for key, suggestion in asked.items()]
    for key in begun:
        earlier = project.asked(key)
        row = Row.of(key, earlier[1] if earlier is not None else None, *seen.state(key))
        rows.append(replace(row, rank=0))
    answered = batch is not None and len(done) == len(asked)
    return Look(rows, _progress(batch, rows, answers), answered)


def estimate(project: Project) -> Estimate:
    """The estimates of all rounds that have one.

    Raises:
        ProjectError: If a file of the project is damaged.
    """
    points, gain = [], None
    for files in project.rounds():
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
            points.append(EstimatePoint(found["minutes"], dice, low, high))
    return Estimate(tuple(points), gain)


@dataclass(frozen=True)
class _Seen:
    """What the folder says of the slices, for one person."""

    author: str
    current: SliceKey | None
    done: Mapping[SliceKey, tuple[State, str]]
    drafts: Container[SliceKey]
    claims: Mapping[SliceKey, Claim]

    def state(self, key: SliceKey) -> tuple[State, str]:
        """The first state that holds, and who brought it about."""
        if key == self.current:
            return State.CURRENT, ""
        if key in self.done:
            return self.done[key]
        claim = self.claims.get(key)
        if claim is not None and claim.author != self.author:
            return State.TAKEN, claim.author
        return (State.DRAFT if key in self.drafts else State.OPEN), ""


def _done(
    project: Project, asked: Iterable[SliceKey], answers: _Answers
) -> dict[SliceKey, tuple[State, str]]:
    """How each slice was answered, and by whom; those that were not are left out."""
    skipped = {skip.key: skip.author for skip in project.skips()}
    found = {}
    for key in asked:
        standing = [each for each in answers.get(key, ()) if not each.withdrawn]
        if standing:
            found[key] = (State.ACCEPTED, standing[-1].author)
        elif key in skipped:
            found[key] = (State.SKIPPED, skipped[key])
    return found


def _progress(batch: Batch | None, rows: Iterable[Row], answers: _Answers) -> Progress:
    """How much of the batch is done."""
    counts = Counter(row.state for row in rows if row.rank)
    each = {state: counts[state] for state in State}
    if batch is None:
        return Progress(None, 0.0, 0.0, each)
    seconds = sum(
        answer.seconds
        for given in answers.values()
        for answer in given
        if answer.shown is not None and answer.shown["round"] == batch.round
    )
    return Progress(batch.round, seconds / 60, batch.budget_minutes, each)
