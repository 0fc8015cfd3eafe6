"""The loop of optimiser steps that both of the built-in networks learn by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from activeseg.model.precision import learning_autocast
from activeseg.model.ranks import Rank
from activeseg.model.slices import IGNORED
from activeseg.progress import Stage

__all__ = ["Course", "fitted", "targets"]


@dataclass(frozen=True)
class Course:
    """What a network learns, from what and how.

    Attributes:
        network: From a batch of images to logits. Of its weights those that keep gradients learn.
        draw: Images, and labels shifted by one, of a part of a batch of so many.
        loss: Of logits against classes.
        learning: Puts what learns into the mode of training.
        steps: Optimiser steps.
        batch: Images of a step, on all ranks together.
        rate: Peak of the one-cycle schedule.
        weight_decay: Of AdamW.
    """

    network: nn.Module
    draw: Callable[[int, slice], tuple[torch.Tensor, torch.Tensor]]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    learning: Callable[[], object]
    steps: int
    batch: int
    rate: float
    weight_decay: float


def fitted(course: Course, rank: Rank, stage: Stage) -> Iterator[tuple[int, torch.Tensor]]:
    """Learn step by step.

    Yields:
        After each step its number, from 1, and the loss of the whole batch.
    """
    learned = [each for each in course.network.parameters() if each.requires_grad]
    optimiser = torch.optim.AdamW(
        learned, course.rate, weight_decay=course.weight_decay, fused=True
    )
    # Of less than 20 steps the warm-up would be one step or none, and divide by its length less 1.
    total = max(20, course.steps + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, course.rate, total_steps=total, pct_start=0.1
    )
    answer = rank.spread(course.network)
    for step in range(1, course.steps + 1):
        course.learning()
        images, labels = course.draw(course.batch, rank.share(course.batch))
        with learning_autocast(rank.device, images.shape[-1]):
            logits = answer(images.to(rank.device))
        target = targets(rank.gathered(labels.to(rank.device)))
        loss = course.loss(rank.gathered(logits.float()), target)
        optimiser.zero_grad()
        (rank.count * loss).backward()
        optimiser.step()
        schedule.step()
        yield step, loss
        stage.advance()


def targets(labels: torch.Tensor) -> torch.Tensor:
    """Shifted labels (0 unknown) to the losses' classes (255 unknown)."""
    classes = labels.long() - 1
    return torch.where(classes < 0, IGNORED, classes)
