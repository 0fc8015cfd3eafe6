"""One desk's process: how it is started, what it tells, and its end with all it started."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

from activeseg_slicer.process import kill_tree
from activeseg_web.doorway import SECRET_VARIABLE
from activeseg_web.exits import USER_ERROR

__all__ = ["DeskProcess"]

GRACE_S = 10.0
"""How long a desk may take to put its things away before it is killed."""

_LAST_WORDS_S = 1.0
_LOOK_S = 0.05
_LONGEST_LINE = 1 << 16


class DeskProcess:
    """A running desk.

    Args:
        process: The child, with pipes, leading a process group of its own.
        on_told: Told each JSON object that the desk prints on standard output.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, on_told: Callable[[dict[str, Any]], None]
    ) -> None:
        self._process = process
        self._on_told = on_told
        self._last_words: deque[str] = deque(maxlen=1)
        self._readers = [
            asyncio.create_task(self._read_output()),
            asyncio.create_task(self._read_messages()),
        ]

    @classmethod
    async def start(
        cls, command: Sequence[str], secret: str, on_told: Callable[[dict[str, Any]], None]
    ) -> DeskProcess:
        """Start a command as a desk.

        Raises:
            OSError: If the system cannot start it.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, SECRET_VARIABLE: secret},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C in a terminal is for the door, which then ends its desks in good order.
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return cls(process, on_told)

    async def ended(self) -> str:
        """Wait for the end; return one line that says how it came about."""
        code = await self._gone()
        # What a process that the desk left behind still prints is not waited for.
        await asyncio.wait(self._readers, timeout=_LAST_WORDS_S)
        for reader in self._readers:
            reader.cancel()
        if code == USER_ERROR and self._last_words:
            return self._last_words[0]
        how = f"signal {-code}" if code < 0 else f"code {code}"
        return f"The desk's process ended with {how}; the terminal of the workbench says more."

    async def end(self, grace_s: float) -> None:
        """Ask the desk to end, wait, and kill it with all its processes if it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._gone(), grace_s)
        except asyncio.TimeoutError:
            kill_tree(self._process.pid)
            await self._gone()

    async def _gone(self) -> int:
        """Wait for the exit code; `wait` of some Pythons also waits for who holds the pipes."""
        while self._process.returncode is None:
            await asyncio.sleep(_LOOK_S)
        return self._process.returncode

    async def _read_output(self) -> None:
        async for line in _lines(self._process.stdout):
            with suppress(ValueError):
                told = json.loads(line)
                if isinstance(told, dict):
                    self._on_told(told)

    async def _read_messages(self) -> None:
        """Pass on what the desk complains of to this process's own standard error."""
        async for line in _lines(self._process.stderr):
            if line.strip():
                self._last_words.append(line.strip())
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    if stream is None:  # never with PIPE above; tells the type checker so
        return
    rest = b""
    while chunk := await stream.read(_LONGEST_LINE):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip("\r")
        rest = rest[-_LONGEST_LINE:]
    if rest:
        yield rest.decode("utf-8", "replace")
