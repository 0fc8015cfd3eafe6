"""How answers come in: a mask, a person's or the simulated clinician's, or a skip."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.annotations import read_mask
from activeseg.errors import AnnotationError
from activeseg.keys import SliceKey
from activeseg.project import claims
from activeseg.project.folder import Project
from activeseg.project.names import author_name
from activeseg.project.records import Annotation
from activeseg.project.skips import put_aside

__all__ = ["annotate", "skip", "what_was_shown"]


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


def skip(project: Project, key: SliceKey, author: str) -> None:
    """Put a slice aside; nobody is asked for it again (`activeseg.project.skips`).

    Raises:
        AnnotationError, CohortError, ProjectError: If there is no such slice, the author is no
            name or the disk refuses.
    """
    count = project.cohort.volume(key.volume).geometry.slice_count(key.plane)
    if key.index >= count:
        raise AnnotationError(f"the volume has {count} slices in this plane", str(key))
    put_aside(project.folder / "skips", key, author_name(author))
    claims.release(project.folder / "claims", key)


def what_was_shown(
    project: Project, key: SliceKey, accepted: npt.NDArray[np.uint8]
) -> dict[str, Any] | None:
    """What the latest batch showed of a slice, and how good that turned out to be.

    It is taken down when the mask is accepted, before any retraining, because the pair of
    expected and true Dice calibrates the next estimates (METHODS: calibration of the Dice
    estimate); under a later model the proposal would be another.

    Args:
        project: The project.
        key: The slice.
        accepted: The accepted mask: native 2-D slice of label values.

    Returns:
        None when the latest batch does not ask for the slice. Else ``round``, ``rank``,
        ``expected_dice``, ``minutes``, ``audit`` and ``work`` of the suggestion, ``blank``
        (whether no proposal was shown) and ``dice``: each structure's name with the Dice of the
        proposal, shown or held back for an audit, against the accepted mask, null where both are
        empty; null altogether when there was none.

    Raises:
        ProjectError: If the batch or its proposals are damaged.
    """
    batch = project.latest_batch()
    asked = batch.suggestions if batch is not None else ()
    suggestion = next((entry for entry in asked if entry.key == key), None)
    if batch is None or suggestion is None:
        return None
    proposal = project.round(batch.round).read_proposal(key)
    return {
        "round": batch.round,
        "rank": suggestion.rank,
        "expected_dice": suggestion.expected_dice,
        "minutes": suggestion.minutes,
        "audit": suggestion.audit,
        "work": dict(suggestion.work),
        "blank": proposal is None or suggestion.audit,
        "dice": None if proposal is None else _structure_dice(project, proposal, accepted),
    }


def _structure_dice(
    project: Project, proposal: npt.NDArray[np.uint8], accepted: npt.NDArray[np.uint8]
) -> dict[str, float | None]:
    """Dice of each structure by name; None (null in JSON) where neither mask has it."""
    from activeseg.quality import dice

    found = {s.name: dice(proposal, accepted, s.value) for s in project.structures}
    return {name: None if math.isnan(value) else value for name, value in found.items()}
