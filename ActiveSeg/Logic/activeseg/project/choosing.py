"""The verb ``suggest``: the next batch, from the scores or, before any annotation, without."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt

from activeseg.cohort import take_slice
from activeseg.cost import STANDARD, prior_draw_seconds, time_factor
from activeseg.errors import ProjectError
from activeseg.keys import SliceKey
from activeseg.model.features import slice_features, slice_information
from activeseg.model.scan import Scan
from activeseg.progress import Progress
from activeseg.project.folder import Project
from activeseg.project.names import timestamp
from activeseg.project.predictions import read_prediction, read_scores
from activeseg.project.records import Annotation
from activeseg.project.rounds import Batch, RoundFiles, Suggestion
from activeseg.project.scans import read_scan
from activeseg.sampling import Annotated, Candidate, Choice, Pool, Strategy, strategy

__all__ = ["choose"]

ONE_SHOT = "one-shot"


def choose(
    project: Project, minutes: float, strategy_name: str | None, progress: Progress
) -> Batch:
    """Choose the next batch under a budget and keep it as the round's ``batch.json``.

    With no annotation yet, strategies that need a model give way to the one-shot choice. A
    second call in one round chooses anew from what is still not annotated.

    The caller holds `Project.working`.

    Args:
        project: The project.
        minutes: Budget of the batch.
        strategy_name: Another strategy than the project's; None for the project's.
        progress: Told about reading, where features are needed.

    Raises:
        ProjectError: If slices are annotated but no model has scored the pool, if no slice is
            left or none fits the budget. CohortError: If an image cannot be read.
    """
    chosen_by = strategy(strategy_name or project.strategy)
    annotations = project.annotations()
    scored = [files for files in project.rounds() if files.scores.is_file()]
    if not scored:
        chosen_by = _without_model(project, chosen_by, annotations)
    elif chosen_by.needs_model:
        _refuse_stale(project, scored[-1])
    files = scored[-1] if scored else project.round(0)
    factor = 1.0
    if scored and not chosen_by.needs_features:
        factor = _learned_time_factor(project)
        pool = _scored_pool(project, files, annotations, factor)
    else:
        pool = _unscored_pool(project, chosen_by.needs_features, annotations, progress)
    rng = np.random.default_rng([project.seed, files.number])
    choices = chosen_by.choose(pool, budget_s=60 * minutes, rng=rng)
    if not choices:
        raise ProjectError(_why_none(pool, minutes), str(project.folder))
    files.make().write_proposals(_proposals(project, files, choices))
    batch = Batch(
        round=files.number,
        strategy=chosen_by.name,
        seed=project.seed,
        budget_minutes=minutes,
        time=timestamp(datetime.now(timezone.utc)),
        suggestions=tuple(_suggestion(rank, each) for rank, each in enumerate(choices, 1)),
        time_factor=factor,
    )
    files.write_batch(batch)
    return batch


def _without_model(
    project: Project, wanted: Strategy, annotations: Mapping[SliceKey, Annotation]
) -> Strategy:
    """What can choose before any model has scored the pool."""
    if not wanted.needs_model:
        return wanted
    if annotations:
        raise ProjectError(
            f"{len(annotations)} slices are annotated but no model has scored the others yet; "
            "run 'activeseg round' instead",
            str(project.folder),
        )
    return strategy(ONE_SHOT)


def _refuse_stale(project: Project, scored: RoundFiles) -> None:
    """Refuse to choose by the scores of a model that was followed by another."""
    latest = project.latest_round()
    if latest is not None and latest.number > scored.number and latest.model.is_file():
        raise ProjectError(
            f"the model of round {latest.number} has not scored the pool yet; "
            "run 'activeseg score' first",
            str(project.folder),
        )


def _scored_pool(
    project: Project,
    files: RoundFiles,
    annotations: Mapping[SliceKey, Annotation],
    factor: float,
) -> Pool:
    """The slices without annotation, with the scores of a round."""
    candidates = [
        Candidate(
            key=row.key,
            value=row.value,
            seconds=row.seconds * factor,
            position_mm=_position_mm(project, row.key),
            expected_dice=row.expected_dice,
            entropy=row.band_entropy,
            how=row.how,
            whole_entropy=row.whole_entropy,
        )
        for row in read_scores(files)
        if row.key not in annotations
    ]
    return Pool(candidates, STANDARD.first_slice_s, _annotated(project, annotations))


def _learned_time_factor(project: Project) -> float:
    """`time_factor` of all logged answers to batches that a model was behind."""
    expected, actual = [], []
    for annotation in project.all_annotations():
        shown = annotation.shown
        if shown is not None and shown["round"] > 0 and annotation.seconds > 0:
            expected.append(60 * shown["minutes"] / shown["time_factor"])
            actual.append(annotation.seconds)
    return time_factor(expected, actual)


def _unscored_pool(
    project: Project,
    features: bool,
    annotations: Mapping[SliceKey, Annotation],
    progress: Progress,
) -> Pool:
    """The slices without annotation, with nothing but frozen features where they are asked for."""
    candidates: list[Candidate] = []
    rows: list[npt.NDArray[np.float32]] = []
    full: list[npt.NDArray[np.float32]] = []
    with progress.stage("Looking at volumes", len(project.cohort.volumes)) as stage:
        for volume in project.cohort.volumes:
            geometry = volume.geometry
            scan: Scan | None = read_scan(project, volume.id) if features else None
            for plane in geometry.planes(project.plane_policy):
                keys = [SliceKey(volume.id, plane, k) for k in range(geometry.slice_count(plane))]
                free = [key for key in keys if key not in annotations]
                seconds = prior_draw_seconds(
                    len(project.structures), geometry.slice_extent(plane), STANDARD
                )
                candidates += [
                    Candidate(key, 0.0, seconds, _position_mm(project, key), None, None, "draw")
                    for key in free
                ]
                if scan is not None and free:
                    order = [geometry.canonical_index(plane, key.index) for key in free]
                    rows.append(slice_features(scan, plane)[order])
                    full.append(slice_information(scan, plane)[order])
            stage.advance()
    return Pool(
        candidates,
        STANDARD.first_slice_s,
        _annotated(project, annotations),
        features=np.concatenate(rows) if rows else None,
        information=np.concatenate(full) if full else None,
    )


def _annotated(project: Project, annotations: Mapping[SliceKey, Annotation]) -> list[Annotated]:
    """Where the annotated slices lie."""
    return [(key.volume, key.plane, _position_mm(project, key)) for key in annotations]


def _position_mm(project: Project, key: SliceKey) -> float:
    """Where a slice lies along the normal of its plane."""
    return key.index * project.cohort.volume(key.volume).geometry.thickness(key.plane)


def _proposals(
    project: Project, files: RoundFiles, choices: list[Choice]
) -> dict[SliceKey, npt.NDArray[np.uint8]]:
    """What the round's model proposes for the chosen slices; nothing where it has no model."""
    found: dict[SliceKey, npt.NDArray[np.uint8]] = {}
    volume, prediction = "", None
    for key in (choice.candidate.key for choice in choices):
        if key.volume != volume:  # the choices come grouped by volume
            volume, prediction = key.volume, read_prediction(files, key.volume)
        if prediction is not None:
            geometry = project.cohort.volume(volume).geometry
            found[key] = take_slice(prediction.labels, geometry, key.plane, key.index)
    return found


def _suggestion(rank: int, choice: Choice) -> Suggestion:
    """A choice as the batch keeps it."""
    candidate = choice.candidate
    return Suggestion(
        key=candidate.key,
        rank=rank,
        value=choice.value,
        minutes=choice.seconds / 60,
        expected_dice=candidate.expected_dice,
        entropy=candidate.entropy,
        reason=choice.reason,
    )


def _why_none(pool: Pool, minutes: float) -> str:
    """Why a batch would be empty, and what to do."""
    if not pool.candidates:
        return "every slice is annotated; there is nothing left to ask for"
    least = min(candidate.seconds for candidate in pool.candidates) + pool.first_slice_s
    return (
        f"no slice fits {minutes:g} minutes; the cheapest takes about {least / 60:.1f}: "
        "give at least that much"
    )
