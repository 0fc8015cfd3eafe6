"""The desk's side of the door: what a desk process does so that it serves its door alone.

- The door hands each desk a secret of its own in the environment (which, unlike a command line,
  other accounts of the machine cannot read) and sends it with every request and websocket. The
  desk answers nothing that does not bring it (`only_for`). The browser never learns it, so no
  page and no other account can pass by the door, although the desk listens on a port of
  127.0.0.1. trame's own key (``wslink-secret``) may stay what it is.
- The desk's standard input is a pipe that the door holds open and never writes to. When it ends,
  the door wants the desk to end, or is gone, however it went (`when_door_goes`).
- The desk tells the door by JSON lines on standard output on which port it listens, and when it
  must not be ended although nobody looks (`say`).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from activeseg.errors import ActiveSegError

__all__ = ["SECRET_HEADER", "SECRET_VARIABLE", "only_for", "say", "take_secret", "when_door_goes"]

SECRET_HEADER = "X-ActiveSeg-Desk"
SECRET_VARIABLE = "ACTIVESEG_DESK_SECRET"


def take_secret() -> str:
    """Take this desk's secret out of the environment, so that no child process inherits it.

    Raises:
        ActiveSegError: If there is none: no door has started this process.
    """
    secret = os.environ.pop(SECRET_VARIABLE, "")
    if not secret:
        raise ActiveSegError("a desk needs its door; start it by: activeseg workbench PROJECT")
    return secret


def only_for(secret: str) -> Middleware:
    """A middleware that answers only requests that bring the secret; others get a 403."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        brought = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(brought.encode("utf-8", "replace"), secret.encode()):
            raise web.HTTPForbidden(text="only the door of the workbench may ask a desk\n")
        return await handler(request)

    return check


def say(*, port: int | None = None, busy: bool | None = None) -> None:
    """Tell the door something.

    Args:
        port: The desk listens on this port of 127.0.0.1; said once.
        busy: Whether work is going on that must not be ended only because no page is open.
    """
    told = {"port": port, "busy": busy}
    line = json.dumps({name: value for name, value in told.items() if value is not None})
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def when_door_goes(call: Callable[[], None]) -> None:
    """Call `call` once on the running event loop when the door lets this desk go."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        # Not through sys.stdin, whose lock would be held when the interpreter ends.
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # the loop has ended by itself
            loop.call_soon_threadsafe(call)

    threading.Thread(target=wait, name="door", daemon=True).start()
