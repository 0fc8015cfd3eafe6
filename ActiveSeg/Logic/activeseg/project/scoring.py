"""The verb ``score``: what the round's model thinks of every slice of the cohort."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from activeseg.model.protocol import SegmentationModel
from activeseg.progress import Progress
from activeseg.project.beginning import model_of
from activeseg.project.estimating import write_estimate
from activeseg.project.folder import Project
from activeseg.project.one_volume import Scoring, score_scan
from activeseg.project.predictions import Scores, read_prediction
from activeseg.project.rounds import RoundFiles
from activeseg.project.scans import scan_for
from activeseg.project.score_file import open_scores, score_writer

__all__ = ["Scoring", "score", "score_scan"]


_LACKING = {"dropout": "dropout", "snapshots": "members kept from its training"}


def score(
    project: Project,
    scoring: Scoring,
    progress: Progress,
    device: str = "auto",
    order: Sequence[str] = (),
    scored: Callable[[str, Scores], None] = lambda volume, scores: None,
) -> RoundFiles:
    """Score every slice of the cohort with the latest model; a killed run is taken up again.

    Before any training that is the model that the project starts from, in round 0. A model that
    cannot give the samples that are asked for is sampled by test-time augmentation, which the
    stage's name and the round's note say.

    The caller holds `Project.working`.

    Args:
        project: The project.
        scoring: How to score.
        progress: Told about the volumes.
        device: Where the model runs (`activeseg.model.network.DEVICES`).
        order: Ids of volumes in the order of scoring; those that it does not name come last.
        scored: Told of each volume's scores, native, once its prediction is on the disk.

    Returns:
        The round, with ``scores.parquet``, ``estimate.json`` and a prediction for each volume.

    Raises:
        ProjectError: If there is no model yet. CohortError, ModelError: If an image or the model
            cannot be read.
    """
    files, model = model_of(project, device)
    scoring, note = _possible(scoring, model)
    # What another model made, or the same one asked otherwise, is made anew.
    checksum = f"{_checksum(project, files)} {scoring}"
    names = [structure.name for structure in project.structures]
    stage_name = f"Scoring volumes ({note})" if note else "Scoring volumes"
    place = {volume: rank for rank, volume in enumerate(order)}
    volumes = sorted(
        enumerate(project.cohort.volumes), key=lambda each: place.get(each[1].id, len(place))
    )
    with (
        progress.stage(stage_name, len(project.cohort.volumes)) as stage,
        score_writer(files) as table,
    ):
        for number, volume in volumes:
            found = read_prediction(files, volume.id, checksum)
            if found is None:
                seed = project.seed + 104729 * files.number + number
                scan = scan_for(model, project.cohort, volume.id, project.plane_policy)
                found = score_scan(model, model.config.pixel_mm, scan, names, scoring, seed)
                found = found.native(volume.geometry, model.config.structures)
                found.write(files, volume.id, checksum)
            table.add(volume.id, found.scores)
            scored(volume.id, found.scores)
            stage.advance()
    write_estimate(project, files, open_scores(files), note)
    return files


def _possible(scoring: Scoring, model: SegmentationModel) -> tuple[Scoring, str]:
    """The scoring that a model is able to, and what there is to say of it."""
    if scoring.samples in model.sources:
        return scoring, ""
    note = f"sampled by test-time augmentation, as the model has no {_LACKING[scoring.samples]}"
    return replace(scoring, samples="augmented"), note


def _checksum(project: Project, files: RoundFiles) -> str:
    """Of the model: a round's checkpoint, or the files that the project starts from."""
    if files.model.is_file():
        return hashlib.sha256(files.model.read_bytes()).hexdigest()
    return "" if project.start is None else project.start.checksum
