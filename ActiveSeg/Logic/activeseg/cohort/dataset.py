"""``dataset.json`` as the Medical Segmentation Decathlon and nnU-Net write it.

Decathlon and nnU-Net 1: ``"labels": {"0": "background", "1": "liver"}``, ``"modality": {"0":
"CT"}``, ``"training": [{"image", "label"}]``. nnU-Net 2: ``"labels": {"background": 0, "liver":
1}``, ``"channel_names": {"0": "CT"}``. Both ways of writing are read, in either layout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from activeseg.errors import CohortError

__all__ = ["Dataset", "read_dataset", "read_json"]


@dataclass(frozen=True)
class Dataset:
    """What a dataset.json says; empty where it says nothing.

    Attributes:
        names: Structure name of each label value above 0.
        modality: The one channel's name, such as ``CT`` or ``MRI``.
        training: Image and label of each training case, relative to the file's folder.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    modality: str = ""
    training: tuple[tuple[str, str | None], ...] = ()


def read_dataset(path: Path) -> Dataset:
    """Read a dataset.json.

    Raises:
        CohortError: If it is no JSON object, describes several channels, or labels that are
            regions or marked to be ignored.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise CohortError("expected a JSON object with 'labels'", path.name)
    channels = data.get("channel_names", data.get("modality", {}))
    if isinstance(channels, dict) and len(channels) > 1:
        raise CohortError(
            f"describes {len(channels)} channels ({', '.join(map(str, channels.values()))}); "
            "expected one image for each volume",
            path.name,
        )
    modality = next(iter(channels.values()), "") if isinstance(channels, dict) else channels
    return Dataset(_names(data.get("labels", {}), path), str(modality), _training(data, path))


def read_json(path: Path) -> object:
    """What a JSON file of the cohort holds.

    Raises:
        CohortError: If it cannot be read or is not JSON.
    """
    try:
        parsed: object = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise CohortError(f"cannot be read: {error}", path.name) from error
    except ValueError as error:
        raise CohortError(f"is not JSON ({error})", path.name) from error
    return parsed


def _names(labels: object, path: Path) -> dict[int, str]:
    """Structure names by value, from either way of writing labels."""
    if not isinstance(labels, dict):
        raise CohortError("'labels' must be an object of names and values", path.name)
    names: dict[int, str] = {}
    for key, entry in labels.items():
        if isinstance(entry, list):
            raise CohortError(
                f"label '{key}' is a region of several values {entry}; expected one value for "
                "each structure (region-based labels are not supported)",
                path.name,
            )
        # {"1": "liver"} or {"liver": 1}; a structure called "1" can only be meant as a value.
        by_value = isinstance(entry, str) and key.strip().isdigit()
        text, name = (key, str(entry)) if by_value else (str(entry), key)
        if not text.strip().isdigit() or int(text) > 255:
            raise CohortError(
                f"label '{name}' has the value {text!r}; expected a whole number from 0 to 255",
                path.name,
            )
        if name.strip().lower() == "ignore":
            raise CohortError(
                "marks voxels to be ignored (label 'ignore'); expected reference labels of "
                "every voxel",
                path.name,
            )
        value = int(text)
        if value in names:
            raise CohortError(
                f"labels '{names[value]}' and '{name}' have one value, {value}", path.name
            )
        if value > 0:
            names[value] = name.strip()
    return names


def _training(data: Mapping[str, object], path: Path) -> tuple[tuple[str, str | None], ...]:
    """Image and label of each training case; other ways of listing count as none."""
    cases = data.get("training", [])
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        return ()
    pairs = []
    for case in cases:
        image, label = case.get("image"), case.get("label")
        if not isinstance(image, str) or not isinstance(label, str | None):
            raise CohortError(
                "a case of 'training' does not name one image and one label file", path.name
            )
        pairs.append((image, label))
    return tuple(pairs)
