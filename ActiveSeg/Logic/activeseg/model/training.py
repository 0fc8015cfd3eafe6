"""Training on annotated slices, from fresh weights or given ones.

First the network of slices learns from them, then the network of volumes from the volumes that
they lie in.

The recipe is the same for every strategy, so that a comparison of strategies compares slices.
Equal seeds give equal weights on one machine with one number of threads and of GPUs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from activeseg.errors import ModelError
from activeseg.model.blocks import Blocks
from activeseg.model.decoder import Part, decoder, only
from activeseg.model.fitting import Course, fitted
from activeseg.model.losses import SliceLoss, deep_loss
from activeseg.model.network import STRIDE, NetworkConfig, Weights, build, pick_device, seeded
from activeseg.model.patches import Patches
from activeseg.model.rank_processes import together
from activeseg.model.ranks import Rank, Ranks, alone, gpus_for
from activeseg.model.scan import PLACES
from activeseg.model.slices import LabelledSlice, patch_size
from activeseg.model.supervised import SliceVolumeUNet, SupervisedUNet
from activeseg.model.volumes import LabelledVolume
from activeseg.progress import Progress, Stage

__all__ = ["Recipe", "Task", "Trained", "on_rank", "train"]


BLOCK_STEPS = 0.5
"""Steps of the network of volumes for each one of the network of slices: it takes about as long."""

LATER_RATE = 2 / 3
"""Learning rate of a model that goes on from the round before, as a share of the first one's."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained (chosen on the hippocampus, docs/experiments.md).

    Attributes:
        steps: Optimiser steps of the network of slices; that of volumes takes a part of as many.
        batch: Patches a step.
        patch: Rows and columns of a patch at the most, in working pixels.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Of AdamW.
        side_weight: How much the side outputs weigh in the loss, against 1 of the main one.
        members: How many sets of earlier weights are kept, evenly from half way on.
        block_batch: Blocks a step of the network of volumes.
        block: Voxels of a block along each axis.
        block_rate: As `learning_rate`, of that network.
        propagation: Whether few annotated slices also say what holds for the slices beside them
            (`activeseg.model.propagation`).
    """

    steps: int = 700
    batch: int = 16
    patch: int = 64
    learning_rate: float = 6e-3
    weight_decay: float = 1e-4
    side_weight: float = 0.25
    members: int = 4
    block_batch: int = 8
    block: int = 24
    block_rate: float = 1e-2
    propagation: bool = True

    @property
    def block_steps(self) -> int:
        """Optimiser steps of the network of volumes."""
        return max(1, round(self.steps * BLOCK_STEPS))

    def going_on(self) -> Recipe:
        """For a model that goes on from the round before: smaller steps."""
        return replace(
            self,
            learning_rate=self.learning_rate * LATER_RATE,
            block_rate=self.block_rate * LATER_RATE,
        )

    def altogether(self, rounds: int) -> Recipe:
        """For a single training with as many steps as a first model and some rounds after it."""
        return replace(self, steps=self.steps * (1 + rounds))


@dataclass(frozen=True)
class Trained:
    """The outcome of `train`.

    Attributes:
        network: The network, in evaluation mode.
        log: Step and loss, of up to three steps late in the run, the last one among them.
        members: Weights of the network of slices from earlier in the run, the earliest first.
    """

    network: nn.Module
    log: tuple[dict[str, Any], ...]
    members: tuple[Weights, ...] = ()


@dataclass(frozen=True)
class Task:
    """What is to be trained, from what and how: the arguments of `train` of these names."""

    slices: Sequence[LabelledSlice]
    config: NetworkConfig
    recipe: Recipe
    seed: int
    start: Weights | None
    part: Part


def train(
    slices: Sequence[LabelledSlice],
    config: NetworkConfig,
    recipe: Recipe,
    seed: int,
    progress: Progress,
    start: Weights | None = None,
    part: Part = "all",
    device: str = "auto",
    ranks: Ranks | None = None,
) -> Trained:
    """Train a network on annotated slices.

    The schedule is fixed and nothing is held out: the weights of the last step are the model.

    Args:
        slices: What is learned from.
        config: What the network is for.
        recipe: How it is trained.
        seed: Fixes weights, patches, augmentation and dropout.
        progress: Told about the steps.
        start: Weights to start from instead of fresh ones.
        part: What of the network is trained; of fresh weights all.
        device: Where (`activeseg.model.network.DEVICES`).
        ranks: Who shares the training; None: GPUs that it is worth while for (`gpus_for`), or
            nobody. Their number divides the recipe's batches.

    Raises:
        ModelError: If there is no slice to learn from, the start weights do not fit, there is no
            such device, a part of fresh weights would be trained, or a GPU of several fails.
    """
    if not slices:
        raise ModelError("no annotated slice to learn from; annotate at least one")
    if start is None and part != "all":
        raise ModelError(
            f"--tune {part} is for a model that exists; this project trains from fresh weights"
        )
    found = pick_device(device)
    task = Task(slices, config, recipe, seed, start, part)
    points = recipe.batch * math.prod(patch_size(slices, recipe.patch))
    together_in = math.gcd(recipe.batch, recipe.block_batch)
    ranks = ranks or gpus_for(found, together_in, points)
    if ranks is None:
        return _trained(task, alone(found), progress)
    weights, log, members = together(partial(on_rank, task), ranks, progress)[0]
    with seeded(seed):  # the fresh weights are thrown away at once
        network = build(config)
    network.load_state_dict(weights)
    return Trained(network.to(found).eval(), tuple(log), tuple(members))


def on_rank(
    task: Task, rank: Rank, progress: Progress
) -> tuple[Weights, list[dict[str, Any]], list[Weights]] | None:
    """Train in one of several processes; rank 0 gives the weights, the log and the members."""
    trained = _trained(task, rank, progress)
    if rank.number:
        return None
    return trained.network.state_dict(), list(trained.log), list(trained.members)


def _trained(task: Task, rank: Rank, progress: Progress) -> Trained:
    """`train`, on one device."""
    with seeded(task.seed):
        network = build(task.config)
        if task.start is not None:
            _load_start(network, task.start)
        network = rank.ready(network)
        rank.own_chance(task.seed)
        return _fit(network, task, rank, progress)


class _WithSides(nn.Module):
    """A network that answers with its sides when it is called, as training on ranks needs."""

    def __init__(self, network: SupervisedUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`SupervisedUNet.with_sides`."""
        return self.network.with_sides(images)


