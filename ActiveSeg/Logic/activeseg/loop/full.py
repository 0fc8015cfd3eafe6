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

__all__ = ["full_minutes", "pool_slices", "run_full"]


def full_minutes(cohort: Cohort, ids: Sequence[str], progress: Progress) -> float:
    """Minutes of drawing every slice of some volumes in their acquisition plane from nothing.

    Under the standard time model, without noise.

    Raises:
        CohortError: If a label cannot be read.
    """
    values = [structure.value for structure in cohort.structures]
    seconds = 0.0
    with progress.stage("Timing the whole pool", len(ids)) as stage:
        for volume in ids:
            geometry = cohort.volume(volume).geometry
            label = cohort.read_label(volume)
            plane = geometry.acquisition_plane
            spacing = geometry.slice_spacing(plane)
            seconds += STANDARD.first_slice_s
            for index in range(geometry.slice_count(plane)):
                slice2d = take_slice(label, geometry, plane, index)
                seconds += STANDARD.overhead_s
                seconds += draw_seconds(slice2d, values, spacing, STANDARD)
            stage.advance()
    return seconds / 60


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

    Raises:
        CohortError, ModelError: If an image cannot be read or nothing can be trained.
    """
    pool = only(plan.cohort, plan.pool)
    config = cohort_network(pool, plan.plane_policy)
    slices = pool_slices(pool, config, plan.plane_policy, progress)
    trained = train(slices, [], config, plan.recipe, plan.seed, progress)
    model = SliceModel(trained.network, config)
    return evaluate(model, only(plan.cohort, plan.test), plan.plane_policy, progress)
