"""Which files of a folder or list are the cohort's images and labels.

Layouts, in the order in which they are looked for:

1.  A list: a ``.csv`` or ``.json`` file with ``id``, ``image`` and perhaps ``label`` for each
    volume, paths relative to the list; given itself, or as ``cohort.csv`` / ``cohort.json`` in
    the folder.
2.  Decathlon: ``dataset.json`` whose ``training`` names image and label files that exist.
3.  nnU-Net: ``imagesTr/<id>_0000.<suffix>`` and ``labelsTr/<id>.<suffix>``.
4.  ``images/`` and, if there, ``labels/`` with the same names.
5.  A flat folder of images; labels lie beside them as ``<id>_label``, ``<id>_seg``,
    ``<id>-label``, ``<id>-seg`` or ``<id>.seg`` (these endings are understood in every label
    folder too), or in ``labels/``.

Where 4 and 5 find no image file, DICOM series are looked for there and in the folders below.
Hidden files and all other files are passed over. Nothing is read but lists and DICOM headers.
At an address there are no DICOM series.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

from activeseg.cohort.dataset import Dataset, read_dataset, read_json
from activeseg.cohort.dicom import series_below
from activeseg.cohort.images import ONE_FILE, SUFFIXES, image_stem
from activeseg.cohort.tree import DISK, Tree
from activeseg.errors import CohortError

__all__ = ["Discovery", "Found", "discover"]

_LABEL_ENDINGS = ("_label", "_seg", "-label", "-seg", ".seg")
_CHANNEL = re.compile(r"(?P<id>.+)_(?P<channel>\d{4})")
_LISTS = ("cohort.csv", "cohort.json")
_AT_ADDRESS = (
    "; DICOM series have to lie in a folder of this machine, and of a server that lists no files "
    "give the address of a list (.csv, .json)"
)


@dataclass(frozen=True)
class Found:
    """One volume's files, not yet looked into."""

    id: str
    image: Path
    label: Path | None


@dataclass(frozen=True)
class Discovery:
    """The cohort's files, and what a dataset.json beside them says.

    Attributes:
        root: The cohort's folder.
        volumes: At least one volume, in the order of their ids, no two alike.
        dataset: Empty where there is no dataset.json.
    """

    root: Path
    volumes: tuple[Found, ...]
    dataset: Dataset


def discover(root: Path, tree: Tree = DISK) -> Discovery:
    """Find the cohort's files.

    Args:
        root: A folder, or a list file.
        tree: Where it lies.

    Raises:
        CohortError: If there is no such folder, no image in it, two volumes with one id, a label
            without an image, or several channels.
    """
    try:
        return _discover(root, tree)
    except OSError as error:
        raise CohortError(f"cannot be read: {error}", str(root)) from error


def _discover(root: Path, tree: Tree) -> Discovery:
    """Find the files of a folder or list."""
    is_file = tree.is_file(root)
    if not is_file and not tree.is_dir(root):
        raise CohortError(
            "no such folder; expected a folder of images or a list", tree.called(root)
        )
    folder = root.parent if is_file else root
    described = folder / "dataset.json"
    dataset = read_dataset(tree.local(described)) if tree.is_file(described) else Dataset()
    if is_file and root.name != "dataset.json":
        volumes = _from_list(root, tree)
    else:
        volumes = _from_folder(folder, dataset, tree)
    if not volumes:
        kinds = (
            f"{', '.join(ONE_FILE)} files"
            if tree.source
            else f"{', '.join(SUFFIXES)} files or DICOM series"
        )
        raise CohortError(
            f"no image found; expected {kinds}, in the folder itself, in images/ or"
            f" in imagesTr/{_AT_ADDRESS if tree.source else ''}",
            tree.called(root),
        )
    for volume in volumes:
        _check_id(volume, tree)
    _check_unique(volumes, tree)
    return Discovery(folder, tuple(sorted(volumes, key=lambda found: found.id)), dataset)


def _from_folder(root: Path, dataset: Dataset, tree: Tree) -> list[Found]:
    """The volumes of a folder in whichever layout it has."""
    lists = [root / name for name in _LISTS if tree.is_file(root / name)]
    if len(lists) > 1:
        raise CohortError(f"holds both {' and '.join(_LISTS)}; keep one", tree.called(root))
    if lists:
        return _from_list(lists[0], tree)
    listed = [
        Found(image_stem(root / image) or Path(image).name, root / image, _below(root, label))
        for image, label in dataset.training
        # macOS archives of the Decathlon list their own '._' files too
        if not Path(image).name.startswith(".")
    ]
    # nnU-Net 1 lists its images here too, without the _0000 that their files have.
    if listed and _is_there(listed[0].image, tree):
        return listed
    if tree.is_dir(root / "imagesTr"):
        labels = _image_files(root / "labelsTr", tree)
        return _pair(_without_channel(_image_files(root / "imagesTr", tree), labels), labels)
    if tree.is_dir(root / "images"):
        return _images_and_labels(root / "images", root / "labels", tree)
    return _images_and_labels(root, root / "labels", tree) or listed


