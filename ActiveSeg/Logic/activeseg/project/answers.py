"""What people answered: accepted masks, those they took back, and strokes not accepted yet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.annotations import check_mask, read_slice
from activeseg.cohort import Geometry
from activeseg.errors import AnnotationError, ProjectError
from activeseg.keys import SliceKey
from activeseg.project import claims, drafts
from activeseg.project.course import Course
from activeseg.project.drafts import Draft
from activeseg.project.listing import with_folder
from activeseg.project.names import author_name, moment, timestamp
from activeseg.project.records import Annotation, read_records, slice_records, store
from activeseg.project.withdrawals import take_back

__all__ = ["Answers"]


class Answers(Course):
    """The annotations and drafts of a project; any number of people may write them at once."""

    def accept(
        self,
        key: SliceKey,
        mask2d: npt.NDArray[Any],
        author: str,
        seconds: float = 0.0,
        shown: Mapping[str, Any] | None = None,
    ) -> Annotation:
        """Accept a mask for a slice; earlier acceptances stay.

        The claim on the slice ends, and the author's draft of it goes.

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
        name = author_name(author)
        geometry, mask = self._checked(key, mask2d, seconds)
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
        with suppress(ProjectError):  # accepted it is; a draft from before that counts for nothing
            drafts.remove(self.folder / "drafts", key, name)
        return annotation

    def withdraw(self, annotation: Annotation, author: str) -> None:
        """Take an acceptance back: the one before it counts again, or the slice is open again.

        Its files stay, and its seconds count as spent.

        Args:
            annotation: The acceptance.
            author: Who takes it back.

        Raises:
            AnnotationError: If it was taken back before or the disk refuses. ProjectError: If the
                author is no name.
        """
        take_back(annotation, author_name(author))

    def acceptances(self) -> list[Annotation]:
        """Every acceptance there ever was, those taken back too, oldest first.

        Raises:
            ProjectError: If a record is damaged.
        """
        records = read_records(self.folder / "annotations")
        return sorted(records, key=lambda annotation: annotation.order)

    def all_annotations(self) -> list[Annotation]:
        """Every acceptance that was not taken back, oldest first.

        Raises:
            ProjectError: If a record is damaged.
        """
        return [annotation for annotation in self.acceptances() if not annotation.withdrawn]

    def annotations(self, volume: str | None = None) -> dict[SliceKey, Annotation]:
        """The newest acceptance of each annotated slice, by key.

        Args:
            volume: Only of this volume.

        Raises:
            ProjectError: If a record is damaged.
        """
        records = read_records(self.folder / "annotations", volume)
        standing = [annotation for annotation in records if not annotation.withdrawn]
        newest = {each.key: each for each in sorted(standing, key=lambda each: each.order)}
        return {key: newest[key] for key in sorted(newest)}

    def history(self, key: SliceKey) -> list[Annotation]:
        """Every acceptance of one slice that was not taken back, oldest first.

        Raises:
            ProjectError: If a record is damaged.
        """
        return [each for each in self.slice_acceptances(key) if not each.withdrawn]

    def slice_acceptances(self, key: SliceKey) -> list[Annotation]:
        """Every acceptance of one slice, those taken back too, oldest first.

        Raises:
            ProjectError: If a record is damaged.
        """
        return slice_records(self.folder / "annotations", key)

    def acceptances_of(self, keys: Iterable[SliceKey]) -> dict[SliceKey, list[Annotation]]:
        """What `slice_acceptances` finds of many slices; those without any are left out.

        Raises:
            ProjectError: If a record is damaged.
        """
        root = self.folder / "annotations"
        found = {key: slice_records(root, key) for key in with_folder(root, keys)}
        return {key: records for key, records in found.items() if records}

    def read_annotation(self, annotation: Annotation) -> npt.NDArray[np.uint8]:
        """The accepted mask: native 2-D slice of label values.

        Raises:
            ProjectError: If the file was changed since. AnnotationError: If it is damaged.
        """
        annotation.verify()
        geometry = self.cohort.volume(annotation.key.volume).geometry
        return read_slice(annotation.image, geometry, annotation.key)

    # Drafts

    def keep_draft(
        self, key: SliceKey, author: str, mask2d: npt.NDArray[Any], seconds: float
    ) -> Draft:
        """Keep strokes that are not accepted yet, in place of the author's draft before.

        Args:
            key: The slice.
            author: Whose strokes.
            mask2d: Native 2-D slice of label values.
            seconds: How long the author has worked on it so far.

        Returns:
            The draft, which is on the disk by then.

        Raises:
            AnnotationError, CohortError, ProjectError: As `accept`; the draft before is still
                there then.
        """
        name = author_name(author)
        _, mask = self._checked(key, mask2d, seconds)
        draft = Draft(key, name, mask, float(seconds), self._later(key, name))
        drafts.save(self.folder / "drafts", draft)
        return draft

    def read_draft(self, key: SliceKey, author: str) -> Draft | None:
        """An author's draft of a slice.

        Returns:
            None when there is none, or the author has accepted the slice since.

        Raises:
            ProjectError: If the file is damaged or the author is no name.
        """
        name = author_name(author)
        draft = drafts.load(self.folder / "drafts", key, name)
        return draft if draft is not None and self._stands(draft) else None

    def drafts(self, author: str) -> dict[SliceKey, Draft]:
        """All drafts of an author, by key.

        Raises:
            ProjectError: If a file is damaged or the author is no name.
        """
        found = drafts.drafts_of(self.folder / "drafts", author_name(author))
        kept = {draft.key: draft for draft in found if self._stands(draft)}
        return {key: kept[key] for key in sorted(kept)}

    def drop_draft(self, key: SliceKey, author: str) -> None:
        """Give an author's draft up.

        Raises:
            ProjectError: If the disk refuses or the author is no name.
        """
        drafts.remove(self.folder / "drafts", key, author_name(author))

    def _checked(
        self, key: SliceKey, mask2d: npt.NDArray[Any], seconds: float
    ) -> tuple[Geometry, npt.NDArray[np.uint8]]:
        """The volume's geometry and the mask, if mask and seconds can be kept for the slice."""
        geometry = self.cohort.volume(key.volume).geometry
        mask = check_mask(mask2d, geometry, key, self.structures)
        if not (math.isfinite(seconds) and seconds >= 0):
            raise AnnotationError(f"it took {seconds} seconds; expected 0 or more", str(key))
        return geometry, mask

    def _own(self, key: SliceKey, name: str) -> list[Annotation]:
        """An author's acceptances of a slice, oldest first."""
        return [each for each in self.slice_acceptances(key) if each.author == name]

    def _stands(self, draft: Draft) -> bool:
        """Whether a draft was kept after all that its author accepted of the slice."""
        return all(each.time < draft.time for each in self._own(draft.key, draft.author))

    def _later(self, key: SliceKey, name: str) -> str:
        """Now, or just after the author's last acceptance of a slice if that lies ahead.

        The clocks of two machines differ; strokes made after an acceptance must not look older.
        """
        times = [moment(each.time) for each in self._own(key, name)]
        now = datetime.now(timezone.utc)
        return timestamp(max([now, *(time + timedelta(microseconds=1) for time in times)]))
