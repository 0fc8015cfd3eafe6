"""How good a model is on whole volumes that it never saw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort
from activeseg.errors import CohortError
from activeseg.model.protocol import SegmentationModel
from activeseg.progress import Progress
from activeseg.project.scans import scan_for
from activeseg.quality import dice, hd95_mm

__all__ = ["Patient", "Quality", "evaluate"]

WORST_PERCENT = 5.0


@dataclass(frozen=True)
class Patient:
    """How good a model is on one test volume.

    Attributes:
        structures: Dice of each structure by name; None where neither mask has it.
        distances: Their 95 % surface distances in mm, where there is a Dice; the length of the
            volume's diagonal where only one mask has the structure.
    """

    structures: Mapping[str, float | None]
    distances: tuple[float, ...]

    @property
    def dice(self) -> float | None:
        """Mean over the structures that either mask has; None if there is none."""
        known = [score for score in self.structures.values() if score is not None]
        return float(np.mean(known)) if known else None

    @property
    def hd95_mm(self) -> float | None:
        """Mean over the same structures."""
        return float(np.mean(self.distances)) if self.distances else None


@dataclass(frozen=True)
class Quality:
    """How good a model is on test volumes.

    Attributes:
        patients: Each volume by its id.
        names: The structures, in the cohort's order.
    """

    patients: Mapping[str, Patient]
    names: tuple[str, ...]

    @property
    def dice(self) -> float:
        """Mean over volumes and structures, of those that either mask has."""
        return float(np.mean([s for name in self.names for s in self._scores(name)]))

    @property
    def hd95_mm(self) -> float:
        """The same of the 95 % surface distance."""
        return float(np.mean([mm for each in self.patients.values() for mm in each.distances]))

    @property
    def dice_p5(self) -> float:
        """5th percentile of the volumes' Dice: how bad it is where it is bad."""
        known = [each.dice for each in self.patients.values()]
        return float(np.percentile([dice for dice in known if dice is not None], WORST_PERCENT))

    @property
    def structures(self) -> dict[str, float | None]:
        """Mean Dice of each structure by name; None where no test volume has it."""
        scores = {name: self._scores(name) for name in self.names}
        return {name: float(np.mean(s)) if s else None for name, s in scores.items()}

    def patients_json(self) -> dict[str, dict[str, Any]]:
        """Each volume's results as JSON can hold them."""
        return {
            volume: {
                "dice": each.dice,
                "hd95": each.hd95_mm,
                "structures": dict(each.structures),
            }
            for volume, each in self.patients.items()
        }

    def _scores(self, name: str) -> list[float]:
        found = [each.structures[name] for each in self.patients.values()]
        return [score for score in found if score is not None]


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
    names = tuple(structure.name for structure in cohort.structures)
    patients: dict[str, Patient] = {}
    with progress.stage("Testing", len(cohort.volumes)) as stage:
        for volume in cohort.volumes:
            scan = scan_for(model, cohort, volume.id, plane_policy)
            found = model.labels(scan)
            truth = volume.geometry.to_canonical(cohort.read_label(volume.id))
            patients[volume.id] = _compare(found, truth, scan.spacing, cohort)
            stage.advance()
    if all(each.dice is None for each in patients.values()):
        raise CohortError(
            f"the {len(cohort.volumes)} test volumes show no structure, so there is nothing to "
            "measure; choose others with another seed or a larger test set",
            cohort.where,
        )
    return Quality(patients, names)


def _compare(
    found: npt.NDArray[np.uint8],
    truth: npt.NDArray[np.uint8],
    spacing: tuple[float, float, float],
    cohort: Cohort,
) -> Patient:
    """One volume: output channels `[S, P, L]` against label values `[S, P, L]`."""
    diagonal = math.hypot(*(n * mm for n, mm in zip(truth.shape, spacing, strict=True)))
    structures: dict[str, float | None] = {}
    distances: list[float] = []
    for channel, structure in enumerate(cohort.structures, start=1):
        ours, theirs = found == channel, truth == structure.value
        score = dice(ours.astype(np.uint8), theirs.astype(np.uint8), 1)
        structures[structure.name] = None if math.isnan(score) else score
        if not math.isnan(score):
            distances.append(min(hd95_mm(ours, theirs, spacing), diagonal))
    return Patient(structures, tuple(distances))
