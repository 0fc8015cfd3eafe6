"""The report: true numbers, every slice that was asked for, and nothing from outside the page."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from html import escape
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from activeseg.cohort import Geometry, open_cohort, take_slice, write_image, write_label
from activeseg.errors import CohortError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.progress import Silent
from activeseg.project import Project, what_was_shown
from activeseg.project.predictions import Prediction
from activeseg.report import asked, thumbnails, write_report
from activeseg.report.outline import outline_path
from activeseg.report.png import grey_png, palette_png
from activeseg.report.results import number, outcome, read_arms, verdict
from activeseg.report.thumbnails import grey_window
from rounds_by_hand import batch, scores, suggestion

STRANGE = 'uncertain <b>here</b> & "there"'


# Outlines


def test_the_outline_of_a_square_runs_between_its_pixels():
    mask = np.zeros((8, 10), dtype=bool)
    mask[2:5, 3:7] = True
    assert outline_path(mask) == "M3 2H7V5H3Z"
    assert outline_path(~np.ones((3, 3), dtype=bool)) == ""
    assert outline_path(np.ones((2, 3), dtype=bool)) == "M0 0H3V2H0Z"


def test_a_hole_and_a_touching_corner_are_loops_of_their_own():
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    assert outline_path(ring) == "M0 0H3V3H0ZM1 1V2H2V1Z"
    assert outline_path(np.eye(2, dtype=bool)) == "M0 0H1V1H0ZM1 1H2V2H1Z"


def filled(path: str, shape: tuple[int, int]) -> np.ndarray:
    """The pixels inside a path of upright edges, by the even-odd rule along each row."""
    crossings = np.zeros((shape[0], shape[1] + 1), dtype=int)
    for loop in path.split("M")[1:]:
        x, y = (int(n) for n in re.match(r"(\d+) (\d+)", loop).groups())
        start = (x, y)
        moves = [(kind, int(n)) for kind, n in re.findall(r"([HV])(\d+)", loop)]
        for kind, value in [*moves, ("V", start[1])]:
            if kind == "H":
                x = value
            elif x == start[0] or kind == "V":
                crossings[min(y, value) : max(y, value), x] += 1
                y = value
    return (np.cumsum(crossings, axis=1)[:, :-1] % 2).astype(bool)


@given(arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_filling_the_outline_gives_the_mask_back(mask):
    assert np.array_equal(filled(outline_path(mask), mask.shape), mask)


# Images


def decoded(png: bytes) -> SimpleNamespace:
    """Read a PNG of 8-bit grey or palette pixels, checksums included."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        kind, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack(">I", png[place + 8 + length : place + 12 + length])
        assert checksum == zlib.crc32(kind + data)
        chunks[kind] = data
        place += 12 + length
    assert next(iter(chunks)) == b"IHDR"
    assert list(chunks)[-1] == b"IEND"
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    pixels = np.zeros((height, width), dtype=np.uint8)
    for y, row in enumerate(rows.astype(int)):
        for x in range(width):
            left = int(pixels[y, x - 1]) if x else 0
            up = int(pixels[y - 1, x]) if y else 0
            pixels[y, x] = (row[x + 1] + [0, left, up, (left + up) // 2][row[0]]) % 256
    return SimpleNamespace(pixels=pixels, colour=colour, chunks=chunks)


@given(arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_a_grey_image_is_read_back_as_it_was(pixels):
    image = decoded(grey_png(pixels))
    assert image.colour == 0
    assert np.array_equal(image.pixels, pixels)


def test_a_palette_keeps_colours_and_opacity():
    colours = np.array([[1, 2, 3, 0], [4, 5, 6, 200]], dtype=np.uint8)
    image = decoded(palette_png(np.array([[0, 1, 1]], dtype=np.uint8), colours))
    assert image.colour == 3
    assert image.pixels.tolist() == [[0, 1, 1]]
    assert image.chunks[b"PLTE"] == bytes([1, 2, 3, 4, 5, 6])
    assert image.chunks[b"tRNS"] == bytes([0, 200])


def test_the_grey_window_follows_the_modality():
    image = np.arange(1001, dtype=np.float32).reshape(1, 7, 143)
    assert grey_window(image, "ct") == (-160, 240)
    assert grey_window(image, "ct-offset") == (864, 1264)
    assert grey_window(image, "mr") == pytest.approx((10, 995))


# The numbers in words


def point(number, minutes, dice, estimated=None, **more):
    return {
        "round": number,
        "minutes": minutes,
        "slices": 5 * (number + 1),
        "dice": dice,
        "estimated_dice": estimated,
        "hd95": None,
        **more,
    }


def arms_of(**ends):
    """Arms that end after so many minutes at such a Dice, from one seed or several."""
    data = {
        name: {"seeds": [{"seed": n, "curve": [point(0, *each)]} for n, each in enumerate(seeds)]}
        for name, seeds in ends.items()
    }
    return read_arms({"arms": data})


def test_the_outcome_says_who_is_ahead_and_who_is_behind():
    ahead = arms_of(random=[(15.9, 0.768)], activeseg=[(16.2, 0.812)])
    assert [arm.name for arm in ahead] == ["activeseg", "random"]
    assert (
        outcome(ahead) == "After 16 minutes of simulated annotation: activeseg 0.81, random 0.77."
    )
    assert verdict(ahead).startswith("activeseg ends 0.04 Dice ahead of random.")
    assert "single run" in verdict(ahead)
    behind = arms_of(activeseg=[(16, 0.70)], random=[(16, 0.75)])
    assert verdict(behind).startswith("activeseg ends 0.05 Dice behind random.")
    level = arms_of(activeseg=[(16, 0.701)], random=[(16, 0.699)])
    assert verdict(level).startswith("activeseg and random end level.")


def test_the_outcome_says_so_where_minutes_differ_or_are_missing():
    arms = arms_of(activeseg=[(20, 0.8)], random=[(16, 0.7)])
    expected = "Simulated annotation: activeseg 0.80 after 20.0 minutes, "
    assert outcome(arms) == expected + "random 0.70 after 16.0 minutes."
    assert "Their minutes differ" in verdict(arms)
    assert outcome(arms_of(activeseg=[(4, None)])) == "No arm was measured on test volumes."
    assert verdict(arms_of(activeseg=[(4, 0.5)])) == ""
    assert verdict(arms_of(activeseg=[(4, None)], random=[(4, 0.5)])) == ""


def test_the_rival_is_the_best_of_the_others():
    arms = arms_of(activeseg=[(8, 0.7)], random=[(8, 0.5)], strided=[(8, 0.72)])
    assert verdict(arms).startswith("activeseg ends 0.02 Dice behind strided.")


def test_seeds_are_averaged_and_a_missing_value_stays_missing():
    (arm,) = arms_of(random=[(4, 0.4), (6, 0.6)])
    assert (arm.points[0].minutes, arm.points[0].dice) == (5, pytest.approx(0.5))
    assert [curve[0].dice for curve in arm.seeds] == [0.4, 0.6]
    (arm,) = arms_of(random=[(4, 0.4), (6, None)])
    assert arm.points[0].dice is None
    seeds = [{"seed": n, "curve": [], "m90": m, "aubc": 0.5} for n, m in enumerate((3.0, None))]
    (arm,) = read_arms({"arms": {"random": {"seeds": seeds}}})
    assert arm.measures == {"m90": None, "aubc": 0.5}
    assert "Mean of 2 seeds" in verdict(
        arms_of(activeseg=[(4, 0.4), (4, 0.5)], random=[(4, 0.4), (4, 0.5)])
    )


def test_numbers_for_people():
    assert [number(0.666), number(12.34, 1), number(None)] == ["0.67", "12.3", "–"]


# A whole page

# Sagittal slices whose axes i, j, k lead to S, A, L: pictures are transposed and turned round.
GEOMETRY = Geometry((6, 5, 4), (1.0, 2.0, 3.0), (0, 0, 0), (0, 0, 1, 0, -1, 0, 1, 0, 0))


@pytest.fixture
def cohort(tmp_path):
    """Two CT volumes; in each a liver of 2 x 3 x 3 voxels, and one spleen voxel."""
    root = tmp_path / "cohort"
    for name in ("images", "labels"):
        (root / name).mkdir(parents=True)
    rng = np.random.default_rng(5)
    for case in ("case_a", "case_b"):
        image = rng.integers(-1000, 400, GEOMETRY.shape).astype(np.int16)
        image.flat[:3] = -1000, 240, 40
        label = np.zeros(GEOMETRY.shape, dtype=np.uint8)
        label[1:3, 0:3, 2:5] = 1
        label[1, 0, 0] = 2
        write_image(root / "images" / f"{case}.nii.gz", image, GEOMETRY)
        write_label(root / "labels" / f"{case}.nii.gz", label, GEOMETRY)
    return open_cohort(root, ["liver", "spleen"])


def key(case, index):
    return SliceKey(case, Plane.SAGITTAL, index)


def predict(project, files, volume):
    """A prediction that misses the spleen and a third of the liver, and is torn at one voxel."""
    labels = np.where(project.cohort.read_label(volume) == 1, 1, 0).astype(np.uint8)
    labels[:, 2] = 0
    entropy = np.zeros(GEOMETRY.shape, dtype=np.float32)
    entropy[1, 3, 3] = np.log(2)
    Prediction(labels, entropy, scores("sagittal", [1])).write(files, volume, "checksum")
    return labels


def ask(project, number, keys, reason, answer=True):
    """One round, asked and answered with the truth; round 0 has no model."""
    files = project.round(number).make()
    if number:
        volumes = {volume: predict(project, files, volume) for volume in {k.volume for k in keys}}
        files.write_proposals(
            {k: take_slice(volumes[k.volume], GEOMETRY, k.plane, k.index) for k in keys}
        )
    suggestions = [
        suggestion(k, rank, dice=0.71 if number else None, reason=reason)
        for rank, k in enumerate(keys, 1)
    ]
    files.write_batch(batch(number, suggestions))
    for k in keys if answer else ():
        truth = take_slice(project.cohort.read_label(k.volume), GEOMETRY, k.plane, k.index)
        project.accept(k, truth, "oracle", 87.0, what_was_shown(project, k, truth))


@pytest.fixture
def projects(tmp_path, cohort):
    made = {}
    for arm in ("activeseg", "random"):
        made[arm] = Project.create(tmp_path / arm, cohort, "sagittal", arm, 3, "scratch")
        ask(made[arm], 0, [key("case_b", 0), key("case_a", 1)], STRANGE)
        ask(made[arm], 1, [key("case_a", 2), key("case_b", 3)], f"{arm} wants it")
    return made


def result(**changes):
    structures = {"structures": {"liver": 0.9123, "spleen": None}}
    curves = {
        "activeseg": [point(0, 4.04, 0.5214, 0.6, **structures), point(1, 8.1, 0.8127, 0.7899)],
        "random": [point(0, 3.96, 0.5, None), point(1, 8.2, 0.7731, 0.801)],
    }
    arms = {
        name: {"seeds": [{"seed": 3, "curve": curve, "m90": 7.5, "m95": None}]}
        for name, curve in curves.items()
    }
    plain = {
        "cohort": "/home/someone/phantom <1>",
        "full_minutes": 312.0,
        "full_dice": 0.856,
        "arms": arms,
        "pool": 2,
        "test": 1,
        "structures": ["liver", "spleen"],
        "batch_minutes": 4.0,
        "modality": "ct",
    }
    return plain | changes


class Page(HTMLParser):
    """Elements, text and tables of a page."""

    VOID = ("meta", "img", "input", "link", "br", "wbr", "col")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.declaration = ""
        self.feed(text)
        self.close()

    def handle_decl(self, decl):
        self.declaration = decl

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag != "colgroup":  # closed by what follows it
            while self.open[-1] == "colgroup":
                self.open.pop()
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def all(self, tag, **wanted):
        wanted = {name.rstrip("_"): value for name, value in wanted.items()}
        return [a for t, a in self.elements if t == tag and wanted.items() <= a.items()]

    def words(self):
        return " ".join("".join(self.text).split())


@pytest.fixture
def write(tmp_path, projects):
    def write_page(**changes) -> tuple[str, Page]:
        file = tmp_path / "report.html"
        write_report(file, result(**changes), projects, Silent())
        text = file.read_text("utf-8")
        return text, Page(text)

    return write_page


def test_the_page_is_whole_and_loads_nothing(write):
    text, page = write()
    assert page.declaration == "DOCTYPE html"
    assert page.open == []
    assert not page.all("link")
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            if name in ("src", "srcset", "data", "poster", "action"):
                assert value.startswith("data:image/png;base64,"), (tag, value)
            if name in ("href", "xlink:href"):
                assert value.startswith("#"), (tag, value)
            if name.startswith("on"):
                raise AssertionError(f"{tag} has {name}")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = (a for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'; img-src data:;")
    # The addresses that name XML's namespaces are no resources.
    assert set(re.findall(r"https?://[^\s\"'<>]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_no_id_is_there_twice_and_each_reference_has_its_target(write):
    text, page = write()
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = re.findall(r"url\(#([^)]+)\)", text)
    for _, attributes in page.elements:
        references += [attributes[n][1:] for n in ("href", "xlink:href") if n in attributes]
        references += attributes.get("aria-labelledby", "").split()
    assert references
    assert set(references) <= set(ids)


def test_it_is_legible_in_both_themes_and_without_seeing(write):
    text, page = write()
    assert "@media (prefers-color-scheme: dark)" in text
    assert ':root[data-theme="dark"]' in text
    used = set(re.findall(r"var\((--[\w-]+)", text))
    assert {"--ink", "--paper", "--arm-1", "--arm-2", "--truth-1"} <= used
    set_in_script = {"--aspect"}
    assert used - set_in_script <= set(re.findall(r"(--[\w-]+):", text))
    # matplotlib's stand-in colours have all been replaced.
    assert not re.search(r"#fe0[01]", text)
    assert page.all("html", lang="en")
    assert len(page.all("main")) == len(page.all("h1")) == 1
    assert all("alt" in image for image in page.all("img"))
    assert all(image["alt"] for image in page.all("img") if image.get("class") != "entropy")
    (toggle,) = page.all("button", id="theme")
    assert toggle["aria-pressed"] == "false"
    boxes = {box["data-layer"] for box in page.all("input", type="checkbox")}
    assert boxes == {"entropy", "proposal", "truth"}


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio of two colours ``#rrggbb``."""

    def luminance(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_has_enough_contrast_in_both_themes(write):
    text, _ = write()
    blocks = re.findall(r"{([^{}]*--paper:[^{}]*)}", text)
    assert len(blocks) == 3
    for block in blocks:
        colours = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block))
        for name in ("--ink", "--muted", "--accent", *(f"--arm-{n}" for n in range(1, 7))):
            assert contrast(colours[name], colours["--paper"]) >= 4.5, (name, colours[name])


def test_the_headline_and_what_was_run(write):
    text, page = write()
    words = page.words()
    assert "After 8 minutes of simulated annotation: activeseg 0.81, random 0.77." in words
    assert "activeseg ends 0.04 Dice ahead of random." in words
    assert "Cohortphantom <1>Modality" in words
    assert "someone" not in text
    assert "phantom <1>" not in text
    assert "2 in the pool and 1 in the test set" in words
    assert "liver, spleen" in words


def test_the_numbers_of_the_curve_are_in_the_table(write):
    _, page = write()
    assert ["0", "4.0", "5", "0.600", "0.521", "4.0", "5", "–", "0.500"] in page.rows
    assert ["1", "8.1", "10", "0.790", "0.813", "8.2", "10", "0.801", "0.773"] in page.rows
    assert ["0", "0.912", "–", "–", "–"] in page.rows
    assert ["Minutes to 90 % of full Dice", "7.5", "7.5"] in page.rows
    assert not any(row[:1] == ["Minutes to 95 % of full Dice"] for row in page.rows)


def test_the_curve_is_drawn_with_its_text_as_text(write):
    text, page = write()
    drawings = page.all("svg", role="img")
    assert len(drawings) == 2
    for drawing in drawings:
        assert "activeseg: 0.52 at 4 minutes, 0.81 at 8 minutes." in drawing["aria-label"]
    assert text.count("whole pool annotated: 0.86 after 312 minutes") == 2
    assert text.count(">Minutes of simulated annotation</text>") == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"full_dice": None, "full_minutes": None}, 0),
        ({"full_minutes": None}, 2),
    ],
)
def test_a_full_dice_that_nobody_measured_is_left_out(write, changes, said):
    text, _ = write(**changes)
    assert text.count("whole pool annotated: 0.86") == said
    assert "after 312 minutes" not in text
    assert "None" not in text


def test_only_what_a_result_must_hold_is_needed(tmp_path):
    arms = {"random": {"seeds": [{"seed": 0, "curve": []}]}}
    bare = {"cohort": "c", "full_minutes": None, "full_dice": None, "arms": arms}
    write_report(tmp_path / "report.html", bare, {}, Silent())
    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert "No arm was measured on test volumes." in page.words()
    assert not page.all("li", class_="card")


def test_every_suggestion_has_a_card_with_its_reason_escaped(write):
    text, page = write()
    cards = [card["data-key"] for card in page.all("li", class_="card")]
    asked_for = ["case_b/sagittal/000", "case_a/sagittal/001"]
    asked_for += ["case_a/sagittal/002", "case_b/sagittal/003"]
    assert cards == asked_for * 2
    assert all(each in page.words() for each in asked_for)
    assert STRANGE not in text
    assert text.count(escape(STRANGE)) == 4
    assert page.words().count(STRANGE) == 4
    assert text.count("activeseg wants it") == text.count("random wants it") == 2
    folded = text[text.index("<details>") :]
    assert "random wants it" in folded
    assert "activeseg wants it" not in folded


def test_a_card_says_what_was_expected_and_what_came(write):
    text, page = write()
    # Round 0: blank, 1.25 minutes expected and 87 s taken, no Dice at all.
    card = text[text.index('data-key="case_a/sagittal/001"') :]
    card = card[: card.index("</li>")]
    assert "blank" in card
    assert '<th scope="row">Minutes</th><td>1.25</td><td>1.45</td>' in card
    assert "Dice" not in card
    assert 'class="entropy"' not in card
    # Round 1: 6 of 9 liver voxels proposed, 2 * 6 / (6 + 9) = 0.8; no spleen there.
    card = text[text.index('data-key="case_a/sagittal/002"') :]
    card = card[: card.index("</li>")]
    assert "blank" not in card
    assert '<th scope="row">Dice</th><td>0.71</td><td>0.80</td>' in card
    # A slice without anything, proposed as such.
    card = text[text.index('data-key="case_b/sagittal/003"') :]
    assert "nothing there, nothing proposed" in card[: card.index("</li>")]
    assert page.words().count("No model yet") == 2


def test_pictures_are_turned_for_the_eye_and_keep_their_size(write):
    """Rows are i turned round (superior to inferior), columns j (anterior to posterior)."""
    text, _ = write()
    card = Page(
        text[text.index('<li class="card" data-key="case_a/sagittal/002"') :].split("</li>")[0]
    )
    grey, entropy = (
        decoded(base64.b64decode(image["src"].partition(",")[2])) for image in card.all("img")
    )
    assert grey.pixels.shape == entropy.pixels.shape == (6, 5)
    assert card.all("svg")[0]["viewbox"] == "0 0 5 6"
    # 5 voxels of 2 mm to 6 of 1 mm.
    assert "--aspect: 1.6667" in text
    paths = {path["class"]: path["d"] for path in card.all("path")}
    assert paths == {"truth s1": "M2 1H5V4H2Z", "proposal s1": "M3 1H5V4H3Z"}


def test_grey_values_and_uncertainty_are_where_they_belong(tmp_path, cohort):
    project = Project.create(tmp_path / "activeseg", cohort, "sagittal", "random", 3, "scratch")
    ask(project, 0, [key("case_a", 0)], "why")
    ask(project, 1, [key("case_a", 1)], "why", answer=False)
    write_report(tmp_path / "r.html", result(), {"only": project}, Silent())
    text = (tmp_path / "r.html").read_text("utf-8")
    page = Page(text)
    first, second, entropy = (
        decoded(base64.b64decode(image["src"].partition(",")[2])) for image in page.all("img")
    )
    # -1000 HU is black, 240 white, 40 in the middle (to one of 64 steps).
    assert first.pixels[5:3:-1, 4].tolist() == [0, 255]
    assert abs(int(first.pixels[3, 4]) - 127.5) <= 4
    assert second.pixels.shape == (6, 5)
    torn = np.argwhere(entropy.pixels)
    assert torn.tolist() == [[2, 1]]
    opacity = entropy.chunks[b"tRNS"]
    assert opacity[0] == 0
    assert opacity[entropy.pixels[2, 1]] == max(opacity) > 100
    assert "not answered" in text
    assert "What only asked for" in page.words()


def test_a_large_slice_is_drawn_smaller(write, monkeypatch):
    """Blocks of 2 x 2 voxels, the last column alone; outlines still count voxels."""
    monkeypatch.setattr(thumbnails, "LARGEST_SIDE", 3)
    text, page = write()
    image = page.all("img")[0]
    assert decoded(base64.b64decode(image["src"].partition(",")[2])).pixels.shape == (3, 3)
    assert "M2 1H5V4H2Z" in text


def test_what_has_no_room_is_counted(write, monkeypatch):
    monkeypatch.setattr(asked, "CARDS_A_ROUND", 1)
    _, page = write()
    assert len(page.all("li", class_="card")) == 4
    assert page.words().count("1 more of this round are not shown here.") == 4
    monkeypatch.setattr(asked, "CARDS_A_ROUND", 24)
    monkeypatch.setattr(asked, "CARDS_IN_ALL", 8)
    _, page = write()
    assert len(page.all("li", class_="card")) == 8


def test_each_volume_is_read_once_for_all_arms_and_rounds(tmp_path, projects, monkeypatch):
    read = []
    kind = type(projects["random"].cohort)
    for name in ("read_image", "read_label"):
        monkeypatch.setattr(kind, name, counted(getattr(kind, name), name, read))
    write_report(tmp_path / "report.html", result(), projects, Silent())
    expected = [(n, v) for n in ("read_image", "read_label") for v in ("case_a", "case_b")]
    assert sorted(read) == expected


def counted(function, name, calls):
    def call(cohort, volume):
        calls.append((name, volume))
        return function(cohort, volume)

    return call


def test_the_same_run_gives_the_same_page(write):
    assert write()[0] == write()[0]


def test_what_is_missing_is_said_in_one_line(tmp_path, projects, cohort):
    with pytest.raises(ProjectError, match="the report cannot be written"):
        write_report(tmp_path / "no" / "report.html", result(), projects, Silent())
    cohort.volume("case_b").label.unlink()
    with pytest.raises(CohortError, match="case_b"):
        write_report(tmp_path / "report.html", result(), projects, Silent())
    assert not (tmp_path / "report.html").exists()
