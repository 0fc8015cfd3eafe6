"""How answers come in, a mask, a person's or the simulated clinician's, or a skip; and undo."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.annotations import read_mask, slice_geometry
from activeseg.errors import AnnotationError, ProjectError
from activeseg.keys import SliceKey
from activeseg.project import claims
from activeseg.project.folder import Project
from activeseg.project.names import author_name
from activeseg.project.records import Annotation
from activeseg.project.rounds import Suggestion
from activeseg.project.skips import put_aside

__all__ = ["annotate", "load_ahead", "record_of_shown", "skip", "undo", "what_was_shown"]


def annotate(
    project: Project, key: SliceKey, mask_file: Path, seconds: float, author: str
) -> Annotation:
    """Read a mask from a file, check it, and accept it with what had been shown before it.

    Args:
        project: The project.
        key: The slice.
        mask_file: A label image of the volume or of the slice
            (`activeseg.annotations.read_mask`).
        seconds: How long the author worked on it; 0 when nobody measured.
        author: Who accepts it.

    Returns:
        The acceptance, which is on the disk by then.

    Raises:
        AnnotationError, CohortError, ProjectError: If anything about it is wrong; nothing was
            accepted then.
    """
    volume = project.cohort.volume(key.volume)
    mask = read_mask(mask_file, volume, key, project.structures)
    return project.accept(key, mask, author, seconds, what_was_shown(project, key, mask))


def skip(project: Project, key: SliceKey, author: str, reason: str = "") -> None:
    """Put a slice aside; nobody is asked for it again (`activeseg.project.skips`).

    The claim on the slice ends, and the author's draft of it goes.

    Args:
        project: The project.
        key: The slice.
        author: Who skips it.
        reason: Why, in the author's words; kept in one line.

    Raises:
        AnnotationError, CohortError, ProjectError: If there is no such slice, the author is no
            name or the disk refuses.
    """
    count = project.cohort.volume(key.volume).geometry.slice_count(key.plane)
    if key.index >= count:
        raise AnnotationError(f"the volume has {count} slices in this plane", str(key))
    put_aside(project.folder / "skips", key, author_name(author), reason)
    claims.release(project.folder / "claims", key)
    with suppress(ProjectError):  # skipped it is
        project.drop_draft(key, author)


def undo(project: Project, key: SliceKey, author: str) -> Annotation:
    """Take the newest acceptance of a slice back; only who gave it may.

    Returns:
        The acceptance, withdrawn.

    Raises:
        AnnotationError: If the slice has none, or the newest is another's. ProjectError,
            CohortError: As `Project.withdraw`.
    """
    name = author_name(author)
    slice_geometry(project.cohort.volume(key.volume).geometry, key)
    given = project.history(key)
    if not given:
        raise AnnotationError("nobody has answered it; there is nothing to undo", str(key))
    if given[-1].author != name:
        raise AnnotationError(
            f"the newest answer is {given[-1].author}'s, not {name}'s; "
            f"only {given[-1].author} can undo it",
            str(key),
        )
    project.withdraw(given[-1], name)
    return replace(given[-1], withdrawn=True)


def what_was_shown(
    project: Project, key: SliceKey, accepted: npt.NDArray[np.uint8]
) -> dict[str, Any] | None:
    """What the newest batch that asked for a slice showed of it, and how good that turned out.

    It is taken down when the mask is accepted, before any retraining, because the pair of
    expected and true Dice calibrates the next estimates (METHODS: calibration of the Dice
    estimate); under a later model the proposal would be another.

    Args:
        project: The project.
        key: The slice.
        accepted: The accepted mask: native 2-D slice of label values.

    Returns:
        None when no batch asked for the slice. Else ``round``, ``rank``,
        ``expected_dice``, ``minutes``, ``audit`` and ``work`` of the suggestion, ``blank``
        (whether no proposal was shown), ``dice``: each structure's name with the Dice of the
        proposal, shown or held back for an audit, against the accepted mask, null where both are
        empty; and ``islands``: how many parts of the proposal are no part of what they were
        proposed as (`activeseg.quality.false_islands`). Both are null when there was none.

    Raises:
        ProjectError: If a batch or its proposals are damaged.
    """
    asked = project.asked(key)
    if asked is None:
        return None
    batch, suggestion = asked
    proposal = project.round(batch.round).read_proposal(key)
    return record_of_shown(project, batch.round, suggestion, proposal, accepted)


def record_of_shown(
    project: Project,
    round_number: int,
    suggestion: Suggestion,
    proposal: npt.NDArray[np.uint8] | None,
    accepted: npt.NDArray[np.uint8],
) -> dict[str, Any]:
    """What `what_was_shown` takes down, for a batch that need not be the latest any more.

    Args:
        project: The project.
        round_number: The batch's round.
        suggestion: What the batch said of the slice.
        proposal: The round's proposal, shown or held back; None when there was none.
        accepted: The accepted mask; both are native 2-D slices of label values.
    """
    return {
        "round": round_number,
        "rank": suggestion.rank,
        "expected_dice": suggestion.expected_dice,
        "minutes": suggestion.minutes,
        "audit": suggestion.audit,
        "work": dict(suggestion.work),
        "blank": proposal is None or suggestion.audit,
        "dice": None if proposal is None else _structure_dice(project, proposal, accepted),
        "islands": None if proposal is None else _islands(project, proposal, accepted),
    }


def _structure_dice(
    project: Project, proposal: npt.NDArray[np.uint8], accepted: npt.NDArray[np.uint8]
) -> dict[str, float | None]:
    """Dice of each structure by name; None (null in JSON) where neither mask has it."""
    from activeseg.quality import dice

    found = {s.name: dice(proposal, accepted, s.value) for s in project.structures}
    return {name: None if math.isnan(value) else value for name, value in found.items()}


def _islands(
    project: Project, proposal: npt.NDArray[np.uint8], accepted: npt.NDArray[np.uint8]
) -> int:
    """False islands of all structures together."""
    from activeseg.quality import false_islands

    return false_islands(proposal, accepted, [s.value for s in project.structures])


def load_ahead() -> None:
    """Load what the first acceptance needs, for a face to do before anybody waits for it."""
    import activeseg.quality  # noqa: F401
