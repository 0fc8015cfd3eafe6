"""Choosing the slices of a worklist, and how well they stand for the cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort, open_cohort
from activeseg.errors import ModelError, ProjectError
from activeseg.progress import Progress
from activeseg.project.choosing import ONE_SHOT, suggestions_of
from activeseg.project.feature_cache import user_cache
from activeseg.project.feature_source import FROZEN, FeatureSource, network_features
from activeseg.project.offer import Offer, fresh_offer
from activeseg.project.pool_features import Looking, with_features
from activeseg.project.rounds import Suggestion
from activeseg.project.screening import reads_screening
from activeseg.representativeness import Cohesion, reduced
from activeseg.sampling import STRATEGIES, Strategy, strategy

__all__ = ["MORE_MINUTES", "Worklist", "WorklistRequest", "choose_worklist"]

Floats = npt.NDArray[np.float64]

MORE_MINUTES = 10.0
"""Of what so many more minutes would cover, a worklist speaks too."""

UNNAMED = "structure"
"""The structure of a cohort without labels, where nobody says what will be segmented."""


@dataclass(frozen=True)
class WorklistRequest:
    """What a worklist is asked for.

    Attributes:
        cohort: The images' folder or list, or the address of one.
        minutes: Of annotation, more than 0.
        strategy: Who chooses; one that needs no model.
        structures: Names of what will be segmented; empty: as the cohort says.
        sizes_mm: Typical diameter of structures, by name; what is not named is not known.
        plane_policy: In which planes slices are chosen.
        seed: Of the choice.
        features: A network of the user's own whose features are used: a bundle's folder, a
            TorchScript file or a checkpoint; None for the frozen ones.
        trusted: Whether the code of that network's author may run.
    """

    cohort: Path | str
    minutes: float
    strategy: str = ONE_SHOT
    structures: Sequence[str] = ()
    sizes_mm: Mapping[str, float] = field(default_factory=dict)
    plane_policy: str = "auto"
    seed: int = 0
    features: str | None = None
    trusted: bool = False


@dataclass(frozen=True)
class Worklist:
    """The chosen slices.

    Attributes:
        request: What was asked for.
        cohort: The cohort.
        suggestions: The slices in the order of answering.
        covered: Share of the cohort that they stand for, 0 to 1 (`Cohesion.covered`).
        covered_with_more: The same with `MORE_MINUTES` more.
        note: What the strategy can say of the choice as a whole; may be empty.
        map_points: `[N, 2]` every slice on the two main axes of what slices differ in.
        plane: `[N]` the plane of each.
        chosen: Rows of the suggestions, in their order.
        source: Who made the features.
    """

    request: WorklistRequest
    cohort: Cohort
    suggestions: tuple[Suggestion, ...]
    covered: float
    covered_with_more: float
    note: str
    map_points: Floats
    plane: npt.NDArray[np.integer]
    chosen: tuple[int, ...]
    source: FeatureSource = FROZEN

    @property
    def minutes(self) -> float:
        """Expected minutes of all slices together."""
        return sum(each.minutes for each in self.suggestions)


def choose_worklist(request: WorklistRequest, progress: Progress) -> Worklist:
    """Choose the slices that a first batch of a project of this cohort would hold.

    Args:
        request: What is asked for.
        progress: Told about the cohort and its volumes.

    Raises:
        ProjectError: If there is no such strategy, it needs a model, or not one slice fits the
            minutes. CohortError: If the cohort cannot be read, or a size is of no structure.
            ModelError: If the network of the features cannot be used for this cohort.
    """
    chosen_by = _without_model(request.strategy)
    named = tuple(request.structures) or tuple(request.sizes_mm)
    cohort = open_cohort(request.cohort, request.structures, progress, named or (UNNAMED,))
    sizes = _sizes(cohort, request.sizes_mm)
    source = _source(request, cohort)
    offer = _offer(request, cohort, sizes, chosen_by, source, progress)
    # As a project's round 0 is drawn, so that its first batch is the same.
    rng = np.random.default_rng([request.seed, 0])
    found = chosen_by.choose(offer.pool, budget_s=60 * request.minutes, rng=rng)
    if not found.choices:
        least = (float(offer.pool.seconds.min()) + offer.pool.first_slice_s) / 60
        raise ProjectError(
            f"no slice fits {request.minutes:g} minutes; the cheapest takes about {least:.1f}: "
            "give at least that much"
        )
    keys = [choice.candidate.key for choice in found.choices]
    rows = tuple(row for key in keys if (row := offer.pool.row(key)) is not None)
    points, covered, more = _covered(offer, rows, request.seed)
    return Worklist(
        request=request,
        cohort=cohort,
        suggestions=suggestions_of(offer, found.choices),
        covered=covered,
        covered_with_more=more,
        note=found.note,
        map_points=points[:, :2],
        plane=np.asarray(offer.pool.plane),
        chosen=rows,
        source=source,
    )


def _without_model(name: str) -> Strategy:
    """A strategy that can choose before there is anything."""
    try:
        found = strategy(name)
    except ProjectError as error:
        able = [each.name for each in STRATEGIES.values() if not each.needs_model]
        raise ProjectError(f"no strategy '{name}'; choose one of {', '.join(able)}") from error
    if found.needs_model or found.needs_truth:
        raise ProjectError(
            f"the strategy '{name}' needs a model, and a new cohort has none; choose one-shot, "
            "strided or random, or make a project with 'activeseg init'"
        )
    return found


def _source(request: WorklistRequest, cohort: Cohort) -> FeatureSource:
    """Who makes the features."""
    if request.features is not None:
        return network_features(request.features, cohort, request.trusted)
    if request.trusted:
        raise ModelError("--trust-code is for --features of somebody else's")
    return FROZEN


def _offer(
    request: WorklistRequest,
    cohort: Cohort,
    sizes: Sequence[float | None],
    chosen_by: Strategy,
    source: FeatureSource,
    progress: Progress,
) -> Offer:
    """Every slice, with its features: they say what is covered, whoever chooses."""
    bare = replace(chosen_by, needs_features=False)
    offer = fresh_offer(cohort, request.plane_policy, sizes, bare, progress)
    cache = user_cache()
    if cache is not None:
        cache.tidy()
    looking = Looking(source, reads_screening(chosen_by), cache)
    keys = [offer.pool.key(row) for row in range(len(offer.pool))]
    pool = with_features(cohort, request.plane_policy, offer.pool, keys, [], progress, looking)
    return replace(offer, pool=pool)


def _sizes(cohort: Cohort, sizes_mm: Mapping[str, float]) -> list[float | None]:
    """The size of each structure of the cohort, where somebody gave one."""
    names = [structure.name for structure in cohort.structures]
    strangers = [name for name in sizes_mm if name not in names]
    if strangers:
        raise ProjectError(
            f"a size is given for '{strangers[0]}', which is no structure of the cohort; it has "
            f"{', '.join(names)}"
        )
    return [sizes_mm.get(name) for name in names]


def _covered(offer: Offer, rows: Sequence[int], seed: int) -> tuple[Floats, float, float]:
    """Every slice as a point, and the share covered by the chosen ones, then by some more."""
    pool = offer.pool
    if pool.features is None or pool.information is None:
        raise ValueError("a worklist needs the features of the pool")
    points = reduced(pool.features.astype(np.float64), seed)
    weight = np.maximum(pool.information.astype(np.float64), np.finfo(np.float32).tiny)
    cohesion = Cohesion.of(points, weight, np.random.default_rng(seed))
    seconds = pool.seconds.astype(np.float64) + pool.first_slice_s
    _, more = cohesion.further(rows, seconds, 60 * MORE_MINUTES)
    if points.shape[1] < 2:
        points = np.column_stack([points, np.zeros(len(points))])
    return points, cohesion.covered(rows), more
