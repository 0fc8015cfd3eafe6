"""The verb ``score``: what the round's model thinks of every slice of the cohort.

One plain pass over the whole volume finds the foreground; MC dropout then samples only the box
round the band where something is undecided. Samples are summed up as they come: what stays in
memory is one volume's mean and its label maps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from activeseg.cost import STANDARD, expected_seconds
from activeseg.errors import ProjectError
from activeseg.files import write_json
from activeseg.model.inference import SliceModel
from activeseg.model.protocol import Box, SegmentationModel
from activeseg.model.scan import Scan, axis_of
from activeseg.progress import Progress
from activeseg.project.accept import judged_proposals
from activeseg.project.folder import Project
from activeseg.project.predictions import Prediction, Scores, read_prediction, write_scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.scans import read_scan
from activeseg.quality import CalibratedDice, expected_dice, soft_dice_confidence
from activeseg.uncertainty import (
    band_mean,
    band_sum,
    entropy_of_mean,
    foreground_band,
    presence,
    slice_mean,
)

__all__ = ["Scoring", "score", "score_scan"]


@dataclass(frozen=True)
class Scoring:
    """How slices are scored.

    Attributes:
        passes: MC-dropout samples.
        band_pixels: Reach of the band round the predicted foreground, in working pixels.
        margin: Voxels that the sampled box is larger than the band on each side, so that the
            network sees the band's surroundings.
    """

    passes: int = 6
    band_pixels: float = 2.0
    margin: int = 8


def score(project: Project, scoring: Scoring, progress: Progress) -> RoundFiles:
    """Score every slice of the cohort with the latest model; a killed run is taken up again.

    The caller holds `Project.working`.

    Returns:
        The round, with ``scores.npz``, ``estimate.json`` and a prediction for each volume.

    Raises:
        ProjectError: If no model was trained yet. CohortError, ModelError: If an image or the
            checkpoint cannot be read.
    """
    trained = [files for files in project.rounds() if files.model.is_file()]
    if not trained:
        raise ProjectError(
            "no model yet; annotate slices and run 'activeseg train'", str(project.folder)
        )
    files = trained[-1]
    model = SliceModel.from_checkpoint(files.model)
    checksum = hashlib.sha256(files.model.read_bytes()).hexdigest()
    parts: dict[str, Scores] = {}
    volumes: dict[str, list[float | None]] = {}
    with progress.stage("Scoring volumes", len(project.cohort.volumes)) as stage:
        for number, volume in enumerate(project.cohort.volumes):
            found = read_prediction(files, volume.id, checksum)
            if found is None:
                seed = project.seed + 104729 * files.number + number
                scan = read_scan(project, volume.id)
                found = score_scan(model, model.config.pixel_mm, scan, scoring, seed)
                found = found.native(volume.geometry, model.config.structures)
                found.write(files, volume.id, checksum)
            parts[volume.id] = found.scores
            volumes[volume.id] = found.confidence
            stage.advance()
    write_scores(files, parts)
    write_json(files.estimate, _estimate(project, files, volumes))
    return files


def score_scan(
    model: SegmentationModel, pixel_mm: float, scan: Scan, scoring: Scoring, seed: int
) -> Prediction:
    """Proposal, uncertainty and scores of one volume.

    Args:
        model: The model.
        pixel_mm: Pixel size that the model works at; the band's reach counts in it.
        scan: The volume.
        scoring: How to score.
        seed: Fixes the samples.

    Returns:
        Canonical maps, and the scores of each slice of each of the scan's planes.
    """
    plain = model.probabilities(scan)
    proposal = plain.argmax(axis=0).astype(np.uint8)
    reach = scoring.band_pixels * pixel_mm
    band = foreground_band(proposal, scan.spacing, reach, 1 - plain[0])
    box = _box(band, scoring.margin)
    mean, labels = _sampled(model, plain, scan, scoring.passes, seed, box)
    entropy = entropy_of_mean(mean)
    scores = Scores.join(
        [
            _plane_scores(scan, axis_of(plane), proposal, mean, entropy, band, labels, box)
            for plane in scan.planes
        ]
    )
    confidence = soft_dice_confidence(mean, proposal)
    return Prediction(proposal, entropy, scores, [_known(value) for value in confidence])


def _sampled(
    model: SegmentationModel,
    plain: npt.NDArray[np.float32],
    scan: Scan,
    passes: int,
    seed: int,
    box: Box,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Mean softmax of the samples (outside the box the plain one), label maps `[T, s, p, l]`."""
    mean = plain.copy()
    inside = (slice(None), *box)
    total = np.zeros_like(plain[inside])
    labels = np.empty((passes, *total.shape[1:]), dtype=np.uint8)
    for number, sample in enumerate(model.samples(scan, passes, seed, box)):
        total += sample
        labels[number] = sample.argmax(axis=0)
    mean[inside] = total / passes
    return mean, labels


