"""What the whole labelled pool would cost, and how good a model it would give."""

from __future__ import annotations

from collections.abc import Sequence

from activeseg.cohort import Cohort, take_slice
from activeseg.cost import STANDARD, draw_seconds
from activeseg.loop.arm import ArmPlan
from activeseg.loop.evaluation import Quality, evaluate
from activeseg.loop.references import every_slice, reference_slices
from activeseg.loop.split import only
from activeseg.model.inference import SliceModel
from activeseg.model.training import train
from activeseg.progress import Progress
from activeseg.project.scans import cohort_network

__all__ = ["FULL_STAGES", "full_minutes", "minutes_by_volume", "run_full"]

FULL_STAGES = {"Reading annotated slices": (1, 2.0), "Training": (1, 60.0), "Testing": (1, 15.0)}
"""How often each stage of `run_full` comes, and about which share of it it takes."""


def full_minutes(cohort: Cohort, ids: Sequence[str], progress: Progress) -> float:
    """Minutes of drawing every slice of some volumes in their acquisition plane from nothing.

    Under the standard time model, without noise.

    Raises:
        CohortError: If a label cannot be read.
    """
    return sum(minutes_by_volume(cohort, ids, progress).values())


def minutes_by_volume(cohort: Cohort, ids: Sequence[str], progress: Progress) -> dict[str, float]:
    """`full_minutes` of each volume by its id.

    Raises:
        CohortError: If a label cannot be read.
    """
    found: dict[str, float] = {}
    with progress.stage("Timing the whole pool", len(ids)) as stage:
        for volume in ids:
            found[volume] = _seconds(cohort, volume) / 60
            stage.advance()
    return found


def _seconds(cohort: Cohort, volume: str) -> float:
    """Seconds of drawing every slice of a volume."""
    values = [structure.value for structure in cohort.structures]
    geometry = cohort.volume(volume).geometry
    label = cohort.read_label(volume)
    plane = geometry.acquisition_plane
    spacing = geometry.slice_spacing(plane)
    count = geometry.slice_count(plane)
    slices = (take_slice(label, geometry, plane, index) for index in range(count))
    drawn = sum(draw_seconds(slice2d, values, spacing, STANDARD) for slice2d in slices)
    return STANDARD.first_slice_s + count * STANDARD.overhead_s + drawn


def run_full(plan: ArmPlan, progress: Progress) -> Quality:
    """Train the plan's recipe on every slice of the pool, and measure it.

    It takes as many steps as all models of the plan's arms together, each of which goes on from
    the one before.

    Raises:
        CohortError, ModelError: If an image cannot be read or nothing can be trained.
    """
    pool = only(plan.cohort, plan.pool)
    config = cohort_network(pool, plan.plane_policy)
    keys = every_slice(pool, plan.plane_policy)
    slices = reference_slices(pool, keys, config, plan.plane_policy, False, progress)
    recipe = plan.recipe.altogether(len(plan.minutes) - 1)
    trained = train(slices, config, recipe, plan.seed, progress)
    model = SliceModel(trained.network, config)
    return evaluate(model, only(plan.cohort, plan.test), plan.plane_policy, progress)
