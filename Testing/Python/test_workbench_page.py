"""The page, by mouse and keyboard in a real browser, on a small batch with proposals."""

from __future__ import annotations

import io
import re
import time

import numpy as np
import pytest

from activeseg.keys import Plane, SliceKey
from activeseg.project import Project
from flow_project import flow_project, proposal, shape_of, tiny_cohort
from workbench_page import Bench, browser, workbench

LIVER, SPLEEN = 1, 4
# How the page's colours differ from grey, for sampling pictures of it.
COLOURED = 25

AXIAL = [SliceKey("v00", Plane.AXIAL, index) for index in (1, 2, 3, 4, 5, 6)]
OTHERS = [
    *(SliceKey("v01", Plane.CORONAL, index) for index in range(4, 16)),
    *(SliceKey("v03", Plane.SAGITTAL, index) for index in range(4, 16)),
]


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return flow_project(tmp_path_factory.mktemp("page") / "project", keys=[*AXIAL, *OTHERS])


@pytest.fixture(scope="module")
def served(project):
    with workbench(project.folder) as served:
        yield served


@pytest.fixture(scope="module")
def bench(chromium, served):
    """One page for all tests: starting a desk takes seconds."""
    bench = Bench(chromium, served.address).open()
    bench.wait_for_slice()
    yield bench
    bench.page.context.close()


@pytest.fixture
def axial(bench, axials):
    """An axial slice that nobody has touched lies open."""
    return take_up(bench, axials.pop(0))


@pytest.fixture
def some(bench, others):
    """A slice that nobody has touched lies open."""
    return take_up(bench, others.pop(0))


@pytest.fixture(scope="module")
def axials():
    return list(AXIAL)


@pytest.fixture(scope="module")
def others():
    return list(OTHERS)


def take_up(bench, key):
    bench.page.locator(f'.row[data-key="{key}"]').click()
    bench.wait_for_slice(str(key))
    bench.page.keyboard.press("b")
    bench.page.keyboard.press("1")
    bench.page.wait_for_selector(".structure[aria-checked=true] >> text=liver")
    return key


def answer(project, key):
    """The accepted mask of a slice."""
    return project.read_annotation(Project.open(project.folder).annotations()[key])


def wait_for_draft(project, key, author="anna", differs_from=None):
    """The strokes once they are kept on disk."""
    for _ in range(150):
        kept = project.read_draft(key, author)
        if kept is not None and (
            differs_from is None or not np.array_equal(kept.mask, differs_from)
        ):
            return kept.mask
        time.sleep(0.1)
    raise AssertionError(f"no draft of {key}")


def wait_until_withdrawn(project, key):
    for _ in range(150):
        if key not in Project.open(project.folder).annotations():
            return
        time.sleep(0.1)
    raise AssertionError(f"{key} still counts")


class Picture:
    """The large view of an axial slice of v00, by voxels: rows are j, columns i."""

    def __init__(self, bench):
        self.box = bench.large()
        self.geometry = tiny_cohort().volume("v00").geometry
        columns, rows, _ = self.geometry.size
        self.scale = min(self.box["width"] / columns, self.box["height"] / rows)

    def place(self, row, column):
        """Pixels from the middle of the view to the middle of a voxel of 1 mm."""
        columns, rows, _ = self.geometry.size
        return ((column - (columns - 1) / 2) * self.scale, (row - (rows - 1) / 2) * self.scale)

    def on_page(self, row, column):
        """Pixels of the page of the middle of a voxel of 1 mm."""
        x, y = self.place(row, column)
        box = self.box
        return box["x"] + box["width"] / 2 + x, box["y"] + box["height"] / 2 + y

    def labels(self, bench):
        """What is seen at the middle of each voxel: liver, spleen or grey."""
        from matplotlib.image import imread

        colours = [
            np.array([int(n) for n in re.findall(r"\d+", text)][:3])
            for text in bench.page.locator(".swatch").evaluate_all(
                "found => found.map(one => getComputedStyle(one).backgroundColor)"
            )
        ]
        shot = imread(io.BytesIO(bench.page.screenshot(clip=self.box)))[..., :3] * 255
        columns, rows, _ = self.geometry.size
        seen = np.zeros((rows, columns), np.uint8)
        for row, column in np.ndindex(rows, columns):
            x, y = self.place(row, column)
            colour = shot[int(self.box["height"] / 2 + y), int(self.box["width"] / 2 + x)]
            if np.ptp(colour) < COLOURED:
                continue
            tint = colour - colour.mean()
            nearness = [tint @ (c - c.mean()) / np.linalg.norm(c - c.mean()) for c in colours]
            seen[row, column] = (LIVER, SPLEEN)[int(np.argmax(nearness))]
        return seen


