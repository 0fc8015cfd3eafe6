"""What lies on the desk: one slice to work on, and whoever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Geometry, Structure
from activeseg.errors import AnnotationError
from activeseg.keys import SliceKey

__all__ = ["Desk", "Sheet", "still_shows"]


@dataclass(frozen=True)
class Sheet:
    """A slice as it is put on the desk.

    Attributes:
        key: The slice.
        image: `[k, j, i]` intensities of the whole volume, native axes.
        geometry: Where the volume lies in space.
        structures: The project's structures, in its order.
        mask: Native 2-D slice of label values (`activeseg.cohort.take_slice`): what to begin
            with, a draft, an earlier answer, the model's proposal or nothing.
        entropy: Native 2-D slice, predictive entropy from 0 (sure) to 1 (cannot be less sure);
            None without a model, and for audits, which are shown blank.
        around: Accepted masks of other slices of the volume, for context; shown, never taken.
    """

    key: SliceKey
    image: npt.NDArray[np.float32]
    geometry: Geometry
    structures: tuple[Structure, ...]
    mask: npt.NDArray[np.uint8]
    entropy: npt.NDArray[np.float32] | None
    around: Mapping[SliceKey, npt.NDArray[np.uint8]]


class Desk(Protocol):
    """Shows one slice at a time and knows what was painted on it."""

    def lay(self, sheet: Sheet) -> None:
        """Show the volume in the slice's own plane, with the mask in the segmentation.

        Editing reaches this slice alone. Whatever lay there before is put away.
        """

    def mask(self) -> npt.NDArray[np.uint8]:
        """The slice as it is painted now: native 2-D label values."""

    def fill(self, mask: npt.NDArray[np.uint8]) -> None:
        """Replace what is painted on the slice, as one step that the editor can undo."""

    def changed(self) -> bool:
        """Whether anything was painted since `lay` or since the last call of `changed`."""

    def clear(self) -> None:
        """Put the slice away; the volume and the segmentation stay in the scene."""


def still_shows(desk: Desk) -> bool:
    """Whether what was laid can still be read; others may remove its nodes or segments."""
    try:
        desk.mask()
    except AnnotationError:
        return False
    return True
