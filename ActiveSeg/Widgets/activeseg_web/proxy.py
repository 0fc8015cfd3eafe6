"""Passes on what a browser and a desk say to each other: pages, files and the websocket.

Only what is named here goes through. The token's cookie stays at the door, and the desk's secret
stays behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TypeAlias
from urllib.parse import quote, unquote

from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    DummyCookieJar,
    TCPConnector,
    WSCloseCode,
    WSMsgType,
    web,
)
from yarl import URL

from activeseg_web.doorway import SECRET_HEADER
from activeseg_web.people import Desk

__all__ = ["NoAnswer", "Proxy", "is_plain"]

# Towards the desk. No cookies, no Origin, no forwarding headers.
_ASKED = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "Range",
)
# Towards the browser. No cookies, no cross-origin permissions.
_ANSWERED = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "ETag",
    "Last-Modified",
    "Vary",
)
_CHUNK = 1 << 16
_HEARTBEAT_S = 20.0
_LARGEST_FROM_BROWSER = 1 << 24

_TELLABLE = frozenset(WSCloseCode) - {WSCloseCode.ABNORMAL_CLOSURE}

_Socket: TypeAlias = web.WebSocketResponse | ClientWebSocketResponse


def is_plain(path: str) -> bool:
    """Whether the path of a request, as it was sent, names something below the desk's root.

    Args:
        path: Percent-encoded, without the first slash.
    """
    if "%2f" in path.lower() or path.startswith("/"):
        return False
    decoded = unquote(path)
    steps = decoded.split("/")
    return decoded.isprintable() and "\\" not in decoded and not {".", ".."} & set(steps)


class NoAnswer(Exception):
    """A desk does not answer: its process is ending, or has just ended."""


class Proxy:
    """The way between browsers and desks; open it inside the event loop, close it at the end."""

    def __init__(self) -> None:
        self._session = ClientSession(
            connector=TCPConnector(limit=0),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            timeout=ClientTimeout(total=None, sock_connect=10.0),
        )
        self._open: set[web.WebSocketResponse] = set()

    async def close(self) -> None:
        """Tell every page that the door closes."""
        for browser in list(self._open):
            await browser.close(code=WSCloseCode.GOING_AWAY, message=b"the workbench has ended")
        await self._session.close()

    async def ask(self, request: web.Request, desk: Desk, path: str) -> web.StreamResponse:
        """Pass a GET on and its answer back, piece by piece.

        Args:
            request: What the browser asked.
            desk: A desk that listens.
            path: The path below the desk's root, percent-encoded, see `is_plain`.

        Raises:
            NoAnswer: If the desk takes no connection or ends it.
        """
        desk.use()
        headers = _carried(request.headers, _ASKED) | {SECRET_HEADER: desk.secret}
        try:
            answer = await self._session.get(
                self._url(request, desk, path), headers=headers, allow_redirects=False
            )
        except ClientError as error:
            raise NoAnswer from error
        async with answer:
            response = web.StreamResponse(status=answer.status)
            response.headers.update(_carried(answer.headers, _ANSWERED))
            if "Location" in answer.headers:
                response.headers["Location"] = _outside(answer.headers["Location"], desk.name)
            await response.prepare(request)
            try:
                async for piece in answer.content.iter_chunked(_CHUNK):
                    await response.write(piece)
                await response.write_eof()
            except (ClientError, ConnectionError):  # one of the two has gone half-way
                if request.transport is not None:
                    request.transport.abort()
            return response

    async def connect(self, request: web.Request, desk: Desk, path: str) -> web.StreamResponse:
        """Connect a browser's websocket with the desk's; arguments and errors as for `ask`."""
        protocols = request.headers.get("Sec-WebSocket-Protocol", "")
        try:
            inner = await self._session.ws_connect(
                self._url(request, desk, path),
                headers={SECRET_HEADER: desk.secret},
                protocols=[name.strip() for name in protocols.split(",") if name.strip()],
                max_msg_size=0,
            )
        except ClientError as error:
            raise NoAnswer from error
        async with inner:
            # Pictures are compressed already: doing it again costs time for each stroke.
            browser = web.WebSocketResponse(
                protocols=[inner.protocol] if inner.protocol else [],
                compress=False,
                heartbeat=_HEARTBEAT_S,
                max_msg_size=_LARGEST_FROM_BROWSER,
            )
            await browser.prepare(request)
            self._open.add(browser)
            try:
                with desk.connected():
                    await _talk(browser, inner)
            finally:
                self._open.discard(browser)
            return browser

    def _url(self, request: web.Request, desk: Desk, path: str) -> URL:
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        return URL(f"http://127.0.0.1:{desk.port}/{path}{query}", encoded=True)


def _carried(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}


def _outside(location: str, name: str) -> str:
    """Where a desk's redirect leads as the browser sees it; a desk believes to be at the root."""
    return f"/desk/{quote(name)}{location}" if location.startswith("/") else location


async def _talk(browser: web.WebSocketResponse, inner: ClientWebSocketResponse) -> None:
    """Carry messages both ways until one side closes; then close the other likewise."""
    ways = [asyncio.ensure_future(_carry(*pair)) for pair in ((browser, inner), (inner, browser))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    code = inner.close_code if inner.closed else browser.close_code
    if code is None or (code not in _TELLABLE and code < 3000):
        code = WSCloseCode.INTERNAL_ERROR if inner.closed else WSCloseCode.GOING_AWAY
    await inner.close(code=code)
    await browser.close(code=code)


async def _carry(source: _Socket, target: _Socket) -> None:
    """Carry messages one way until either side is closed."""
    with suppress(ConnectionError):  # the target went while a message was under way
        async for message in source:
            if message.type is WSMsgType.BINARY:
                await target.send_bytes(message.data)
            elif message.type is WSMsgType.TEXT:
                await target.send_str(message.data)
