"""Which slices of many have a folder: one look a volume instead of one a slice."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from activeseg.keys import SliceKey
from activeseg.project.names import slice_name, volume_name

__all__ = ["with_folder"]


def with_folder(root: Path, keys: Iterable[SliceKey]) -> list[SliceKey]:
    """The slices that have a folder (`activeseg.project.names.slice_folder`), in the given order.

    Of a large batch most slices have none yet, and to ask for each of them takes longer than a
    clinician should wait for the next slice.

    Args:
        root: What holds the folders of the volumes: the project's ``annotations`` or ``claims``.
        keys: The slices.

    Raises:
        OSError: If a folder is there and cannot be listed.
    """
    listed: dict[str, frozenset[str]] = {}
    found = []
    for key in keys:
        if key.volume not in listed:
            listed[key.volume] = _names(root / volume_name(key.volume))
        if slice_name(key) in listed[key.volume]:
            found.append(key)
    return found


def _names(folder: Path) -> frozenset[str]:
    """What is in a folder; nothing where there is none."""
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
