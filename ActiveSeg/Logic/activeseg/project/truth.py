"""Where the reference labels show structures: for arms of a benchmark that are told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.model.scan import axis_of
from activeseg.project.folder import Project

__all__ = ["truly_shown"]


def truly_shown(project: Project, keys: Sequence[SliceKey], strategy: str) -> npt.NDArray[np.bool_]:
    """Whether the reference label of each slice shows each structure, `[structures, N]`.

    Args:
        project: The project.
        keys: The slices, ascending.
        strategy: Name of the strategy that asks, for the message.

    Raises:
        ProjectError: If a volume has no reference label. CohortError: If one cannot be read.
    """
    shown = np.zeros((len(project.structures), len(keys)), dtype=bool)
    stacks: dict[str, dict[Plane, npt.NDArray[np.bool_]]] = {}
    for column, key in enumerate(keys):
        if key.volume not in stacks:
            stacks = {key.volume: _stacks(project, key.volume, strategy)}  # one at a time
        geometry = project.cohort.volume(key.volume).geometry
        shown[:, column] = stacks[key.volume][key.plane][
            :, geometry.canonical_index(key.plane, key.index)
        ]
    return shown


def _stacks(project: Project, volume: str, strategy: str) -> dict[Plane, npt.NDArray[np.bool_]]:
    """Of each plane `[structures, slices]`, in canonical order."""
    found = project.cohort.volume(volume)
    if found.label is None:
        raise ProjectError(
            f"strategy '{strategy}' chooses by the reference labels, but {volume} has none; choose "
            "with another --strategy",
            str(project.folder),
        )
    label = found.geometry.to_canonical(project.cohort.read_label(volume))
    here = np.array([label == structure.value for structure in project.structures])
    others = {plane: tuple(a + 1 for a in range(3) if a != axis_of(plane)) for plane in Plane}
    return {plane: np.any(here, axis=axes) for plane, axes in others.items()}
