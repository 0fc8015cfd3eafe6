"""The people at the workbench: a name, a desk, and when it is put away."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from activeseg_web.process import GRACE_S, DeskProcess

__all__ = ["Command", "Desk", "NoRoom", "People", "is_name"]

IDLE_S = 600.0
"""How long a desk is kept that no page is connected to and that has nothing to do."""

UNSEEN_S = 60.0
"""How long one is kept that a request has started and no page has ever connected to."""

MOST = 8
"""Desks at a time; each takes over half a gigabyte."""

PROMISE_S = 30.0
"""How long a name that was handed out is kept for the page that has yet to connect."""

_NAME = re.compile(r"\w[\w.@+ -]{0,63}")

Command: TypeAlias = Callable[[str], Sequence[str]]
"""Tells, for a person's name, the command that starts their desk."""


def is_name(name: str) -> bool:
    """Whether a person can be called so: what a project takes for an author, and an address."""
    return _NAME.fullmatch(name) is not None and name == name.strip() and name.isprintable()


class NoRoom(Exception):
    """Too many desks are in use."""


class Desk:
    """One person's desk, from the moment its process is asked for.

    Args:
        name: Whose it is.
        awaited: Whether it may wait for its person as long as one that somebody has left.
        now: The present moment in seconds, never going back.

    Attributes:
        name: Whose it is.
        awaited: As above; true from the first connection on.
        secret: What its process demands of each request.
        port: Where it listens on 127.0.0.1; None until it does.
        problem: Why it will not, or no longer, listen; None while it may.
    """

    def __init__(self, name: str, awaited: bool, now: Callable[[], float]) -> None:
        self.name = name
        self.awaited = awaited
        self.secret = secrets.token_urlsafe(32)
        self.port: int | None = None
        self.problem: str | None = None
        self._busy = False
        self._connections = 0
        self._settled = asyncio.Event()
        self._letting_go = asyncio.Event()
        self._now = now
        self._used = self._now()
        self._promised = 0.0

    @property
    def taken(self) -> bool:
        """Whether a page is connected, or soon will be."""
        return self._connections > 0 or self._now() < self._promised

    @property
    def idle_s(self) -> float:
        """How long it has been of no use to anybody; 0 while it is."""
        return 0.0 if self.taken or self._busy else self._now() - self._used

    def promise(self) -> None:
        """Keep it for a page that has been sent here."""
        self._promised = self._now() + PROMISE_S

    def use(self) -> None:
        """Somebody has just asked it something."""
        self._used = self._now()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """A page holds a connection for as long as this lasts."""
        self._connections += 1
        self.awaited = True
        self._promised = 0.0
        try:
            yield
        finally:
            self._connections -= 1
            self.use()

    async def settled(self, seconds: float) -> bool:
        """Wait until it listens or has failed; False if the time was not enough."""
        try:
            await asyncio.wait_for(self._settled.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True

    def let_go(self) -> None:
        """Have its process end; `live` then returns."""
        self._letting_go.set()
        self._fail("The desk was put away; open it again.")

    async def live(self, command: Sequence[str]) -> None:
        """Run the process from its start to its end."""
        try:
            process = await DeskProcess.start(command, self.secret, self._hear)
        except OSError as error:
            self._fail(f"The desk's process could not be started: {error}")
            return
        end = asyncio.ensure_future(process.ended())
        wish = asyncio.ensure_future(self._letting_go.wait())
        await asyncio.wait((end, wish), return_when=asyncio.FIRST_COMPLETED)
        wish.cancel()
        if not end.done():
            # Before it listens it holds nothing that needs putting away.
            await process.end(0.0 if self.port is None else GRACE_S)
        self._fail(await end)

    def _hear(self, told: dict[str, Any]) -> None:
        """Take up what the process says, as `activeseg_web.doorway.say` has written it."""
        port, busy = told.get("port"), told.get("busy")
        if isinstance(port, int) and self.port is None and self.problem is None:
            self.port = port
            self._settled.set()
        if isinstance(busy, bool):
            self._busy = busy
            self.use()

    def _fail(self, problem: str) -> None:
        self.problem = self.problem or problem
        self._settled.set()


class People:
    """Everybody at the workbench.

    Args:
        command: Tells how a person's desk is started.
        idle_s: How long a desk is kept that nobody uses.
        most: How many desks there are at a time.
        now: The present moment in seconds, never going back.
    """

    def __init__(
        self,
        command: Command,
        idle_s: float = IDLE_S,
        most: int = MOST,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._idle_s, self._unseen_s = idle_s, min(UNSEEN_S, idle_s)
        self._most = most
        self._now = now
        self._desks: dict[str, Desk] = {}
        self._lives: dict[str, asyncio.Task[None]] = {}

    def find(self, name: str) -> Desk | None:
        """A person's desk, if there is one that has not failed."""
        desk = self._desks.get(name)
        return desk if desk is not None and desk.problem is None else None

    def seat(self, name: str, awaited: bool = False) -> Desk:
        """A person's desk; started if there is none, and kept if it has failed.

        A failed desk is given out once, to tell why; the next call starts a new one.

        Args:
            name: The person.
            awaited: Whether one that is started now is laid out ahead: nobody has asked for it
                yet, and whoever was invited may take their time.

        Raises:
            NoRoom: If all desks are taken or busy.
        """
        desk = self._desks.get(name)
        if desk is None:
            self._make_room()
            desk = self._desks[name] = Desk(name, awaited, self._now)
            before = self._lives.get(name)
            self._lives[name] = asyncio.create_task(self._live(desk, before))
        elif desk.problem is not None:
            del self._desks[name]
        desk.use()
        return desk

    def free_name(self, author: str) -> str:
        """`author`, or with ``-2``, ``-3``, … if that desk is taken; the name is then promised.

        Raises:
            NoRoom: If all desks are taken or busy.
        """
        number, name = 1, author
        while (desk := self.find(name)) is not None and desk.taken:
            number += 1
            name = f"{author}-{number}"
        self.seat(name).promise()
        return name

    async def put_away(self) -> None:
        """Again and again, end the desks that nobody has used for long; runs until cancelled."""
        while True:
            await asyncio.sleep(self._unseen_s / 4)
            self.sweep()

    def sweep(self) -> None:
        """End the desks that nobody has used for long."""
        for desk in list(self._desks.values()):
            if desk.idle_s > (self._idle_s if desk.awaited else self._unseen_s):
                self._let_go(desk)

    async def close(self) -> None:
        """End every desk and wait until all processes have gone."""
        for desk in list(self._desks.values()):
            self._let_go(desk)
        await asyncio.gather(*self._lives.values())

    def _make_room(self) -> None:
        if len(self._desks) < self._most:
            return
        useless = [desk for desk in self._desks.values() if desk.idle_s > 0 or desk.problem]
        if not useless:
            raise NoRoom
        self._let_go(max(useless, key=lambda desk: desk.idle_s))

    def _let_go(self, desk: Desk) -> None:
        del self._desks[desk.name]
        desk.let_go()

    async def _live(self, desk: Desk, before: asyncio.Task[None] | None) -> None:
        """Run a desk after the same person's last one has put its things away."""
        if before is not None:
            await before
        if desk.problem is None:
            await desk.live(self._command(desk.name))
        if self._lives.get(desk.name) is asyncio.current_task():
            del self._lives[desk.name]
        if desk.port is not None and self._desks.get(desk.name) is desk:
            del self._desks[desk.name]  # it worked and has ended: nothing to tell
