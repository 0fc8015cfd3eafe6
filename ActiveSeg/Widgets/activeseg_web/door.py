"""The door: the one port of the workbench, and the desks behind it.

``/`` hands out a desk, ``/desk/<name>/…`` is passed on to that person's desk process on
127.0.0.1, which is started when it is first asked for. Who may pass is decided by `gate`; that
nobody passes by is seen to by `doorway`. No file of the disk is served here but the report.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from activeseg.errors import ActiveSegError
from activeseg_web.address import Address
from activeseg_web.gate import gate, protect
from activeseg_web.pages import ICON, html, problem_page, refused_page, waiting_page
from activeseg_web.people import IDLE_S, MOST, Command, Desk, NoRoom, People, is_name
from activeseg_web.proxy import NoAnswer, Proxy, is_plain

__all__ = ["PORT", "Door"]

PORT = 8765
"""The usual port: what a browser remembers for an address, such as the theme, goes with it."""

_HOLD_S = 20.0
_CLOSING_S = 5.0
_FULL = "All desks are in use. Close a page of the workbench that nobody needs, or come later."
_DOCUMENTS = ("", "index.html")


class Door:
    """The workbench's server.

    Args:
        command: Tells, for a person's name, the command that starts their desk. The process is
            a desk as `activeseg_web.doorway` describes.
        author: Who is given the first desk.
        report: A self-contained HTML file to show at ``/report``.
        idle_s: How long a desk is kept that nobody uses.
        most: How many desks there are at a time.
    """

    def __init__(
        self,
        command: Command,
        author: str,
        report: Path | None = None,
        idle_s: float = IDLE_S,
        most: int = MOST,
    ) -> None:
        if not is_name(f"{author}-2"):
            raise ActiveSegError(
                f"'{author}' cannot be part of an address; give letters, digits, '-' or '_' "
                "with --author"
            )
        self._author = author
        self._report = report
        self._people = People(command, idle_s, most)
        self._proxy: Proxy | None = None
        self._runner: web.AppRunner | None = None
        self._putting_away: asyncio.Task[None] | None = None
        self._address = Address("127.0.0.1", 0, None)

    async def open(self, host: str = "127.0.0.1", port: int | None = None) -> Address:
        """Listen, and have the first desk started.

        Args:
            host: Where to listen; others than this machine's own need the token that is made.
            port: The port, 0 for any free one; None for `PORT`, or any free one if that is used.

        Returns:
            The address that people open.

        Raises:
            ActiveSegError: If this machine cannot listen there.
        """
        self._address = Address.of(host, PORT if port is None else port)
        application = self._application()
        self._proxy = Proxy()
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSING_S)
        await self._runner.setup()
        try:
            try:
                await self._listen(self._address.port)
            except OSError:
                if port is not None:
                    raise
                await self._listen(0)
        except OSError as error:
            await self.close()
            raise ActiveSegError(
                f"cannot listen on {host} port {self._address.port} ({error.strerror}); "
                "give another --host or --port"
            ) from error
        bound = self._runner.addresses[0][1]
        self._address = Address(self._address.host, bound, self._address.token)
        self._people.seat(self._author, awaited=True)
        self._putting_away = asyncio.create_task(self._people.put_away())
        return self._address

    async def close(self) -> None:
        """Stop listening, and end every desk."""
        if self._putting_away is not None:
            self._putting_away.cancel()
        if self._runner is not None:
            await self._runner.cleanup()  # by way of _leave
            self._runner = None

    async def _listen(self, port: int) -> None:
        assert self._runner is not None
        await web.TCPSite(self._runner, self._address.host, port).start()

    async def _leave(self, _application: web.Application) -> None:
        if self._proxy is not None:
            await self._proxy.close()
        await self._people.close()

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[gate(lambda: self._address)])
        application.on_response_prepare.append(protect)
        application.on_shutdown.append(self._leave)
        ways = application.router
        ways.add_get("/", self._hand_out, allow_head=False)
        ways.add_get("/favicon.ico", self._icon, allow_head=False)
        ways.add_get("/desk/{name}", self._add_slash, allow_head=False)
        ways.add_post("/desk/{name}/paraview/", self._tell_socket)
        ways.add_get("/desk/{name}/{path:.*}", self._pass_on, allow_head=False)
        if self._report is not None:
            ways.add_get("/report", self._show_report, allow_head=False)
        return application

    async def _hand_out(self, _request: web.Request) -> web.StreamResponse:
        """Send whoever comes to a desk of their own."""
        try:
            name = self._people.free_name(self._author)
        except NoRoom:
            return html(problem_page(_FULL), 503)
        return _go(f"/desk/{quote(name)}/")

    async def _icon(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=ICON, content_type="image/svg+xml")

    async def _show_report(self, _request: web.Request) -> web.StreamResponse:
        assert self._report is not None
        return html(await asyncio.to_thread(self._report.read_text, "utf-8"), 200)

    async def _add_slash(self, request: web.Request) -> web.StreamResponse:
        """The page finds its files and its websocket relative to its address."""
        return _go(f"/desk/{quote(request.match_info['name'])}/")

    async def _tell_socket(self, request: web.Request) -> web.StreamResponse:
        """Tell trame's client, which asks this first, where its websocket is."""
        name = quote(request.match_info["name"])
        return web.json_response({"sessionURL": f"ws://USE_HOST/desk/{name}/ws"})

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on to a desk; only opening the page itself starts one."""
        name = request.match_info["name"]
        # Of the address as it was sent: what is decoded twice might become another path.
        path = request.rel_url.raw_path.split("/", 3)[3]
        if not is_name(name) or not is_plain(path):
            return html(refused_page("There is nothing at this address."), 404)
        document = path in _DOCUMENTS and "Upgrade" not in request.headers
        if document and request.rel_url.raw_query_string:
            # trame's client would take from it which server to obey.
            return _go(request.rel_url.raw_path)
        try:
            desk = self._people.seat(name) if document else self._people.find(name)
        except NoRoom:
            return html(problem_page(_FULL), 503)
        if document and desk is not None and desk.problem is not None:
            return html(problem_page(desk.problem), 503)
        if desk is None or desk.port is None:
            if desk is not None and document:
                return await self._wait(request, desk)
            return web.Response(status=503, text="this desk is not open; reload the page\n")
        assert self._proxy is not None
        try:
            if "Upgrade" in request.headers:
                return await self._proxy.connect(request, desk, path)
            return await self._proxy.ask(request, desk, path)
        except NoAnswer:
            if document:  # by the time the browser asks again, there is another desk
                return html(waiting_page(name), 200)
            return web.Response(status=502, text="the desk does not answer; reload the page\n")

    async def _wait(self, request: web.Request, desk: Desk) -> web.StreamResponse:
        """Show that a desk is being laid out.

        The answer ends when the desk is ready; only then the browser asks again, so that the
        page neither flickers nor comes late.
        """
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        response.content_type = "text/html"
        response.charset = "utf-8"
        await response.prepare(request)
        with suppress(ConnectionError):  # whoever waited has left
            await response.write(waiting_page(desk.name).encode())
            await desk.settled(_HOLD_S)
            await response.write_eof()
        return response


def _go(where: str) -> web.Response:
    return web.Response(status=302, headers={"Location": where, "Cache-Control": "no-store"})
