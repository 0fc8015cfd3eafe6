"""Half the bits where the hardware multiplies them natively, at no measured cost in Dice."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import torch

from activeseg.model.network import STRIDE

__all__ = ["autocast", "has_bfloat16", "has_tiles", "learning_autocast", "learning_precision"]

_AMPERE = 8
"""First generation (compute capability) of NVIDIA's devices with native bfloat16."""

_TILES = "amx_bf16"
_NATIVE_FLAGS = frozenset({"avx512_bf16", _TILES})

_NARROWEST = 2 * STRIDE
"""Columns of an image whose smallest map has two. Where a map of several rows has one, oneDNN 3.12
answers convolutions of stride 2 in bfloat16 out of memory that nobody wrote: NaN, or worse, nearly
right (docs/experiments.md)."""


def autocast(device: torch.device, columns: int) -> AbstractContextManager[object]:
    """A block whose convolutions run in bfloat16 where that is native; weights stay as they are.

    Without native support bfloat16 is emulated, several times slower than single precision.

    Args:
        device: Where.
        columns: Of what the network is shown, its last dimension.
    """
    sound = device.type != "cpu" or columns >= _NARROWEST
    native = sound and has_bfloat16(device.type)
    return torch.autocast(device.type, torch.bfloat16, enabled=native)


def learning_autocast(device: torch.device, columns: int) -> AbstractContextManager[object]:
    """The same for training, on a processor only where it multiplies tiles of them.

    Without tiles the gradients of convolutions over small patches take a third longer in bfloat16
    than in single precision (docs/experiments.md).
    """
    if device.type == "cpu" and not has_tiles():
        return nullcontext()
    return autocast(device, columns)


def learning_precision(device: torch.device) -> str:
    """`bfloat16` or `float32`: in which of them `learning_autocast` multiplies."""
    tiles = device.type != "cpu" or has_tiles()
    return "bfloat16" if tiles and has_bfloat16(device.type) else "float32"


@cache
def has_bfloat16(device_type: str) -> bool:
    """Whether a device (`cpu` or `cuda`) multiplies bfloat16 natively."""
    if device_type == "cuda":
        return torch.cuda.get_device_capability()[0] >= _AMPERE
    return not _NATIVE_FLAGS.isdisjoint(_flags())


@cache
def has_tiles() -> bool:
    """Whether the processor multiplies whole tiles of bfloat16 (AMX)."""
    return _TILES in _flags()


def _flags() -> list[str]:
    """What the processor can do, as Linux lists it; elsewhere nothing is known."""
    cpu = Path("/proc/cpuinfo")
    return cpu.read_text(errors="replace").split() if cpu.is_file() else []
