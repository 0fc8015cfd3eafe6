"""A workbench in a browser for tests: a door with its desks, and Chromium that looks at it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

pytest.importorskip("slicer", reason="needs slicer-core (pip install trame-slicer)")
pytest.importorskip("trame_slicer", reason="needs trame-slicer (pip install trame-slicer)")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

ROOT = Path(__file__).resolve().parents[2]
WAIT_MS = 90_000


def chromium() -> str | None:
    """The browser: `$CHROMIUM`, or the system's."""
    return (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )


if chromium() is None:
    pytest.skip("needs chromium (apt-get install chromium, or $CHROMIUM)", allow_module_level=True)

from activeseg_web import process  # noqa: E402
from activeseg_web.door import Door  # noqa: E402

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


@dataclass
class Served:
    """A workbench that runs: its address, and what its desks write to standard error."""

    address: str = ""
    said: list[str] = field(default_factory=list)

    def write(self, text: str) -> None:
        if text.strip():
            self.said.append(text)

    def flush(self) -> None:
        pass


@contextmanager
def workbench(project: Path, *options: str) -> Iterator[Served]:
    """Serve a project to `anna` (and anna-2, ...).

    Args:
        project: The project's folder.
        options: More words for each desk.
    """
    served = Served()
    paths = [ROOT / "ActiveSeg" / "Logic", ROOT / "ActiveSeg" / "Widgets"]
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait_for(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    def command(name: str) -> list[str]:
        desk = [sys.executable, "-m", "activeseg_web.desk", str(project), f"--author={name}"]
        return [*desk, *options]

    async def made() -> Door:
        return Door(command, "anna")

    door = wait_for(made())
    # The door passes on what desks say to its own standard error, which is heard here.
    heard = patch.object(process, "sys", SimpleNamespace(stderr=served, platform=sys.platform))
    try:
        with heard:
            served.address = wait_for(door.open("127.0.0.1", 0)).url
            yield served
    finally:
        wait_for(door.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextmanager
def browser() -> Iterator:
    """A headless Chromium."""
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=chromium(), args=FLAGS, handle_sigint=False
        )
        try:
            yield opened
        finally:
            opened.close()


class Bench:
    """A page of the workbench, as a person uses it.

    Attributes:
        page: Playwright's page.
        complaints: What the page's console and the network complained of.
    """

    def __init__(self, browser, address: str, **context) -> None:
        self.address = address
        settings = {"viewport": {"width": 1280, "height": 720}, "color_scheme": "dark", **context}
        self.page = browser.new_context(**settings).new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{error} {error.stack}"))
        self.page.on("response", self._check)
        self.page.on("request", self._check_address)

    def _hear(self, message) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _check(self, response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def _check_address(self, request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.complaints.append(f"asked elsewhere: {request.url}")

    def open(self) -> Bench:
        """Go to the page and wait for its first picture."""
        self.page.goto(self.address)
        self.page.wait_for_selector(".bench")
        self.page.wait_for_selector(".view img")
        return self

    def wait(self, condition: str, *arguments) -> None:
        """Wait until an expression of JavaScript holds."""
        self.page.wait_for_function(condition, arg=list(arguments) or None)

    @property
    def key(self) -> str | None:
        """The slice on the desk."""
        row = self.page.locator(".row.current")
        return row.get_attribute("data-key") if row.count() else None

    def wait_for_slice(self, key: str | None = None, other_than: str | None = None) -> str:
        """Wait until a slice, this one or another than one, is on the desk."""
        self.wait(
            """([key, other]) => {
                const row = document.querySelector('.row.current');
                const head = document.querySelector('.slice-head h2');
                return row && head && (!key || row.dataset.key === key)
                    && row.dataset.key !== other;
            }""",
            key,
            other_than,
        )
        return self.key

    def wait_for_state(self, key, state: str) -> None:
        """Wait until the worklist says this of a slice."""
        self.page.wait_for_selector(f'.row.{state}[data-key="{key}"]')

    def wait_enabled(self, label: str, enabled: bool = True) -> None:
        """Wait until a button can be pressed, or cannot."""
        self.wait(
            """([label, enabled]) =>
                document.querySelector(`[aria-label="${label}"]`).disabled !== enabled""",
            label,
            enabled,
        )

    def accept(self) -> None:
        """Press Accept and wait for another slice."""
        key = self.key
        self.page.locator("button.accept").click()
        self.wait_for_slice(other_than=key)

    def press(self, name: str) -> None:
        """Press the button with this name."""
        self.page.get_by_role("button", name=name).click()

    def large(self) -> dict[str, float]:
        """Where the large view is on the page; waits until its picture has that size."""
        self.wait(
            """() => {
                const views = document.querySelector('.views');
                const view = views.querySelector(`[data-view=${views.dataset.plane}]`);
                const image = view.querySelector('img');
                const box = view.getBoundingClientRect();
                return image && Math.abs(image.naturalWidth - box.width) <= 1
                    && Math.abs(image.naturalHeight - box.height) <= 1;
            }"""
        )
        plane = self.page.locator(".views").get_attribute("data-plane")
        return self.page.locator(f".view-{plane}").bounding_box()

    def stroke(self, begin=(0.0, 0.0), end=(40.0, 0.0), undoable: bool = True) -> None:
        """Draw with the mouse, in pixels from the middle of the large view; wait until done."""
        box = self.large()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        mouse = self.page.mouse
        mouse.move(x + begin[0], y + begin[1])
        mouse.down()
        mouse.move(x + end[0], y + end[1], steps=6)
        mouse.up()
        if undoable:
            self.wait_enabled("Undo stroke")