def _fit(network: SupervisedUNet, task: Task, rank: Rank, progress: Progress) -> Trained:
    """Both networks, one after the other; that of volumes where there are any."""
    recipe = task.recipe
    volumes = _volumes(task.slices)
    both = isinstance(network, SliceVolumeUNet) and bool(volumes)
    total = recipe.steps + (recipe.block_steps if both else 0)
    with progress.stage("Training", total) as stage:
        log, members = _fit_slices(network, task, rank, stage)
        if isinstance(network, SliceVolumeUNet) and volumes:
            log += _fit_volumes(network, volumes, task, rank, stage)
    return Trained(network.eval(), tuple(log), tuple(members))


def _fit_slices(
    network: SupervisedUNet, task: Task, rank: Rank, stage: Stage
) -> tuple[list[dict[str, Any]], list[Weights]]:
    """The log of the network of slices, and its earlier weights."""
    recipe = task.recipe
    image = torch.zeros(_image_shape(task.config), device=rank.device)
    learned = _learned(
        network, [network.unet, network.heads], task.part, 2, lambda: network.with_sides(image)
    )
    patches = Patches(task.slices, patch_size(task.slices, recipe.patch), task.seed)
    course = Course(
        network=_WithSides(network),
        draw=patches.draw,
        loss=partial(deep_loss, SliceLoss(), recipe.side_weight),
        learning=partial(_learning, network, learned),
        steps=recipe.steps,
        batch=recipe.batch,
        rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
    )
    kept, logged = _member_steps(recipe), _logged(recipe.steps)
    log: list[dict[str, Any]] = []
    members: list[Weights] = []
    for step, loss in fitted(course, rank, stage):
        if step in kept:
            members.append(copy.deepcopy(_of_slices(network)))
        if step in logged:
            log.append({"step": step, "loss": loss.item()})
    return log, members


