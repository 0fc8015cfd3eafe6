"""What the whole labelled pool would cost, and how good a model it would give."""

from __future__ import annotations

from collections.abc import Sequence

from activeseg.cohort import Cohort, take_slice
from activeseg.cost import STANDARD, draw_seconds
from activeseg.loop.arm import ArmPlan
from activeseg.loop.evaluation import Quality, evaluate
from activeseg.loop.split import only
from activeseg.model.inference import SliceModel
from activeseg.model.network import NetworkConfig
from activeseg.model.scan import axis_of
from activeseg.model.slices import LabelledSlice, labelled_slice
from activeseg.model.training import train
from activeseg.progress import Progress
from activeseg.project.scans import channel_table, cohort_network, scan_of

__all__ = ["FULL_STAGES", "full_minutes", "minutes_by_volume", "pool_slices", "run_full"]

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


def pool_slices(
    pool: Cohort, config: NetworkConfig, plane_policy: str, progress: Progress
) -> list[LabelledSlice]:
    """Every slice of every volume, in the planes of the policy, with its reference label.

    Raises:
        CohortError: If an image or label cannot be read.
    """
    channel_of = channel_table(config.structures)
    slices: list[LabelledSlice] = []
    with progress.stage("Reading annotated slices", len(pool.volumes)) as stage:
        for volume in pool.volumes:
            scan = scan_of(pool, volume.id, plane_policy)
            label = volume.geometry.to_canonical(pool.read_label(volume.id))
            for plane in scan.planes:
                for index in range(volume.geometry.slice_count(plane)):
                    channels = channel_of[label.take(index, axis_of(plane))]
                    slices.append(labelled_slice(scan, plane, index, channels, config.pixel_mm))
            stage.advance()
    return slices


def run_full(plan: ArmPlan, progress: Progress) -> Quality:
    """Train the plan's recipe on every slice of the pool, and measure it.

    It takes as many steps as all models of the plan's arms together, each of which goes on from
    the one before.

    Raises:
        CohortError, ModelError: If an image cannot be read or nothing can be trained.
    """
    pool = only(plan.cohort, plan.pool)
    config = cohort_network(pool, plan.plane_policy)
    slices = pool_slices(pool, config, plan.plane_policy, progress)
    recipe = plan.recipe.altogether(len(plan.minutes) - 1)
    trained = train(slices, config, recipe, plan.seed, progress)
    model = SliceModel(trained.network, config)
    return evaluate(model, only(plan.cohort, plan.test), plan.plane_policy, progress)