class TestFirstView:
    def test_the_first_slice_lies_open_in_its_plane(self, bench):
        page = bench.page
        assert bench.key == str(AXIAL[0])
        assert page.title() == "project · ActiveSeg"
        assert page.locator(".row").count() == len(AXIAL) + len(OTHERS)
        assert page.locator(".slice-head h2").inner_text() == "v00"
        assert page.locator(".slice-place").inner_text() == "axial · slice 1"
        assert page.locator(".views").get_attribute("data-plane") == "axial"
        large = page.locator(".view-axial").bounding_box()
        for name in ("coronal", "sagittal", "space"):
            beside = page.locator(f".view-{name}").bounding_box()
            assert beside["width"] * 2 < large["width"]

    def test_the_proposal_is_filled_in(self, bench, axial):
        bench.page.mouse.move(5, 5)
        bench.page.get_by_label("Opacity of the fill in percent").fill("90")
        picture = Picture(bench)
        bench.page.wait_for_timeout(1000)
        assert np.array_equal(picture.labels(bench), proposal(axial))

    def test_nothing_is_cut_off(self, bench):
        for size in ((1280, 720), (1920, 1080)):
            bench.page.set_viewport_size({"width": size[0], "height": size[1]})
            cut = bench.page.evaluate(
                """() => [...document.querySelectorAll('.top, .tools, .answers, .side button')]
                    .filter(one => one.scrollWidth > one.clientWidth + 1)
                    .map(one => one.className)"""
            )
            assert cut == []
            assert bench.page.evaluate("document.documentElement.scrollHeight") == size[1]

    def test_everything_has_a_name_for_screen_readers(self, bench):
        nameless = bench.page.evaluate(
            """() => [...document.querySelectorAll('button, input')].filter(one =>
                !(one.getAttribute('aria-label') || one.innerText.trim()
                  || one.closest('label')?.innerText.trim())).map(one => one.outerHTML)"""
        )
        assert nameless == []

    @pytest.mark.parametrize("theme", ["dark", "light"])
    def test_text_can_be_read_in_both_themes(self, bench, theme):
        if bench.page.evaluate("document.documentElement.dataset.theme") != theme:
            bench.press("Light or dark")
        assert bench.page.evaluate("document.documentElement.dataset.theme") == theme
        names = ("ink", "quiet", "back", "panel", "raised", "over", "wash", "fault", "note")
        found = bench.page.evaluate(
            """names => {
                const style = getComputedStyle(document.documentElement);
                return Object.fromEntries(
                    names.map(name => [name, style.getPropertyValue('--' + name).trim()]));
            }""",
            list(names),
        )
        light = {name: luminance(colour) for name, colour in found.items()}
        for ground in ("back", "panel", "raised", "over", "wash", "fault", "note"):
            for text in ("ink", "quiet"):
                low, high = sorted((light[ground], light[text]))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)

    def test_the_theme_follows_the_system_and_is_remembered(self, bench):
        page, theme = bench.page, "document.documentElement.dataset.theme"
        page.evaluate("localStorage.clear()")
        for wanted in ("light", "dark"):
            page.emulate_media(color_scheme=wanted)
            page.reload()
            page.wait_for_selector(".bench")
            assert page.evaluate(theme) == wanted
        bench.press("Light or dark")
        page.reload()
        page.wait_for_selector(".bench")
        assert page.evaluate(theme) == "light"
        bench.press("Light or dark")


def luminance(colour):
    parts = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


