"""What is put on the desk for a slice: image, mask to begin with, doubts, what is around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.annotations import slice_shape
from activeseg.cohort import take_slice
from activeseg.keys import SliceKey
from activeseg.project import Project, Suggestion, record_of_shown
from activeseg_slicer.flow.desk import Sheet
from activeseg_slicer.flow.reading import Reading

__all__ = ["Laid", "Sheets"]

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Laid:
    """A sheet and what must be remembered of it until it is answered.

    A new batch may replace the one that asked for the slice while it is on the desk; what was
    shown is therefore kept here, not looked up again.

    Attributes:
        sheet: The sheet.
        seconds: What was worked on it already.
        drafted: Whether it began from a draft.
        asked: What the batch said of it; None for a draft that no batch asks for any more.
        round: The batch's round; None likewise.
        proposal: The round's proposal, shown or held back; None without one.
    """

    sheet: Sheet
    seconds: float
    drafted: bool
    asked: Suggestion | None
    round: int | None
    proposal: Mask | None

    def shown(self, project: Project, accepted: Mask) -> dict[str, Any] | None:
        """What to record with the answer (`activeseg.project.what_was_shown`)."""
        if self.asked is None or self.round is None:
            return None
        return record_of_shown(project, self.round, self.asked, self.proposal, accepted)


class Sheets:
    """Makes the sheets of one person.

    Args:
        project: The project.
        author: The person, as `author_name` returns it.
        reading: Reads the volumes.
    """

    def __init__(self, project: Project, author: str, reading: Reading) -> None:
        self._project = project
        self._author = author
        self._reading = reading
        self._masks: dict[Path, Mask] = {}  # accepted masks never change, so they are read once

    def lay_out(self, key: SliceKey) -> Laid:
        """Everything of a slice.

        Raises:
            CohortError, ProjectError, AnnotationError: If a file of it cannot be used.
        """
        project = self._project
        found = project.asked(key)
        number = found[0].round if found is not None else None
        asked = found[1] if found is not None else None
        proposal = None if number is None else project.round(number).read_proposal(key)
        audit = asked is not None and asked.audit
        draft = project.read_draft(key, self._author)
        sheet = Sheet(
            key=key,
            image=self._reading.image(key.volume),
            geometry=project.cohort.volume(key.volume).geometry,
            structures=project.structures,
            mask=self._begin(key, None if audit else proposal) if draft is None else draft.mask,
            entropy=None if audit or number is None else self._entropy(number, key),
            around=self._around(key),
        )
        seconds = 0.0 if draft is None else draft.seconds
        return Laid(sheet, seconds, draft is not None, asked, number, proposal)

    def _begin(self, key: SliceKey, proposal: Mask | None) -> Mask:
        """The newest answer, else the proposal, else nothing."""
        answers = self._project.history(key)
        if answers:
            return self._project.read_annotation(answers[-1])
        if proposal is not None:
            return proposal
        geometry = self._project.cohort.volume(key.volume).geometry
        return np.zeros(slice_shape(geometry, key.plane), dtype=np.uint8)

    def _entropy(self, number: int, key: SliceKey) -> npt.NDArray[np.float32] | None:
        """The doubts of the round's model in this slice; None without a model."""
        volume = self._reading.entropy(number, key.volume)
        if volume is None:
            return None
        geometry = self._project.cohort.volume(key.volume).geometry
        return take_slice(volume, geometry, key.plane, key.index)

    def _around(self, key: SliceKey) -> Mapping[SliceKey, Mask]:
        """The accepted masks of the volume's other slices."""
        answers = self._project.annotations(key.volume)
        images = {answer.image for answer in answers.values()}
        self._masks = {image: mask for image, mask in self._masks.items() if image in images}
        for each, answer in answers.items():
            if each != key and answer.image not in self._masks:
                self._masks[answer.image] = self._project.read_annotation(answer)
        return {each: self._masks[a.image] for each, a in answers.items() if each != key}
