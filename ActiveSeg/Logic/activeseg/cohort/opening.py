"""Open a cohort: find its files, look into every one once, and refuse what cannot be trusted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from activeseg.cohort.cohort import Cohort, CohortVolume, Structure, naming
from activeseg.cohort.dicom import series_modality
from activeseg.cohort.discover import Found, discover
from activeseg.cohort.images import image_stem, read_image_file
from activeseg.cohort.labels import as_label, values_in
from activeseg.cohort.mirror import Mirror
from activeseg.cohort.modality import majority, modality_of
from activeseg.cohort.remote import is_address
from activeseg.cohort.tree import DISK, Tree
from activeseg.errors import CohortError
from activeseg.progress import Progress, Silent

__all__ = ["open_cohort"]

_SILENT = Silent()


def open_cohort(
    root: Path | str,
    structures: Sequence[str] = (),
    progress: Progress = _SILENT,
    unnamed: Sequence[str] = (),
) -> Cohort:
    """Find and check every volume of a folder or list; one volume is in memory at a time.

    Args:
        root: A folder in one of the layouts of `activeseg.cohort.discover`, or a list file; or
            the address of one (``s3://bucket/folder``), whose files are fetched as they are read.
        structures: Names of the structures, for the label values 1, 2, ... in this order. Names
            that a dataset.json gives keep the values it gives them. Without names, those of a
            dataset.json are taken, or else ``structure_<value>`` for each value in the labels.
        progress: Is told of each volume.
        unnamed: Names that are taken where there are no others, and no labels either.

    Raises:
        CohortError: If a file or the cohort cannot be used, or an address cannot be reached; the
            message names the volume.
    """
    tree, place = _place(root)
    found = discover(place, tree)
    known = _named(structures, found.dataset.names)
    volumes: list[CohortVolume] = []
    values: set[int] = set()
    doing = "Fetching and checking the cohort" if tree.source else "Checking the cohort"
    with progress.stage(doing, len(found.volumes)) as stage:
        for files in found.volumes:
            volume, held = _check(files, found.dataset.modality, tree)
            if known:
                _check_values(volume, held, known)
            values |= held
            volumes.append(volume)
            stage.advance()
    if not known:
        known = tuple(Structure(f"structure_{value}", value) for value in sorted(values))
    known = known or _named(unnamed, {})
    if not known:
        raise CohortError(
            "there are no labels to find structures in; name what to segment with --structures",
            tree.called(place),
        )
    modality = majority(volume.modality for volume in volumes)
    agreed = tuple(replace(volume, modality=modality) for volume in volumes)
    return Cohort(found.root, agreed, known, tree.source)


def _place(root: Path | str) -> tuple[Tree, Path]:
    """The tree that a cohort lies in, and its path there."""
    if isinstance(root, str) and is_address(root):
        return Mirror.opened(root)
    # "." has no name, and a project outlives its shell
    return DISK, Path(os.path.abspath(root))


def _named(names: Sequence[str], described: Mapping[int, str]) -> tuple[Structure, ...]:
    """The structures that the user or a dataset.json names; empty if neither does."""
    cleaned = [name.strip() for name in names]
    if not cleaned:
        return tuple(Structure(described[value], value) for value in sorted(described))
    if len(cleaned) > 255:
        raise CohortError(f"{len(cleaned)} structures are named; expected at most 255")
    for name in cleaned:
        if not name or cleaned.count(name) > 1:
            raise CohortError(f"structure '{name}' is named twice or has no name")
    value_of = {name: value for value, name in described.items()}
    strangers = [name for name in cleaned if name not in value_of]
    if not described or len(strangers) == len(cleaned):
        return tuple(Structure(name, value) for value, name in enumerate(cleaned, start=1))
    if strangers:
        raise CohortError(
            f"dataset.json knows no structure '{strangers[0]}'; it has {', '.join(value_of)}"
        )
    chosen = (Structure(name, value_of[name]) for name in cleaned)
    return tuple(sorted(chosen, key=lambda structure: structure.value))


def _check(files: Found, declared: str, tree: Tree) -> tuple[CohortVolume, frozenset[int]]:
    """Look into one volume's files; its geometry and modality, and the values of its label."""
    try:
        image, geometry = read_image_file(tree.local(files.image), thorough=True)
        wrong = image.size - int(np.isfinite(image).sum()) if image.dtype.kind == "f" else 0
        if wrong:
            raise CohortError(
                f"{wrong} of {image.size} voxels are NaN or infinite; expected numbers",
                files.image.name,
            )
        if not declared and image_stem(files.image) is None:
            declared = series_modality(files.image)
        modality = modality_of(image, declared)
        del image  # the label is read next
        volume = CohortVolume(files.id, files.image, None, geometry, modality)
        if files.label is None:
            return volume, frozenset()
        label, label_geometry = read_image_file(tree.local(files.label), thorough=True)
        difference = label_geometry.mismatch(geometry)
        if difference is not None:
            raise CohortError(
                f"the label does not lie on its image: {difference}; resample it to the image",
                files.label.name,
            )
        held = values_in(as_label(label, files.label.name))
    except CohortError as error:
        raise naming(files.id, error) from error
    return replace(volume, label=files.label), held


def _check_values(
    volume: CohortVolume, held: frozenset[int], structures: Sequence[Structure]
) -> None:
    """Refuse label values that no structure has."""
    strange = sorted(held - {structure.value for structure in structures})
    if strange:
        expected = ", ".join(f"{s.value} ({s.name})" for s in structures)
        raise CohortError(
            f"the label holds the value{'s' * (len(strange) > 1)} "
            f"{', '.join(map(str, strange))}; expected 0 and {expected}; name "
            "a structure for each value, with --structures or in dataset.json",
            volume.id,
        )
