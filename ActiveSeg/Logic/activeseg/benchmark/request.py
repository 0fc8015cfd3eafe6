"""What was asked for, and the plan that follows: whatever nobody said gets its default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from activeseg.benchmark.arms import HEADLINE, QUICK, arm
from activeseg.benchmark.budgets import QUICK_SHARES, SHARES, default_minutes
from activeseg.benchmark.plan import BenchmarkPlan, refuse_strangers
from activeseg.benchmark.run import volume_minutes
from activeseg.cohort import Cohort
from activeseg.errors import ProjectError
from activeseg.loop.split import split
from activeseg.model.training import Recipe
from activeseg.progress import Progress

__all__ = ["Request", "plan_of"]

SEEDS = 3
QUICK_SEEDS = 1
QUICK_POOL, QUICK_TEST = 30, 15

QUICK_STEPS = Recipe.steps // 2
"""Training takes as long however few volumes there are."""


@dataclass(frozen=True)
class Request:
    """The options of ``activeseg benchmark``; None where nothing was said.

    Attributes:
        out: Where everything goes.
        arms: Names of the arms.
        seeds: How many.
        rounds: Batches after the first.
        minutes: Budget of every batch, or of each.
        pool: Volumes to choose from.
        test: Volumes held out.
        plane_policy: In which planes slices are asked for.
        steps: Training steps.
        processes: Runs at once.
        keep: Whether the bulk of ended runs stays.
        quick: Whether it is a first look, with smaller defaults.
    """

    out: Path
    arms: tuple[str, ...] | None
    seeds: int | None
    rounds: int | None
    minutes: tuple[float, ...] | None
    pool: int | None
    test: int | None
    plane_policy: str
    steps: int | None
    processes: int | None
    keep: bool
    quick: bool

    def check(self) -> None:
        """Refuse what no cohort could mend, before one is read.

        Raises:
            ProjectError: If there is no such arm, rounds and minutes contradict each other, or
                the folder holds other things.
        """
        for name in self.names:
            arm(name)
        batches = len(self.minutes or ())
        if batches > 1 and self.rounds not in (None, batches - 1):
            raise ProjectError(
                f"--minutes names {batches} batches and --rounds asks for {self.rounds} after the "
                f"first; leave --rounds out, or say {batches - 1}"
            )
        refuse_strangers(self.out)

    @property
    def names(self) -> tuple[str, ...]:
        """The arms, by default those that the quick look or the headline is about."""
        return self.arms or (QUICK if self.quick else HEADLINE)


def plan_of(request: Request, cohort: Cohort, progress: Progress) -> BenchmarkPlan:
    """The plan for a cohort.

    Args:
        request: What was asked for; it was checked.
        cohort: The cohort.
        progress: Told about the timing of its volumes, which the budgets follow from.

    Raises:
        CohortError: If it has not enough labelled volumes, or a label cannot be read.
            ProjectError: If the folder's files are damaged.
    """
    pool, test = _sizes(request, cohort)
    every = volume_minutes(request.out, cohort, progress)
    # Of the mean volume, so that the budgets are the same for all seeds, however many there are.
    full = sum(every.values()) / len(every) * pool
    return BenchmarkPlan(
        out=request.out,
        cohort=cohort,
        arms=tuple(arm(name) for name in request.names),
        seeds=request.seeds or (QUICK_SEEDS if request.quick else SEEDS),
        minutes=_minutes(request, full),
        pool=pool,
        test=test,
        plane_policy=request.plane_policy,
        recipe=Recipe(steps=request.steps or (QUICK_STEPS if request.quick else Recipe.steps)),
        processes=request.processes or max(1, os.cpu_count() or 1),
        keep=request.keep,
        quick=request.quick,
    )


def _sizes(request: Request, cohort: Cohort) -> tuple[int, int]:
    """Volumes in pool and test set; a first look takes its few where there are as many."""
    pool, test = request.pool, request.test
    if request.quick:
        usual = split(cohort, 0, None, None)
        pool = pool or min(QUICK_POOL, len(usual[0]))
        test = test or min(QUICK_TEST, len(usual[1]))
    pooled, tested = split(cohort, 0, pool, test)
    return len(pooled), len(tested)


def _minutes(request: Request, full_minutes: float) -> tuple[float, ...]:
    """The budget of each batch."""
    shares = QUICK_SHARES if request.quick else SHARES
    batches = len(shares) if request.rounds is None else request.rounds + 1
    if request.minutes is None:
        return default_minutes(full_minutes, batches, shares)
    return request.minutes if len(request.minutes) > 1 else request.minutes * batches
