"""Who may pass the door: checks of every request, and headers on every answer.

What protects what:

- The listening address is the machine's own unless another is asked for: nobody else reaches it.
- ``Host`` must name this machine: no DNS rebinding.
- ``Origin`` must be the address itself, and a websocket must bring one; where the browser says so
  (``Sec-Fetch-Site``), pages of other sites may do nothing but link here. So no page of another
  site can drive the workbench of a person who has both open.
- On an address that others can reach, every request must bring the token. It comes once, in the
  address that was printed, and is then kept in a cookie that scripts cannot read (HttpOnly) and
  that other sites' pages cannot make the browser send (SameSite=Strict). The connection is not
  encrypted: whoever can listen on the network can read it.
- The content policy lets the page load from and talk to this address alone, so that no data
  leaves the machine even if the page were told to send it.

On 127.0.0.1 there is no token: every account of this machine can open the workbench.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from activeseg_web.address import Address
from activeseg_web.pages import entering_page, html, refused_page

__all__ = ["gate", "protect"]

# trame compiles its templates in the browser, which takes eval and inline styles.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


async def protect(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the protecting headers on an answer; a signal of the application."""
    response.headers.update(_HEADERS)


def gate(address: Callable[[], Address]) -> Middleware:
    """A middleware that lets a request pass only if it may.

    Args:
        address: Tells the address once the port is known.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        here = address()
        problem = _stranger(request, here)
        if problem is not None:
            return html(refused_page(problem), 403)
        if here.token is not None:
            brought = request.query.get("token") if request.path == "/" else None
            if brought is not None:
                return _enter(brought, here, here.token)
            if not _same(request.cookies.get(here.cookie, ""), here.token):
                return html(refused_page(_NO_TOKEN), 401)
        return await handler(request)

    return check


_NO_TOKEN = (
    "This workbench opens with the whole address that was printed where it was started, "
    "from http:// to the end of its token."
)


def _stranger(request: web.Request, here: Address) -> str | None:
    """Why a request is not one of this address's own pages or a person's; None if it is."""
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not here.allows(hosts[0]):
        return "This name does not belong to the workbench; open the address that was printed."
    origin = request.headers.get("Origin")
    upgrading = request.headers.get("Upgrade") is not None
    if (origin is not None or upgrading) and not _is_own(origin or "", hosts[0]):
        return "Pages of another address may not use this workbench."
    site = request.headers.get("Sec-Fetch-Site", "none")
    linked = (
        request.method == "GET"
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
    )
    if site not in ("none", "same-origin") and not linked:
        return "Pages of another address may only link to this workbench."
    return None


def _is_own(origin: str, host: str) -> bool:
    """Whether an ``Origin`` is the address that the request was sent to; a proxy may add TLS."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _enter(brought: str, here: Address, token: str) -> web.StreamResponse:
    """Turn the token of the address into a cookie.

    The page then goes on by itself, without a redirect: a browser does not send a strict cookie
    along a redirect that another site's link began.
    """
    if not _same(brought, token):
        return html(refused_page(_NO_TOKEN), 403)
    response = html(entering_page(), 200)
    response.set_cookie(here.cookie, token, httponly=True, samesite="Strict", path="/")
    return response


def _same(one: str, other: str) -> bool:
    """Compare without telling by the time it takes how much agrees."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
