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
from activeseg.project.feature_cache import FeatureCache, project_cache
from activeseg.project.folder import Project
from activeseg.project.pool_features import Looking, with_features
from activeseg.project.rounds import RoundFiles
from activeseg.project.score_file import open_scores
from activeseg.project.score_table import ScoreRows
from activeseg.project.scored import scored_slices
from activeseg.project.screening import reads_screening
from activeseg.project.timing import NOBODY, minutes_model, opening_seconds
from activeseg.project.truth import truly_shown
from activeseg.project.unscored import Slices, unscored
from activeseg.sampling import PLANES, Choice, Pool, Strategy

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
    """

    pool: Pool
    minutes: MinutesModel
    shown: Work
    blank: Work

    def work(self, choices: Sequence[Choice]) -> Work:
        """What the minutes of a batch are predicted from, one row a choice.

        Raises:
            KeyError: If a choice is not of the pool.
        """
        opened: set[str] = set()
        found = []
        for choice in choices:
            key = choice.candidate.key
            row = self.pool.row(key)
            if row is None:
                raise KeyError(key)
            source = self.blank if choice.audit else self.shown
            first = np.array([key.volume not in opened])
            found.append(source.part(slice(row, row + 1)).as_first(first).row(0))
            opened.add(key.volume)
        return Work.from_rows(found)


def offered(
    project: Project,
    scored: RoundFiles | None,
    chosen_by: Strategy,
    author: str | None,
    progress: Progress,
    table: ScoreRows | None = None,
) -> Offer:
    """Everything that a batch may hold.

    Args:
        project: The project.
        scored: The latest round that has scores; None before any.
        chosen_by: The strategy, which says what is needed: features, the truth, an expected Dice
            that answers have taught.
        author: Who will answer; None for anybody.
        progress: Told about reading volumes, where features are needed.
        table: The scores of that round, where they are not all on the disk yet.

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
        slices = scored_slices(project, scored, table or open_scores(scored), taken, chosen_by)
    cache = project_cache(project.folder)
    pool_of = _PoolOf(project.cohort, project.plane_policy, slices, annotated, cache)
    offer = pool_of.offer(minutes_model(project, author), chosen_by, progress)
    if chosen_by.needs_truth:
        keys = [offer.pool.key(row) for row in range(len(offer.pool))]
        shown = truly_shown(project, keys, chosen_by.name)
        offer = replace(offer, pool=replace(offer.pool, truth_shown=shown))
    return offer


def fresh_offer(
    cohort: Cohort,
    plane_policy: str,
    sizes_mm: Sequence[float | None],
    chosen_by: Strategy,
    progress: Progress,
    cache: FeatureCache | None = None,
    annotated: Sequence[SliceKey] = (),
) -> Offer:
    """Every slice of a cohort of which no model knows anything, but those that are annotated.

    Args:
        cohort: The cohort.
        plane_policy: In which planes slices are asked for.
        sizes_mm: Typical diameter of each structure; None where nobody said.
        chosen_by: The strategy; it needs no model.
        progress: As in `offered`.
        cache: Where features are kept; None for nowhere.
        annotated: What there is already; it is not offered again.

    Raises:
        CohortError: If an image cannot be read.
    """
    slices = unscored(cohort, plane_policy, sizes_mm, set(annotated))
    return _PoolOf(cohort, plane_policy, slices, list(annotated), cache).offer(
        NOBODY, chosen_by, progress
    )


@dataclass(frozen=True)
class _PoolOf:
    """What a pool is made of."""

    cohort: Cohort
    plane_policy: str
    slices: Slices
    annotated: list[SliceKey]
    cache: FeatureCache | None = None

    def offer(self, minutes: MinutesModel, chosen_by: Strategy, progress: Progress) -> Offer:
        """The pool for a strategy, and for somebody whose minutes are known."""
        slices, places = self.slices, self.slices.places
        seconds = minutes.seconds(slices.work)
        thickness = self._thickness_mm()
        pool = Pool(
            volumes=places.volumes,
            volume=places.volume,
            plane=places.plane,
            index=places.index,
            position_mm=places.index * thickness[places.volume, places.plane],
            seconds=seconds,
            how=slices.how,
            first_slice_s=opening_seconds(minutes, slices.work, seconds),
            acquired=self._acquired(),
            annotated=[(key.volume, key.plane, self._position_mm(key)) for key in self.annotated],
            scored=slices.scored,
            blank_seconds=minutes.seconds(slices.blank),
        )
        if chosen_by.needs_features:
            keys, known = [places.key(row) for row in range(len(places))], self.annotated
            looking = Looking(screening=reads_screening(chosen_by), cache=self.cache)
            pool = with_features(
                self.cohort, self.plane_policy, pool, keys, known, progress, looking
            )
        return Offer(pool, minutes, slices.work, slices.blank)

    def _acquired(self) -> npt.NDArray[np.intp]:
        """`[volumes]` number of the plane in which each was taken."""
        geometries = (self.cohort.volume(name).geometry for name in self.slices.places.volumes)
        found = [PLANES.index(each.acquisition_plane) for each in geometries]
        return np.array(found, dtype=np.intp)

    def _thickness_mm(self) -> Floats:
        """`[volumes, planes]` how far the slices of each stack lie apart."""
        geometries = [self.cohort.volume(name).geometry for name in self.slices.places.volumes]
        found = [[each.thickness(plane) for plane in PLANES] for each in geometries]
        return np.array(found, dtype=np.float64).reshape(-1, len(PLANES))

    def _position_mm(self, key: SliceKey) -> float:
        """Where a slice lies along the normal of its plane."""
        return key.index * self.cohort.volume(key.volume).geometry.thickness(key.plane)
