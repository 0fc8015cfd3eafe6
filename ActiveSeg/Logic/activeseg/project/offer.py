"""What a strategy may choose from: the slices that nobody has answered, skipped or claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from activeseg.cost import STANDARD, prior_answer
from activeseg.keys import Plane, SliceKey
from activeseg.minutes import MinutesModel, Work
from activeseg.model.features import slice_features, slice_information
from activeseg.progress import Progress
from activeseg.project.estimating import estimate_slices
from activeseg.project.folder import Project
from activeseg.project.predictions import read_scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.scans import read_scan
from activeseg.project.timing import minutes_model, opening_seconds
from activeseg.sampling import PLANES, Annotated, Pool, Scored, Strategy

__all__ = ["Offer", "offered"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Offer:
    """A pool, and how its minutes are predicted.

    Attributes:
        pool: The pool.
        minutes: The time model of whoever will answer.
        columns: `[N]` what the minutes of the pool's rows are predicted from, none of them first.
        whole: The row of each slice of the pool.
    """

    pool: Pool
    minutes: MinutesModel
    columns: Work
    whole: dict[SliceKey, int]

    def work(self, keys: Sequence[SliceKey], first: Sequence[bool]) -> Work:
        """The rows of some slices, each the first of its volume or not."""
        rows = np.array([self.whole[key] for key in keys], dtype=int)
        columns = self.columns
        picked = Work(
            columns.prior_s[rows],
            columns.contour_mm[rows],
            columns.drawn[rows],
            columns.first[rows],
            columns.expected_dice[rows],
        )
        return picked.as_first(np.array(first, dtype=bool))


@dataclass(frozen=True)
class _Slices:
    """The columns of a pool that its seconds follow from."""

    keys: list[SliceKey]
    work: Work
    how: npt.NDArray[np.str_]
    scored: Scored | None


def offered(
    project: Project,
    scored: RoundFiles | None,
    chosen_by: Strategy,
    author: str | None,
    progress: Progress,
) -> Offer:
    """Everything that a batch may hold.

    Args:
        project: The project.
        scored: The latest round that has scores; None before any.
        chosen_by: The strategy, which says whether features are needed.
        author: Who will answer; None for anybody.
        progress: Told about reading volumes, where features are needed.

    Raises:
        ProjectError: If a file of the project is damaged. CohortError: If an image cannot be
            read.
    """
    taken = {*project.annotations(), *project.skipped(), *project.working_on()}
    slices = _unscored(project, taken) if scored is None else _scored(project, scored, taken)
    minutes = minutes_model(project, author)
    volumes = tuple(sorted({key.volume for key in slices.keys}))
    code = {name: number for number, name in enumerate(volumes)}
    pool = Pool(
        volumes=volumes,
        volume=np.array([code[key.volume] for key in slices.keys], dtype=np.int32),
        plane=np.array([PLANES.index(key.plane) for key in slices.keys], dtype=np.int8),
        index=np.array([key.index for key in slices.keys], dtype=np.int32),
        position_mm=np.array([_position_mm(project, key) for key in slices.keys], dtype=float),
        seconds=minutes.predict(slices.work).seconds,
        how=slices.how,
        first_slice_s=opening_seconds(minutes, slices.work),
        annotated=_annotated(project),
        scored=slices.scored,
    )
    if chosen_by.needs_features:
        pool = _with_features(project, pool, slices.keys, progress)
    return Offer(pool, minutes, slices.work, {key: row for row, key in enumerate(slices.keys)})


def _scored(project: Project, files: RoundFiles, taken: set[SliceKey]) -> _Slices:
    """The slices of a score table, in order."""
    table = read_scores(files)
    found = estimate_slices(project, files, table)
    rows_of = {key: row for key, row in sorted(table.rows().items()) if key not in taken}
    rows = np.array(list(rows_of.values()), dtype=int)
    scores = table.scores
    work = Work(
        scores.seconds[rows],
        scores.contour_mm[rows],
        scores.drawn[rows],
        np.zeros(len(rows), dtype=bool),
        found.dice[rows],
    )
    scored = Scored(
        gain=found.gain[rows],
        uncertainty=scores.uncertainty[rows],
        band_entropy=scores.band_entropy[rows],
        whole_entropy=scores.whole_entropy[rows],
        epistemic=scores.epistemic[rows],
        expected_dice=found.dice[rows],
        dice_low=found.low[rows],
        dice_high=found.high[rows],
        shown=found.shown[rows].T,
        class_entropy=scores.class_entropy[rows].T,
        doubt=scores.doubt[rows],
        round=files.number,
    )
    return _Slices(list(rows_of), work, scores.how[rows], scored)


def _unscored(project: Project, taken: set[SliceKey]) -> _Slices:
    """Every slice of the cohort, with the prior of drawing it."""
    keys, answers = [], []
    for volume in project.cohort.volumes:
        geometry = volume.geometry
        for plane in geometry.planes(project.plane_policy):
            extent = geometry.slice_extent(plane)
            answer = prior_answer(len(project.structures), extent, STANDARD)
            for index in range(geometry.slice_count(plane)):
                key = SliceKey(volume.id, plane, index)
                if key not in taken:
                    keys.append(key)
                    answers.append(answer)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    work = Work.of_answers([answers[k] for k in order], [False] * len(order), [None] * len(order))
    return _Slices([keys[k] for k in order], work, np.full(len(order), "draw", "U7"), None)


def _with_features(
    project: Project, pool: Pool, keys: Sequence[SliceKey], progress: Progress
) -> Pool:
    """The pool with the frozen features of its slices, each volume read once."""
    features: list[npt.NDArray[np.float32]] = []
    full: list[npt.NDArray[np.float32]] = []
    groups: dict[tuple[str, Plane], list[int]] = {}
    for key in keys:  # they ascend, and a dict keeps the order
        groups.setdefault((key.volume, key.plane), []).append(key.index)
    with progress.stage("Looking at volumes", len(pool.volumes)) as stage:
        for volume in pool.volumes:
            scan = read_scan(project, volume)
            geometry = project.cohort.volume(volume).geometry
            for plane in PLANES:
                if (volume, plane) in groups:
                    native = groups[volume, plane]
                    order = [geometry.canonical_index(plane, index) for index in native]
                    features.append(slice_features(scan, plane)[order])
                    full.append(slice_information(scan, plane)[order])
            stage.advance()
    if not features:
        return replace(
            pool, features=np.zeros((0, 1), np.float32), information=np.zeros(0, np.float32)
        )
    return replace(pool, features=np.concatenate(features), information=np.concatenate(full))


def _annotated(project: Project) -> list[Annotated]:
    """Where the annotated slices lie."""
    return [(key.volume, key.plane, _position_mm(project, key)) for key in project.annotations()]


def _position_mm(project: Project, key: SliceKey) -> float:
    """Where a slice lies along the normal of its plane."""
    return key.index * project.cohort.volume(key.volume).geometry.thickness(key.plane)
