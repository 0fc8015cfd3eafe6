"""Rounds of a project: what each left in its folder, and the batch of slices it asked for.

Round 0 is the one-shot batch, chosen without a model. Each later round trains, scores and
chooses: ``rounds/003/{model.pt, scores.parquet, proposals.npz, estimate.json, early.json,
batch.json, log.jsonl}``. `batch.json` is written last, so a round without one was interrupted (or
is under way) and is taken up again rather than counted. ``early.json`` is a batch that was chosen
while slices were still being scored; it counts until there is a ``batch.json``.
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
from activeseg.project.batches import Batch, Suggestion
from activeseg.project.damaged import damaged

__all__ = ["Batch", "RoundFiles", "Suggestion", "list_rounds"]


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
        """Scores of the pool's slices under this round's model.

        Those of an earlier version where there is nothing newer.
        """
        only_former = self.former_scores.is_file() and not self.new_scores.is_file()
        return self.former_scores if only_former else self.new_scores

    @property
    def new_scores(self) -> Path:
        """Where the scores are written."""
        return self.folder / "scores.parquet"

    @property
    def former_scores(self) -> Path:
        """Where an earlier version wrote them."""
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
    def early(self) -> Path:
        """A batch chosen before all was scored; it counts while there is no `batch`."""
        return self.folder / "early.json"

    @property
    def log(self) -> Path:
        """What happened during the training, one JSON object a line."""
        return self.folder / "log.jsonl"

    def existing(self) -> tuple[str, ...]:
        """Names of the round's files that are there."""
        files = (self.model, self.scores, self.proposals, self.estimate, self.early, self.batch)
        return tuple(file.name for file in (*files, self.log) if file.is_file())

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
        """The round's batch, or else its early one; None when the round has none yet.

        Raises:
            ProjectError: If the file is damaged.
        """
        for file in (self.batch, self.early):
            try:
                return Batch.from_json(read_json(file))
            except FileNotFoundError:
                continue
            except (OSError, KeyError, TypeError, ValueError, ActiveSegError) as error:
                raise damaged(file, error) from error
        return None

    def write_batch(self, batch: Batch, early: bool = False) -> None:
        """Keep the batch, which completes the round; write everything else before it.

        Args:
            batch: The batch.
            early: Whether it is one that will be chosen again; then the round is not complete.

        Raises:
            ProjectError: If the batch is another round's, or if the disk refuses.
        """
        if batch.round != self.number:
            raise ProjectError(
                f"a batch of round {batch.round} cannot complete round {self.number}",
                str(self.folder),
            )
        try:
            self.make()
            write_json(self.early if early else self.batch, batch.to_json())
        except OSError as error:
            raise ProjectError(f"cannot write the batch ({error})", str(self.folder)) from error

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


def list_rounds(folder: Path) -> tuple[RoundFiles, ...]:
    """The rounds below ``rounds/``, by number; what is no round is passed over."""
    try:
        entries = list(folder.iterdir())
    except FileNotFoundError:
        return ()
    named = (entry for entry in entries if re.fullmatch(r"[0-9]{3,}", entry.name))
    rounds = (RoundFiles(entry) for entry in named if entry.is_dir())
    return tuple(sorted(rounds, key=lambda files: files.number))
