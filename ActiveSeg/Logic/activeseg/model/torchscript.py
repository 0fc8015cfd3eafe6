"""Reading a TorchScript file: a network with its own code, which runs when it is asked.

Such a file says nothing of spacing and grey values by itself. They are read from a JSON file of the
same name beside it, or from what MONAI puts into the files that it exports, both in the words of
a bundle's configuration.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from activeseg.errors import ModelError
from activeseg.model.description import describe
from activeseg.model.network import UNREADABLE
from activeseg.model.opened import Opened
from activeseg.model.words import Words

__all__ = ["is_torchscript", "load_torchscript", "open_torchscript", "torchscript_files"]

_INSIDE = ("extra/metadata.json", "extra/inference.json")


def is_torchscript(path: Path) -> bool:
    """Whether a file is TorchScript; nothing in it is run."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    return "constants.pkl" in names and any(name.startswith("code/") for name in names)


def torchscript_files(path: Path) -> tuple[str, ...]:
    """The files that are read, relative to the file's folder."""
    beside = path.with_suffix(".json")
    return (path.name, beside.name) if beside.is_file() else (path.name,)


def open_torchscript(path: Path) -> Opened:
    """Read a TorchScript file whose author is trusted.

    Raises:
        ModelError: If it cannot be read, or what it needs to be shown is not said.
    """
    beside = path.with_suffix(".json")
    if beside.is_file():
        metadata = inference = _parsed(beside.read_bytes(), str(beside))
    else:
        metadata, inference = _inside(path)
    description = describe(Words(metadata, str(path)), Words(inference, str(path)))
    return Opened(load_torchscript(path), description, str(path), scripted=True)


def load_torchscript(path: Path) -> nn.Module:
    """The network of a file, on the processor. Its code runs from here on.

    Raises:
        ModelError: If it cannot be read.
    """
    try:
        with warnings.catch_warnings():
            # torch would rather have other formats; this is the one that people have.
            warnings.simplefilter("ignore", DeprecationWarning)
            network: nn.Module = torch.jit.load(str(path), map_location="cpu")
    except UNREADABLE as error:
        raise ModelError(f"{path}: not a readable TorchScript file; export it again") from error
    return network


def _inside(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata and inference configuration that MONAI has put into a file."""
    with zipfile.ZipFile(path) as archive:
        names = {name.partition("/")[2]: name for name in archive.namelist()}
        if not all(name in names for name in _INSIDE):
            raise ModelError(
                f"{path}: does not say which spacing and grey values it takes; describe it in "
                f"{path.with_suffix('.json').name} beside it (docs/models.md)"
            )
        metadata, inference = (_parsed(archive.read(names[n]), str(path)) for n in _INSIDE)
    return metadata, inference


def _parsed(text: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ModelError(f"{where}: its description is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise ModelError(f"{where}: its description is no JSON object; see docs/models.md")
    return found
