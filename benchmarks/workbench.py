"""How quick the browser workbench is, with a simulated mouse in a real browser.

    python benchmarks/workbench.py --images DIR [--volumes 6] [--slices 50] [--structures A,B]

Makes a project of the folder's first volumes, starts the workbench by its command, paints a
stroke on each slice and accepts it. Printed:

- time to the first view: from the command to the first picture of the slice in the browser;
- accept to next: from the click on Accept to the picture of the next slice, its own plane and
  size, in the browser;
- memory: what the desk's process holds after the last slice, less what it held after the fifth.

Needs playwright and Chromium (`$CHROMIUM` or the system's), and Linux for the memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
SETTLED = 5
"""Slices after which everything that is loaded once is loaded."""

TIMED = 20
"""Slices of which the median is told."""

# Accepts, and tells the milliseconds until the picture of the next slice fills the large view.
ACCEPT = """() => new Promise(resolve => {
    const large = () => {
        const views = document.querySelector('.views');
        return views.querySelector(`[data-view=${views.dataset.plane}]`);
    };
    const key = () => document.querySelector('.row.current')?.dataset.key;
    const before = key();
    let source = null;
    const began = performance.now();
    document.querySelector('button.accept').click();
    const look = () => {
        if (document.querySelector('.card-over')) return resolve(null);
        const image = large().querySelector('img'), box = large().getBoundingClientRect();
        if (key() && key() !== before) {
            source ??= image?.src ?? '';
            const fits = image && Math.abs(image.naturalWidth - box.width) <= 1
                && Math.abs(image.naturalHeight - box.height) <= 1;
            if (fits && image.complete && image.src !== source) {
                return resolve(performance.now() - began);
            }
        }
        requestAnimationFrame(look);
    };
    look();
})"""


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description="how quick the browser workbench is")
    parser.add_argument("--images", type=Path, required=True, help="a folder of volumes")
    parser.add_argument("--volumes", type=int, default=6)
    parser.add_argument("--slices", type=int, default=50)
    parser.add_argument("--structures", default="anterior,posterior")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder), arguments)
        first, times, grown = session(project, arguments.slices)
    timed = times[:TIMED]
    print(f"{'what':<44} {'measured':>10} {'aim':>10}")
    print(f"{'time to the first view':<44} {first:>8.1f} s {'15 s':>10}")
    median = statistics.median(timed)
    print(f"{f'accept to next, median of {len(timed)}':<44} {median:>8.2f} s {'0.5 s':>10}")
    print(f"{f'accept to next, slowest of {len(timed)}':<44} {max(timed):>8.2f} s")
    grew = f"memory, growth over {len(times) - SETTLED} slices"
    print(f"{grew:<44} {grown:>7.0f} MB {'100 MB':>10}")


def make_project(folder: Path, arguments: argparse.Namespace) -> Path:
    """A project of the first volumes with a one-shot batch of at least so many slices."""
    cohort = folder / "cohort"
    cohort.mkdir()
    images = sorted(path for path in arguments.images.iterdir() if path.is_file())
    for image in images[: arguments.volumes]:
        shutil.copy(image, cohort)
    project = folder / "project"
    activeseg("init", project, "--cohort", cohort, "--structures", arguments.structures)
    activeseg("suggest", project, "--minutes", arguments.slices, "--progress", "none")
    return project


def activeseg(*words: object) -> None:
    """Run the command line."""
    command = [sys.executable, "-m", "activeseg", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def session(project: Path, slices: int) -> tuple[float, list[float], float]:
    """Answer slices in the browser.

    Returns:
        Seconds to the first view, seconds from each Accept to the next slice, and the desk's
        growth in megabytes.
    """
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        began = time.monotonic()
        words = [str(project), "--author", "bench", "--port", "0", "--no-browser"]
        server = subprocess.Popen(
            [sys.executable, "-m", "activeseg_web", *words], stdout=subprocess.PIPE, text=True
        )
        try:
            address = next(
                word for word in server.stdout.readline().split() if word.startswith("http")
            )
            page.goto(address)
            page.wait_for_selector(".slice-head h2", timeout=60_000)
            page.wait_for_function(
                "() => [...document.querySelectorAll('.view img')].some(one => one.naturalWidth)"
            )
            first = time.monotonic() - began
            times, grown = answer(page, project, slices)
        finally:
            server.terminate()
            server.wait()
            browser.close()
    return first, times, grown


def answer(page: Any, project: Path, slices: int) -> tuple[list[float], float]:
    """Paint on each slice and accept it."""
    times: list[float] = []
    held = 0.0
    for _ in range(slices + SETTLED):
        page.wait_for_timeout(600)  # a person looks first
        stroke(page)
        page.wait_for_timeout(600)
        taken = page.evaluate(ACCEPT)
        if taken is None:  # the batch is answered
            break
        times.append(taken / 1000)
        if len(times) == SETTLED:
            held = megabytes(project)
    return times, megabytes(project) - held


def stroke(page: Any) -> None:
    """Paint across the middle of the large view."""
    plane = page.locator(".views").get_attribute("data-plane")
    box = page.locator(f".view-{plane}").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 20, y)
    page.mouse.down()
    page.mouse.move(x + 20, y + 10, steps=4)
    page.mouse.up()


def megabytes(project: Path) -> float:
    """What the process of the project's desk holds in memory."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            status = (entry / "status").read_text()
        except OSError:  # it has ended meanwhile
            continue
        if {b"activeseg_web.desk", str(project).encode()} <= set(command):
            line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
            return int(line.split()[1]) / 1024
    raise RuntimeError("no desk is running")


if __name__ == "__main__":
    main()
