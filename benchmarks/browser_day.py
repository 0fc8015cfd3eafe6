"""A whole session through the browser alone: a first batch, and one after a training.

    python benchmarks/browser_day.py --images msd_hippocampus/images --structures anterior,posterior

Makes a project of the folder's first volumes in which nothing was asked yet, and starts the
workbench by its command. The rest is done by a simulated mouse on the page: the minutes, a stroke
on each slice, Accept, the wait for the training, which starts by itself, and the second batch. At
the end the project folder must hold an answer to each slice that was asked for. `--pictures DIR`
keeps screenshots of the main states.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from workbench import FLAGS, activeseg, stroke

from activeseg.project import Project

TRAINED_MS = 20 * 60_000
"""How long a training may take."""


def main() -> None:
    """Run the session and print what was done and how long it took."""
    parser = argparse.ArgumentParser(description="a whole session through the browser")
    parser.add_argument("--images", type=Path, required=True, help="a folder of volumes")
    parser.add_argument("--structures", required=True, metavar="A,B")
    parser.add_argument("--volumes", type=int, default=6)
    parser.add_argument("--minutes", type=int, default=5, help="of each batch; default: 5")
    parser.add_argument("--pictures", type=Path, metavar="DIR")
    a = parser.parse_args()
    if a.pictures is not None:
        a.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(folder) / "cohort"
        cohort.mkdir()
        images = sorted(path for path in a.images.iterdir() if path.is_file())
        for image in images[: a.volumes]:
            shutil.copy(image, cohort)
        project = Path(folder) / "project"
        activeseg("init", project, "--cohort", cohort, "--structures", a.structures)
        begun = time.monotonic()
        with served(project) as page:
            day(page, Project.open(project), a)
        check(Project.open(project))
        print(f"the whole session took {time.monotonic() - begun:.0f} s")


@contextmanager
def served(project: Path) -> Iterator[Any]:
    """The workbench of a project, for as long as this lasts.

    Yields:
        A browser's page on it.
    """
    words = [str(project), "--author", "anna", "--port", "0", "--no-browser"]
    server = subprocess.Popen(
        [sys.executable, "-m", "activeseg_web", *words], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        address = next(w for w in server.stdout.readline().split() if w.startswith("http"))
        with sync_playwright() as playwright:
            chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_context(
                viewport={"width": 1280, "height": 720}, color_scheme="dark"
            ).new_page()
            page.set_default_timeout(90_000)
            page.goto(address)
            yield page
            browser.close()
    finally:
        server.terminate()
        server.wait()


def day(page: Any, project: Project, a: argparse.Namespace) -> None:
    """Ask, answer, wait for the training, answer again."""
    page.get_by_role("heading", name="How many minutes have you today?").wait_for()
    page.locator(".chip.custom input[type=number]").fill(str(a.minutes))
    page.get_by_role("button", name="Suggest slices").click()
    for number in range(2):
        page.locator(".row.current").wait_for(timeout=TRAINED_MS)
        page.wait_for_function("() => !document.querySelector('.line.working')", timeout=60_000)
        if number and a.pictures is not None:
            page.keyboard.press("u")
            page.wait_for_timeout(2000)
            page.screenshot(path=a.pictures / "workbench.png")
        answered = answer_batch(page)
        batch = project.latest_batch()
        assert batch is not None
        print(f"batch {batch.round}: {answered} slices answered")
        if number == 0:
            page.get_by_role("heading", name="The model learns from your answers").wait_for()
    if a.pictures is not None:
        page.wait_for_timeout(2000)
        page.screenshot(path=a.pictures / "answered.png")


def answer_batch(page: Any) -> int:
    """Paint a stroke on each slice and accept it, until none is left."""
    total = page.locator(".row").count()
    for number in range(total):
        key = page.locator(".row.current").get_attribute("data-key")
        page.wait_for_timeout(500)  # a person looks first
        page.keyboard.press(str(1 + number % 2))
        stroke(page)
        page.wait_for_timeout(300)
        page.keyboard.press("Enter")
        page.wait_for_selector(f'.row.accepted[data-key="{key}"]')
        if number < total - 1:
            page.wait_for_function(
                """key => {
                    const row = document.querySelector('.row.current');
                    return row && row.dataset.key !== key;
                }""",
                arg=key,
            )
    return total


def check(project: Project) -> None:
    """Every slice that was asked for is answered, with what was painted and its seconds.

    Raises:
        AssertionError: If one is not.
    """
    batches = [files.read_batch() for files in project.rounds()]
    asked = {each.key for batch in batches if batch is not None for each in batch.suggestions}
    annotations = project.annotations()
    assert asked == set(annotations), f"not answered: {asked - set(annotations)}"
    assert len([files for files in project.rounds() if files.model.is_file()]) >= 1
    painted = sum(project.read_annotation(each).any() for each in annotations.values())
    minutes = sum(each.seconds for each in annotations.values()) / 60
    print(f"{len(annotations)} annotations on disk, {painted} of them not empty, {minutes:.1f} min")


if __name__ == "__main__":
    main()
