"""The pictures of suggested slices: grey values, uncertainty, and the edges of both masks.

Volumes are read one after the other, each once, whatever the arm or the round that asked for its
slices; what stays in memory is the finished small pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Geometry, Structure, picture, picture_spacing, take_slice
from activeseg.keys import Plane, SliceKey
from activeseg.progress import Progress
from activeseg.project.predictions import Prediction, read_prediction
from activeseg.report.asked import Asked
from activeseg.report.outline import outline_path
from activeseg.report.png import data_uri, grey_png, palette_png

__all__ = [
    "FULL_ENTROPY",
    "Outline",
    "Thumbnail",
    "bare_thumbnail",
    "draw_thumbnails",
    "grey_window",
]

FULL_ENTROPY = math.log(2)
"""Entropy in nats that is drawn at full strength: a coin toss between two labels."""

SOFT_TISSUE_HU = (-160.0, 240.0)
_OFFSET_HU = 1024.0
_MR_PERCENTILES = (1.0, 99.5)

# Few grey levels pack well, and a thumbnail shows no more.
_GREY_STEPS = 64
_ENTROPY_STEPS = 24
_ENTROPY_COLOUR = (255, 45, 135)
_ENTROPY_OPACITY = 0.6

LARGEST_SIDE = 384
"""Pixels; a larger slice is drawn at a half, a third ... of its resolution."""


@dataclass(frozen=True)
class Outline:
    """The edge of one structure.

    Attributes:
        kind: ``proposal`` or ``truth``.
        structure: Its name.
        order: Its place among the project's structures, from 0.
        path: SVG path in pixels of the slice (`activeseg.report.outline.outline_path`).
    """

    kind: str
    structure: str
    order: int
    path: str


@dataclass(frozen=True)
class Thumbnail:
    """One slice, turned for the eye.

    Attributes:
        width: Pixels of the slice from left to right, before any reduction; outlines count in it.
        height: Pixels of the slice from top to bottom.
        aspect: Millimetres from left to right for each millimetre from top to bottom.
        grey: Data URI of the image.
        proposed: Whether a mask was shown, be it an empty one.
        entropy: Data URI of the translucent uncertainty; None without a model.
        outlines: Truth first, so that the proposal is drawn over it.
    """

    width: int
    height: int
    aspect: float
    grey: str
    proposed: bool
    entropy: str | None
    outlines: tuple[Outline, ...]


def draw_thumbnails(
    asked: Sequence[Asked], progress: Progress
) -> dict[tuple[str, int, SliceKey], Thumbnail]:
    """One picture for each suggestion.

    Args:
        asked: The suggestions; their cohorts need reference labels.
        progress: Told once a volume.

    Returns:
        The pictures by `Asked.where`.

    Raises:
        CohortError: If an image or a reference label cannot be read. ProjectError: If a
            prediction or a proposal is damaged.
    """
    by_file: dict[str, list[Asked]] = {}
    for each in asked:
        volume = each.project.cohort.volume(each.suggestion.key.volume)
        by_file.setdefault(str(volume.image), []).append(each)
    drawn: dict[tuple[str, int, SliceKey], Thumbnail] = {}
    with progress.stage("Drawing the suggested slices", len(by_file)) as stage:
        for group in by_file.values():
            drawn |= _draw_volume(group)
            stage.advance()
    return drawn


def _draw_volume(group: Sequence[Asked]) -> dict[tuple[str, int, SliceKey], Thumbnail]:
    """The pictures of one volume's slices."""
    cohort, name = group[0].project.cohort, group[0].suggestion.key.volume
    volume = cohort.volume(name)
    image = cohort.read_image(name)
    window = grey_window(image, volume.modality)
    label = cohort.read_label(name)
    drawn: dict[tuple[str, int, SliceKey], Thumbnail] = {}
    by_round: dict[str, list[Asked]] = {}
    for each in group:
        by_round.setdefault(str(each.files.folder), []).append(each)
    for same_round in by_round.values():
        prediction = read_prediction(same_round[0].files, name)
        for each in same_round:
            drawn[each.where] = _thumbnail(each, volume.geometry, image, window, label, prediction)
    return drawn


