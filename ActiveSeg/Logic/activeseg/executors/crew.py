"""Who is at hand to do work, and the results of many pieces of it as they come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import islice
from queue import SimpleQueue
from typing import Any, TypeVar

from activeseg.errors import WorkerError

__all__ = ["Crew", "as_they_come", "far_away", "gpu_far_away", "working_with"]

Item = TypeVar("Item")
Result = TypeVar("Result")
_T = TypeVar("_T")


class InThisProcess(Executor):
    """Does each piece of work at once, here; what it raises comes out of `submit`."""

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Do it now."""
        done: Future[_T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


@dataclass(frozen=True)
class Crew:
    """Who does the work.

    Attributes:
        executor: Does any work.
        gpu: Does what wants a GPU; None: `executor` does, and whatever device it has is taken.
        ahead: How many pieces of work are handed over before the first result is used.
        remote: Whether the work is done on other machines, or may be.
        failures: What `executor` raises when whoever did the work is gone for good.
    """

    executor: Executor = field(default_factory=InThisProcess)
    gpu: Executor | None = None
    ahead: int = 1
    remote: bool = False
    failures: tuple[type[BaseException], ...] = (BrokenExecutor, CancelledError)


_AT_HAND: ContextVar[Crew | None] = ContextVar("activeseg_crew", default=None)


def _crew() -> Crew:
    return _AT_HAND.get() or Crew()


@contextmanager
def working_with(crew: Crew) -> Iterator[Crew]:
    """Have a crew do the work of this block.

    It is not handed down as an argument: between a verb and the volumes that it looks at lie many
    functions, none of which has to know.
    """
    token = _AT_HAND.set(crew)
    try:
        yield crew
    finally:
        _AT_HAND.reset(token)


def far_away() -> bool:
    """Whether work goes to other machines."""
    return _crew().remote


def gpu_far_away() -> bool:
    """Whether work that wants a GPU goes to other machines that have one."""
    crew = _crew()
    return crew.remote and crew.gpu is not None


def as_they_come(
    work: Callable[[Item], Result], items: Iterable[Item], gpu: bool = False
) -> Iterator[tuple[Item, Result]]:
    """Do some work for each item, and give each result when it is there, in whatever order.

    Args:
        work: Called with an item. Where another process does it, work, items and results are
            pickled; it may be done more than once, if whoever did it was lost in the middle.
        items: What there is to do, handed over in this order.
        gpu: Whether it runs faster on a GPU.

    Yields:
        An item and its result.

    Raises:
        WorkerError: If those who did the work are gone. Whatever `work` raises: what is not begun
            by then never is.
    """
    crew = _crew()
    executor = (crew.gpu if gpu else None) or crew.executor
    waiting = iter(items)
    running: dict[Future[Result], Item] = {}
    done: SimpleQueue[Future[Result]] = SimpleQueue()
    try:
        while True:
            for item in islice(waiting, crew.ahead - len(running)):
                future = executor.submit(work, item)
                running[future] = item
                future.add_done_callback(done.put)
            if not running:
                return
            future = done.get()
            yield running.pop(future), future.result()
    except crew.failures as error:
        raise WorkerError(_lost(error, crew)) from error
    finally:
        for future in running:
            future.cancel()


def _lost(error: BaseException, crew: Crew) -> str:
    """What became of the workers, in one line."""
    if not crew.remote:
        return (
            "a process ended in the middle of its work (killed, perhaps for want of memory); what "
            "was finished is kept: run the same command again, with fewer --processes"
        )
    if isinstance(error, CancelledError):
        return (
            "the cluster's scheduler is gone; what was finished is kept: start it again and run "
            "the same command"
        )
    said = " ".join(str(error).split())[:160]
    return (
        f"the cluster gave the work up ({said}); what was finished is kept: see to the workers "
        "(their memory, as a rule) and run the same command again"
    )


EVERYTHING = sys.maxsize
"""`Crew.ahead` of those who are to see at once how much there is to do."""
