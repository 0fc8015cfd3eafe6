"""Names, colours and standard terms of structures."""

from __future__ import annotations

from typing import Any

import slicer

__all__ = ["TISSUE", "describe"]

# Slicer's own list of anatomy, where a structure is looked up by name.
_LIST = "Segmentation category and type - 3D Slicer General Anatomy list"

TISSUE = (
    f"{_LIST}~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~Anatomic codes - DICOM master list~^^~^^"
)
"""The term of a structure that the list does not name, as Slicer writes it."""

# Told apart by people with any colour vision (Okabe and Ito), for structures without a colour
# of their own in the list.
_COLOURS = (
    (0.90, 0.62, 0.00),
    (0.34, 0.71, 0.91),
    (0.00, 0.62, 0.45),
    (0.94, 0.89, 0.26),
    (0.84, 0.37, 0.00),
    (0.80, 0.47, 0.65),
    (0.00, 0.45, 0.70),
)


def describe(
    name: str, position: int, terminologies: Any
) -> tuple[str, tuple[float, float, float], str]:
    """How a structure is shown.

    Args:
        name: The structure's name, as the project has it.
        position: Its place among the project's structures, from 0.
        terminologies: The application's `vtkSlicerTerminologiesModuleLogic`, or None.

    Returns:
        The segment's name (the structure's), its colour (red, green, blue; 0 to 1) and its
        term as Slicer writes it.
    """
    colour = _COLOURS[position % len(_COLOURS)]
    if terminologies is None:
        return name, colour, TISSUE
    entry = slicer.vtkSlicerTerminologyEntry()
    label = name.replace("_", " ").strip().lower()
    if not terminologies.FindTypeInTerminologyBy3dSlicerLabel(_LIST, label, entry):
        return name, colour, TISSUE
    kind = entry.GetTypeObject()
    modifier = entry.GetTypeModifierObject()
    if modifier is not None and modifier.GetCodeValue():
        kind = modifier
    red, green, blue = (part / 255 for part in kind.GetRecommendedDisplayRGBValue())
    return name, (red, green, blue), terminologies.SerializeTerminologyEntry(entry)
