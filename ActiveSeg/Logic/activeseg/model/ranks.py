"""One training, shared by several GPUs of a machine: who takes part, and what each does in a step.

PyTorch's DistributedDataParallel (Li et al., VLDB 2020): each GPU has a process, a *rank*, with the
whole network; it learns from its share of a batch, and the gradients are averaged. All ranks draw
the same batches, so what is learned does not depend on how many there are, beyond rounding and
dropout; on processors also beyond batch norm (`Rank.ready`).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import torch
from torch import nn

__all__ = ["LEAST_POINTS", "Rank", "Ranks", "alone", "gpus_for", "only_used"]

LEAST_POINTS = 64 * 1024
"""Pixels or voxels of a step that each GPU has at the least. With fewer it waits for its kernels to
be launched, whatever their size, and for the other GPUs (docs/performance.md)."""

_Network = TypeVar("_Network", bound=nn.Module)


@dataclass(frozen=True)
class Ranks:
    """Who trains together.

    Attributes:
        backend: How they talk: `nccl` between GPUs, `gloo` between processors.
        devices: The device of each rank, as torch names it.
    """

    backend: Literal["nccl", "gloo"]
    devices: tuple[str, ...]


def gpus_for(device: torch.device, batch: int, points: int) -> Ranks | None:
    """The GPUs that share a training; None: one device does all of it, in this process.

    GPUs of the same kind as the first, as the slowest would set the pace: as many as get equal
    shares of the batch and have enough to do. Only the process that the user began takes more than
    one: those that it began itself, as a benchmark does, would fight over them.

    Args:
        device: Where the training was to run.
        batch: Patches or windows of a step.
        points: Pixels or voxels of all of them together.
    """
    if device.type != "cuda" or torch.cuda.device_count() < 2:
        return None
    if multiprocessing.parent_process() is not None or not _has_nccl():
        return None
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    alike = [f"cuda:{number}" for number, name in enumerate(names) if name == names[0]]
    most = min(len(alike), points // LEAST_POINTS)
    count = next((count for count in range(most, 1, -1) if batch % count == 0), 1)
    return Ranks("nccl", tuple(alike[:count])) if count > 1 else None


def _has_nccl() -> bool:
    """Not on Windows, for one; without it batch norm cannot be taken over all GPUs."""
    from torch import distributed

    return distributed.is_available() and distributed.is_nccl_available()


@dataclass(frozen=True)
class Rank:
    """One of those who train together.

    Attributes:
        number: Which one, from 0.
        count: How many there are.
        device: Its device.
    """

    number: int
    count: int
    device: torch.device

    def share(self, whole: int) -> slice:
        """Which parts of a batch are its own; the number of ranks divides the batch."""
        each = whole // self.count
        return slice(self.number * each, (self.number + 1) * each)

    def ready(self, network: _Network) -> _Network:
        """A network on its device, with batch norm over the whole batch where there are GPUs.

        PyTorch has no such batch norm for processors: there each rank takes the statistics of its
        own share, and those of rank 0 are kept.
        """
        if self.count > 1 and self.device.type == "cuda":
            synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(network)
            network = cast(_Network, synchronised)  # the same module, unless it is a norm itself
        return network.to(self.device)

    def own_chance(self, seed: int) -> None:
        """From here on torch draws other numbers than on the other ranks: dropout is to differ."""
        if self.number:
            torch.manual_seed(seed + 104729 * self.number)

    def spread(self, network: nn.Module) -> nn.Module:
        """The network whose gradients are averaged over all ranks; alone, the network itself.

        They are for as long as what is returned is kept. Before each pass rank 0's running
        statistics become those of all.

        Args:
            network: The network, on its device. Its answer depends on all weights that are
                trained: ranks wait for the gradient of each (`only_used`).
        """
        if self.count == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        on_gpu = self.device.type == "cuda"
        return DistributedDataParallel(network, device_ids=[self.device] if on_gpu else None)

    def averaging(self, spread: nn.Module, now: bool) -> AbstractContextManager[object]:
        """A block for one of several passes of a step; only that of the last one averages.

        Args:
            spread: What `spread` gave.
            now: Whether it is the last one.
        """
        from torch.nn.parallel import DistributedDataParallel

        if now or not isinstance(spread, DistributedDataParallel):
            return nullcontext()
        return spread.no_sync()

    def total(self, own: float) -> float:
        """The sum over all ranks."""
        each = torch.tensor([own], dtype=torch.float64, device=self.device)
        return float(self.gathered(each).sum())

    def gathered(self, own: torch.Tensor) -> torch.Tensor:
        """What all ranks have, in the order of their shares; gradients flow to its own part.

        With it the loss is that of the whole batch, which is not the mean of the shares' losses.
        Times `count`, as the gradients are averaged: the gradients' mean is then that of the loss.

        Args:
            own: `[n, ...]`, alike on all ranks.

        Returns:
            `[count * n, ...]`.
        """
        if self.count == 1:
            return own
        from torch import distributed

        parts = [torch.empty_like(own) for _ in range(self.count)]
        distributed.all_gather(parts, own.detach().contiguous())
        parts[self.number] = own
        return torch.cat(parts)


def only_used(parameters: Sequence[nn.Parameter], answer: torch.Tensor) -> None:
    """Let no weights be trained that an answer does not depend on."""
    found = torch.autograd.grad(answer.sum(), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, found, strict=True):
        parameter.requires_grad_(gradient is not None)


def alone(device: torch.device) -> Rank:
    """The only one."""
    return Rank(0, 1, device)
