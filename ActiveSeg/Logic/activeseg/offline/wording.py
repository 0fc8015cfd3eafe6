"""Two texts in the folder of a batch: ``labels.txt`` for ITK-SNAP, ``README.txt`` for people."""

from __future__ import annotations

from collections.abc import Sequence

from activeseg.annotations import structure_colour
from activeseg.cohort import Structure
from activeseg.project import Batch

__all__ = ["label_description", "read_me"]

_RULE = "#" * 48
_LABEL_HEADER = f"""\
{_RULE}
# ITK-SnAP Label Description File
# File format:
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
# IDX: label value; -R- -G- -B-: colour, 0 to 255; -A-: opacity, 0 to 1;
# VIS, MSH: shown in slices and as a surface, 0 or 1; LABEL: name of the structure
{_RULE}
"""

# One line each; the lines are long, since every editor wraps them.
_READ_ME = (
    "{count} slices to annotate, about {minutes:.0f} minutes; slices.csv lists them in the order "
    "of answering.",
    "Label values: {values}; everything else is 0. No other value may be in a mask.",
    "ITK-SNAP: open images/NAME.nii.gz as main image and masks/NAME.nii.gz as segmentation, import "
    "labels.txt (Segmentation > Import Label Descriptions), correct the mask, save it to the same "
    "file.",
    "3D Slicer: load images/NAME.nii.gz and slicer/NAME.seg.nrrd, correct the segments in the "
    "Segment Editor, save them to the same file. Do not rename segments and let none overlap.",
    "Other programs: edit masks/NAME.nii.gz; size, spacing, origin and direction have to stay as "
    "they are.",
    "Of each slice change one mask, in masks/ or in slicer/, not both. An empty mask is to be "
    "drawn anew.",
    "A PNG or another picture is not read back, wherever it is saved; previews/ is only for a "
    "quick look.",
    'In slices.csv write into the column "seconds" how long a slice took. Leave the other columns '
    "as they are.",
    "A mask that is right as it stands, also an empty one, counts only if its seconds are filled "
    "in (0 will do).",
    "Hand the whole folder back. It is read with: activeseg annotate PROJECT --from FOLDER "
    "--author YOUR_NAME",
)


def label_description(structures: Sequence[Structure]) -> str:
    """What ITK-SNAP imports as label descriptions.

    Format: `ColorLabelTable` of ITK-SNAP, which skips lines that begin with ``#`` and ends a name
    at the next quotation mark.

    Args:
        structures: The project's structures.
    """
    lines = ['    0     0    0    0        0  0  0    "Clear Label"']
    for number, structure in enumerate(structures):
        red, green, blue = (round(255 * part) for part in structure_colour(number))
        name = structure.name.replace('"', "'")
        colour = f"{red:3d}  {green:3d}  {blue:3d}"
        lines.append(f'  {structure.value:3d}   {colour}        1  1  1    "{name}"')
    return _LABEL_HEADER + "".join(f"{line}\n" for line in lines)


def read_me(batch: Batch, structures: Sequence[Structure]) -> str:
    """What the annotator has to know, in ten lines.

    Args:
        batch: The batch.
        structures: The project's structures.
    """
    text = "".join(f"{line}\n" for line in _READ_ME)
    return text.format(
        count=len(batch.suggestions),
        minutes=sum(each.minutes for each in batch.suggestions),
        values=", ".join(f"{each.value} is {each.name}" for each in structures),
    )
