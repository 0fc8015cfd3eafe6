"""The page: its template, its style and its script, put together of the files in ``assets``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from trame.ui.html import DivLayout

from activeseg.keys import Plane
from activeseg_web.views import SPACE, view_name

__all__ = ["asset", "build_page", "template"]

_ROUTE = "workbench"

_LOST = (
    '<div class="lost" role="alert"><p>The connection was lost. Your strokes are kept; '
    "this page comes back by itself.</p></div>"
)


@cache
def asset(name: str) -> str:
    """The text of a file in ``assets``."""
    return files("activeseg_web").joinpath("assets", name).read_text("utf-8")


def template() -> str:
    """The page as a Vue template; its names are those of the state."""
    view = asset("view.html").strip()
    parts = {
        "views": "".join(
            view.replace("NAME", name).replace("LABEL", label).replace("TITLE", title)
            for name, label, title in _views()
        ),
        "cards": asset("cards.html"),
        "tools": asset("tools.html"),
        "dialogs": asset("dialogs.html"),
    }
    page = asset("page.html")
    for name, part in parts.items():
        page = page.replace(f"<!--{name}-->", part)
    return page


def build_page(server: Any) -> None:
    """Give a trame server the page."""
    folder = files("activeseg_web").joinpath("assets")
    server.enable_module(
        {
            "serve": {_ROUTE: str(folder)},
            "styles": [f"{_ROUTE}/workbench.css"],
            "scripts": [f"{_ROUTE}/workbench.js", f"{_ROUTE}/ways.js"],
        }
    )
    server.state.trame__title = f"{server.state.project} · ActiveSeg"
    server.state.trame__template_error = _LOST
    with DivLayout(server, classes="root") as layout:
        layout.root.add_child(template())


def _views() -> list[tuple[str, str, str]]:
    """Name, spoken label (an expression of the page) and title of each view."""
    found = []
    for plane in Plane:
        name = view_name(plane)
        label = (
            f"current && current.plane === '{name}' ? 'The {name} slice to answer' "
            f": 'The {name} plane beside it'"
        )
        found.append((name, label, name.capitalize()))
    return [*found, (SPACE, "'The slice in space'", "3D")]