class TestPainting:
    def test_what_is_painted_is_seen_and_kept_voxel_for_voxel(self, bench, project, axial):
        """The mouse, the picture and the file agree on each voxel of the slice."""
        picture = Picture(bench)
        bench.page.get_by_label("Opacity of the fill in percent").fill("90")
        bench.page.keyboard.press("2")
        bench.page.wait_for_selector(".structure[aria-checked=true] >> text=spleen")
        brush = float(bench.page.locator(".slider input").first.input_value())
        bench.stroke(picture.place(6, 9), picture.place(6, 14))
        bench.page.mouse.move(5, 5)  # the brush's ring would be seen too
        bench.page.wait_for_timeout(1000)
        seen = picture.labels(bench)

        bench.accept()
        kept = answer(project, axial)
        assert np.array_equal(kept, seen), f"\n{kept}\n{seen}"

        # The stroke as it must be: within half a brush of the mouse's way, up to a voxel.
        rows, columns = np.indices(kept.shape)
        away = np.hypot(rows - 6, columns - np.clip(columns, 9, 14))
        painted = kept == SPLEEN
        assert painted[away <= brush / 2 - 0.75].all()
        assert not painted[away > brush / 2 + 1.0].any()
        assert np.array_equal(kept[~painted], proposal(axial)[~painted])

    def test_erase_undo_and_redo(self, bench, project, axial):
        page, proposed = bench.page, proposal(axial)
        page.keyboard.press("e")
        page.wait_for_selector("[role=radio][aria-checked=true] >> text=Erase")
        picture = Picture(bench)
        bench.stroke(picture.place(8, 1), picture.place(12, 1))
        erased = wait_for_draft(project, axial)
        assert (erased <= proposed).all()
        assert erased.sum() < proposed.sum()
        page.keyboard.press("z")
        bench.wait_enabled("Undo stroke", enabled=False)
        assert np.array_equal(wait_for_draft(project, axial, differs_from=erased), proposed)
        page.keyboard.press("Control+y")
        bench.wait_enabled("Redo stroke", enabled=False)
        assert np.array_equal(wait_for_draft(project, axial, differs_from=proposed), erased)

    def test_an_outline_is_filled(self, bench, project, axial):
        """Drawn faster than the desk can follow."""
        page = bench.page
        page.keyboard.press("d")
        page.keyboard.press("2")
        page.wait_for_selector("[role=radio][aria-checked=true] >> text=Outline")
        page.wait_for_selector(".structure[aria-checked=true] >> text=spleen")
        picture = Picture(bench)
        for number, corner in enumerate([(4, 8), (4, 14), (10, 14), (10, 8)]):
            page.mouse.move(*picture.on_page(*corner), steps=4)
            if number == 0:
                page.mouse.down()
        page.mouse.up()
        bench.wait_enabled("Undo stroke")
        kept = wait_for_draft(project, axial)
        assert (kept[5:10, 9:14] == SPLEEN).all()
        assert not (kept[:3] == SPLEEN).any()

    def test_a_quick_stroke_is_painted_where_it_went(self, bench, project, axial):
        """Round three sides, in no time: the desk must not cut the corners."""
        page, proposed = bench.page, proposal(axial)
        page.keyboard.press("2")
        page.wait_for_selector(".structure[aria-checked=true] >> text=spleen")
        brush = float(page.locator(".slider input").first.input_value())
        picture = Picture(bench)
        page.mouse.move(*picture.on_page(4, 8))
        page.mouse.down()
        for corner in [(4, 14), (11, 14), (11, 8)]:
            page.mouse.move(*picture.on_page(*corner))
        page.mouse.up()
        bench.wait_enabled("Undo stroke")
        kept = wait_for_draft(project, axial)
        rows, columns = np.indices(kept.shape)
        away = np.min(
            [
                np.hypot(rows - 4, columns - np.clip(columns, 8, 14)),
                np.hypot(rows - np.clip(rows, 4, 11), columns - 14),
                np.hypot(rows - 11, columns - np.clip(columns, 8, 14)),
            ],
            axis=0,
        )
        painted = kept == SPLEEN
        assert painted[away <= brush / 2 - 0.75].all()
        assert np.array_equal(kept[away > brush / 2 + 1.0], proposed[away > brush / 2 + 1.0])

    def test_other_views_and_slices_are_only_looked_at(self, bench, axial):
        page = bench.page
        box = page.locator(".view-coronal").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 30, y)
        page.mouse.down()
        page.mouse.move(x + 30, y, steps=4)
        page.mouse.up()
        large = bench.large()
        page.mouse.move(large["x"] + large["width"] / 2, large["y"] + large["height"] / 2)
        page.mouse.wheel(0, -120)
        page.wait_for_selector(".away")
        bench.stroke(undoable=False)
        page.wait_for_timeout(1000)
        assert page.get_by_label("Undo stroke").is_disabled()
        page.keyboard.press("Home")
        page.wait_for_selector(".away", state="detached")
        bench.stroke()

    def test_brush_and_fill(self, bench):
        before = float(bench.page.locator(".slider .value").first.inner_text().split()[0])
        bench.page.keyboard.press("]")
        bench.wait(
            "([before]) => parseFloat(document.querySelector('.slider .value').innerText) > before",
            before,
        )
        bench.page.get_by_label("Opacity of the fill in percent").fill("80")
        bench.page.wait_for_selector(".slider .value >> text=80 %")


