"""Expected minutes: from scores, or before any model from geometry, and from logged seconds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from activeseg.keys import SliceKey
from activeseg.minutes import MinutesModel, Work
from activeseg.project.folder import Project
from activeseg.project.records import Annotation

__all__ = ["NOBODY", "latest_author", "minutes_model", "opening_seconds"]

NOBODY = MinutesModel.fit(Work.from_rows([]), [], [], None)
"""The time model before anybody has answered anything."""


def latest_author(project: Project) -> str | None:
    """Who accepted a slice last; None before anybody did."""
    annotations = project.all_annotations()
    return annotations[-1].author if annotations else None


def minutes_model(project: Project, author: str | None) -> MinutesModel:
    """What the logged seconds say of the time that an author needs.

    Args:
        project: The project.
        author: For whom; None for somebody new.

    Raises:
        ProjectError: If a record is damaged.
    """
    answers: dict[tuple[SliceKey, str, int], list[Annotation]] = {}
    for each in project.acceptances():
        if each.shown is not None:
            batch = int(each.shown["round"])
            answers.setdefault((each.key, each.author, batch), []).append(each)
    # Whoever undoes or revises an answer has worked on it twice: its seconds add up.
    given = [parts for parts in answers.values() if not all(each.withdrawn for each in parts)]
    rows = [parts[-1].shown["work"] for parts in given if parts[-1].shown is not None]
    seconds = [sum(each.seconds for each in parts) for parts in given]
    authors = [parts[-1].author for parts in given]
    return MinutesModel.fit(Work.from_rows(rows), seconds, authors, author)


def opening_seconds(model: MinutesModel, work: Work, seconds: npt.NDArray[np.float64]) -> float:
    """What the first slice of a volume takes longer for the author; the median over slices.

    Args:
        model: The author's.
        work: Of slices none of which is a first one.
        seconds: What they take (`MinutesModel.seconds`).
    """
    if not len(work):
        return 0.0
    first = work.as_first(np.ones(len(work), dtype=bool))
    return max(0.0, float(np.median(model.seconds(first) - seconds)))
