"""The built-in network and its checkpoint.

Two small residual U-Nets of MONAI that know nothing of each other. One is 2.5-D: three neighbouring
slices and the place of each pixel in, the structures of the middle one out; the same for all
planes. The other sees the volume. They err in different places, so together they are better than
either alone. Batch norm, because instance norm on slices that hold little loses the absolute grey
value (docs/experiments.md).
"""

from __future__ import annotations

import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from monai.networks.nets import UNet
from torch import nn
from torch.nn.utils import (
    convert_conv2d_weight_memory_format,
    convert_conv3d_weight_memory_format,
)

from activeseg.errors import ModelError
from activeseg.files import write_atomic
from activeseg.model.layers import quicken
from activeseg.model.scan import PLACES
from activeseg.model.supervised import SliceVolumeUNet

__all__ = [
    "DEVICES",
    "GENERATION",
    "STRIDE",
    "UNREADABLE",
    "NetworkConfig",
    "Weights",
    "build",
    "device_name",
    "load",
    "load_members",
    "load_tuned",
    "outdated",
    "pick_device",
    "save",
    "seeded",
]

Weights: TypeAlias = Mapping[str, torch.Tensor]
"""A network's parameters and running statistics by name."""

CHECKPOINT_FORMAT = 1

GENERATION = 3
"""Of the built-in network; weights of another one do not fit. 1 was not shown places, 2 saw slices
alone."""

TRAIN_AGAIN = "delete it and run 'activeseg train' again"
"""What to do where a round's checkpoint is none."""

DEVICES = ("auto", "cpu", "cuda")
"""Where networks run; `auto` is a CUDA device where there is one."""

WIDTHS = (16, 32, 64, 128)
STRIDE = 8
"""Heights, widths and depths that the network takes are multiples of this."""

DROPOUT = 0.1

# torch raises whatever its zip reader or unpickler met: there is no narrower base class.
UNREADABLE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
)


@dataclass(frozen=True)
class NetworkConfig:
    """What a network was built for; part of its checkpoint.

    Attributes:
        image_channels: Grey-value channels of a scan (`activeseg.model.scan.CHANNELS`).
        structures: Label values of the output channels after the background, in order.
        pixel_mm: In-plane pixel size that the network works at.
        modality: Modality of the cohort.
    """

    image_channels: int
    structures: tuple[int, ...]
    pixel_mm: float
    modality: str


def build(config: NetworkConfig) -> SliceVolumeUNet:
    """A network with fresh weights, drawn from torch's current random state.

    Dropout acts in the network of slices alone, as only that is asked with chance, and there in the
    deep layers (Kendall 2015, Bayesian SegNet): in the outermost ones drawing its masks takes
    longer than the convolutions (docs/experiments.md).
    """
    network = UNet(
        spatial_dims=2,
        in_channels=3 * config.image_channels + PLACES,
        out_channels=1 + len(config.structures),
        channels=WIDTHS,
        strides=(2,) * (len(WIDTHS) - 1),
        num_res_units=2,
        norm="batch",
        dropout=DROPOUT,
    )
    down, _, up = network.model.children()  # in the middle everything deeper
    for module in (*down.modules(), *up.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    volume = UNet(
        spatial_dims=3,
        in_channels=config.image_channels + PLACES,
        out_channels=1 + len(config.structures),
        channels=WIDTHS,
        strides=(2,) * (len(WIDTHS) - 1),
        num_res_units=2,
        norm="batch",
    )
    # The last layers have as many channels as there are classes: with channels first their
    # gradients alone take a tenth of a training on a processor.
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    convert_conv3d_weight_memory_format(volume, torch.channels_last_3d)
    both = SliceVolumeUNet(network, volume)
    quicken(both)
    return both


def pick_device(name: str = "auto") -> torch.device:
    """The device of a name (`DEVICES`).

    Raises:
        ModelError: If there is none of that name, or none here.
    """
    if name not in DEVICES:
        raise ModelError(f"no device '{name}'; expected {', '.join(DEVICES)}")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ModelError("torch sees no CUDA device here; give --device cpu, or auto")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def device_name() -> str:
    """What `pick_device` picks, for people."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """A block with torch's chance fixed by `seed`; the state outside it is as it was."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def save(
    path: Path,
    network: nn.Module,
    config: NetworkConfig,
    facts: dict[str, Any],
    members: Sequence[Weights] = (),
) -> None:
    """Write a checkpoint in one step; it holds tensors and plain values only.

    Args:
        path: Where.
        network: The network.
        config: What it was built for.
        facts: Plain values to keep beside the weights (round, seed, what it learned from).
        members: Weights from earlier in the training.
    """
    checkpoint = {
        "format": CHECKPOINT_FORMAT,
        "generation": GENERATION,
        "config": asdict(config),
        "facts": facts,
        "weights": _on_cpu(network.state_dict()),
        "members": [_on_cpu(weights) for weights in members],
    }
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_atomic(path, buffer.getvalue())


