"""Jobs side by side, each in a process of its own, watched from one.

The processes are those of `activeseg.executors.local`, or, where a cluster is at hand, its own.
"""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any, TypeAlias

from activeseg.errors import ActiveSegError, Cancelled
from activeseg.executors import as_they_come, far_away
from activeseg.executors.local import one_thread, without_interrupts
from activeseg.progress import Progress, Silent, Stage

__all__ = ["Job", "side_by_side"]

PARTS = 100
"""The progress of a job of size 1 is told in this many parts."""


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        work: Called in the process with a `Progress`; must be picklable, as its result.
        stages: How often each stage comes, and its share of the work, by the stage's name:
            from these the parts done are counted. Stages of other names count for nothing; what
            is not done stage by stage is done when the job ends.
        size: How much work it is, in units of the smallest job.
    """

    work: Callable[[Progress], Any]
    stages: Mapping[str, tuple[int, float]]
    size: int = 1

    @property
    def parts(self) -> int:
        """In how many parts its progress is told."""
        return PARTS * self.size


Message: TypeAlias = tuple[str, str, Any]
"""Kind (`parts`, `result`, `refused`), name of the job, content."""

Finished: TypeAlias = Callable[[str, Any, float | None], None]
"""Told of a job that has ended: its name, its result, the seconds left for the others."""


class _Parts(Progress):
    """Counts the parts of a job that are done and sends them on."""

    def __init__(self, name: str, job: Job, send: Callable[[Message], None]) -> None:
        self._name = name
        self._send = send
        whole = sum(times * share for times, share in job.stages.values())
        self._share = {stage: share / whole for stage, (_, share) in job.stages.items()}
        self._parts = job.parts
        self._before = 0.0
        self._sent = 0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """Announce a stage; it counts as done when it ends."""
        share = self._share.get(name, 0.0)
        yield Stage(name, total, lambda s: self._tell(share * s.done / max(1, s.total)))
        self._before += share
        self._tell(0.0)

    def _tell(self, of_stage: float) -> None:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            raise Cancelled("whoever waited for this work is gone")
        parts = min(self._parts, int(self._parts * (self._before + of_stage) + 1e-6))
        if parts > self._sent:
            self._send(("parts", self._name, parts - self._sent))
            self._sent = parts


def side_by_side(
    jobs: Mapping[str, Job],
    at_once: int,
    stage_name: str,
    progress: Progress,
    finished: Finished | None = None,
) -> dict[str, Any]:
    """Run jobs in processes of their own and wait for all of them.

    When one fails, or this process is cancelled, the others are ended; on a cluster those that
    have begun go on to their end. From there no parts are told, only whole jobs.

    Args:
        jobs: The jobs by name, started in this order.
        at_once: How many processes run at a time; a cluster has as many as it has.
        stage_name: What the progress is called.
        progress: Told about the parts of all jobs together.
        finished: Called in this process as each job ends, while the others go on.

    Returns:
        The result of each job by name.

    Raises:
        ActiveSegError: What a job raised, if it was one.
        RuntimeError: If a process ended without a result; it has printed its traceback.
    """
    if far_away():
        return _far_away(jobs, stage_name, progress, finished)
    context = multiprocessing.get_context("spawn")
    messages: multiprocessing.Queue[Message] = context.Queue()
    waiting: list[tuple[str, BaseProcess]] = [
        (name, context.Process(target=_run, args=(name, job, messages), daemon=True))
        for name, job in jobs.items()
    ]
    running: dict[str, BaseProcess] = {}
    results: dict[str, Any] = {}
    left = {name: job.parts for name, job in jobs.items()}
    try:
        with progress.stage(stage_name, sum(left.values())) as stage:
            while waiting or running:
                while waiting and len(running) < at_once:
                    name, process = waiting.pop(0)
                    with without_interrupts(), one_thread():
                        process.start()
                    running[name] = process
                kind, name, content = _next(messages, running)
                if kind == "refused":
                    raise content
                done = content if kind == "parts" else left[name]
                left[name] -= done
                if done:
                    stage.advance(done)
                if kind == "result":
                    results[name] = content
                    running.pop(name).join()
                    if finished is not None:
                        finished(name, content, stage.eta_s)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.join()
        messages.close()
    return results


def _far_away(
    jobs: Mapping[str, Job], stage_name: str, progress: Progress, finished: Finished | None
) -> dict[str, Any]:
    """`side_by_side` on other machines; a job whose machine is lost is begun again elsewhere."""
    results: dict[str, Any] = {}
    with progress.stage(stage_name, sum(job.parts for job in jobs.values())) as stage:
        for (name, job), result in as_they_come(_quietly, jobs.items(), gpu=True):
            results[name] = result
            stage.advance(job.parts)
            if finished is not None:
                finished(name, result, stage.eta_s)
    return results


def _quietly(named: tuple[str, Job]) -> Any:
    """What a worker does."""
    return named[1].work(Silent())


def _next(messages: multiprocessing.Queue[Message], running: Mapping[str, BaseProcess]) -> Message:
    """The next message; an error when a process has ended without one."""
    while True:
        try:
            return messages.get(timeout=0.5)
        except queue.Empty:
            dead = [name for name, process in running.items() if process.exitcode is not None]
        if dead:
            try:  # its last words may have come in between
                return messages.get(timeout=0.5)
            except queue.Empty:
                code = running[dead[0]].exitcode
                raise RuntimeError(f"the process of {dead[0]} ended with code {code}") from None


def _run(name: str, job: Job, messages: multiprocessing.Queue[Message]) -> None:
    """What a process does."""
    try:
        result = job.work(_Parts(name, job, messages.put))
    except ActiveSegError as error:
        messages.put(("refused", name, error))
    else:
        messages.put(("result", name, result))
