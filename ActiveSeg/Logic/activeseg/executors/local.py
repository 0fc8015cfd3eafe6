"""Processes of this machine, each computing in one thread.

Two torch threads are slower than two processes of one thread each. Processes are spawned, not
forked: torch does not survive a fork with its threads running.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from activeseg.executors.crew import Crew, working_with

__all__ = ["end_with_parent", "local_processes", "one_thread", "without_interrupts"]

_THREADS = "OMP_NUM_THREADS"
_T = TypeVar("_T")


class Processes(ProcessPoolExecutor):
    """A pool that begins its processes with one thread each, and knows them."""

    def __init__(self, count: int) -> None:
        super().__init__(count, multiprocessing.get_context("spawn"), end_with_parent)
        self._begun: set[BaseProcess] = set()

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Hand work over; this may begin a process."""
        before = set(multiprocessing.active_children())
        with without_interrupts(), one_thread():
            future = super().submit(fn, *args, **kwargs)
        self._begun |= set(multiprocessing.active_children()) - before
        return future

    def end(self) -> None:
        """End the processes, also those in the middle of something that nobody waits for."""
        self.shutdown(wait=False, cancel_futures=True)
        for process in self._begun:
            process.terminate()
        for process in self._begun:
            process.join()


@contextmanager
def local_processes(count: int) -> Iterator[Crew]:
    """Have so many processes of this machine do the work of this block.

    They begin when there is work, which costs each of them the seconds that torch takes to load.
    """
    executor = Processes(count)
    try:
        # Two for each, so that none waits while results are used.
        with working_with(Crew(executor, ahead=2 * count)) as crew:
            yield crew
    finally:
        executor.end()


def end_with_parent() -> None:
    """In a new process: end when whoever began it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for_end, args=(parent,), daemon=True).start()


def _wait_for_end(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes that begin here compute in one thread each, as there are many of them."""
    before = os.environ.get(_THREADS)
    os.environ[_THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_THREADS]
        else:
            os.environ[_THREADS] = before


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Processes that begin here never see Ctrl-C, which a terminal sends to all of them.

    This process sees it (later, if it comes in the block) and ends them; each of them would
    print a traceback. Windows has no such mask.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
