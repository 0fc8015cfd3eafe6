"""What a strategy may choose from: the slices that nobody has answered, skipped or claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.keys import SliceKey
from activeseg.minutes import MinutesModel, Work
from activeseg.progress import Progress
from activeseg.project.claims import held
from activeseg.project.estimating import estimate_slices
from activeseg.project.folder import Project
from activeseg.project.pool_features import with_features
from activeseg.project.predictions import read_scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.timing import NOBODY, minutes_model, opening_seconds
from activeseg.project.truth import truly_shown
from activeseg.project.unscored import Slices, unscored
from activeseg.sampling import PLANES, Choice, Pool, Scored, Strategy

__all__ = ["Offer", "fresh_offer", "offered"]

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
        sizes = [None] * len(project.structures)
        slices = unscored(project.cohort, project.plane_policy, sizes, taken)
    else:
        slices = _scored(project, scored, taken, chosen_by.calibrated)
    pool_of = _PoolOf(project.cohort, project.plane_policy, slices, annotated)
    offer = pool_of.offer(minutes_model(project, author), chosen_by, progress)
    if chosen_by.needs_truth:
        shown = truly_shown(project, slices.keys, chosen_by.name)
        offer = replace(offer, pool=replace(offer.pool, truth_shown=shown))
    return offer


def fresh_offer(
    cohort: Cohort,
    plane_policy: str,
    sizes_mm: Sequence[float | None],
    chosen_by: Strategy,
    progress: Progress,
) -> Offer:
    """Every slice of a cohort of which nothing is annotated, and no model knows anything.

    Args:
        cohort: The cohort.
        plane_policy: In which planes slices are asked for.
        sizes_mm: Typical diameter of each structure; None where nobody said.
        chosen_by: The strategy; it needs no model.
        progress: As in `offered`.

    Raises:
        CohortError: If an image cannot be read.
    """
    slices = unscored(cohort, plane_policy, sizes_mm)
    return _PoolOf(cohort, plane_policy, slices, []).offer(NOBODY, chosen_by, progress)


@dataclass(frozen=True)
class _PoolOf:
    """What a pool is made of."""

    cohort: Cohort
    plane_policy: str
    slices: Slices
    annotated: list[SliceKey]

    def offer(self, minutes: MinutesModel, chosen_by: Strategy, progress: Progress) -> Offer:
        """The pool for a strategy, and for somebody whose minutes are known."""
        slices = self.slices
        volumes = tuple(sorted({key.volume for key in slices.keys}))
        code = {name: number for number, name in enumerate(volumes)}
        places = [self._position_mm(key) for key in slices.keys]
        pool = Pool(
            volumes=volumes,
            volume=np.array([code[key.volume] for key in slices.keys], dtype=np.int32),
            plane=np.array([PLANES.index(key.plane) for key in slices.keys], dtype=np.int8),
            index=np.array([key.index for key in slices.keys], dtype=np.int32),
            position_mm=np.array(places, dtype=float),
            seconds=minutes.predict(slices.work).seconds,
            how=slices.how,
            first_slice_s=opening_seconds(minutes, slices.work),
            annotated=[(key.volume, key.plane, self._position_mm(key)) for key in self.annotated],
            scored=slices.scored,
            blank_seconds=minutes.predict(slices.blank).seconds,
        )
        if chosen_by.needs_features:
            keys, known = slices.keys, self.annotated
            pool = with_features(self.cohort, self.plane_policy, pool, keys, known, progress)
        rows = {key: row for row, key in enumerate(slices.keys)}
        return Offer(pool, minutes, slices.work, slices.blank, rows)

    def _position_mm(self, key: SliceKey) -> float:
        """Where a slice lies along the normal of its plane."""
        return key.index * self.cohort.volume(key.volume).geometry.thickness(key.plane)


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


def _scored(project: Project, files: RoundFiles, taken: set[SliceKey], calibrated: bool) -> Slices:
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
        trust=found.trust,
        round=max(1, files.number),  # of round 0 a model that exists may speak
        energy=_above_least(scores.energy[rows]),
        foreground_entropy=_if_known(scores.foreground_entropy[rows]),
        top_patches=_if_known(scores.top_patches[rows]),
        contour_mm=scores.contour_mm[rows],
        gradient=_if_known(scores.gradient[rows].T),
    )
    return Slices(list(rows_of), work, blank, scores.how[rows], scored)


def _if_known(column: Floats) -> Floats | None:
    """A column of scores; None where an earlier version wrote some of them without it."""
    return None if np.isnan(column).any() else column


def _above_least(energy: Floats) -> Floats | None:
    """Energies above the least of them, 0 where there is none; None where there is none at all."""
    known = ~np.isnan(energy)
    if not known.any():
        return None
    return np.where(known, energy - np.nanmin(energy), 0.0)
