"""Tuning a foreign 3-D network on annotated slices.

An annotated slice is a plane of known voxels in a volume of unknown ones. The network answers to a
window round it, in its own voxels; the answer is brought to the pixels of the slices that cross
the window, and only there it is compared. Nothing is ever taught of a voxel that nobody looked at,
and no label is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from activeseg.errors import ModelError
from activeseg.model.decoder import Part, decoder, only
from activeseg.model.foreign import ForeignModel
from activeseg.model.losses import SliceLoss
from activeseg.model.network import Weights, seeded
from activeseg.model.rank_processes import together
from activeseg.model.ranks import Rank, Ranks, alone, gpus_for, only_used
from activeseg.model.training import Trained
from activeseg.model.windows import Taught, Window, Windows
from activeseg.progress import Progress

__all__ = ["Tuning", "tune"]


@dataclass(frozen=True)
class Tuning:
    """How a network that was trained before is trained on.

    Batch norm keeps the statistics that it came with, as a batch of two windows has none worth
    having; dropout acts.

    Attributes:
        steps: Optimiser steps.
        batch: Windows a step, one after the other.
        learning_rate: Peak of the one-cycle schedule.
        weight_decay: Of AdamW.
        part: What of the network is trained.
    """

    steps: int = 200
    batch: int = 2
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    part: Part = "all"


def tune(
    model: ForeignModel,
    training: Sequence[Taught],
    tuning: Tuning,
    seed: int,
    progress: Progress,
    again: Callable[[], ForeignModel] | None = None,
    ranks: Ranks | None = None,
) -> Trained:
    """Train a model's network on; it is changed.

    The schedule is fixed and nothing is held out: the weights of the last step are the model.

    Args:
        model: The model.
        training: What is learned from.
        tuning: How it is trained.
        seed: Fixes windows, changes of grey values and dropout.
        progress: Told about the steps.
        again: Opens the same model in another process, pickled; None: one device does it all.
        ranks: Who shares it; None: GPUs that it is worth while for (`gpus_for`), or nobody. Their
            number divides the windows of a step.

    Raises:
        ModelError: If there is no slice to learn from, nothing that can be trained, or a GPU of
            several fails.
    """
    if not any(volume.lessons for volume in training):
        raise ModelError("no annotated slice to learn from; annotate at least one")
    points = tuning.batch * math.prod(model.description.window)
    if again is not None:
        ranks = ranks or gpus_for(model.device, tuning.batch, points)
    if again is None or ranks is None:
        return _tuned(model, training, tuning, seed, alone(model.device), progress)
    work = partial(_on_rank, again, training, tuning, seed)
    weights, log = together(work, ranks, progress)[0]
    model.network.load_state_dict(weights)
    return Trained(model.network.eval(), tuple(log))


def _on_rank(
    again: Callable[[], ForeignModel],
    training: Sequence[Taught],
    tuning: Tuning,
    seed: int,
    rank: Rank,
    progress: Progress,
) -> tuple[Weights, list[dict[str, Any]]] | None:
    """Tune in one of several processes; rank 0 gives the weights and the log."""
    trained = _tuned(again(), training, tuning, seed, rank, progress)
    return None if rank.number else (trained.network.state_dict(), list(trained.log))


def _tuned(
    model: ForeignModel,
    training: Sequence[Taught],
    tuning: Tuning,
    seed: int,
    rank: Rank,
    progress: Progress,
) -> Trained:
    """`tune`, on one device."""
    with seeded(seed):
        parameters = _trainable(model, tuning.part)
        optimiser = torch.optim.AdamW(
            parameters, tuning.learning_rate, weight_decay=tuning.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, tuning.learning_rate, total_steps=max(20, tuning.steps + 1), pct_start=0.1
        )
        draw = Windows(training, model.description.window, np.random.default_rng(seed))
        if rank.count > 1:
            model.learning()
            only_used(parameters, model.network(_nothing(model)))
        lessons = _Lessons(model, rank, rank.spread(model.network), tuning.batch)
        logged = {max(1, round(tuning.steps * part)) for part in (0.8, 0.9, 1.0)}
        log: list[dict[str, Any]] = []
        rank.own_chance(seed)
        with progress.stage("Tuning", tuning.steps) as stage:
            for step in range(1, tuning.steps + 1):
                model.learning()
                optimiser.zero_grad()
                loss = lessons.learn(draw)
                optimiser.step()
                schedule.step()
                if step in logged:
                    log.append({"step": step, "loss": rank.total(loss)})
                stage.advance()
    return Trained(model.network.eval(), tuple(log))


def _trainable(model: ForeignModel, part: Part) -> list[torch.nn.Parameter]:
    """The parameters that are trained; no others keep gradients."""
    network = model.network
    if part == "decoder":
        if isinstance(network, torch.jit.ScriptModule):
            raise ModelError(
                "a TorchScript file does not show what runs after what; train with --tune all"
            )
        only(network, decoder(network.eval(), 3, lambda: network(_nothing(model))))
    found = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not found:
        raise ModelError("the model has no weights to train: it was frozen when it was exported")
    return found


def _nothing(model: ForeignModel) -> torch.Tensor:
    """An empty window."""
    return torch.zeros((1, 1, *model.description.window), device=model.device)


@dataclass(frozen=True)
class _Lessons:
    """Shows the network its windows of a step.

    Attributes:
        model: The model.
        rank: Which of the windows it is shown.
        answer: Its network, as the ranks share it.
        batch: Windows of a step on all ranks together.
    """

    model: ForeignModel
    rank: Rank
    answer: torch.nn.Module
    batch: int

    def learn(self, draw: Windows) -> float:
        """Keep the gradients of a step; the loss of the rank's own windows."""
        own = range(self.batch)[self.rank.share(self.batch)]
        total = 0.0
        for number in range(self.batch):
            window = draw.window()  # of every window, so that all ranks draw alike
            if number in own:
                with self.rank.averaging(self.answer, now=number == own[-1]):
                    total += self._learn(window)
        return total

    def _learn(self, window: Window) -> float:
        """Show the network one window and keep the gradients of its share of the loss."""
        logits = self.model.merged(self.answer(window.image[None].to(self.model.device)))[0]
        answers, targets = [], []
        for found, label in window.at_slices(logits):
            answers.append(found.flatten(1))
            targets.append(label.flatten())
        answer = torch.cat(answers, dim=1)[None, :, :, None]
        target = torch.cat(targets).long()[None, None, :, None].to(answer.device)
        loss = SliceLoss()(answer.float(), target) / self.batch
        (self.rank.count * loss).backward()
        return float(loss.item())