def _fit_volumes(
    network: SliceVolumeUNet,
    volumes: Sequence[LabelledVolume],
    task: Task,
    rank: Rank,
    stage: Stage,
) -> list[dict[str, Any]]:
    """The log of the network of volumes."""
    recipe, volume = task.recipe, network.volume
    image = torch.zeros(_block_shape(task.config), device=rank.device)
    learned = _learned(volume, [volume], task.part, 3, lambda: volume(image))
    blocks = Blocks(volumes, recipe.block, len(task.slices), task.seed)
    course = Course(
        network=volume,
        draw=blocks.draw,
        loss=SliceLoss(),
        learning=partial(_learning, volume, learned),
        steps=recipe.block_steps,
        batch=recipe.block_batch,
        rate=recipe.block_rate,
        weight_decay=recipe.weight_decay,
    )
    logged = _logged(recipe.block_steps)
    log = [
        {"step": step, "volume_loss": loss.item()}
        for step, loss in fitted(course, rank, stage)
        if step in logged
    ]
    network.volume_steps += recipe.block_steps
    return log


def _of_slices(network: SupervisedUNet) -> Weights:
    """The weights without those of the network of volumes, which has not learned yet."""
    weights = network.state_dict()
    return {name: each for name, each in weights.items() if not name.startswith("volume")}


def _volumes(slices: Sequence[LabelledSlice]) -> list[LabelledVolume]:
    """The volumes that slices lie in, each once."""
    found = {id(each.volume): each.volume for each in slices if each.volume is not None}
    return list(found.values())


def _image_shape(config: NetworkConfig) -> tuple[int, ...]:
    """Of a small batch of slices."""
    return (1, 3 * config.image_channels + PLACES, 2 * STRIDE, 2 * STRIDE)


def _block_shape(config: NetworkConfig) -> tuple[int, ...]:
    """Of a small batch of blocks."""
    return (1, config.image_channels + PLACES, *(2 * STRIDE,) * 3)


def _learned(
    network: nn.Module,
    layers: list[nn.Module],
    part: Part,
    dimensions: int,
    run: Callable[[], object],
) -> list[nn.Module] | None:
    """Let of these layers nothing be trained but the part.

    Returns:
        The layers after the bottleneck; None if all are trained.
    """
    found = None if part == "all" else decoder(network.eval(), dimensions, run)
    only(network, layers if found is None else found)
    return found


def _logged(steps: int) -> frozenset[int]:
    """The steps whose loss is kept."""
    return frozenset(max(1, round(steps * part)) for part in (0.8, 0.9, 1.0))


def _learning(network: nn.Module, trained: Sequence[nn.Module] | None) -> None:
    """Put what is trained into the mode of training; the rest answers as it always does."""
    network.train(trained is None)
    for layer in trained or ():
        layer.train()


def _member_steps(recipe: Recipe) -> frozenset[int]:
    """After which steps the weights are kept: evenly from half way to the end, without the end."""
    parts = (0.5 + 0.5 * number / recipe.members for number in range(recipe.members))
    return frozenset(round(recipe.steps * part) for part in parts)


def _load_start(network: nn.Module, start: Weights) -> None:
    """Take over weights that were trained before."""
    try:
        network.load_state_dict(start)
    except RuntimeError as error:
        raise ModelError(
            "the start weights do not fit: they were trained for another number of structures "
            "or another modality"
        ) from error
