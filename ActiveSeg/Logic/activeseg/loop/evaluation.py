"""How good a model is on whole volumes that it never saw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from activeseg.cohort import Cohort
from activeseg.errors import CohortError
from activeseg.model.protocol import SegmentationModel
from activeseg.progress import Progress
from activeseg.project.scans import scan_for
from activeseg.quality import dice, hd95_mm

__all__ = ["Quality", "evaluate"]


@dataclass(frozen=True)
class Quality:
    """Means over test volumes.

    Attributes:
        dice: Mean over volumes and structures, of those that either mask has.
        hd95_mm: The same of the 95 % surface distance; where only one mask has the structure
            the length of the volume's diagonal is taken.
        structures: Mean Dice of each structure by name; None where no test volume has it.
    """

    dice: float
    hd95_mm: float
    structures: dict[str, float | None]


def evaluate(
    model: SegmentationModel, cohort: Cohort, plane_policy: str, progress: Progress
) -> Quality:
    """Compare a model's whole-volume masks with the reference labels.

    Args:
        model: The model; its channels follow the cohort's structures.
        cohort: Test volumes, each with a label.
        plane_policy: As in the project.
        progress: Told about the volumes.

    Raises:
        CohortError: If an image or label cannot be read, or if neither the labels nor the model
            show any structure.
    """
    scores: dict[str, list[float]] = {structure.name: [] for structure in cohort.structures}
    distances: list[float] = []
    with progress.stage("Testing", len(cohort.volumes)) as stage:
        for volume in cohort.volumes:
            geometry = volume.geometry
            scan = scan_for(model, cohort, volume.id, plane_policy)
            found = model.probabilities(scan).argmax(axis=0)
            truth = geometry.to_canonical(cohort.read_label(volume.id))
            extent = [n * mm for n, mm in zip(scan.shape, scan.spacing, strict=True)]
            for channel, structure in enumerate(cohort.structures, start=1):
                ours, theirs = found == channel, truth == structure.value
                score = dice(ours.astype(np.uint8), theirs.astype(np.uint8), 1)
                if not math.isnan(score):
                    scores[structure.name].append(score)
                    distances.append(min(hd95_mm(ours, theirs, scan.spacing), math.hypot(*extent)))
            stage.advance()
    every = [score for several in scores.values() for score in several]
    if not every:
        raise CohortError(
            f"the {len(cohort.volumes)} test volumes show no structure, so there is nothing to "
            "measure; choose others with another seed or a larger test set",
            str(cohort.root),
        )
    return Quality(
        dice=float(np.mean(every)),
        hd95_mm=float(np.mean(distances)),
        structures={name: float(np.mean(s)) if s else None for name, s in scores.items()},
    )