def _plane_scores(
    scan: Scan,
    axis: int,
    proposal: npt.NDArray[np.uint8],
    mean: npt.NDArray[np.float32],
    entropy: npt.NDArray[np.float32],
    band: npt.NDArray[np.bool_],
    labels: npt.NDArray[np.uint8],
    box: Box,
) -> Scores:
    """Scores of every slice along one canonical axis."""
    plane = next(plane for plane in scan.planes if axis_of(plane) == axis)
    structures = range(1, len(mean))
    count = proposal.shape[axis]
    seconds = np.full(count, STANDARD.overhead_s)
    how = np.full(count, "confirm", dtype="U7")
    for index in range(box[axis].start, box[axis].stop):
        samples = labels.take(index - box[axis].start, axis=axis + 1)
        # What the model proposes outside the box is nothing, as the box holds its foreground.
        shown = proposal[box].take(index - box[axis].start, axis=axis)
        if not samples.any() and not shown.any():
            continue
        pixel_mm = scan.pixel_mm(plane)
        answer = expected_seconds(samples, shown, structures, pixel_mm, STANDARD)
        seconds[index], how[index] = answer.seconds, answer.how
    in_band = band_mean(entropy, band, axis)
    return Scores(
        plane=np.full(count, plane.value, dtype="U8"),
        index=np.arange(count),
        value=in_band * presence(band_sum(1 - mean[0], band, axis)),
        band_entropy=in_band,
        whole_entropy=slice_mean(entropy, axis),
        expected_dice=expected_dice(soft_dice_confidence(mean, proposal, axis)),
        seconds=seconds,
        how=how,
    )


def _box(band: npt.NDArray[np.bool_], margin: int) -> Box:
    """The smallest box that holds the band, larger by a margin where the volume allows."""
    sides = []
    for axis in range(3):
        others = tuple(each for each in range(3) if each != axis)
        filled = np.flatnonzero(band.any(axis=others))
        start, stop = int(filled[0]) - margin, int(filled[-1]) + 1 + margin
        sides.append(slice(max(0, start), min(band.shape[axis], stop)))
    return (sides[0], sides[1], sides[2])


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _estimate(
    project: Project, files: RoundFiles, volumes: Mapping[str, list[float | None]]
) -> dict[str, object]:
    """The expected Dice of volumes, structures and cohort, calibrated on what was accepted.

    A structure that the model neither predicts nor holds for probable in a volume counts for
    nothing there, as its Dice would.
    """
    line = _calibration(project)
    table = np.array(
        [[np.nan if v is None else v for v in volumes[name]] for name in sorted(volumes)]
    )
    calibrated = np.where(np.isnan(table), np.nan, line.predict(np.nan_to_num(table)))
    names = [structure.name for structure in project.structures]
    columns = {name: _known(_mean(calibrated[:, number])) for number, name in enumerate(names)}
    return {
        "round": files.number,
        "estimated_dice": _known(_mean(np.array([v for v in columns.values() if v is not None]))),
        "structures": columns,
        "volumes": {
            name: _known(_mean(row)) for name, row in zip(sorted(volumes), calibrated, strict=True)
        },
        "calibration": {"slope": line.slope, "intercept": line.intercept},
    }


def _calibration(project: Project) -> CalibratedDice:
    """Learned from what was expected of each proposal and what it turned out to be."""
    pairs = np.array(judged_proposals(project)).reshape(-1, 2)
    return CalibratedDice.fit(pairs[:, 0], pairs[:, 1])


def _mean(values: npt.NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
