"""The verb ``score``: what the round's model thinks of every slice of the cohort."""

from __future__ import annotations

import hashlib

from activeseg.errors import ProjectError
from activeseg.model.inference import SliceModel
from activeseg.progress import Progress
from activeseg.project.estimating import write_estimate
from activeseg.project.folder import Project
from activeseg.project.one_volume import Scoring, score_scan
from activeseg.project.predictions import Scores, read_prediction, read_scores, write_scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.scans import read_scan

__all__ = ["Scoring", "score", "score_scan"]


def score(project: Project, scoring: Scoring, progress: Progress) -> RoundFiles:
    """Score every slice of the cohort with the latest model; a killed run is taken up again.

    The caller holds `Project.working`.

    Returns:
        The round, with ``scores.npz``, ``estimate.json`` and a prediction for each volume.

    Raises:
        ProjectError: If no model was trained yet. CohortError, ModelError: If an image or the
            checkpoint cannot be read.
    """
    trained = [files for files in project.rounds() if files.model.is_file()]
    if not trained:
        raise ProjectError(
            "no model yet; annotate slices and run 'activeseg train'", str(project.folder)
        )
    files = trained[-1]
    model = SliceModel.from_checkpoint(files.model)
    # What another model made, or the same one asked otherwise, is made anew.
    checksum = f"{hashlib.sha256(files.model.read_bytes()).hexdigest()} {scoring}"
    parts: dict[str, Scores] = {}
    names = [structure.name for structure in project.structures]
    with progress.stage("Scoring volumes", len(project.cohort.volumes)) as stage:
        for number, volume in enumerate(project.cohort.volumes):
            found = read_prediction(files, volume.id, checksum)
            if found is None:
                seed = project.seed + 104729 * files.number + number
                scan = read_scan(project, volume.id)
                found = score_scan(model, model.config.pixel_mm, scan, names, scoring, seed)
                found = found.native(volume.geometry, model.config.structures)
                found.write(files, volume.id, checksum)
            parts[volume.id] = found.scores
            stage.advance()
    write_scores(files, parts)
    write_estimate(project, files, read_scores(files))
    return files
