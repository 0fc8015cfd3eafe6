"""A person's day in the browser: from minutes to a batch, to answers, to the next batch."""

from __future__ import annotations

import pytest

from activeseg.cohort import open_cohort
from activeseg.project import Project
from tiny_cohort import write_tiny_cohort
from workbench_page import Bench, browser, workbench

# Enough for a model that is worth nothing, in seconds.
STEPS = 4


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which nothing was asked yet."""
    folder = tmp_path_factory.mktemp("flow")
    cohort = open_cohort(write_tiny_cohort(folder / "cohort", volumes=3))
    return Project.create(folder / "project", cohort, "all", "auto", 0, "unet25d")


@pytest.fixture(scope="module")
def served(project):
    with workbench(project.folder, f"--steps={STEPS}") as served:
        yield served


@pytest.fixture(scope="module")
def bench(chromium, served):
    bench = Bench(chromium, served.address).open()
    yield bench
    bench.page.context.close()


def test_a_day(bench, project):
    """One test, as each part needs the one before."""
    page = bench.page
    page.evaluate("window.neverReloaded = true")

    # No batch yet: how many minutes?
    page.get_by_role("heading", name="How many minutes have you today?").wait_for()
    page.locator(".chip.custom input[type=number]").fill("2")
    bench.press("Suggest slices")
    page.get_by_role("progressbar").first.wait_for()
    first = bench.wait_for_slice()
    asked = [str(each.key) for each in project.latest_batch().suggestions]
    assert asked[0] == first
    assert project.latest_batch().budget_minutes == 2
    assert page.locator(".row").count() == len(asked)
    assert page.locator(".meter b").inner_text() == "0.0 of 2 min"
    page.locator(".line.note >> text=new batch").wait_for()
    bench.press("Close the notice")

    # Each slice lies open in its own plane; the last answer makes training start by itself.
    planes = set()
    for number in range(len(asked)):
        key = bench.key
        plane = page.locator(".views").get_attribute("data-plane")
        assert plane == key.split("/")[1]
        planes.add(plane)
        page.keyboard.press(str(1 + number % 2))
        bench.stroke((-20, 0), (20, 10))
        page.keyboard.press("Enter")
        bench.wait_for_state(key, "accepted")
        if number < len(asked) - 1:
            bench.wait_for_slice(other_than=key)
    assert len(planes) > 1
    accepted = Project.open(project.folder).annotations()
    assert sorted(map(str, accepted)) == sorted(asked)
    assert all(project.read_annotation(each).any() for each in accepted.values())
    assert all(each.seconds > 0 for each in accepted.values())
    page.get_by_role("heading", name="The model learns from your answers").wait_for()

    # The next batch comes without a reload, with proposals, doubts and the estimate.
    bench.wait_for_slice()
    assert page.evaluate("window.neverReloaded")
    assert project.latest_batch().round == 1
    page.locator(".line.working").wait_for(state="detached")
    assert page.locator(".figure b").first.inner_text().startswith("0.")
    asked = {str(each.key): each.reason for each in project.latest_batch().suggestions}
    assert any("expected" in reason for reason in asked.values())
    for key, reason in asked.items():  # the engine's sentence, whole
        assert page.locator(f'.row[data-key="{key}"]').get_attribute("title") == reason
    assert page.locator(".slice-why").inner_text() == asked[bench.key]
    page.keyboard.press("u")
    page.wait_for_function("() => document.querySelector('.switch input').checked")
    assert page.get_by_role("alert").count() == 0

    # Training again can be cancelled, and annotating goes on meanwhile.
    for row in list(project.latest_batch().suggestions):
        page.locator(f'.row[data-key="{row.key}"]').click()
        bench.wait_for_slice(str(row.key))
        if row == project.latest_batch().suggestions[-1]:
            break
        page.keyboard.press("Enter")
        bench.wait_for_state(row.key, "accepted")
    bench.wait_for_slice()
    page.keyboard.press("Enter")
    page.locator(".line.working").wait_for()
    bench.press("Cancel")
    page.locator(".line.working").wait_for(state="detached")
    page.get_by_role("heading", name="This batch is answered").wait_for()
    assert page.locator("svg.curve").get_attribute("aria-label").startswith("Estimated Dice")
    assert page.get_by_role("alert").count() == 0
    assert project.latest_batch().round == 1


def test_server_and_page_logged_no_error(bench, served):
    """Of all that was done above."""
    assert bench.complaints == []
    assert served.said == []
