"""Label images: whole numbers from 0 (background) to 255."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from activeseg.errors import CohortError

__all__ = ["as_label", "values_in"]

_LARGEST = 255


def as_label(array: npt.NDArray[Any], volume: str) -> npt.NDArray[np.uint8]:
    """A label image as bytes.

    Args:
        array: What a label file holds, in any type, native array ``[k, j, i]``.
        volume: The volume's id, for the message.

    Raises:
        CohortError: If a value is not a whole number from 0 to 255.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f":
        broken = array != np.rint(array)  # also true of NaN; infinities are caught below
        if broken.any():
            raise CohortError(
                f"the label holds {array[broken][0]:g}, which is not a whole number; expected "
                "0 for background and one value for each structure (was it interpolated?)",
                volume,
            )
    lowest, highest = array.min(), array.max()
    if lowest < 0 or highest > _LARGEST:
        wrong = lowest if lowest < 0 else highest
        raise CohortError(
            f"the label holds the value {wrong:g}; expected 0 for background and 1 to "
            f"{_LARGEST} for structures",
            volume,
        )
    return array.astype(np.uint8)


def values_in(label: npt.NDArray[np.uint8]) -> frozenset[int]:
    """The values above 0 that a label image holds."""
    counts = np.zeros(_LARGEST + 1, dtype=np.int64)
    for section in label:  # one slab at a time: bincount copies what it counts to 8 bytes each
        counts += np.bincount(section.ravel(), minlength=_LARGEST + 1)
    return frozenset(int(value) for value in np.flatnonzero(counts) if value > 0)
