"""The simulated clinician: answers suggestions from reference labels, and takes time for it.

The time models, their constants and the noise are fixed (`activeseg.cost`), so that nobody tunes
them to win. The answers go through the very verb that a person's masks go through.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from activeseg.cohort import take_slice
from activeseg.cost import STANDARD, TIME_MODELS, answer_seconds
from activeseg.errors import CohortError
from activeseg.keys import SliceKey
from activeseg.progress import Progress
from activeseg.project import Project, annotate

__all__ = ["Answered", "Oracle"]

NOISE = 0.2
"""Standard deviation of the logarithm of a person's time for the same work."""


@dataclass(frozen=True)
class Answered:
    """One answered suggestion.

    Attributes:
        key: The slice.
        how: `draw`, `correct` or `confirm`, as the standard time model chose.
        seconds: Seconds by the name of the time model, noise included.
        expected_minutes: What the batch had expected.
    """

    key: SliceKey
    how: str
    seconds: dict[str, float]
    expected_minutes: float


class Oracle:
    """A clinician who always draws the reference label.

    Args:
        project: The project; its cohort must have reference labels.
        seed: Fixes the noise of the times; each slice has its own, whatever the order.
        author: Name that the annotations carry.
        proposals: Whether to look at what the batch proposes; without, everything is drawn from
            nothing.
    """

    def __init__(
        self, project: Project, seed: int, author: str = "oracle", proposals: bool = True
    ) -> None:
        self._project = project
        self._seed = seed
        self._author = author
        self._proposals = proposals

    def answer_batch(self, progress: Progress) -> list[Answered]:
        """Answer every open suggestion, in the order in which a person would be asked.

        A batch that was answered in part is gone on with: a volume that was opened for it before
        is not opened anew.

        Returns:
            What was answered now.

        Raises:
            CohortError: If a volume has no reference label.
        """
        waiting = len(self._project.open_suggestions())
        batch = self._project.latest_batch()
        asked = batch.suggestions if batch is not None else ()
        opened = {each.key.volume for each in asked if self._project.history(each.key)}
        answered = []
        with progress.stage("Answering", waiting) as stage:
            while (suggestion := self._project.next_suggestion(self._author)) is not None:
                key = suggestion.key
                answered.append(self._answer(key, key.volume not in opened, suggestion.minutes))
                opened.add(key.volume)
                stage.advance()
        return answered

    def _answer(self, key: SliceKey, first: bool, expected_minutes: float) -> Answered:
        """Time one slice under every model and hand its reference label in."""
        volume = self._project.cohort.volume(key.volume)
        if volume.label is None:
            raise CohortError("has no reference label; a simulated clinician needs one", volume.id)
        reference = self._project.cohort.read_label(key.volume)
        wanted = take_slice(reference, volume.geometry, key.plane, key.index)
        shown = self._project.proposal(key) if self._proposals else None
        spacing = volume.geometry.slice_spacing(key.plane)
        values = [structure.value for structure in self._project.structures]
        noise = self._noise(key)
        answers = {
            name: answer_seconds(shown, wanted, values, spacing, model, first)
            for name, model in TIME_MODELS.items()
        }
        seconds = {name: noise * answer.seconds for name, answer in answers.items()}
        label = self._project.cohort.label_file(key.volume)
        annotate(self._project, key, label, seconds[STANDARD.name], self._author)
        return Answered(key, answers[STANDARD.name].how, seconds, expected_minutes)

    def _noise(self, key: SliceKey) -> float:
        """A log-normal factor that belongs to the slice."""
        rng = np.random.default_rng([self._seed, zlib.crc32(str(key).encode())])
        return float(np.exp(rng.normal(0.0, NOISE)))
