"""Training on annotated slices, from fresh weights or given ones.

The recipe is the same for every strategy, so that a comparison of strategies compares slices.
Equal seeds give equal weights on one machine with one number of threads and of GPUs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from monai.losses import DiceLoss
from monai.networks.utils import one_hot
from torch import nn

from activeseg.errors import ModelError
from activeseg.model.decoder import Part, decoder, only
from activeseg.model.network import STRIDE, NetworkConfig, Weights, build, pick_device, seeded
from activeseg.model.patches import Patches
from activeseg.model.precision import learning_autocast
from activeseg.model.rank_processes import together
from activeseg.model.ranks import Rank, Ranks, alone, gpus_for
from activeseg.model.scan import PLACES
from activeseg.model.slices import IGNORED, LabelledSlice, patch_size
from activeseg.model.supervised import SIDES, SupervisedUNet
from activeseg.progress import Progress

__all__ = ["Recipe", "SliceLoss", "Task", "Trained", "on_rank", "train"]


LATER_RATE = 2 / 3
"""Learning rate of a model that goes on from the round before, as a share of the first one's."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained (chosen on the hippocampus, docs/experiments.md).

    Attributes:
        steps: Optimiser steps.
        batch: Patches a step.
        patch: Rows and columns of a patch at the most, in working pixels.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Of AdamW.
        side_weight: How much the side outputs weigh in the loss, against 1 of the main one.
        members: How many sets of earlier weights are kept, evenly from half way on.
        propagation: Whether few annotated slices also say what holds for the slices beside them
            (`activeseg.model.propagation`).
    """

    steps: int = 1200
    batch: int = 16
    patch: int = 64
    learning_rate: float = 6e-3
    weight_decay: float = 1e-4
    side_weight: float = 0.25
    members: int = 4
    propagation: bool = True

    def going_on(self) -> Recipe:
        """For a model that goes on from the round before: smaller steps."""
        return replace(self, learning_rate=self.learning_rate * LATER_RATE)

    def altogether(self, rounds: int) -> Recipe:
        """For a single training with as many steps as a first model and some rounds after it."""
        return replace(self, steps=self.steps * (1 + rounds))


@dataclass(frozen=True)
class Trained:
    """The outcome of `train`.

    Attributes:
        network: The network, in evaluation mode.
        log: Step and loss, of up to three steps late in the run, the last one among them.
        members: Weights from earlier in the run, the earliest first.
    """

    network: nn.Module
    log: tuple[dict[str, Any], ...]
    members: tuple[Weights, ...] = ()


class SliceLoss(nn.Module):
    """Dice over the structures plus cross-entropy; unknown pixels are in neither."""

    def __init__(self) -> None:
        super().__init__()
        self._dice = DiceLoss(include_background=False, batch=True)
        self._cross_entropy = nn.CrossEntropyLoss(ignore_index=IGNORED, reduction="sum")

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of logits `[N, C, H, W]` against classes `[N, 1, H, W]`; 0 if none is known."""
        known = target != IGNORED
        truth = one_hot(torch.where(known, target, 0), num_classes=logits.shape[1])
        dice: torch.Tensor = self._dice(logits.softmax(dim=1) * known, truth * known)
        total: torch.Tensor = self._cross_entropy(logits, target[:, 0])
        return dice + total / known.sum().clamp(min=1)


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
            nobody. Their number divides the recipe's batch.

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
    ranks = ranks or gpus_for(found, recipe.batch, points)
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
        whole = task.part == "all"
        trained = None if whole else _decoder(network, task.config, rank.device)
        rank.own_chance(task.seed)
        return _fit(network, task, rank, progress, trained)


class _WithSides(nn.Module):
    """A network that answers with its sides when it is called, as training on ranks needs."""

    def __init__(self, network: SupervisedUNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """`SupervisedUNet.with_sides`."""
        return self.network.with_sides(images)


def _fit(
    network: SupervisedUNet,
    task: Task,
    rank: Rank,
    progress: Progress,
    trained: Sequence[nn.Module] | None,
) -> Trained:
    """The loop of optimiser steps; of some layers alone, if they are given."""
    recipe = task.recipe
    patches = Patches(task.slices, patch_size(task.slices, recipe.patch), task.seed)
    optimiser = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    # Of less than 20 steps the warm-up would be one step or none, and divide by its length less 1.
    total = max(20, recipe.steps + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=total, pct_start=0.1
    )
    answer, loss_of = rank.spread(_WithSides(network)), SliceLoss()
    logged = {max(1, round(recipe.steps * part)) for part in (0.8, 0.9, 1.0)}
    kept = _member_steps(recipe)
    members: list[Weights] = []
    log: list[dict[str, Any]] = []
    with progress.stage("Training", recipe.steps) as stage:
        for step in range(1, recipe.steps + 1):
            _learning(network, trained)
            images, labels = patches.draw(recipe.batch, rank.share(recipe.batch))
            with learning_autocast(rank.device):
                logits = answer(images.to(rank.device))
            target = _targets(rank.gathered(labels.to(rank.device)))
            loss = _deep_loss(loss_of, rank.gathered(logits.float()), target, recipe.side_weight)
            optimiser.zero_grad()
            (rank.count * loss).backward()
            optimiser.step()
            schedule.step()
            if step in kept:
                members.append(copy.deepcopy(network.state_dict()))
            if step in logged:
                log.append({"step": step, "loss": loss.item()})
            stage.advance()
    return Trained(network.eval(), tuple(log), tuple(members))


def _decoder(
    network: SupervisedUNet, config: NetworkConfig, device: torch.device
) -> list[nn.Module]:
    """Its layers after the bottleneck; no others are trained from here on."""
    channels = 3 * config.image_channels + PLACES
    image = torch.zeros((1, channels, 2 * STRIDE, 2 * STRIDE), device=device)
    found = decoder(network.eval(), 2, lambda: network.with_sides(image))
    only(network, found)
    return found


def _learning(network: nn.Module, trained: Sequence[nn.Module] | None) -> None:
    """Put what is trained into the mode of training; the rest answers as it always does."""
    network.train(trained is None)
    for layer in trained or ():
        layer.train()


def _member_steps(recipe: Recipe) -> frozenset[int]:
    """After which steps the weights are kept: evenly from half way to the end, without the end."""
    parts = (0.5 + 0.5 * number / recipe.members for number in range(recipe.members))
    return frozenset(round(recipe.steps * part) for part in parts)


def _deep_loss(
    loss_of: SliceLoss, logits: torch.Tensor, target: torch.Tensor, side_weight: float
) -> torch.Tensor:
    """The loss of the main output and, weighted, the mean loss of the side outputs.

    Args:
        loss_of: The loss of one output.
        logits: `[N, C * (1 + sides), H, W]` of `SupervisedUNet.with_sides`.
        target: Classes `[N, 1, H, W]`.
        side_weight: Weight of the sides together.
    """
    main, *sides = logits.chunk(1 + SIDES, dim=1)
    total: torch.Tensor = loss_of(main, target)
    for side in sides:
        total = total + side_weight / SIDES * loss_of(side, target)
    return total


def _targets(labels: torch.Tensor) -> torch.Tensor:
    """Shifted labels (0 unknown) to the losses' classes (255 unknown)."""
    classes = labels.long() - 1
    return torch.where(classes < 0, IGNORED, classes)


def _load_start(network: nn.Module, start: Weights) -> None:
    """Take over weights that were trained before."""
    try:
        network.load_state_dict(start)
    except RuntimeError as error:
        raise ModelError(
            "the start weights do not fit: they were trained for another number of structures "
            "or another modality"
        ) from error
