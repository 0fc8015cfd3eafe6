"""The verb ``predict``: the latest model's mask of a whole volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from activeseg.cohort import write_label
from activeseg.errors import ProjectError
from activeseg.model.inference import SliceModel
from activeseg.project.folder import Project
from activeseg.project.scans import read_scan

__all__ = ["latest_model", "predict"]


def latest_model(project: Project) -> SliceModel:
    """The model of the latest round that has one.

    Raises:
        ProjectError: If none was trained yet. ModelError: If it cannot be read.
    """
    for files in reversed(project.rounds()):
        if files.model.is_file():
            return SliceModel.from_checkpoint(files.model)
    raise ProjectError(
        "no model yet; annotate slices and run 'activeseg train'", str(project.folder)
    )


def predict(project: Project, volume: str, output: Path) -> None:
    """Write the latest model's label image of one volume, in exactly the image's geometry.

    Args:
        project: The project.
        volume: The volume's id.
        output: An image file; its suffix says the format.

    Raises:
        ProjectError: If no model was trained yet. CohortError: If there is no such volume, it
            cannot be read, or the output cannot be written. ModelError: If the checkpoint
            cannot be read.
    """
    geometry = project.cohort.volume(volume).geometry
    model = latest_model(project)
    channels = model.probabilities(read_scan(project, volume)).argmax(axis=0)
    values = np.array([0, *model.config.structures], dtype=np.uint8)
    write_label(output, geometry.from_canonical(values[channels]), geometry)
