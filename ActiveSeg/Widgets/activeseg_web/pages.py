"""The door's own small pages, each whole in itself: nothing else is loaded."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from aiohttp import web

__all__ = ["ICON", "entering_page", "html", "problem_page", "refused_page", "waiting_page"]

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#12606b"/>'
    '<path d="M7 11h18M7 16h18M7 21h18" stroke="#8fd0d6" stroke-width="2"/>'
    '<path d="M9 16h14" stroke="#ffc94d" stroke-width="5" stroke-linecap="round"/></svg>'
)
"""The workbench's icon: a stack of slices, one of them marked."""

_ICON_ADDRESS = f"data:image/svg+xml,{quote(ICON)}"

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-content:center;justify-items:center;"
    "gap:.75rem;font:1.1rem/1.5 system-ui,sans-serif;background:#f5f7f8;color:#16292d}"
    "h1{font-size:1.3rem;font-weight:600;margin:0}p{margin:0;max-width:34rem;padding:0 1rem;"
    "text-align:center;overflow-wrap:anywhere}img{width:4rem}a{color:#0d5661}"
    "@media(prefers-color-scheme:dark){body{background:#14191b;color:#e4ecee}a{color:#7fd3dd}}"
)


def html(page: str, status: int) -> web.Response:
    """An answer that holds a page and is kept nowhere."""
    return web.Response(
        text=page, status=status, content_type="text/html", headers={"Cache-Control": "no-store"}
    )


def waiting_page(name: str) -> str:
    """Shown while a desk starts; the browser asks again a second after it has it whole."""
    return _page(
        "Laying out your desk",
        f"<p>{escape(name)}, the workbench opens in a few seconds.</p>",
        '<meta http-equiv="refresh" content="1">',
    )


def problem_page(message: str) -> str:
    """Shown when a desk could not start; a link tries again."""
    return _page(
        "The desk could not be opened",
        f'<p role="alert">{escape(message)}</p><p><a href=".">Try again</a></p>',
    )


def refused_page(message: str) -> str:
    """Shown to whoever may not pass."""
    return _page("Not from here", f'<p role="alert">{escape(message)}</p>')


def entering_page() -> str:
    """Shown for a moment when the token has been kept; goes on to the workbench."""
    return _page(
        "Welcome",
        '<p><a href="/">Open the workbench</a></p>',
        '<meta http-equiv="refresh" content="0;url=/">',
    )


def _page(title: str, body: str, head: str = "") -> str:
    """One page.

    Args:
        title: Its heading.
        body: HTML below the heading.
        head: HTML for the head.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="{_ICON_ADDRESS}">{head}'
        f"<title>ActiveSeg: {escape(title)}</title><style>{_STYLE}</style></head>"
        f'<body><img src="{_ICON_ADDRESS}" alt=""><h1>{escape(title)}</h1>{body}</body></html>'
    )
