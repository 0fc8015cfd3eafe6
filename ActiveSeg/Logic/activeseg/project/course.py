"""What a project was told when it was made, and the rounds that it has gone through."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from activeseg.cohort import Cohort, Structure
from activeseg.keys import SliceKey
from activeseg.project.rounds import Batch, RoundFiles, Suggestion, list_rounds
from activeseg.project.settings import Settings
from activeseg.project.start import Start

__all__ = ["Course"]


@dataclass(frozen=True)
class Course:
    """The part of a project that `init` and the rounds wrote; read only.

    Attributes:
        folder: The folder, absolute.
        settings: What ``project.json`` says.
    """

    folder: Path
    settings: Settings

    @property
    def cohort(self) -> Cohort:
        """The cohort, as it was when the project was made."""
        return self.settings.cohort

    @property
    def structures(self) -> tuple[Structure, ...]:
        """The structures to segment, with their label values."""
        return self.cohort.structures

    @property
    def plane_policy(self) -> str:
        """In which planes slices are asked for (`activeseg.keys.PLANE_POLICIES`)."""
        return self.settings.plane_policy

    @property
    def strategy(self) -> str:
        """Name of the strategy that chooses."""
        return self.settings.strategy

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return self.settings.seed

    @property
    def model(self) -> str:
        """Name or path of the network to start from."""
        return self.settings.model

    @property
    def start(self) -> Start | None:
        """What is known of the model to start from; None for the built-in network."""
        return self.settings.start

    def rounds(self) -> tuple[RoundFiles, ...]:
        """The rounds that have a folder, by number."""
        return list_rounds(self.folder / "rounds")

    def round(self, number: int) -> RoundFiles:
        """The files of one round, whether it exists or not."""
        return RoundFiles(self.folder / "rounds" / f"{number:03d}")

    def latest_round(self) -> RoundFiles | None:
        """The round with the highest number, complete or not."""
        rounds = self.rounds()
        return rounds[-1] if rounds else None

    def latest_batch(self) -> Batch | None:
        """The batch of the highest round that has one, be it an early one.

        Raises:
            ProjectError: If it is damaged.
        """
        for files in reversed(self.rounds()):
            batch = files.read_batch()
            if batch is not None:
                return batch
        return None

    def round_for_training(self) -> RoundFiles:
        """The round that a training belongs to; never 0, which has no model of its own.

        The one after the latest round that has asked for slices. A round without a batch was
        interrupted and is taken up again; one that has asked early is not trained again, as its
        model is what was shown to whoever answers.
        """
        latest = self.latest_round()
        if latest is None:
            return self.round(1)
        asked = latest.batch.is_file() or latest.early.is_file()
        return self.round(max(1, latest.number + asked))

    def asked(self, key: SliceKey) -> tuple[Batch, Suggestion] | None:
        """The newest batch that asked for a slice, with what it says of it; None if none did.

        Raises:
            ProjectError: If a batch is damaged.
        """
        for files in reversed(self.rounds()):
            batch = files.read_batch()
            suggestion = batch.asked(key) if batch is not None else None
            if batch is not None and suggestion is not None:
                return batch, suggestion
        return None
