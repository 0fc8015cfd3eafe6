"""One person's work on a project, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from activeseg.errors import ActiveSegError, AnnotationError, ProjectError
from activeseg.keys import SliceKey
from activeseg.project import Annotation, Project, author_name, skip
from activeseg_slicer.flow import overview
from activeseg_slicer.flow.clock import Clock
from activeseg_slicer.flow.desk import Desk, Sheet, still_shows
from activeseg_slicer.flow.reading import Reading
from activeseg_slicer.flow.rows import Estimate, Look, Row, State
from activeseg_slicer.flow.sheets import Laid, Sheets
from activeseg_slicer.flow.turns import Turns

__all__ = ["RENEW_S", "Session"]

RENEW_S = 600.0
"""A claim holds for an hour; `Session.autosave` renews it this often, in seconds."""


class Session:
    """One person's work on a project; a face shows it and calls it.

    At most one slice is on the desk. It is claimed while it lies there, so that nobody else is
    given it, and released when it is answered or left. Strokes that were not accepted are kept as
    a draft whenever the slice leaves the desk, and by `autosave`; whoever opens the slice again,
    also after a crash, finds them with the seconds worked.

    Each call either does what it says or raises an `ActiveSegError` and leaves the slice, its
    strokes and its clock as they are. One exception: where the slice was answered or kept as a
    draft and only the one to come could not be laid, that stands, the desk is empty, and `next`
    goes past it. Any call raises ProjectError where a file of the project is damaged.

    Args:
        project: The project.
        author: Who works.
        desk: Where slices are shown and painted on.
        clock: Counts the seconds of work.

    Raises:
        ProjectError: If the author is no name.
    """

    def __init__(self, project: Project, author: str, desk: Desk, clock: Clock) -> None:
        self.project = project
        self.author = author_name(author)
        self.clock = clock
        self._desk = desk
        self._reading = Reading(project)
        self._sheets = Sheets(project, self.author, self._reading)
        self._laid: Laid | None = None
        self._claimed = 0.0  # when, by the clock
        self._unsaved = False  # strokes that are in no draft
        self._drafted = False  # whether there is a draft of the slice on the desk
        self._turns = Turns(project, self.author)
        self._accepted: list[Annotation] = []

    # What there is

    @property
    def current(self) -> Sheet | None:
        """The slice on the desk."""
        return self._laid.sheet if self._laid is not None else None

    @property
    def current_row(self) -> Row | None:
        """The row of the slice on the desk, as it was when it was laid."""
        return self._row() if self._laid is not None else None

    def look(self) -> Look:
        """The latest batch as this person sees it at the moment."""
        return overview.look(self.project, self.author, self._key())

    @property
    def can_undo(self) -> bool:
        """Whether `undo` has an acceptance of this session to withdraw."""
        return bool(self._accepted)

    @property
    def can_go_back(self) -> bool:
        """Whether there is a slice before this one."""
        return self._turns.has_former(self._key())

    def estimate(self) -> Estimate:
        """Estimated quality against minutes spent, and what going on is expected to bring."""
        return overview.estimate(self.project)

    # From slice to slice

    def next(self) -> Row | None:
        """Lay the next open suggestion and claim it; the slice on the desk is left as a draft.

        What this person had claimed (before a crash) or drafted comes first, then the ranks, then
        what was left open before.

        Returns:
            None when there is no other that is open and free; the desk is as it was then.

        Raises:
            ActiveSegError: If the slice cannot be read; the next call goes past it.
        """
        waiting = self._turns.waiting(self._key())
        for place, key in enumerate(waiting, start=1):
            if not self.project.claim(key, self.author):
                continue
            if self.project.history(key):  # answered between the look and the claim
                self.project.release(key, self.author)
                continue
            leaving = self._key()
            try:
                row = self._change_to(key, following=waiting[place:])
            except ActiveSegError:
                self._turns.pass_by(key)
                raise
            if leaving is not None:
                self._turns.pass_by(leaving)
            return row
        return None

    def open(self, key: SliceKey) -> Row:
        """Lay a slice that a batch asked for, in any order, also one that is answered.

        Args:
            key: The slice; answered, it is laid with the newest answer, to be revised; lost by the
                desk, with what its draft kept.

        Raises:
            AnnotationError: If another person works on it, or nobody asked for it.
            ActiveSegError: If it cannot be read.
        """
        if self._laid is not None and key == self._laid.sheet.key:
            if still_shows(self._desk):
                return self._row()
            self._forget(remember=False)
        if self.project.asked(key) is None and self.project.read_draft(key, self.author) is None:
            raise AnnotationError("no batch asks for it; choose a slice of the table", str(key))
        self._claim_or_refuse(key)
        return self._change_to(key)

    def back(self) -> Row | None:
        """Lay the slice that was worked on before this one; None when there is none.

        Raises:
            AnnotationError: If another person works on it by now; the next call goes past it.
            ActiveSegError: If it cannot be read.
        """
        key = self._turns.former(self._key())
        if key is None:
            return None
        self._claim_or_refuse(key)
        return self._change_to(key, remember=False)

    def leave(self) -> None:
        """Put the slice away: strokes stay as the draft, the clock stops, the claim ends."""
        if self._laid is not None:
            if still_shows(self._desk):
                self._put_away(remember=True)
            else:  # what its draft kept is all there is
                self.project.release(self._laid.sheet.key, self.author)
                self._forget(remember=True)
            self._desk.clear()
        self._reading.rest()

    # Answers

    def accept(self) -> Row | None:
        """Accept the slice as it is painted, and lay the next.

        Returns:
            None when nothing else is open and free; the desk is empty then.

        Raises:
            AnnotationError: If no slice is on the desk, or the mask could not be written.
            ActiveSegError: If the next slice cannot be read.
        """
        laid = self._need()
        mask = self._desk.mask()
        shown = laid.shown(self.project, mask)
        seconds = self.clock.seconds
        accepted = self.project.accept(laid.sheet.key, mask, self.author, seconds, shown)
        self._accepted.append(accepted)
        return self._go_on()

    def nothing_here(self) -> Row | None:
        """Accept the slice without any structure, and lay the next; as `accept`."""
        self._desk.fill(np.zeros_like(self._need().sheet.mask))
        return self.accept()

    def skip(self, reason: str = "") -> Row | None:
        """Put the slice aside for good, and lay the next; its strokes are given up.

        Args:
            reason: Why; may be empty.

        Returns:
            As `accept`.

        Raises:
            AnnotationError: If no slice is on the desk. ActiveSegError: If the disk refuses, or
                the next slice cannot be read.
        """
        skip(self.project, self._need().sheet.key, self.author, reason)
        return self._go_on()

    def undo(self) -> Row | None:
        """Withdraw this session's last acceptance, and lay that slice with what was accepted.

        Its seconds stay spent; the clock begins at 0. Called again it withdraws the one before.

        Returns:
            None when there is nothing to undo.

        Raises:
            AnnotationError: If another person works on the slice, or the acceptance was withdrawn
                elsewhere. ActiveSegError: If the slice cannot be read.
        """
        if not self._accepted:
            return None
        annotation = self._accepted[-1]
        key = annotation.key
        self._claim_or_refuse(key)
        try:
            self._withdraw(annotation)
        except ActiveSegError:
            if self._key() != key:
                self.project.release(key, self.author)
            raise
        return self._row() if self._key() == key else self._change_to(key)

    def autosave(self) -> bool:
        """Keep the strokes as a draft if there are new ones; also renews the claim in time.

        Returns:
            Whether a draft was kept.

        Raises:
            ActiveSegError: If the disk refuses; the strokes count as new until they are kept.
        """
        if self._laid is None:
            return False
        self._unsaved = self._desk.changed() or self._unsaved
        kept = self._unsaved
        if kept:
            self._keep_draft(self._laid)
        if self.clock.now() - self._claimed >= RENEW_S:
            self.project.claim(self._laid.sheet.key, self.author)
            self._claimed = self.clock.now()
        return kept

    # How it is done

    def _key(self) -> SliceKey | None:
        return self._laid.sheet.key if self._laid is not None else None

    def _need(self) -> Laid:
        if self._laid is None:
            raise AnnotationError("no slice is on the desk; press Next or open one of the table")
        return self._laid

    def _row(self) -> Row:
        laid = self._need()
        return Row.of(laid.sheet.key, laid.asked, State.CURRENT, "")

    def _claim_or_refuse(self, key: SliceKey) -> None:
        if not self.project.claim(key, self.author):
            claim = self.project.holder(key)
            who = claim.author if claim is not None and claim.author else "another person"
            raise AnnotationError(f"{who} works on it now; choose another slice", str(key))

    def _change_to(
        self, key: SliceKey, remember: bool = True, following: Sequence[SliceKey] | None = None
    ) -> Row:
        """Lay a claimed slice in place of the one on the desk, or give its claim back.

        Args:
            key: The slice.
            remember: Whether `back` leads to the one on the desk.
            following: Those that are likely to come next; None where nobody has looked yet.
        """
        try:
            laid = self._sheets.lay_out(key)
            if self._laid is not None:
                self._put_away(remember)
            self._desk.lay(laid.sheet)
        except ActiveSegError:
            self.project.release(key, self.author)
            if self._laid is None:
                self._desk.clear()
            raise
        self.clock.start(laid.seconds)
        self._laid, self._drafted, self._unsaved = laid, laid.drafted, False
        self._claimed = self.clock.now()
        with suppress(ProjectError):  # whoever needs what is damaged is told
            likely = self._turns.waiting(key) if following is None else following
            self._reading.ahead_of(likely, but=key.volume)
        return self._row()

    def _put_away(self, remember: bool) -> None:
        """Keep what is on the desk and give it back to others; the desk still shows it."""
        laid = self._need()
        self._unsaved = self._desk.changed() or self._unsaved
        if self._unsaved or self._drafted:  # without strokes too: the seconds
            self._keep_draft(laid)
        self.project.release(laid.sheet.key, self.author)
        self._forget(remember)

    def _forget(self, remember: bool) -> None:
        """Have nothing on the desk."""
        if remember:
            self._turns.worked_on(self._need().sheet.key)
        self.clock.stop()
        self._laid, self._unsaved = None, False

    def _go_on(self) -> Row | None:
        """After an answer: the next slice, or an empty desk."""
        self._forget(remember=True)
        row = None
        try:
            row = self.next()
        finally:
            if row is None:
                self._desk.clear()
        return row

    def _keep_draft(self, laid: Laid) -> None:
        self.project.keep_draft(laid.sheet.key, self.author, self._desk.mask(), self.clock.seconds)
        self._drafted, self._unsaved = True, False

    def _withdraw(self, annotation: Annotation) -> None:
        """Withdraw an acceptance of this session whose slice is claimed."""
        key = annotation.key
        # First the draft, so that a crash in between loses nothing; where there are newer
        # strokes, kept or on the desk, they are what will be laid.
        if self._key() == key:
            self._keep_draft(self._need())
        elif self.project.read_draft(key, self.author) is None:
            mask = self.project.read_annotation(annotation)
            self.project.keep_draft(key, self.author, mask, 0.0)
        try:
            self.project.withdraw(annotation, self.author)
        finally:  # also where it was undone elsewhere; not where the disk refuses
            if all(each.image != annotation.image for each in self.project.history(key)):
                self._accepted.pop()
