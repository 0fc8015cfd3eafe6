"""The verb ``predict``: the latest model's mask of a whole volume."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from activeseg.cohort import write_label
from activeseg.executors import as_they_come
from activeseg.model.foreign import ForeignModel
from activeseg.model.inference import SliceModel
from activeseg.project.beginning import model_of
from activeseg.project.folder import Project
from activeseg.project.scans import scan_for

__all__ = ["latest_model", "predict"]


def latest_model(project: Project, device: str = "auto") -> SliceModel | ForeignModel:
    """The model of the latest round that has one, or the one that the project starts from.

    Args:
        project: The project.
        device: Where it runs (`activeseg.model.network.DEVICES`).

    Raises:
        ProjectError: If there is none yet. ModelError: If it cannot be read, or there is no such
            device.
    """
    return model_of(project, device)[1]


def predict(project: Project, volume: str, output: Path, device: str = "auto") -> None:
    """Write the latest model's label image of one volume, in exactly the image's geometry.

    Args:
        project: The project.
        volume: The volume's id.
        output: An image file; its suffix says the format.
        device: As `latest_model`.

    Raises:
        ProjectError: If there is no model yet. CohortError: If there is no such volume, it
            cannot be read, or the output cannot be written. ModelError: If the checkpoint
            cannot be read.
    """
    geometry = project.cohort.volume(volume).geometry
    work = partial(_labels, project, device)
    ((_, labels),) = as_they_come(work, [volume], gpu=device != "cpu")
    write_label(output, labels, geometry)


def _labels(project: Project, device: str, volume: str) -> npt.NDArray[np.uint8]:
    """The latest model's label values of one volume, native array."""
    model = latest_model(project, device)
    scan = scan_for(model, project.cohort, volume, project.plane_policy)
    channels = model.labels(scan)
    values = np.array([0, *model.config.structures], dtype=np.uint8)
    labels: npt.NDArray[np.uint8] = project.cohort.volume(volume).geometry.from_canonical(
        values[channels]
    )
    return labels
