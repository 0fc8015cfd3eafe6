"""The processes of a training that several devices of this machine share (`ranks`).

They meet through a file, so no port is needed, and end together: with the last result, with the
first that fails, or when whoever waits for them is cancelled or gone.
"""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import torch

from activeseg.errors import ActiveSegError, ModelError
from activeseg.executors.local import end_with_parent, without_interrupts
from activeseg.model.ranks import Rank, Ranks
from activeseg.progress import Progress, Silent, Stage

__all__ = ["Work", "together"]

Work: TypeAlias = Callable[[Rank, Progress], Any]
"""What each rank does. It is pickled; its result is made of tensors and plain values."""

Message: TypeAlias = tuple[str, int, Any]
"""Kind (`stage`, `done`, `result`, `refused`, `failed`), rank, content."""


def together(work: Work, ranks: Ranks, progress: Progress) -> list[Any]:
    """Do some work on all ranks at once, each in a process of its own.

    Args:
        work: What each does.
        ranks: Who takes part.
        progress: Told what rank 0 tells.

    Returns:
        The result of each rank, on the processor.

    Raises:
        ActiveSegError: What a rank raised, if it was one.
        ModelError: If a rank failed otherwise, or its process ended. What is a bug has printed its
            traceback.
    """
    context = multiprocessing.get_context("spawn")
    messages: multiprocessing.Queue[Message] = context.Queue()
    with TemporaryDirectory(prefix="activeseg-ranks-") as name:
        folder = Path(name)
        # Not as arguments of the processes: torch would open a file for each tensor.
        torch.save(work, _work(folder))
        processes: list[BaseProcess] = [
            context.Process(target=_run, args=(number, ranks, folder, messages), daemon=True)
            for number in range(len(ranks.devices))
        ]
        begun: list[BaseProcess] = []
        try:
            for process in processes:
                with without_interrupts():
                    process.start()
                begun.append(process)
            _follow(messages, begun, ranks, progress)
        finally:
            for process in begun:
                process.terminate()
            for process in begun:
                process.join()
            messages.close()
        return [
            torch.load(_result(folder, number), map_location="cpu", weights_only=True)
            for number in range(len(processes))
        ]


def _work(folder: Path) -> Path:
    return folder / "work"


def _result(folder: Path, number: int) -> Path:
    return folder / f"result-{number}"


def _follow(
    messages: multiprocessing.Queue[Message],
    processes: Sequence[BaseProcess],
    ranks: Ranks,
    progress: Progress,
) -> None:
    """Pass on what is told until each rank has its result."""
    left = set(range(len(processes)))
    stage: Stage | None = None
    with ExitStack() as opened:
        while left:
            kind, number, content = _next(messages, processes, ranks)
            if kind == "refused":
                raise content
            if kind == "failed":
                raise _ended(ranks, number, content)
            if kind == "stage":
                opened.close()
                stage = opened.enter_context(progress.stage(*content))
            elif kind == "done" and stage is not None:
                stage.advance(content - stage.done)
            elif kind == "result":
                left.remove(number)


def _next(
    messages: multiprocessing.Queue[Message], processes: Sequence[BaseProcess], ranks: Ranks
) -> Message:
    """The next message; an error when a process has ended without one."""
    while True:
        try:
            return messages.get(timeout=0.2)
        except queue.Empty:
            dead = [n for n, process in enumerate(processes) if process.exitcode not in (None, 0)]
        if dead:
            try:  # its last words may have come in between
                return messages.get(timeout=0.5)
            except queue.Empty:
                code = processes[dead[0]].exitcode
                raise _ended(ranks, dead[0], f"its process ended with code {code}") from None


def _ended(ranks: Ranks, number: int, why: str) -> ModelError:
    return ModelError(
        f"a training on {len(ranks.devices)} devices was lost on {ranks.devices[number]} ({why}); "
        "nothing is changed: run it again, or with CUDA_VISIBLE_DEVICES=0, which takes one GPU"
    )


class _Told(Progress):
    """Sends on what is told of stages."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """Announce a stage."""
        self._send(("stage", 0, (name, total)))
        yield Stage(name, total, self._tell)

    def _tell(self, stage: Stage) -> None:
        if stage.done:
            self._send(("done", 0, stage.done))


def _run(number: int, ranks: Ranks, folder: Path, messages: multiprocessing.Queue[Message]) -> None:
    """What a process does.

    What it was refused is told before its connections close, so before others fail for want of it.
    """
    end_with_parent()
    count, device = len(ranks.devices), torch.device(ranks.devices[number])
    torch.set_num_threads(max(1, torch.get_num_threads() // count))
    try:
        _join(number, ranks, folder, device)
        # Made by the process that began this one, in a folder that is the user's alone.
        work: Work = torch.load(_work(folder), mmap=True, weights_only=False)
        progress = Silent() if number else _Told(messages.put)
        torch.save(work(Rank(number, count, device), progress), _result(folder, number))
        _leave()
    except ActiveSegError as error:
        messages.put(("refused", number, error))
    except RuntimeError as error:  # torch's: no memory left, another rank gone
        messages.put(("failed", number, " ".join(str(error).split())[:160]))
    else:
        messages.put(("result", number, None))


def _join(number: int, ranks: Ranks, folder: Path, device: torch.device) -> None:
    """Meet the other ranks."""
    from torch import distributed

    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    meeting = str(folder / "meeting")
    store = distributed.FileStore(meeting, len(ranks.devices))  # type: ignore[attr-defined]
    distributed.init_process_group(
        ranks.backend,
        store=store,
        rank=number,
        world_size=len(ranks.devices),
        device_id=device if on_gpu else None,
    )


def _leave() -> None:
    """Part from the other ranks when all are done."""
    from torch import distributed

    distributed.barrier()
    distributed.destroy_process_group()
