"""Reading a MONAI bundle: a folder of configurations and weights.

A bundle's configuration may hold expressions of Python and name any class: reading it the usual
way runs whatever its author wrote. Here only networks of MONAI and layers of torch, made of
numbers and names, are built unless the author is trusted; weights are read as tensors alone.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, config_parser
from monai.networks import nets
from torch import nn

from activeseg.errors import ModelError
from activeseg.model.description import describe
from activeseg.model.network import UNREADABLE, Weights
from activeseg.model.opened import Opened
from activeseg.model.torchscript import is_torchscript, load_torchscript
from activeseg.model.words import Words

__all__ = ["bundle_files", "is_bundle", "open_bundle"]

_METADATA = "configs/metadata.json"
_INFERENCE = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
_WEIGHTS = ("models/model.pt", "models/model.ts")
_KEPT_UNDER = ("model", "state_dict", "network", "net")
"""Names that training scripts keep the weights under."""

_MISREAD = (AttributeError, ImportError, LookupError, RuntimeError, TypeError, ValueError)
"""What a configuration that does not fit makes MONAI raise."""


def is_bundle(path: Path) -> bool:
    """Whether a folder looks like a bundle."""
    return (path / _METADATA).is_file()


def bundle_files(folder: Path, trusted: bool) -> tuple[str, ...]:
    """The files of a bundle that are read, relative to it; of a trusted one its code too.

    Raises:
        ModelError: If one is missing.
    """
    found = [
        _first(folder, (_METADATA,)),
        _first(folder, _INFERENCE),
        _first(folder, _WEIGHTS),
    ]
    if trusted:
        found += sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
    return tuple(found)


def open_bundle(folder: Path, trusted: bool) -> Opened:
    """Read a bundle and build its network with its weights.

    Args:
        folder: The bundle.
        trusted: Whether its author's code may run.

    Raises:
        ModelError: If it is incomplete, needs trust that it has not, or is not understood.
    """
    where = str(folder)
    file = folder / _first(folder, _INFERENCE)
    metadata, content = _read(folder / _METADATA), _read(file)
    evaluate = _evaluation(folder, content, metadata) if trusted else None
    inference = Words(content, str(file), evaluate)
    description = describe(Words(metadata, str(folder / _METADATA)), inference)
    weights = folder / _first(folder, _WEIGHTS)
    if is_torchscript(weights):
        if not trusted:
            raise ModelError(
                f"{weights}: a TorchScript file, which is code; give --trust-code if you trust "
                "its author"
            )
        return Opened(load_torchscript(weights), description, where, scripted=True)
    network = evaluate("network_def") if evaluate else _built(inference)
    if not isinstance(network, nn.Module):
        raise ModelError(f"{file}: network_def makes a {type(network).__name__}, no network")
    _load_weights(network, weights)
    return Opened(network, description, where, scripted=False)


def _first(folder: Path, names: tuple[str, ...]) -> str:
    for name in names:
        if (folder / name).is_file():
            return name
    raise ModelError(
        f"{folder}: has no {' or '.join(names)}; expected a MONAI bundle (configs/metadata.json, "
        "configs/inference.json and models/model.pt)"
    )


def _read(file: Path) -> dict[str, Any]:
    """A configuration file as it is written."""
    try:
        content = json.loads(file.read_text("utf-8")) if file.suffix == ".json" else _yaml(file)
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(f"{file}: cannot be read ({_line(error)})") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file}: expected names and values, as a bundle's configuration has")
    return content


def _yaml(file: Path) -> Any:
    """What a YAML file holds; ImportError where no reader is installed."""
    damage: type[Exception] = config_parser.yaml.YAMLError
    try:
        return ConfigParser.load_config_file(file)
    except damage as error:
        raise ValueError(str(error)) from error


def _evaluation(
    folder: Path, content: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Callable[[str], Any]:
    """What says the meaning of expressions, by running them."""
    parser = ConfigParser(dict(content) | {"bundle_root": str(folder), "_meta_": dict(metadata)})

    def evaluate(place: str) -> Any:
        try:
            with _importable(folder):
                return parser.get_parsed_content(place)
        except _MISREAD as error:
            raise ModelError(f"{folder}: '{place}' cannot be made ({_line(error)})") from error

    return evaluate


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """A block that can import the scripts of a bundle."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _built(inference: Words) -> object:
    """The network of a configuration, without running anything but MONAI's own classes."""
    definition = _known(inference.plain("network_def"), inference.where)
    try:
        return ConfigParser({"network_def": definition}).get_parsed_content("network_def")
    except _MISREAD as error:
        raise ModelError(
            f"{inference.where}: network_def does not make a network ({_line(error)})"
        ) from error


def _known(definition: Any, where: str) -> Any:
    """A definition whose targets are classes of networks, by their full names."""
    if isinstance(definition, list):
        return [_known(each, where) for each in definition]
    if not isinstance(definition, dict):
        return definition
    found = {name: _known(value, where) for name, value in definition.items()}
    if any(name.startswith("_") and name not in ("_target_", "_desc_") for name in found):
        raise ModelError(
            f"{where}: network_def uses {sorted(n for n in found if n.startswith('_'))}, which "
            "may run code; give --trust-code if you trust its author"
        )
    if "_target_" in found:
        found["_target_"] = _target(str(found["_target_"]), where)
    return found


def _target(name: str, where: str) -> str:
    """The full name of one of MONAI's networks or torch's layers."""
    home, _, bare = name.rpartition(".")
    places = {"torch.nn": nn} if home == "torch.nn" else {"": nets, "monai.networks.nets": nets}
    inside = home in places or home.startswith("monai.networks.nets.")
    found = getattr(places.get(home, nets), bare, None)
    if not inside or not inspect.isclass(found) or not issubclass(found, nn.Module):
        raise ModelError(
            f"{where}: network_def names {name}, which is none of MONAI's networks and so code "
            "of its author; give --trust-code if you trust it"
        )
    return f"{found.__module__}.{found.__qualname__}"


def _load_weights(network: nn.Module, file: Path) -> None:
    """Give a network the weights of a file; nothing in it is executed."""
    try:
        with warnings.catch_warnings():
            # A file of another kind makes torch warn before it raises.
            warnings.simplefilter("ignore")
            content = torch.load(file, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise ModelError(
            f"{file}: not weights alone ({_line(error)}); expected a state_dict saved by torch"
        ) from error
    try:
        network.load_state_dict(_weights(content, file))
    except RuntimeError as error:
        raise ModelError(f"{file}: the weights do not fit network_def ({_line(error)})") from error


def _weights(content: Any, file: Path) -> Weights:
    """The weights in what a training script saved."""
    for _ in range(2):
        if isinstance(content, Mapping) and content:
            if all(isinstance(value, torch.Tensor) for value in content.values()):
                parallel = all(str(name).startswith("module.") for name in content)
                return {
                    str(name).removeprefix("module.") if parallel else str(name): value
                    for name, value in content.items()
                }
            content = next((content[key] for key in _KEPT_UNDER if key in content), None)
    raise ModelError(f"{file}: holds no weights; expected a state_dict saved by torch")


def _line(error: BaseException) -> str:
    """What an error of somebody else's says, in one short line."""
    text = str(error.__cause__ or error) or type(error).__name__
    return " ".join(text.split())[:160]
