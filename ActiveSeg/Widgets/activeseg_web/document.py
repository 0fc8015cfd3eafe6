"""What a browser is given before the page itself: trame's own document in plain clothes."""

from __future__ import annotations

import re
from importlib.resources import files
from urllib.parse import quote

from aiohttp import web

from activeseg_web.pages import ICON

__all__ = ["add_document"]

_LOADING = (
    "<style>.loading{position:fixed;inset:0;display:grid;place-content:center;"
    "font:1rem/1.5 system-ui,sans-serif;color:#8b979b}</style>"
    '<p class="loading" role="status">Laying out your desk</p>'
)
# Before any style has come: no white flash in a dark room.
_FIRST = (
    "<style>:root{color-scheme:light dark}body{margin:0;background:#f5f7f8}"
    "@media(prefers-color-scheme:dark){body{background:#14191b}}</style>"
)


def add_document(application: web.Application) -> None:
    """Serve the document and what is shown while it loads, in place of trame's."""
    document = _document()

    async def show(_request: web.Request) -> web.StreamResponse:
        return _html(document)

    async def load(_request: web.Request) -> web.StreamResponse:
        return _html(_LOADING)

    application.router.add_get("/index.html", show)
    application.router.add_get("/loading.tpl", load)


def _document() -> str:
    """The document of trame with our name, icon and first colours, and without its descriptions."""
    text = files("trame_client").joinpath("module", "vue3-www", "index.html").read_text("utf-8")
    text = re.sub(r'<meta\s+name="(?:description|keywords)".*?/>', "", text, flags=re.DOTALL)
    icon = f'<link rel="icon" href="data:image/svg+xml,{quote(ICON)}" />'
    text = re.sub(r'<link rel="icon".*?/>', icon, text, flags=re.DOTALL)
    return re.sub(r"<title>.*?</title>", f"<title>ActiveSeg</title>{_FIRST}", text)


def _html(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})