def _is_there(path: Path, tree: Tree) -> bool:
    """Whether there is a file, or the folder of a DICOM series."""
    return tree.is_file(path) or tree.is_dir(path)


def _images_and_labels(images: Path, labels: Path, tree: Tree) -> list[Found]:
    """The image files of a folder, or else the DICOM series below it, and their labels."""
    files = [(image_stem(file) or "", file) for file in _image_files(images, tree)]
    if not files and tree.source:
        return []
    if not files:
        series = [(series.id, series.path) for series in series_below(images, leave_out=labels)]
        return _pair(series, _image_files(labels, tree))
    if tree.is_dir(labels):
        return _pair(files, _image_files(labels, tree))
    label_files = [file for stem, file in files if _label_base(stem) != stem]
    return _pair([(stem, file) for stem, file in files if file not in label_files], label_files)


def _pair(images: list[tuple[str, Path]], labels: list[Path]) -> list[Found]:
    """Images with their labels, which may be missing."""
    ids = {name for name, _ in images}
    label_of: dict[str, Path] = {}
    for file in labels:
        stem = image_stem(file) or ""
        name = stem if stem in ids else _label_base(stem)
        if name not in ids:
            raise CohortError(
                f"the label {file.name} has no image; expected an image named '{name}' or no label",
                name,
            )
        if name in label_of:
            raise CohortError(
                f"has two labels, {label_of[name].name} and {file.name}; keep one", name
            )
        label_of[name] = file
    return [Found(name, file, label_of.get(name)) for name, file in images]


def _label_base(stem: str) -> str:
    """The id that a label's file name speaks of; the name itself if it is no label's name."""
    for ending in _LABEL_ENDINGS:
        base = stem.removesuffix(ending)
        if base and base != stem:
            return base
    return stem


def _without_channel(files: list[Path], labels: list[Path]) -> list[tuple[str, Path]]:
    """nnU-Net images by id; each must have one channel."""
    images = []
    labelled = {image_stem(label) for label in labels}
    for file in files:
        stem = image_stem(file) or ""
        # case_0003 with a label case_0003 is a name, not the fourth channel of "case"
        match = None if stem in labelled else _CHANNEL.fullmatch(stem)
        if match is not None and match["channel"] != "0000":
            raise CohortError(
                f"has a second channel, {file.name}; expected one image for each volume",
                match["id"],
            )
        images.append((match["id"] if match else stem, file))
    return images


def _from_list(path: Path, tree: Tree) -> list[Found]:
    """The volumes of a CSV or JSON list."""
    if path.suffix.lower() not in (".csv", ".json"):
        raise CohortError("is a file; expected a folder, or a list in CSV or JSON", path.name)
    file = tree.local(path)
    rows = _json_rows(file) if path.suffix.lower() == ".json" else _csv_rows(file)
    found = []
    for number, row in enumerate(rows, start=1):
        name, image, label = (
            str(row.get(column) or "").strip() for column in ("id", "image", "label")
        )
        if not name or not image:
            raise CohortError(f"volume {number} of the list has no 'id' or no 'image'", path.name)
        found.append(Found(name, path.parent / image, path.parent / label if label else None))
    return found


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV list."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = {"id", "image"} - set(rows.fieldnames or ())
            if missing:
                raise CohortError(
                    f"has no column {' or '.join(sorted(missing))}; expected the columns id, image "
                    "and, if there are labels, label",
                    path.name,
                )
            return list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"cannot be read as CSV: {error}", path.name) from error


def _json_rows(path: Path) -> list[dict[str, Any]]:
    """The entries of a JSON list."""
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CohortError('expected a list of {"id", "image", "label"}', path.name)
    return rows


def _image_files(folder: Path, tree: Tree) -> list[Path]:
    """The image files directly in a folder, in the order of their names."""
    return [
        entry
        for entry in tree.files(folder)
        if not entry.name.startswith(".") and image_stem(entry) is not None
    ]


def _below(root: Path, name: str | None) -> Path | None:
    return None if name is None else root / name


def _check_id(volume: Found, tree: Tree) -> None:
    """Refuse names that cannot stand in a slice key or a path."""
    name = volume.id
    slashed = "/" in name or "\\" in name
    if name != name.strip() or name.startswith(".") or slashed or not name.isprintable():
        raise CohortError(
            "cannot be a volume's name; expected no slash, no leading dot, and no space at "
            f"either end (it names {tree.called(volume.image)})",
            repr(name),
        )


def _check_unique(volumes: Iterable[Found], tree: Tree) -> None:
    """Refuse two volumes whose names would be one on some file system."""
    first: dict[str, Found] = {}
    for volume in volumes:
        before = first.setdefault(normalize("NFC", volume.id).casefold(), volume)
        if before is not volume:
            raise CohortError(
                f"two volumes have this id, {tree.called(before.image)} and "
                f"{tree.called(volume.image)}; rename one",
                volume.id,
            )
