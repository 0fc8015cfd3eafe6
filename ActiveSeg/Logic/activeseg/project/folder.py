"""The project folder: plain files, from which everything else is derived.

::

    project.json                                      what `init` was told; never changed
    annotations/<volume>/<plane>_<index>/<utc>_<author>.seg.nrrd + .json (+ .withdrawn)
    claims/<volume>/<plane>_<index>/<number>.json     who works on what, until when
    drafts/<author>/<volume>/<plane>_<index>.npz      strokes that nobody has accepted yet
    skips/<volume>/<plane>_<index>/<utc>_<author>.json
    rounds/<NNN>/{model.pt, scores.parquet, proposals.npz, estimate.json, early.json, batch.json,
                  log.jsonl}
    cache/                                            features of the images; may be deleted

A `Project` keeps nothing in memory that is not in these files, so several processes (and
machines) can use one folder at once, and a kill at any moment costs at most the running step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from activeseg.annotations import slice_geometry
from activeseg.cohort import Cohort
from activeseg.errors import ProjectError
from activeseg.files import make_folder, sweep_temporary
from activeseg.keys import SliceKey
from activeseg.project import claims
from activeseg.project.answers import Answers
from activeseg.project.lock import hold
from activeseg.project.names import author_name
from activeseg.project.rounds import Suggestion
from activeseg.project.settings import FOLDERS, Settings, read_settings, refuse_used
from activeseg.project.skips import Skip, read_skips
from activeseg.project.start import Start

__all__ = ["Project"]

_OLD_TEMPORARY_S = 24 * 3600.0


class Project(Answers):
    """One project folder.

    Attributes:
        folder: The folder, absolute.
        settings: What ``project.json`` says.
    """

    @classmethod
    def create(
        cls,
        folder: Path,
        cohort: Cohort,
        plane_policy: str,
        strategy: str,
        seed: int,
        model: str,
        start: Start | None = None,
    ) -> Project:
        """Make a project in a new or empty folder.

        Args:
            folder: The folder.
            cohort: The cohort; its files stay where they are.
            plane_policy: In which planes slices are asked for.
            strategy: Name of the strategy that chooses.
            seed: Seed of everything random, 0 or more.
            model: Name or path of the network to start from.
            start: What is known of that network (`activeseg.project.beginning.begin`); None for
                the built-in one.

        Raises:
            ProjectError: If the folder holds a project or anything else, the plane policy is
                unknown, the seed is negative, or the disk refuses.
        """
        folder = folder.absolute()
        settings = Settings(cohort, plane_policy, strategy, seed, model, start)
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

    # Suggestions

    def open_suggestions(self) -> list[Suggestion]:
        """What the latest batch still waits for, in the order of the ranks.

        Raises:
            ProjectError: If the batch or a record is damaged.
        """
        batch = self.latest_batch()
        asked = batch.suggestions if batch is not None else ()
        aside = self.skipped()
        waiting = [each for each in asked if each.key not in aside]
        given = self.acceptances_of(each.key for each in waiting)
        return [
            each for each in waiting if all(answer.withdrawn for answer in given.get(each.key, ()))
        ]

    def skips(self) -> list[Skip]:
        """Who put which slice aside and why, oldest first.

        Raises:
            ProjectError: If a record is damaged.
        """
        return read_skips(self.folder / "skips")

    def skipped(self) -> frozenset[SliceKey]:
        """The slices that were put aside."""
        return frozenset(skip.key for skip in self.skips())

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
        holders = claims.holders(root, (suggestion.key for suggestion in waiting))

        def others(suggestion: Suggestion) -> bool:
            claim = holders.get(suggestion.key)
            return claim is None or claim.author != name

        for suggestion in sorted(waiting, key=others):
            if not claims.take(root, suggestion.key, name, minutes):
                continue
            if not self.history(suggestion.key):
                return suggestion
            claims.release(root, suggestion.key)  # answered between the look and the claim
        return None

    def claim(self, key: SliceKey, author: str, minutes: float = claims.CLAIM_MINUTES) -> bool:
        """Claim a slice of one's own choice, open or answered, or renew one's claim.

        Args:
            key: The slice.
            author: Who is going to work on it.
            minutes: How long the claim holds.

        Returns:
            Whether it is the author's now; False when somebody else works on it.

        Raises:
            AnnotationError, CohortError: If there is no such slice. ProjectError: If the author
                is no name or the disk refuses.
        """
        name = author_name(author)
        slice_geometry(self.cohort.volume(key.volume).geometry, key)
        return claims.take(self.folder / "claims", key, name, minutes)

    def release(self, key: SliceKey, author: str) -> None:
        """End the author's claim on a slice; another's stays.

        Raises:
            ProjectError: If the author is no name.
        """
        claims.release_own(self.folder / "claims", key, author_name(author))

    def holder(self, key: SliceKey) -> claims.Claim | None:
        """Who works on a slice now; None when nobody does."""
        return claims.holder(self.folder / "claims", key)

    def holders(self, keys: Iterable[SliceKey]) -> dict[SliceKey, claims.Claim]:
        """Who works on which of many slices now; those on which nobody does are left out."""
        return claims.holders(self.folder / "claims", keys)

    def working_on(self) -> dict[SliceKey, claims.Claim]:
        """Who works on which open suggestion now."""
        return self.holders(suggestion.key for suggestion in self.open_suggestions())

    def proposal(self, key: SliceKey) -> npt.NDArray[np.uint8] | None:
        """The mask that the latest batch shows for a slice: native, 2-D, label values.

        Returns:
            None when the slice is shown blank (an audit, or no model) or was not asked for.

        Raises:
            ProjectError: If the file is damaged.
        """
        batch = self.latest_batch()
        suggestion = batch.asked(key) if batch is not None else None
        if batch is None or (suggestion is not None and suggestion.audit):
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
