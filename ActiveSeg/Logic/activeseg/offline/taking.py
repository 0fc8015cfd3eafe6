"""Taking the masks of an answered folder back in: all is checked before anything is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from activeseg.annotations import read_mask
from activeseg.errors import AnnotationError, ProjectError
from activeseg.files import read_json
from activeseg.keys import SliceKey
from activeseg.offline.layout import Layout
from activeseg.offline.table import read_seconds
from activeseg.project import Project, author_name, record_of_shown
from activeseg.project.damaged import damaged
from activeseg.project.handed_out import HandedOut, HandedSlice, find_handed_out, mask_checksum

__all__ = ["TakenIn", "take_in"]

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TakenIn:
    """What came of a folder; each part in the order of answering.

    Attributes:
        accepted: The slices whose masks were accepted.
        unchanged: Those that were left alone, as the author's newest mask of them is the same.
        open: Those that nobody has answered or put aside, in the folder or elsewhere.
    """

    accepted: tuple[SliceKey, ...]
    unchanged: tuple[SliceKey, ...]
    open: tuple[SliceKey, ...]


@dataclass(frozen=True, eq=False)
class _Answer:
    """A slice that the folder answers."""

    handed: HandedSlice
    mask: Mask
    seconds: float


def take_in(project: Project, folder: Path, author: str) -> TakenIn:
    """Accept the masks of a folder that were changed, or whose seconds are filled in.

    Each is recorded with what the folder had shown, as the Dice estimate learns from that. Taking
    a folder in again accepts only what was changed since.

    Args:
        project: The project that made the folder.
        folder: The folder (`activeseg.offline.write_folder`).
        author: Who answered.

    Returns:
        What was accepted and what was not.

    Raises:
        AnnotationError: If a mask or the table cannot be accepted. ProjectError: If the folder is
            another project's, or the author is no name. Nothing was accepted then, unless the
            disk refused in the middle; taking the folder in again accepts the rest.
    """
    name = author_name(author)
    layout = Layout(folder)
    handed = _find(project, layout)
    answers = _answers(project, layout, handed)
    before = [_accepted_before(project, each, name) for each in answers]
    accepted: list[SliceKey] = []
    unchanged: list[SliceKey] = []
    for each, known in zip(answers, before, strict=True):
        if not known:
            _accept(project, handed.round, each, name)
        (unchanged if known else accepted).append(each.handed.suggestion.key)
    return TakenIn(tuple(accepted), tuple(unchanged), _still_open(project, handed))


def _find(project: Project, layout: Layout) -> HandedOut:
    """The batch that the folder holds, if this project handed it out."""
    try:
        mark = read_json(layout.mark)
    except (FileNotFoundError, NotADirectoryError):
        raise ProjectError(
            "not the folder of a batch (it has no batch.json); name one that "
            "'activeseg suggest --to' wrote",
            str(layout.folder),
        ) from None
    except (OSError, ValueError) as error:
        remedy = "put the file back as it was handed out"
        raise damaged(layout.mark, error, remedy) from error
    return find_handed_out(project, mark, layout.mark)


def _answers(project: Project, layout: Layout, handed: HandedOut) -> list[_Answer]:
    """What the folder answers; every mistake in it is looked for first.

    Raises:
        AnnotationError: The first mistake, with the names of the other files that hold one.
    """
    seconds = read_seconds(layout.table, {str(each.suggestion.key) for each in handed.slices})
    answers, mistakes = [], []
    for each in handed.slices:
        spent = seconds.get(str(each.suggestion.key))
        try:
            mask = _answered(project, layout, each, spent is not None)
        except AnnotationError as error:
            mistakes.append((each, str(error)))
            continue
        if mask is not None:
            answers.append(_Answer(each, mask, spent or 0.0))
    if mistakes:
        others = ", ".join(each.name for each, _ in mistakes[1:])
        also = f" (not to be accepted either: {others})" if others else ""
        raise AnnotationError(
            f"{mistakes[0][1]}; nothing was accepted: mend it and take the folder in again{also}"
        )
    return answers


def _answered(project: Project, layout: Layout, handed: HandedSlice, timed: bool) -> Mask | None:
    """The mask that answers a slice; None if the folder leaves it open.

    Args:
        project: The project.
        layout: The folder.
        handed: The slice.
        timed: Whether its seconds are filled in, so that it counts as it stands.

    Raises:
        AnnotationError: If a mask cannot be accepted, or if the two masks say different things.
    """
    files = (layout.mask(handed.name), layout.segmentation(handed.name))
    found = [_read(project, layout, file, handed) for file in files if file.is_file()]
    changed = [mask for mask in found if mask_checksum(mask) != handed.sha256]
    if len(changed) == 2 and not np.array_equal(changed[0], changed[1]):
        names = " and ".join(layout.shown(file) for file in files)
        raise AnnotationError(
            f"{names} were both changed, and differ; remove the one that does not count",
            str(handed.suggestion.key),
        )
    if changed or not timed:
        return changed[0] if changed else None
    lost = [file for file in files if not file.is_file() and (file.parent.is_dir() or not found)]
    if lost:  # a folder that is away as a whole was not used; a single file was perhaps the answer
        raise AnnotationError(
            f"{layout.shown(lost[0])} is missing, but slices.csv holds its seconds; put the file "
            "back or remove the seconds",
            str(handed.suggestion.key),
        )
    return found[0]


def _read(project: Project, layout: Layout, file: Path, handed: HandedSlice) -> Mask:
    """A mask of the folder; what is wrong with it is told with the name of the file."""
    key = handed.suggestion.key
    try:
        return read_mask(file, project.cohort.volume(key.volume), key, project.structures)
    except AnnotationError as error:
        told = str(error)
        if str(file) in told:
            raise
        raise AnnotationError(f"{layout.shown(file)}: {told}") from error


def _accepted_before(project: Project, answer: _Answer, author: str) -> bool:
    """Whether the author's newest mask of the slice is the same."""
    given = [a for a in project.history(answer.handed.suggestion.key) if a.author == author]
    return bool(given) and np.array_equal(project.read_annotation(given[-1]), answer.mask)


def _accept(project: Project, round_number: int, answer: _Answer, author: str) -> None:
    """Accept an answer with what the folder had shown of the slice."""
    asked = answer.handed.suggestion
    proposal = project.round(round_number).read_proposal(asked.key)
    shown = record_of_shown(project, round_number, asked, proposal, answer.mask)
    project.accept(asked.key, answer.mask, author, answer.seconds, shown)


def _still_open(project: Project, handed: HandedOut) -> tuple[SliceKey, ...]:
    """The slices of the batch that nobody has answered or put aside."""
    aside = project.skipped()
    keys = [each.suggestion.key for each in handed.slices if each.suggestion.key not in aside]
    return tuple(key for key in keys if not project.history(key))
