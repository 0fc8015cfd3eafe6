"""The part of a network after its bottleneck, whatever the network is.

Found by watching one pass: of the layers that answer with maps, the last one with the smallest map
is the bottleneck, and what first runs after it is the decoder.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import torch
from torch import nn

from activeseg.errors import ModelError

__all__ = ["PARTS", "Part", "decoder", "only"]

Part: TypeAlias = Literal["all", "decoder"]

PARTS: tuple[Part, ...] = get_args(Part)
"""What of a network is trained: all of it, or what runs after the bottleneck."""


def decoder(network: nn.Module, dimensions: int, run: Callable[[], object]) -> list[nn.Module]:
    """The layers with weights that first run after the bottleneck, in their order.

    Args:
        network: The network.
        dimensions: Of its images, without batch and channels.
        run: Makes it answer once.

    Raises:
        ModelError: If it has no bottleneck, or nothing to train after it.
    """
    order: list[nn.Module] = []
    voxels: list[float] = []

    def note(layer: nn.Module, _: object, output: object) -> None:
        order.append(layer)
        if isinstance(output, torch.Tensor) and output.ndim == 2 + dimensions:
            voxels.append(math.prod(output.shape[2:]))
        else:
            voxels.append(math.inf)

    leaves = [module for module in network.modules() if not any(module.children())]
    hooks = [leaf.register_forward_hook(note) for leaf in leaves]
    try:
        with torch.inference_mode():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    least = min(voxels, default=math.inf)
    if least == math.inf or least == max(v for v in voxels if v != math.inf):
        raise ModelError("the network has no bottleneck, so no decoder; train with --tune all")
    bottleneck = max(place for place, count in enumerate(voxels) if count == least)
    before = {id(layer) for layer in order[: bottleneck + 1]}
    found: dict[int, nn.Module] = {}
    for layer in order[bottleneck + 1 :]:
        if id(layer) not in before and any(True for _ in layer.parameters()):
            found.setdefault(id(layer), layer)
    if not found:
        raise ModelError(
            "the network has nothing to train after its bottleneck; train with --tune all"
        )
    return list(found.values())


def only(network: nn.Module, trained: list[nn.Module]) -> None:
    """Let no weights but those of some layers be trained."""
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    for layer in trained:
        for parameter in layer.parameters():
            parameter.requires_grad_(True)