def load(path: Path, remedy: str = TRAIN_AGAIN) -> tuple[nn.Module, NetworkConfig, dict[str, Any]]:
    """Read a checkpoint; nothing in it is executed (`weights_only=True`).

    Args:
        path: The checkpoint.
        remedy: What to do if it is none, as the error's last words say it.

    Returns:
        The network on the processor, what it was built for, the facts kept beside it.

    Raises:
        ModelError: If the file is missing, damaged, or not a checkpoint of ActiveSeg.
    """
    checkpoint = _read(path, remedy)
    if isinstance(checkpoint.get("facts"), dict) and "source" in checkpoint["facts"]:
        raise ModelError(
            f"{path}: tuned from {checkpoint['facts']['source']}, and of no use without it; "
            "start from that model"
        )
    if _is_outdated(checkpoint):
        raise ModelError(
            f"{path}: trained by an earlier version of ActiveSeg, whose network was another; "
            "'activeseg round' trains a new one from all annotations"
        )
    try:
        raw = checkpoint["config"]
        config = NetworkConfig(
            image_channels=int(raw["image_channels"]),
            structures=tuple(int(value) for value in raw["structures"]),
            pixel_mm=float(raw["pixel_mm"]),
            modality=str(raw["modality"]),
        )
        with seeded(0):  # the fresh weights are thrown away at once
            network = build(config)
        network.load_state_dict(checkpoint["weights"])
        facts = dict(checkpoint["facts"])
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path}: its contents do not fit the built-in network; {remedy}"
        ) from error
    return network, config, facts


def outdated(path: Path) -> bool:
    """Whether a checkpoint is of an earlier generation of the built-in network.

    Raises:
        ModelError: If it cannot be read.
    """
    return _is_outdated(_read(path))


def load_members(path: Path) -> tuple[Weights, ...]:
    """The weights that a checkpoint keeps from earlier in the training.

    Raises:
        ModelError: As `load`.
    """
    return tuple(_read(path).get("members", ()))


def load_tuned(path: Path) -> tuple[Weights, dict[str, Any]]:
    """Weights that a foreign network was tuned to, and the facts kept beside them.

    Raises:
        ModelError: If the file is missing, damaged, or no such checkpoint.
    """
    checkpoint = _read(path)
    weights, facts = checkpoint.get("weights"), checkpoint.get("facts")
    if not isinstance(weights, dict) or not isinstance(facts, dict) or "source" not in facts:
        raise ModelError(
            f"{path}: was not tuned from a foreign model; delete it and run 'activeseg train' again"
        )
    return weights, facts


def _is_outdated(checkpoint: Mapping[str, Any]) -> bool:
    return bool(checkpoint.get("generation", 1) != GENERATION)


def _on_cpu(weights: Weights) -> dict[str, torch.Tensor]:
    return {name: value.cpu() for name, value in weights.items()}


def _read(path: Path, remedy: str = TRAIN_AGAIN) -> dict[str, Any]:
    """The checkpoint's content, which is of ActiveSeg but not yet looked at further."""
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint; it was moved or never trained")
    unreadable = f"{path}: not a readable checkpoint; {remedy}"
    if not zipfile.is_zipfile(path):  # cut off, or of another kind; `save` writes zip archives
        raise ModelError(unreadable)
    try:
        with warnings.catch_warnings():
            # An archive of another kind makes torch warn before it raises.
            warnings.simplefilter("ignore")
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise ModelError(unreadable) from error
    if not isinstance(checkpoint, dict) or checkpoint.get("format") != CHECKPOINT_FORMAT:
        raise ModelError(
            f"{path}: not a checkpoint of ActiveSeg (format {CHECKPOINT_FORMAT}); "
            "expected a model.pt of a project"
        )
    return checkpoint
