"""Several stochastic passes of a network over the same images, in the time of less than as many.

Up to its first active dropout layer a network gives the same answer in every pass. Its parts
without any such layer are made to compute that once; from there on the passes go through the
network side by side. In the built-in network this saves the level at full size; nothing where
dropout comes first. On a processor its masks are drawn by `activeseg.model.masks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from activeseg.model.masks import dropped

__all__ = ["Passes"]

Forward: TypeAlias = Callable[..., Any]


class Passes:
    """Asks a network several times at once.

    Args:
        network: Any network that answers each image of a batch by itself, with dropout switched
            on and batch norm off. Scripted modules, and what overwrites its input, are left as
            they are.
        count: How often.
        seed: Fixes the masks that are drawn on a processor.
    """

    def __init__(self, network: nn.Module, count: int, seed: int) -> None:
        self._network = network
        self._count = count
        self._certain: list[nn.Module] = []
        if self._find_certain(network):
            self._certain = [network]
        self._dropout = [m for m in network.modules() if isinstance(m, nn.Dropout) and _chance(m)]
        self._rng = np.random.Generator(np.random.SFC64(seed))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Logits `[N, count * C, H, W]` of images `[N, channels, H, W]`, pass after pass."""
        # As many images at once as there are of them, passes and all.
        parts = images.split(max(1, len(images) // self._count))
        # Tensors made in inference mode do not count how often they were overwritten.
        with torch.inference_mode(False), torch.no_grad():
            return torch.cat([self._answer(part) for part in parts])

    def _answer(self, images: torch.Tensor) -> torch.Tensor:
        several = images.repeat(self._count, *(1,) * (images.ndim - 1))
        with self._answering(several, images):
            logits = self._network(several)
        return torch.cat(logits.chunk(self._count), dim=1)

    @contextmanager
    def _answering(self, several: torch.Tensor, images: torch.Tensor) -> Iterator[None]:
        """A block in which the network answers the repeated images by what it says of them once."""
        known = _Repeated(several, images, self._count)
        changed = {module: known.answering(module.forward) for module in self._certain}
        if images.device.type == "cpu":
            changed |= {
                layer: partial(dropped, p=layer.p, rng=self._rng) for layer in self._dropout
            }
        # In the instance, where it hides the method of the class.
        own = {module: module.__dict__.get("forward") for module in changed}
        for module, forward in changed.items():
            module.__dict__["forward"] = forward
        try:
            yield
        finally:
            for module, before in own.items():
                del module.__dict__["forward"]
                if before is not None:
                    module.__dict__["forward"] = before

    def _find_certain(self, module: nn.Module) -> bool:
        """Whether nothing in a module is left to chance.

        Otherwise its parts where nothing is, the largest ones, are taken note of.
        """
        if isinstance(module, torch.jit.ScriptModule) or _chance(module) or _in_place(module):
            return False
        children = list(module.children())
        certain = [child for child in children if self._find_certain(child)]
        if len(certain) == len(children):
            return True
        self._certain += certain
        return False


class _Repeated:
    """Tensors that hold the same images several times, and these images once.

    Each is held, so that no other tensor has its id. One that was overwritten is known no more.
    """

    def __init__(self, several: torch.Tensor, once: torch.Tensor, count: int) -> None:
        self._count = count
        self._known: dict[int, tuple[torch.Tensor, int, torch.Tensor]] = {}
        self._learn(several, once)

    def _learn(self, several: torch.Tensor, once: torch.Tensor) -> torch.Tensor:
        self._known[id(several)] = (several, several._version, once)
        return several

    def _once(self, given: Any) -> torch.Tensor | None:
        """The images that a tensor repeats; None if it is not known to."""
        several, version, once = self._known.get(id(given), (None, 0, None))
        return once if several is not None and several._version == version else None

    def answering(self, forward: Forward) -> Forward:
        """A module's forward that answers each of these tensors by answering the images once."""

        def answer(*given: Any, **options: Any) -> Any:
            once = self._once(given[0]) if len(given) == 1 and not options else None
            return forward(*given, **options) if once is None else self._repeated(forward(once))

        return answer

    def _repeated(self, answer: Any) -> Any:
        if isinstance(answer, list | tuple):
            return type(answer)(self._repeated(each) for each in answer)
        if not isinstance(answer, torch.Tensor):
            return answer
        return self._learn(answer.repeat(self._count, *(1,) * (answer.ndim - 1)), answer)


def _chance(module: nn.Module) -> bool:
    return isinstance(module, _DropoutNd) and module.training and module.p > 0


def _in_place(module: nn.Module) -> bool:
    """Whether it overwrites what it is given, which may be what another one answered."""
    return bool(getattr(module, "inplace", False))
