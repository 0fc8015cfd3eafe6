"""Many machines, by Dask: the only place that knows of it.

A scheduler and workers are started by whoever has the machines (docs/cluster.md); here they are
found, looked at, and handed out as an `Executor`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from activeseg.errors import WorkerError
from activeseg.executors.crew import EVERYTHING, Crew, working_with
from activeseg.executors.sharing import Seen, Shared, difference, look, marked

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["cluster"]

PATIENCE_S = 10.0
"""How long a scheduler, and then a worker, is waited for."""

RETRIES = 2
"""How often a piece of work that failed is tried again, perhaps by another worker."""

GPU = "GPU"
"""The resource of a worker that has one: ``dask worker ADDRESS --resources GPU=1``."""

_T = TypeVar("_T")
_AT_WORK = threading.Lock()


class Workers(Executor):
    """Dask's executor; of each process of theirs only one thread computes.

    Torch's chance is one for a process, and so is the model that is kept there.
    """

    def __init__(self, client: Client, **wanted: Any) -> None:
        self._executor = client.get_executor(pure=False, retries=RETRIES, **wanted)

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Hand work over."""
        future: Future[_T] = self._executor.submit(_alone, fn, *args, **kwargs)
        return future


@contextmanager
def cluster(address: str, shared: Shared) -> Iterator[Crew]:
    """Have the workers of a Dask scheduler do the work of this block.

    Args:
        address: The scheduler's, as it printed it: ``tcp://host:8786``.
        shared: What each worker must see.

    Raises:
        WorkerError: If Dask is not installed, there is no scheduler or no worker, or a worker has
            other versions or does not see what it must.
    """
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise WorkerError(
            "--scheduler needs Dask, which is not installed; pip install 'activeseg[cluster]'"
        ) from error
    with _quiet():
        try:
            asyncio.run(_knock(address))
            client = Client(address, timeout=PATIENCE_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"no scheduler answers at {address} within {PATIENCE_S:g} s; expected an address "
                "such as tcp://host:8786, which 'dask scheduler' prints when it starts"
            ) from error
        try:
            executors = _handed_out(client, address, shared)
            crew = Crew(
                executors[0],
                gpu=executors[1] if len(executors) > 1 else None,
                ahead=EVERYTHING,
                remote=True,
                failures=(BrokenExecutor, CancelledError, KilledWorker),
            )
            with working_with(crew):
                yield crew
        finally:
            client.close()  # which gives back what is not begun


async def _knock(address: str) -> None:
    """See whether somebody answers, before there is a client that would be left half made.

    Such a one is closed by the garbage collector, at any time: in the middle of another one's
    start it waits for a lock that this holds, for good.

    Raises:
        OSError: If nobody does. ValueError: If it is no address.
    """
    from distributed.comm.core import connect
    from distributed.security import Security

    secured = Security().get_connection_args("client")
    comm = await connect(address, timeout=PATIENCE_S, **secured)
    await comm.close()


def _handed_out(client: Client, address: str, shared: Shared) -> list[Workers]:
    """All workers, and those with a GPU if there are any.

    Raises:
        WorkerError: As `cluster`.
    """
    with_gpu = _check(client, address, shared)
    every = Workers(client)
    return [every, Workers(client, resources={GPU: 1})] if with_gpu else [every]


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of Dask's own in the terminal: what a user has to know is told in one line."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _check(client: Client, address: str, shared: Shared) -> bool:
    """Look at every worker; whether one of them has a GPU to give.

    Raises:
        WorkerError: As `cluster`.
    """
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError as error:
        raise WorkerError(
            f"the scheduler at {address} has no worker; start one with 'dask worker {address} "
            "--nthreads 1', or let a cluster that grows with its work keep at least one"
        ) from error
    workers: dict[str, dict[str, Any]] = client.scheduler_info()["workers"]
    for worker, facts in workers.items():
        if facts["nthreads"] > 1:
            raise WorkerError(
                f"the worker {worker} has {facts['nthreads']} threads in one process, of which one "
                f"would work; start it with --nthreads 1 --nworkers {facts['nthreads']}"
            )
    with marked(shared) as paths:
        found = client.run(look, paths, on_error="return")
    here = look(())
    for worker, seen in found.items():
        if not isinstance(seen, Seen):
            raise WorkerError(
                f"the worker {worker} cannot work ({_said(seen)}); it needs the same activeseg as "
                "here, in its environment"
            )
        other = difference(here, seen)
        if other is not None:
            raise WorkerError(f"the worker {worker} has {other}; install the same there")
        if seen.missing is not None:
            raise WorkerError(
                f"the worker {worker} does not see {_shown(seen.missing, shared)}; it has to lie "
                "on a disk that all machines share, under the same path"
            )
    return any(each.get("resources", {}).get(GPU, 0) >= 1 for each in workers.values())


def _shown(missing: str, shared: Shared) -> str:
    """What the user calls it: the mark stands for the folder that it lies in."""
    return missing if missing in map(str, shared.files) else str(shared.folder)


def _said(error: object) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:160]


def _alone(work: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
    """On a worker: do the work when no other thread of its process does any."""
    with _AT_WORK:
        return work(*args, **kwargs)
