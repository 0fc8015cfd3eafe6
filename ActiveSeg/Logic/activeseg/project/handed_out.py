"""Batches that were handed out as a folder, to be answered in another tool.

``rounds/<NNN>/offline/<utc>.json`` keeps what the folder showed of each slice. The folder itself
comes back edited, and the round's batch may have been chosen anew by then; so what was shown is
read here, and a folder that is not noted here belongs to another project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.errors import ActiveSegError, ProjectError
from activeseg.files import make_folder, read_json, write_json
from activeseg.project.damaged import damaged
from activeseg.project.folder import Project
from activeseg.project.names import slice_name, volume_name
from activeseg.project.rounds import Suggestion

__all__ = ["HandedOut", "HandedSlice", "find_handed_out", "hand_out", "mask_checksum"]

_FORMAT = 1
_FOLDER = "offline"


@dataclass(frozen=True)
class HandedSlice:
    """One slice of a batch that was handed out.

    Attributes:
        suggestion: What the batch said of it.
        sha256: Checksum of the mask that lay in the folder (`mask_checksum`).
    """

    suggestion: Suggestion
    sha256: str

    @property
    def name(self) -> str:
        """Its files' name in the folder, less the suffix: ``<NNN>_<volume>_<plane>_<index>``."""
        key = self.suggestion.key
        return f"{self.suggestion.rank:03d}_{volume_name(key.volume)}_{slice_name(key)}"


@dataclass(frozen=True)
class HandedOut:
    """A batch that was handed out.

    Attributes:
        round: The batch's round.
        number: What tells it from every other: the moment in which it was noted.
        slices: In the order of answering.
    """

    round: int
    number: str
    slices: tuple[HandedSlice, ...]

    def mark(self, project: Project) -> dict[str, Any]:
        """What the folder says of itself, so that it is known when it comes back."""
        return _origin(project) | {"round": self.round, "number": self.number}


def mask_checksum(mask2d: npt.NDArray[np.uint8]) -> str:
    """SHA-256 of a mask's voxels, whatever file they lie in: native 2-D slice of label values."""
    return hashlib.sha256(np.ascontiguousarray(mask2d).tobytes()).hexdigest()


def hand_out(project: Project, round_number: int, slices: Sequence[HandedSlice]) -> HandedOut:
    """Note a batch that is about to be handed out.

    Raises:
        ProjectError: If the disk refuses.
    """
    number = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%fZ}"
    handed = HandedOut(round_number, number, tuple(slices))
    file = _file(project, round_number, number)
    record = {
        "format_version": _FORMAT,
        "slices": [
            {"suggestion": each.suggestion.record(), "sha256": each.sha256} for each in slices
        ],
    }
    try:
        make_folder(file.parent)
        write_json(file, record)
    except OSError as error:
        raise ProjectError(f"cannot note what is handed out ({error})", str(file)) from error
    return handed


def find_handed_out(project: Project, mark: Mapping[str, Any], where: Path) -> HandedOut:
    """The batch that a folder says it holds.

    Args:
        project: The project that is said to have handed it out.
        mark: What the folder says of itself (`HandedOut.mark`).
        where: The file that says it, for messages.

    Raises:
        ProjectError: If the mark is damaged, or of a newer version, another cohort, other
            structures or another project; if the project's note is damaged.
    """
    try:
        version, number = int(mark["format_version"]), str(mark["number"])
        round_number = int(mark["round"])
        theirs = {name: mark[name] for name in ("cohort", "structures")}
        datetime.strptime(number, "%Y%m%dT%H%M%S.%fZ")  # it becomes part of a path
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(where, error, "ask for the folder as it was handed out") from error
    if version > _FORMAT:
        raise ProjectError(f"format {version} is newer than this one; update activeseg", str(where))
    for name, ours in _origin(project).items():
        if name in theirs and theirs[name] != ours:
            raise ProjectError(
                f"the folder was made for {_ANOTHER[name]} than {project.folder}'s; "
                "name the project that it was made by",
                str(where),
            )
    file = _file(project, round_number, number)
    try:
        return HandedOut(round_number, number, _slices(read_json(file)))
    except FileNotFoundError:
        raise ProjectError(
            f"the folder was not made by {project.folder}; name the project that it was made by",
            str(where),
        ) from None
    except (OSError, KeyError, TypeError, ValueError, ActiveSegError) as error:
        raise damaged(file, error, "restore it") from error


_ANOTHER = {"cohort": "another cohort", "structures": "other structures"}


def _origin(project: Project) -> dict[str, Any]:
    """What all folders of a project have in common."""
    return {
        "format_version": _FORMAT,
        "cohort": _cohort_checksum(project.cohort),
        "structures": {each.name: each.value for each in project.structures},
    }


def _cohort_checksum(cohort: Cohort) -> str:
    """SHA-256 of the volumes' names and geometries; where the files lie does not matter."""
    volumes = [[volume.id, volume.geometry.to_json()] for volume in cohort.volumes]
    return hashlib.sha256(json.dumps(volumes).encode()).hexdigest()


def _slices(data: Mapping[str, Any]) -> tuple[HandedSlice, ...]:
    return tuple(
        HandedSlice(Suggestion.from_json(each["suggestion"]), str(each["sha256"]))
        for each in data["slices"]
    )


def _file(project: Project, round_number: int, number: str) -> Path:
    return project.round(round_number).folder / _FOLDER / f"{number}.json"
