"""Whether grey values are Hounsfield units, shifted Hounsfield units, or arbitrary (MR).

The answer decides how a model normalises them. It is one for the whole cohort, by the majority
of its volumes, because a single odd volume must not be treated unlike the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MODALITIES", "majority", "modality_of"]

MODALITIES: tuple[str, ...] = ("ct", "ct-offset", "mr")
"""In the order in which ties are decided."""

# Air in a CT is near -1000 HU; nothing in an integer MR is this far below zero.
_AIR_HU = -500.0
# Scanners that add 1024 to store unsigned numbers stay within 12 bits.
_LARGEST_OFFSET = 4100.0
# With the offset, fat lies near 920 and muscle near 1070: most of a body falls in this range.
_SOFT_RANGE = (700.0, 1300.0)
_SOFT_PEAK = (900.0, 1150.0)
_BODY_ABOVE = 300.0
_SOFT_SHARE = 0.4

_MR_NAME = re.compile(r"\b(mr|mri|mrt|t1\w*|t2\w*|pd\w*|flair|dwi|adc|swi)\b")


def modality_of(array: npt.NDArray[Any], declared: str = "") -> str:
    """The modality of one volume.

    Args:
        array: Finite grey values, any shape.
        declared: What a dataset.json or a DICOM header says (``CT``, ``MRI``, ``T2`` ...);
            empty if nothing does. CT says nothing of an offset; the values do.

    Returns:
        One of `MODALITIES`.
    """
    name = declared.lower().replace("_", " ")
    if re.search(r"\bct\b", name):
        return "ct-offset" if _has_offset(array) else "ct"
    if _MR_NAME.search(name) or not _whole_numbers(array):
        return "mr"
    if float(array.min()) <= _AIR_HU:
        return "ct"
    return "ct-offset" if _has_offset(array) else "mr"


def majority(votes: Iterable[str]) -> str:
    """What most volumes are; of equals the first in `MODALITIES`."""
    counts = Counter(votes)
    return max(MODALITIES, key=lambda modality: counts[modality])


def _has_offset(array: npt.NDArray[Any]) -> bool:
    """Whether the values look like Hounsfield units + 1024."""
    if float(array.min()) < 0 or float(array.max()) > _LARGEST_OFFSET:
        return False
    body = array[array > _BODY_ABOVE]
    soft = body[(body >= _SOFT_RANGE[0]) & (body <= _SOFT_RANGE[1])]
    if soft.size == 0 or soft.size < _SOFT_SHARE * body.size:
        return False
    return _SOFT_PEAK[0] <= float(np.median(soft)) <= _SOFT_PEAK[1]


def _whole_numbers(array: npt.NDArray[Any]) -> bool:
    """Whether every value is a whole number, whatever its type; stops at the first slab."""
    if array.dtype.kind in "iu":
        return True
    return all(np.array_equal(slab, np.rint(slab)) for slab in array)
