"""The chosen slices as pictures, and the cohort as a map."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from activeseg.cohort import picture, picture_spacing, take_slice
from activeseg.keys import SliceKey
from activeseg.progress import Progress
from activeseg.report.thumbnails import Thumbnail, bare_thumbnail, grey_window
from activeseg.sampling import PLANES
from activeseg.worklist.choice import Worklist

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DrawnSlice", "drawn_slices", "map_png", "sheet_png"]

PLANE_COLOURS = ("#0b7285", "#b4531a", "#6a4fb3")
"""Of axial, coronal and sagittal slices."""

_DOTS_PER_INCH = 110
_SHEET_COLUMNS = 6


@dataclass(frozen=True)
class DrawnSlice:
    """One chosen slice, turned for the eye.

    Attributes:
        thumbnail: For a page.
        grey: `[H, W]`, 0 black to 1 white.
        pixel_mm: Height and width of a pixel.
    """

    thumbnail: Thumbnail
    grey: npt.NDArray[np.float32]
    pixel_mm: tuple[float, float]


def drawn_slices(worklist: Worklist, progress: Progress) -> dict[SliceKey, DrawnSlice]:
    """A picture of each chosen slice; each volume is read once.

    Raises:
        CohortError: If an image cannot be read.
    """
    by_volume: dict[str, list[SliceKey]] = {}
    for each in worklist.suggestions:
        by_volume.setdefault(each.key.volume, []).append(each.key)
    found: dict[SliceKey, DrawnSlice] = {}
    with progress.stage("Drawing the chosen slices", len(by_volume)) as stage:
        for name, keys in by_volume.items():
            image, volume = worklist.cohort.read_image(name), worklist.cohort.volume(name)
            low, high = grey_window(image, volume.modality)
            for key in keys:
                part = take_slice(image, volume.geometry, key.plane, key.index)
                grey = picture(part, volume.geometry, key.plane)
                shown = np.clip((grey - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
                pixel_mm = picture_spacing(volume.geometry, key.plane)
                thumbnail = bare_thumbnail(grey, pixel_mm, (low, high))
                found[key] = DrawnSlice(thumbnail, shown, pixel_mm)
            stage.advance()
    return found


def sheet_png(worklist: Worklist, slices: Mapping[SliceKey, DrawnSlice]) -> bytes:
    """The contact sheet as one picture: each slice with its number, name and minutes."""
    count = len(worklist.suggestions)
    columns = min(_SHEET_COLUMNS, count)
    rows = math.ceil(count / columns)
    with _figure((2.1 * columns, 2.55 * rows)) as (figure, png):
        for place, each in enumerate(worklist.suggestions):
            axes = figure.add_subplot(rows, columns, place + 1)
            drawn = slices[each.key]
            row_mm, column_mm = drawn.pixel_mm
            axes.imshow(drawn.grey, cmap="gray", vmin=0, vmax=1, aspect=row_mm / column_mm)
            axes.set_title(
                f"{each.rank}. {each.key.volume}\n{each.key.plane} {each.key.index} · "
                f"{each.minutes:.1f} min",
                fontsize=7,
                loc="left",
            )
            axes.axis("off")
    return png.getvalue()


def map_png(worklist: Worklist) -> bytes:
    """Every slice of the cohort as a dot, alike ones near each other; the chosen ones numbered."""
    with _figure((8.0, 5.6)) as (figure, png):
        axes = figure.add_subplot()
        _draw_cohort(axes, worklist)
        chosen = worklist.map_points[list(worklist.chosen)]
        for suggestion, (x, y), row in zip(
            worklist.suggestions, chosen, worklist.chosen, strict=True
        ):
            colour = PLANE_COLOURS[int(worklist.plane[row])]
            axes.scatter(x, y, s=120, c=colour, edgecolors="white", linewidths=1.0, zorder=3)
            axes.annotate(
                str(suggestion.rank),
                (x, y),
                ha="center",
                va="center",
                fontsize=6.5,
                color="white",
                zorder=4,
            )
        axes.set_xlabel("what slices differ in most")
        axes.set_ylabel("and second")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="best", markerscale=2.5)
    return png.getvalue()


def _draw_cohort(axes: Axes, worklist: Worklist) -> None:
    """All slices, by plane."""
    for number, plane in enumerate(PLANES):
        there = worklist.map_points[worklist.plane == number]
        if len(there):
            axes.scatter(
                there[:, 0],
                there[:, 1],
                s=5,
                c=PLANE_COLOURS[number],
                alpha=0.25,
                linewidths=0,
                label=f"{plane}, {len(there)} slices",
            )


@contextmanager
def _figure(inches: tuple[float, float]) -> Iterator[tuple[Figure, io.BytesIO]]:
    """A figure that becomes a PNG when the block ends; the same figure gives the same bytes."""
    from matplotlib.figure import Figure

    png = io.BytesIO()
    figure = Figure(figsize=inches, layout="constrained", facecolor="white")
    yield figure, png
    options: dict[str, Any] = {"metadata": {"Software": None}}
    figure.savefig(png, format="png", dpi=_DOTS_PER_INCH, **options)
