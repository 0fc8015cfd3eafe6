"""The verb ``score``: what the round's model thinks of every slice of the cohort.

One volume is one piece of work, done by whoever is at hand (`activeseg.executors`). Its samples
depend on its number alone, so it comes out the same whoever does it, and in whatever order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from activeseg.errors import ModelError, ProjectError
from activeseg.executors import as_they_come, far_away, until_seen
from activeseg.model.foreign import ForeignModel
from activeseg.model.inference import SliceModel
from activeseg.model.protocol import SegmentationModel
from activeseg.progress import Progress
from activeseg.project.beginning import model_of
from activeseg.project.estimating import write_estimate
from activeseg.project.folder import Project
from activeseg.project.names import volume_name
from activeseg.project.one_volume import Scoring, score_scan
from activeseg.project.predictions import Scores, is_predicted, read_volume_scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.scans import scan_for
from activeseg.project.score_file import open_scores, score_writer

__all__ = ["Scoring", "score", "score_scan"]


_LACKING = {
    "dropout": "dropout",
    "full-dropout": "dropout",
    "snapshots": "members kept from its training",
}


@dataclass(frozen=True)
class _Task:
    """What all volumes of one scoring have in common; pickled, it is all that a worker gets.

    Attributes:
        folder: The project's.
        model: Checksum of the model.
        scoring: How to score.
        device: Where the model runs.
    """

    folder: Path
    model: str
    scoring: Scoring
    device: str

    @property
    def stamp(self) -> str:
        """What a prediction carries: of another model, or asked for otherwise, it is made anew."""
        return f"{self.model} {self.scoring}"


class _Loaded(NamedTuple):
    """A project, and the round's model as it was read for a task."""

    project: Project
    files: RoundFiles
    model: SliceModel | ForeignModel


_LOADED: dict[_Task, _Loaded] = {}
"""What this process has loaded: of one task, as the next has another model or device."""


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
            cannot be read. WorkerError: If those who do the work are lost.
    """
    # Of work that is done elsewhere the model tells here no more than what it is able to.
    files, model = model_of(project, "cpu" if far_away() else device)
    scoring, note = _possible(scoring, model)
    task = _Task(project.folder, _checksum(project, files), scoring, device)
    volumes = project.cohort.volumes
    place = {volume: rank for rank, volume in enumerate(order)}
    planned = sorted(range(len(volumes)), key=lambda n: place.get(volumes[n].id, len(place)))
    loaded = _Loaded(project, files, model)
    stage_name = f"Scoring volumes ({note})" if note else "Scoring volumes"
    with (
        _loaded_for(task, loaded),
        progress.stage(stage_name, len(volumes)) as stage,
        score_writer(files) as table,
    ):
        for volume, scores in _in_turn(task, loaded, planned):
            table.add(volume, scores)
            scored(volume, scores)
            stage.advance()
    write_estimate(project, files, open_scores(files), note)
    return files


def _in_turn(task: _Task, loaded: _Loaded, planned: Sequence[int]) -> Iterator[tuple[str, Scores]]:
    """The scores of volumes in the order that was planned, whoever is the first to be done.

    Those that a run before has kept are read.
    """
    project, files, _ = loaded
    names = [volume.id for volume in project.cohort.volumes]
    missing = [n for n in planned if not is_predicted(files, names[n], task.stamp)]
    fresh = as_they_come(partial(_score_volume, task), missing, gpu=task.device != "cpu")
    early: dict[int, Scores] = {}
    wanted = set(missing)
    for number in planned:
        name = names[number]
        if number not in wanted:
            yield name, read_volume_scores(files, name)
            continue
        while number not in early:
            other, scores = next(fresh)
            early[other] = scores
        _await(files, name)
        yield name, early.pop(number)


def _score_volume(task: _Task, number: int) -> Scores:
    """Score one volume of the cohort and keep its prediction.

    Raises:
        ModelError: If the model is not the one that was asked for, or cannot be read.
        CohortError: If the image cannot be read. ProjectError: If the prediction cannot be kept.
    """
    if task not in _LOADED:
        _LOADED.clear()
        _LOADED[task] = _load(task)
    project, files, model = _LOADED[task]
    volume = project.cohort.volumes[number]
    names = [structure.name for structure in project.structures]
    seed = project.seed + 104729 * files.number + number
    scan = scan_for(model, project.cohort, volume.id, project.plane_policy)
    found = score_scan(model, model.config.pixel_mm, scan, names, task.scoring, seed)
    found = found.native(volume.geometry, model.config.structures)
    found.write(files, volume.id, task.stamp)
    return found.scores


def _await(files: RoundFiles, volume: str) -> None:
    """Go on when this machine, too, sees a prediction that perhaps another has written.

    Raises:
        ProjectError: If it never does.
    """
    file = files.folder / "predictions" / f"{volume_name(volume)}.npz"
    if until_seen(lambda: file.is_file() or None) is None:
        raise ProjectError("was written by another machine and is not seen from here", str(file))


def _load(task: _Task) -> _Loaded:
    """The project and the model of a task, in a process that did not begin it."""
    project = Project.open(task.folder)

    def fitting() -> _Loaded | None:
        files, model = model_of(project, task.device)
        fits = _checksum(project, files) == task.model
        return _Loaded(project, files, model) if fits else None

    loaded = until_seen(fitting)
    if loaded is None:
        raise ModelError(
            f"{task.folder}: another model than the one that was to score lies there; was it "
            "trained meanwhile? run the same command again"
        )
    return loaded


@contextmanager
def _loaded_for(task: _Task, loaded: _Loaded) -> Iterator[None]:
    """Have this process use what it has loaded already, and let go of it at the end."""
    _LOADED.clear()
    _LOADED[task] = loaded
    try:
        yield
    finally:
        _LOADED.clear()


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
