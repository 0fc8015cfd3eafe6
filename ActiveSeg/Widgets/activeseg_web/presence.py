"""Whether a page is connected to this desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wslink.websocket import LinkProtocol

__all__ = ["Presence"]


class Presence(LinkProtocol):
    """Counts the websockets of a server.

    Args:
        changed: Told whether any page is connected, when the first comes and the last goes.
    """

    def __init__(self, changed: Callable[[bool], None]) -> None:
        super().__init__()
        self._changed = changed
        self._clients: set[str] = set()

    def onConnect(self, _request: Any, client: str) -> None:  # noqa: N802  # wslink's name
        """A page has come."""
        self._clients.add(client)
        if len(self._clients) == 1:
            self._changed(True)

    def onClose(self, client: str) -> None:  # noqa: N802  # wslink's name
        """A page has gone, however it went."""
        self._clients.discard(client)
        if not self._clients:
            self._changed(False)
