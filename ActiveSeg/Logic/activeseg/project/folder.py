"""The project folder: plain files, from which everything else is derived.

::

    project.json                                      what `init` was told; never changed
    annotations/<volume>/<plane>_<index>/<utc>_<author>.seg.nrrd + .json
    claims/<volume>/<plane>_<index>/<number>.json     who works on what, until when
    rounds/<NNN>/{model.pt, scores.npz, proposals.npz, estimate.json, batch.json, log.jsonl}

A `Project` keeps nothing in memory that is not in these files, so several processes (and
machines) can use one folder at once, and a kill at any moment costs at most the running step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.annotations import check_mask, read_slice
from activeseg.cohort import Cohort, Structure
from activeseg.errors import AnnotationError, ProjectError
from activeseg.files import make_folder, sweep_temporary
from activeseg.keys import SliceKey
from activeseg.project import claims
from activeseg.project.lock import hold
from activeseg.project.names import author_name
from activeseg.project.records import Annotation, read_records, slice_records, store
from activeseg.project.rounds import Batch, RoundFiles, Suggestion, list_rounds
from activeseg.project.settings import FOLDERS, Settings, read_settings, refuse_used
from activeseg.project.skips import skipped_slices

__all__ = ["Project"]

_OLD_TEMPORARY_S = 24 * 3600.0


@dataclass(frozen=True)
class Project:
    """One project folder.

    Attributes:
        folder: The folder, absolute.
        settings: What ``project.json`` says.
    """

    folder: Path
    settings: Settings

    @classmethod
    def create(
        cls,
        folder: Path,
        cohort: Cohort,
        plane_policy: str,
        strategy: str,
        seed: int,
        model: str,
    ) -> Project:
        """Make a project in a new or empty folder.

        Args:
            folder: The folder.
            cohort: The cohort; its files stay where they are.
            plane_policy: In which planes slices are asked for.
            strategy: Name of the strategy that chooses.
            seed: Seed of everything random, 0 or more.
            model: Name or path of the network to start from.

        Raises:
            ProjectError: If the folder holds a project or anything else, the plane policy is
                unknown, the seed is negative, or the disk refuses.
        """
        folder = folder.absolute()
        settings = Settings(cohort, plane_policy, strategy, seed, model)
        settings.check()
        try:
            make_folder(folder)
            refuse_used(folder)  # before the lock, which would leave its file with a stranger's
            with hold(folder, "init"):
                refuse_used(folder)
                for name in FOLDERS:
                    make_folder(folder / name)
                settings.write(folder)
        except OSError as error:
            raise ProjectError(f"cannot be made ({error.strerror})", str(folder)) from error
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project; no image is read, so the cohort may be elsewhere at the moment.

        Raises:
            ProjectError: If the folder is no project, was made by a newer version, or its
                ``project.json`` is damaged.
        """
        folder = folder.absolute()
        return cls(folder, read_settings(folder))

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

    # Annotations

    def accept(
        self,
        key: SliceKey,
        mask2d: npt.NDArray[Any],
        author: str,
        seconds: float = 0.0,
        shown: Mapping[str, Any] | None = None,
    ) -> Annotation:
        """Accept a mask for a slice; earlier acceptances stay. The claim on the slice ends.

        Args:
            key: Any slice of the cohort, asked for or not.
            mask2d: Native 2-D slice of label values (`activeseg.cohort.take_slice`).
            author: Who accepts it.
            seconds: How long the author worked on it.
            shown: What the author had been shown (`activeseg.project.accept.what_was_shown`).

        Returns:
            The acceptance, which is on the disk by then.

        Raises:
            AnnotationError: If the slice does not exist, the mask does not fit it, or the disk
                refuses. CohortError: If there is no such volume. ProjectError: If the author is
                no name.
        """
        geometry = self.cohort.volume(key.volume).geometry
        name = author_name(author)
        mask = check_mask(mask2d, geometry, key, self.structures)
        if not (math.isfinite(seconds) and seconds >= 0):
            raise AnnotationError(f"it took {seconds} seconds; expected 0 or more", str(key))
        annotation = store(
            self.folder / "annotations",
            key,
            mask,
            geometry,
            self.structures,
            name,
            float(seconds),
            shown,
        )
        claims.release(self.folder / "claims", key)
        return annotation

    def all_annotations(self) -> list[Annotation]:
        """Every acceptance, oldest first.

        Raises:
            ProjectError: If a record is damaged.
        """
        records = read_records(self.folder / "annotations")
        return sorted(records, key=lambda annotation: annotation.order)

    def annotations(self) -> dict[SliceKey, Annotation]:
        """The newest acceptance of each annotated slice, by key.

        Raises:
            ProjectError: If a record is damaged.
        """
        newest = {annotation.key: annotation for annotation in self.all_annotations()}
        return {key: newest[key] for key in sorted(newest)}

    def history(self, key: SliceKey) -> list[Annotation]:
        """Every acceptance of one slice, oldest first.

        Raises:
            ProjectError: If a record is damaged.
        """
        return slice_records(self.folder / "annotations", key)

    def read_annotation(self, annotation: Annotation) -> npt.NDArray[np.uint8]:
        """The accepted mask: native 2-D slice of label values.

        Raises:
            ProjectError: If the file was changed since. AnnotationError: If it is damaged.
        """
        annotation.verify()
        geometry = self.cohort.volume(annotation.key.volume).geometry
        return read_slice(annotation.image, geometry, annotation.key)

    # Rounds

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
        """The batch of the highest round that has one.

        Raises:
            ProjectError: If it is damaged.
        """
        for files in reversed(self.rounds()):
            batch = files.read_batch()
            if batch is not None:
                return batch
        return None

    def round_for_training(self) -> RoundFiles:
        """The round that a training belongs to; never 0, which has no model.

        The one after the latest complete round. A round without a batch was interrupted and is
        taken up again.
        """
        latest = self.latest_round()
        if latest is None:
            return self.round(1)
        return self.round(max(1, latest.number + latest.batch.is_file()))

    # Suggestions

    def open_suggestions(self) -> list[Suggestion]:
        """What the latest batch still waits for, in the order of the ranks.

        Raises:
            ProjectError: If the batch or a record is damaged.
        """
        batch = self.latest_batch()
        asked = batch.suggestions if batch is not None else ()
        aside = self.skipped()
        return [each for each in asked if each.key not in aside and not self.history(each.key)]

    def skipped(self) -> frozenset[SliceKey]:
        """The slices that were put aside."""
        return skipped_slices(self.folder / "skips")

    def next_suggestion(
        self, author: str, minutes: float = claims.CLAIM_MINUTES
    ) -> Suggestion | None:
        """The first open suggestion that nobody else works on; it is the author's then.

        What the author has claimed already comes first, and is claimed for another while.

        Args:
            author: Who is going to annotate it.
            minutes: How long the claim holds.

        Returns:
            None when nothing is open, or when others work on all of it.

        Raises:
            ProjectError: If the batch is damaged, the author is no name or the disk refuses.
        """
        name = author_name(author)
        root = self.folder / "claims"
        waiting = self.open_suggestions()
        holders = {suggestion.key: claims.holder(root, suggestion.key) for suggestion in waiting}

        def others(suggestion: Suggestion) -> bool:
            claim = holders[suggestion.key]
            return claim is None or claim.author != name

        for suggestion in sorted(waiting, key=others):
            if not claims.take(root, suggestion.key, name, minutes):
                continue
            if not self.history(suggestion.key):
                return suggestion
            claims.release(root, suggestion.key)  # answered between the look and the claim
        return None

    def working_on(self) -> dict[SliceKey, claims.Claim]:
        """Who works on which open suggestion now."""
        root = self.folder / "claims"
        held = {s.key: claims.holder(root, s.key) for s in self.open_suggestions()}
        return {key: claim for key, claim in held.items() if claim is not None}

    def proposal(self, key: SliceKey) -> npt.NDArray[np.uint8] | None:
        """The mask that the latest batch shows for a slice: native, 2-D, label values.

        Returns:
            None when the slice is shown blank (an audit, or no model) or was not asked for.

        Raises:
            ProjectError: If the file is damaged.
        """
        batch = self.latest_batch()
        if batch is None or any(each.audit for each in batch.suggestions if each.key == key):
            return None
        return self.round(batch.round).read_proposal(key)

    # Work

    @contextmanager
    def working(self, verb: str) -> Iterator[None]:
        """Be the only one that trains, scores or chooses here while the block runs.

        Not for `accept` and `next_suggestion`, which any number may do at once. Does not nest:
        a verb made of others takes it once.

        Args:
            verb: What is being done, for whoever is refused meanwhile.

        Raises:
            ProjectError: If another process is at work; nothing waits.
        """
        try:
            with hold(self.folder, verb):
                sweep_temporary(self.folder, _OLD_TEMPORARY_S)
                yield
        except PermissionError as error:
            raise ProjectError(f"cannot be written to ({error})", str(self.folder)) from error