class TestAnswers:
    def test_accept_by_keyboard(self, bench, project, some):
        bench.stroke()
        bench.page.keyboard.press("Tab")  # focus on something else
        bench.page.keyboard.press("Control+Enter")
        bench.wait_for_slice(other_than=str(some))
        bench.wait_for_state(some, "accepted")
        assert answer(project, some).shape == shape_of(some)
        assert not np.array_equal(answer(project, some), proposal(some))

    def test_nothing_here(self, bench, project, some):
        bench.page.keyboard.press("n")
        bench.wait_for_slice(other_than=str(some))
        assert not answer(project, some).any()

    def test_skip_with_a_reason(self, bench, project, some):
        bench.page.keyboard.press("s")
        bench.press("Poor image quality")
        bench.wait_for_state(some, "skipped")
        (skip,) = project.skips()
        assert (skip.key, skip.author, skip.reason) == (some, "anna", "poor image quality")

    def test_back_and_undo_accept(self, bench, project, some):
        bench.stroke()
        bench.page.keyboard.press("Enter")
        bench.wait_for_slice(other_than=str(some))
        accepted = answer(project, some)
        bench.page.keyboard.press("p")
        bench.wait_for_slice(str(some))
        bench.page.keyboard.press("r")
        assert np.array_equal(wait_for_draft(project, some), accepted)
        # The strokes are kept before the answer is withdrawn, so that neither is ever lost.
        wait_until_withdrawn(project, some)

    def test_keys_in_a_dialog_are_its_own(self, bench, some):
        bench.page.keyboard.press("?")
        assert bench.page.get_by_role("dialog").is_visible()
        bench.page.keyboard.press("Enter")  # closes the list, accepts nothing
        bench.page.wait_for_selector("dialog[open]", state="detached")
        assert bench.key == str(some)


class TestKeeping:
    def test_a_reload_keeps_the_strokes(self, bench, project, some):
        bench.stroke()
        bench.page.reload()
        bench.page.wait_for_selector(".view img")
        bench.wait_for_slice(str(some))
        bench.accept()
        assert not np.array_equal(answer(project, some), proposal(some))

    def test_an_error_stays_until_it_is_closed(self, bench, some):
        bench.page.evaluate("window.trame.trigger('open', ['v00/axial/99'])")
        line = bench.page.get_by_role("alert")
        line.wait_for()
        assert line.locator(".line-text").inner_text().startswith("v00/axial/099: ")
        bench.accept()
        assert line.is_visible()
        bench.press("Close the message")
        line.wait_for(state="detached")

    def test_two_tabs_are_two_people_and_one_that_goes_leaves_a_draft(
        self, bench, chromium, served, project, some
    ):
        other = Bench(chromium, served.address).open()
        theirs = SliceKey.parse(other.wait_for_slice())
        assert theirs != some
        assert other.page.locator(".who").inner_text().split()[-1] == "anna-2"
        bench.wait_for_state(theirs, "taken")
        other.wait_for_state(some, "taken")
        assert other.page.locator(f'.row[data-key="{some}"]').is_disabled()
        other.stroke()
        other.page.context.close()
        assert other.complaints == []
        kept = wait_for_draft(project, theirs, "anna-2")
        assert not np.array_equal(kept, proposal(theirs))


def test_server_and_page_logged_no_error(bench, served):
    """Of all that was done above."""
    assert bench.complaints == []
    assert served.said == []
