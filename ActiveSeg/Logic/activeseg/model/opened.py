"""A foreign network that was read: what it is, what it answers, whether it fits a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from activeseg.errors import ModelError
from activeseg.model.description import Description

__all__ = ["Answers", "Opened", "check_fit", "output_channels", "try_out"]

_LOUD = 1000.0
"""Logits of such grey values leave the range of probabilities."""

_FARTHEST = 10.0
"""Spacings that differ by more than this factor do not belong together."""


@dataclass(frozen=True)
class Opened:
    """A network as it was read.

    Attributes:
        network: The network, on the processor.
        description: What is known of it.
        where: Its folder or file, for messages.
        scripted: Whether it is TorchScript, whose parts cannot be looked into.
    """

    network: nn.Module
    description: Description
    where: str
    scripted: bool


@dataclass(frozen=True)
class Answers:
    """What a network's outputs are.

    Attributes:
        channels: How many output channels it has.
        probabilities: Whether they are probabilities already, and not logits.
    """

    channels: int
    probabilities: bool


def try_out(opened: Opened) -> Answers:
    """Show the network a window of noise, and one of very loud noise.

    Raises:
        ModelError: If it does not take its window, or answers with something else than one map a
            channel.
    """
    window = opened.description.window
    noise = torch.rand((1, 1, *window), generator=torch.Generator().manual_seed(0))
    opened.network.eval()
    try:
        with torch.inference_mode():
            found = opened.network(noise)
            loud = opened.network(_LOUD * noise)
    except (RuntimeError, TypeError, ValueError) as error:
        said = " ".join(str(error).split())[-160:]
        raise ModelError(
            f"{opened.where}: the network does not take one image channel in a window of "
            f"{_times(window)} ({said})"
        ) from error
    if (
        not isinstance(found, torch.Tensor)
        or found.shape[::2] != noise.shape[::2]
        or (found.shape[2:] != noise.shape[2:])
    ):
        kind = _times(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise ModelError(
            f"{opened.where}: to a window of {_times(window)} the network answers {kind}; expected "
            "one map of that size for each channel"
        )
    said_outputs = opened.description.outputs
    if said_outputs is not None and said_outputs != found.shape[1]:
        raise ModelError(
            f"{opened.where}: the network has {found.shape[1]} output channels, its metadata says "
            f"{said_outputs}; repair the metadata"
        )
    if opened.description.binary and found.shape[1] > 1:
        raise ModelError(
            f"{opened.where}: its {found.shape[1]} outputs overlap (sigmoid); expected structures "
            "that exclude each other (softmax)"
        )
    return Answers(int(found.shape[1]), _probable(found) and _probable(loud))


def _probable(found: torch.Tensor) -> bool:
    """Whether outputs look like probabilities: from 0 to 1, and 1 together if there are several."""
    within = float(found.min()) >= 0 and float(found.max()) <= 1
    whole = found.sum(dim=1)
    return within and (
        found.shape[1] == 1 or torch.allclose(whole, torch.ones_like(whole), atol=1e-3)
    )


def output_channels(
    opened: Opened, answers: Answers, structures: Sequence[str], asked: Mapping[str, int]
) -> tuple[int, ...]:
    """The output channel of each structure.

    Args:
        opened: The model.
        answers: What `try_out` found.
        structures: Names of the project's structures, in order.
        asked: Channels that the user named; where there are none the model's own names are
            looked for.

    Raises:
        ModelError: If not every structure has one channel of its own.
    """
    known = {_bare(name): channel for channel, name in opened.description.names.items()}
    found = dict(asked) or {name: known[_bare(name)] for name in structures if _bare(name) in known}
    only = answers.channels == 1  # the one output of a binary network is its structure
    if only and len(structures) == 1 and not found:
        found = {structures[0]: 0}
    outputs = f"its outputs are {_listed(opened.description.names, answers.channels)}"
    strange = [name for name in found if name not in structures]
    if strange:
        raise ModelError(
            f"--map names '{strange[0]}'; the project's structures are {', '.join(structures)}"
        )
    missing = [name for name in structures if name not in found]
    if missing:
        example = ",".join(f"{name}=N" for name in structures)
        raise ModelError(
            f"{opened.where}: which output is {missing[0]}? {outputs}; --map {example}"
        )
    for name, channel in found.items():
        if channel == 0 and not only:
            raise ModelError(f"{opened.where}: output 0 is the background, not {name}; {outputs}")
        if not (channel == 0 if only else channel < answers.channels):
            raise ModelError(f"{opened.where}: no output {channel} for {name}; {outputs}")
        other = known.get(_bare(name), channel)
        if other != channel:
            raise ModelError(
                f"{opened.where}: --map says {name} is output {channel}, the model itself calls "
                f"output {other} so; {outputs}"
            )
    if len(set(found.values())) < len(found):
        raise ModelError(f"--map gives one output to two structures ({dict(found)})")
    return tuple(found[name] for name in structures)


def check_fit(
    opened: Opened, modality: str, spacings: Sequence[tuple[float, float, float]]
) -> None:
    """Refuse a model for scans of another kind.

    Args:
        opened: The model.
        modality: Of the cohort: `ct`, `ct-offset` or `mr`.
        spacings: Of its volumes, each in mm along S, P, L.

    Raises:
        ModelError: If modality or spacing do not fit.
    """
    description = opened.description
    kind = modality.partition("-")[0].upper()
    if description.modality and description.modality != kind:
        raise ModelError(
            f"{opened.where}: made for {description.modality}, this cohort is {kind}; choose "
            "another model"
        )
    wanted = [mm for mm in description.pixdim if mm is not None]
    for spacing in spacings:
        least, most = min(spacing), max(spacing)
        if wanted and (max(wanted) > _FARTHEST * most or min(wanted) < least / _FARTHEST):
            raise ModelError(
                f"{opened.where}: works at {_times(wanted)} mm, a volume has {_times(spacing)} mm "
                f"between voxels; more than a factor of {_FARTHEST:g} does not fit"
            )


def _bare(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def _listed(names: Mapping[int, str], count: int) -> str:
    return ", ".join(
        f"{number} {names.get(number, '(no name)')}" for number in range(min(count, 9))
    )


def _times(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
