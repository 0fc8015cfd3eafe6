"""What a strategy may choose from: the slices that nobody has answered, skipped or claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from activeseg.cost import STANDARD, prior_answer
from activeseg.keys import SliceKey
from activeseg.minutes import MinutesModel, Work
from activeseg.progress import Progress
from activeseg.project.claims import held
from activeseg.project.estimating import estimate_slices
from activeseg.project.folder import Project
from activeseg.project.pool_features import with_features
from activeseg.project.predictions import read_scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.timing import minutes_model, opening_seconds
from activeseg.project.truth import truly_shown
from activeseg.sampling import PLANES, Choice, Pool, Scored, Strategy

__all__ = ["Offer", "offered"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Offer:
    """A pool, and how its minutes are predicted.

    Attributes:
        pool: The pool.
        minutes: The time model of whoever will answer.
        shown: `[N]` what the minutes of the pool's rows are predicted from, none of them first.
        blank: `[N]` the same if they are shown blank.
        rows: The row of each slice of the pool.
    """

    pool: Pool
    minutes: MinutesModel
    shown: Work
    blank: Work
    rows: dict[SliceKey, int]

    def work(self, choices: Sequence[Choice]) -> Work:
        """What the minutes of a batch are predicted from, one row a choice."""
        opened: set[str] = set()
        found = []
        for choice in choices:
            key = choice.candidate.key
            source = self.blank if choice.audit else self.shown
            first = np.array([key.volume not in opened])
            found.append(_row(source, self.rows[key]).as_first(first).row(0))
            opened.add(key.volume)
        return Work.from_rows(found)


@dataclass(frozen=True)
class _Slices:
    """The columns of a pool that its seconds follow from."""

    keys: list[SliceKey]
    work: Work
    blank: Work
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
        chosen_by: The strategy, which says what is needed: features, the truth, an expected Dice
            that answers have taught.
        author: Who will answer; None for anybody.
        progress: Told about reading volumes, where features are needed.

    Raises:
        ProjectError: If a file of the project is damaged, or the strategy needs a reference label
            that a volume has not. CohortError: If an image or label cannot be read.
    """
    annotated = list(project.annotations())
    taken = {*annotated, *project.skipped(), *held(project.folder / "claims")}
    if scored is None:
        slices = _unscored(project, taken)
    else:
        slices = _scored(project, scored, taken, chosen_by.calibrated)
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
        annotated=[(key.volume, key.plane, _position_mm(project, key)) for key in annotated],
        scored=slices.scored,
        blank_seconds=minutes.predict(slices.blank).seconds,
    )
    if chosen_by.needs_features:
        pool = with_features(project, pool, slices.keys, annotated, progress)
    if chosen_by.needs_truth:
        pool = replace(pool, truth_shown=truly_shown(project, slices.keys, chosen_by.name))
    rows = {key: row for row, key in enumerate(slices.keys)}
    return Offer(pool, minutes, slices.work, slices.blank, rows)


def _row(work: Work, row: int) -> Work:
    """One row of it."""
    only = slice(row, row + 1)
    return Work(
        work.prior_s[only],
        work.contour_mm[only],
        work.drawn[only],
        work.first[only],
        work.expected_dice[only],
    )


def _scored(project: Project, files: RoundFiles, taken: set[SliceKey], calibrated: bool) -> _Slices:
    """The slices of a score table, in order."""
    table = read_scores(files)
    found = estimate_slices(project, files, table, calibrated)
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
    blank = replace(work, prior_s=scores.blank_seconds[rows], drawn=np.ones(len(rows), dtype=bool))
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
        round=max(1, files.number),  # of round 0 a model that exists may speak
        energy=_above_least(scores.energy[rows]),
        foreground_entropy=_if_known(scores.foreground_entropy[rows]),
        top_patches=_if_known(scores.top_patches[rows]),
        contour_mm=scores.contour_mm[rows],
        gradient=_if_known(scores.gradient[rows].T),
    )
    return _Slices(list(rows_of), work, blank, scores.how[rows], scored)


def _if_known(column: Floats) -> Floats | None:
    """A column of scores; None where an earlier version wrote some of them without it."""
    return None if np.isnan(column).any() else column


def _above_least(energy: Floats) -> Floats | None:
    """Energies above the least of them, 0 where there is none; None where there is none at all."""
    known = ~np.isnan(energy)
    if not known.any():
        return None
    return np.where(known, energy - np.nanmin(energy), 0.0)


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
    how = np.full(len(order), "draw", "U7")
    return _Slices([keys[k] for k in order], work, work, how, None)


def _position_mm(project: Project, key: SliceKey) -> float:
    """Where a slice lies along the normal of its plane."""
    return key.index * project.cohort.volume(key.volume).geometry.thickness(key.plane)
