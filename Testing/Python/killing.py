"""Kill a process at any moment (SIGKILL: it cannot clean up) and see what it left.

The work runs in children of a fork server that has the heavy imports done, so that a child is
at work within milliseconds and a test can afford many of them.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPORTED = "reported.txt"

# What any test kills: the verbs, and what they import when they first run.
HEAVY = (
    *("numpy", "SimpleITK", "pytest", "activeseg.project.verbs", "activeseg.annotations"),
    *("sklearn.cluster", "torch._dynamo"),
)

CALLS = ("open", "fsync", "replace", "unlink", "mkdir", "link", "rename")
"""What of `os` a step towards the disk is."""

Report = Callable[[str], None]


@functools.cache
def fork_server(*preload: str) -> Any:
    """A context whose children begin with these modules, and the `HEAVY` ones, imported.

    All tests of a run share one fork server; the first call decides what it holds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*HEAVY, *preload])
    return context


def kill_after(
    seconds: float, folder: Path, work: Callable[..., None], *args: Any, preload: Sequence[str] = ()
) -> list[str]:
    """Run ``work(report, *args)`` in a child and kill it some time after it has begun.

    Args:
        seconds: How long after the child's beginning (after its imports).
        folder: Where the child's reports are kept.
        work: A function of a module; it calls ``report(text)`` for each thing that is done and
            must survive, and runs until it is killed.
        args: What `work` is called with.
        preload: Modules that the fork server imports.

    Returns:
        What all children with this folder have reported so far.
    """
    context = fork_server(*preload)
    here, there = context.Pipe()
    child = context.Process(target=_begin, args=(there, str(folder / REPORTED), work, args))
    child.start()
    there.close()
    assert here.recv() == "begun"
    time.sleep(seconds)
    ended = not child.is_alive()
    child.kill()
    child.join()
    here.close()
    assert not ended, f"the work ended by itself with exit code {child.exitcode}"
    assert child.exitcode == -signal.SIGKILL
    return reported(folder)


def reported(folder: Path) -> list[str]:
    """What children have reported; a line that a kill cut short does not count."""
    file = folder / REPORTED
    if not file.exists():
        return []
    *whole, _cut = file.read_text().split("\n")
    return whole


@contextmanager
def killed_at_call(number: int, names: Sequence[str]) -> Iterator[list[str]]:
    """Kill this process just before its `number`-th call (from 1) of some functions of `os`.

    Yields:
        The names of the calls so far.
    """
    calls: list[str] = []
    before = {name: getattr(os, name) for name in names}

    def counted(name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            calls.append(name)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return before[name](*args, **options)

        return call

    for name in names:
        setattr(os, name, counted(name))
    try:
        yield calls
    finally:
        for name, function in before.items():
            setattr(os, name, function)


def do_until_call(act: Callable[[Path], object], folder: Path, number: int) -> None:
    """Do ``act(folder)``, dying just before one of its `CALLS`; note those that it made."""
    with killed_at_call(number, CALLS) as calls:
        act(folder)
    (folder / "calls.txt").write_text(" ".join(calls))


def killed_at_each_step(
    act: Callable[[Path], object],
    prepare: Callable[[Path], object],
    root: Path,
    preload: Sequence[str] = (),
) -> tuple[list[str], Iterator[Path]]:
    """Do the same thing again and again, killed just before its first step, its second, ….

    Args:
        act: What is done, a function of a module; it is given a folder.
        prepare: Makes what `act` needs in a folder that is new.
        root: Where the folders are; ``root / "whole"`` is that of an undisturbed run.
        preload: Modules that the fork server imports.

    Returns:
        The steps of the undisturbed run, and the folder of each killed one, made when it is
        asked for.
    """

    def prepared(name: str) -> Path:
        (root / name).mkdir()
        prepare(root / name)
        return root / name

    whole = prepared("whole")
    assert run_child(do_until_call, act, whole, 0, preload=preload) == 0
    steps = (whole / "calls.txt").read_text().split()

    def killed() -> Iterator[Path]:
        for number in range(1, len(steps) + 1):
            folder = prepared(str(number))
            code = run_child(do_until_call, act, folder, number, preload=preload)
            assert code == -signal.SIGKILL
            yield folder

    return steps, killed()


def run_child(work: Callable[..., None], *args: Any, preload: Sequence[str] = ()) -> int:
    """Run ``work(*args)`` in a child to its end.

    Returns:
        Its exit code; the negative signal if it was killed.
    """
    child = fork_server(*preload).Process(target=work, args=args)
    child.start()
    child.join()
    code = child.exitcode
    assert code is not None
    return int(code)


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent (a zombie) does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc").is_dir()  # ended just now, or no /proc to ask (macOS)


def _begin(begun: Any, file: str, work: Callable[..., None], args: tuple[Any, ...]) -> None:
    """The child: tell that it has begun, then work."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)

    def report(text: str) -> None:
        os.write(descriptor, f"{text}\n".encode())

    begun.send("begun")
    work(report, *args)