def bare_thumbnail(
    grey: npt.NDArray[np.float32], pixel_mm: tuple[float, float], window: tuple[float, float]
) -> Thumbnail:
    """The picture of a slice of which nothing is known.

    Args:
        grey: `[H, W]`, turned for the eye (`activeseg.cohort.picture`).
        pixel_mm: Millimetres between its rows and between its columns.
        window: Grey values that are drawn black and white (`grey_window`).
    """
    height, width = grey.shape
    row_mm, col_mm = pixel_mm
    return Thumbnail(
        width=width,
        height=height,
        aspect=width * col_mm / (height * row_mm),
        grey=data_uri(_grey_png(grey, window)),
        proposed=False,
        entropy=None,
        outlines=(),
    )


def _thumbnail(
    asked: Asked,
    geometry: Geometry,
    image: npt.NDArray[np.float32],
    window: tuple[float, float],
    label: npt.NDArray[np.uint8],
    prediction: Prediction | None,
) -> Thumbnail:
    """One slice of volumes that are in memory."""
    key = asked.suggestion.key
    plane = key.plane
    grey = picture(take_slice(image, geometry, plane, key.index), geometry, plane)
    masks = {"truth": take_slice(label, geometry, plane, key.index)}
    proposal = asked.files.read_proposal(key)
    if proposal is not None:
        masks["proposal"] = proposal
    entropy = None
    if prediction is not None:
        part = take_slice(prediction.entropy, geometry, plane, key.index)
        entropy = data_uri(_entropy_png(picture(part, geometry, plane)))
    return replace(
        bare_thumbnail(grey, picture_spacing(geometry, plane), window),
        proposed=proposal is not None,
        entropy=entropy,
        outlines=_outlines(masks, geometry, plane, asked.project.structures),
    )


def grey_window(image: npt.NDArray[np.float32], modality: str) -> tuple[float, float]:
    """The grey values that are drawn black and white.

    Args:
        image: A whole volume, any shape.
        modality: 'ct' or 'ct-offset' (a soft-tissue window), or 'mr' (percentiles).
    """
    if modality == "mr":
        low, high = np.percentile(image, _MR_PERCENTILES)
        return float(low), float(high)
    shift = _OFFSET_HU if modality == "ct-offset" else 0.0
    return SOFT_TISSUE_HU[0] + shift, SOFT_TISSUE_HU[1] + shift


def _grey_png(values: npt.NDArray[np.float32], window: tuple[float, float]) -> bytes:
    low, high = window
    shown = np.clip((_reduced(values) - low) / max(high - low, 1e-6), 0, 1)
    steps = np.rint(shown * (_GREY_STEPS - 1))
    return grey_png(np.rint(steps * (255 / (_GREY_STEPS - 1))).astype(np.uint8))


def _entropy_png(entropy: npt.NDArray[np.float32]) -> bytes:
    """Uncertainty as one colour, the more opaque the more uncertain."""
    opacity = np.linspace(0, 255 * _ENTROPY_OPACITY, _ENTROPY_STEPS)
    colours = np.array([(*_ENTROPY_COLOUR, round(alpha)) for alpha in opacity], dtype=np.uint8)
    share = np.clip(_reduced(entropy) / FULL_ENTROPY, 0, 1)
    return palette_png(np.rint(share * (_ENTROPY_STEPS - 1)).astype(np.uint8), colours)


def _reduced(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Means of square blocks where the slice is too large; the last blocks may be narrower."""
    step = math.ceil(max(values.shape) / LARGEST_SIDE)
    if step == 1:
        return values
    short = [(-side) % step for side in values.shape]
    padded = np.pad(values, ((0, short[0]), (0, short[1])), mode="edge")
    rows, cols = padded.shape
    blocks = padded.reshape(rows // step, step, cols // step, step)
    means: npt.NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def _outlines(
    masks: Mapping[str, npt.NDArray[np.uint8]],
    geometry: Geometry,
    plane: Plane,
    structures: Sequence[Structure],
) -> tuple[Outline, ...]:
    """The edges of what is there of each structure in each mask."""
    found = []
    for kind, mask in masks.items():
        shown = picture(mask, geometry, plane)
        for order, structure in enumerate(structures):
            path = outline_path(shown == structure.value)
            if path:
                found.append(Outline(kind, structure.name, order, path))
    return tuple(found)
