"""The simulated clinician: its seconds by hand, its noise, and that it answers as people do."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest

from activeseg import oracle as oracle_module
from activeseg.cohort import Cohort, Geometry, open_cohort, take_slice
from activeseg.cohort.images import write_image, write_label
from activeseg.errors import CohortError
from activeseg.keys import Plane, SliceKey
from activeseg.oracle import Oracle
from activeseg.progress import JsonProgress, Silent
from activeseg.project import Project
from rounds_by_hand import WORK, batch, suggestion
from small_cohort import IDENTITY

SILENT = Silent()
GEOMETRY = Geometry((12, 10, 5), (1.0, 1.0, 4.0), (0.0, 0.0, 0.0), IDENTITY)
VALUES = {"liver": 1, "spleen": 4}
CORNERS = 4 * math.sqrt(0.5)
"""What the four cut corners of a rectangle's contour add, in mm."""


def label():
    """Axial slice 1 shows a liver of 4 x 6 pixels, slice 3 that and a spleen of 2 x 2."""
    found = np.zeros(GEOMETRY.shape, np.uint8)
    found[1, 2:6, 3:9] = 1
    found[3, 2:6, 3:9] = 1
    found[3, 7:9, 3:5] = 4
    return found


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cohort")
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for volume in ("a", "b", "c"):
        write_image(folder / f"images/{volume}.nrrd", label().astype(np.int16), GEOMETRY)
        write_label(folder / f"labels/{volume}.nrrd", label(), GEOMETRY)
    described = {"channel_names": {"0": "CT"}, "labels": {"background": 0} | VALUES}
    (folder / "dataset.json").write_text(json.dumps(described))
    return open_cohort(folder)


def key(volume, index):
    return SliceKey(volume, Plane.AXIAL, index)


def asked(folder, cohort, keys, proposals=(), audits=()):
    """A project that waits for some slices in this order."""
    project = Project.create(folder, cohort, "axial", "random", 0, "unet25d")
    entries = [
        suggestion(k, n, dice=0.5, minutes=1.5, audit=k in audits) for n, k in enumerate(keys, 1)
    ]
    files = project.round(1)
    files.write_proposals(dict(proposals))
    files.write_batch(batch(1, entries))
    return project


@pytest.fixture
def noiseless(monkeypatch):
    monkeypatch.setattr(oracle_module, "NOISE", 0.0)


def seconds_of(answered):
    return {each.key: each.seconds for each in answered}


# Times


def test_seconds_of_drawing_by_hand(tmp_path, cohort, noiseless):
    keys = [key("a", 0), key("a", 1), key("b", 3)]
    answered = Oracle(asked(tmp_path / "p", cohort, keys), 0).answer_batch(SILENT)
    assert [each.key for each in answered] == keys
    assert [each.how for each in answered] == ["confirm", "draw", "draw"]
    assert [each.expected_minutes for each in answered] == [1.5, 1.5, 1.5]
    liver = 2 * 3 + 2 * 5 + CORNERS  # the contour runs through the middles of the edge pixels
    spleen = 2 * 1 + 2 * 1 + CORNERS
    first, second, third = (each.seconds for each in answered)
    # Overhead, and the volume's first slice in the batch; nothing to draw.
    assert first == pytest.approx({"standard": 10 + 15, "slow": 20 + 30, "fast": 5 + 8})
    # Overhead, 4 s for the one component, its contour at 4, 2 or 8 mm/s.
    assert second == pytest.approx(
        {"standard": 10 + 4 + liver / 4, "slow": 20 + 4 + liver / 2, "fast": 5 + 4 + liver / 8}
    )
    both = liver + spleen
    assert third == pytest.approx(
        {
            "standard": 10 + 15 + 8 + both / 4,
            "slow": 20 + 30 + 8 + both / 2,
            "fast": 5 + 8 + 8 + both / 8,
        }
    )


def test_seconds_of_correcting_by_hand(tmp_path, cohort, noiseless):
    wide, right, drop, bad = (label()[1].copy() for _ in range(4))
    wide[2:6, 9:11] = 1  # 4 x 2 pixels too many
    drop[0, 0] = 1  # a single pixel: not a click of its own, but a contour
    bad[:] = 4
    keys = [key("a", 1), key("b", 1), key("c", 1)]
    shown = dict(zip(keys, (wide, right, drop), strict=True))
    answered = Oracle(asked(tmp_path / "p", cohort, keys, shown), 0).answer_batch(SILENT)
    assert [each.how for each in answered] == ["correct", "confirm", "correct"]
    region = 2 * 3 + 2 * 1 + CORNERS
    # 3 s for the one wrong region, its contour at twice the speed of drawing.
    assert answered[0].seconds == pytest.approx(
        {
            "standard": 25 + 3 + region / 8,
            "slow": 50 + 3 + region / 4,
            "fast": 13 + 3 + region / 16,
        }
    )
    assert answered[1].seconds == pytest.approx({"standard": 25, "slow": 50, "fast": 13})
    assert answered[2].seconds["standard"] == pytest.approx(25 + CORNERS / 8)
    # A proposal that is worse than nothing is wiped and drawn.
    project = asked(tmp_path / "q", cohort, [key("a", 1)], {key("a", 1): bad})
    (drawn,) = Oracle(project, 0).answer_batch(SILENT)
    assert drawn.how == "draw"
    assert drawn.seconds["standard"] == pytest.approx(25 + 4 + (16 + CORNERS) / 4)


def test_the_first_slice_of_a_volume_costs_more_once_a_batch(tmp_path, cohort, noiseless):
    keys = [key(volume, index) for volume in ("b", "a") for index in (0, 2, 4)]  # empty slices
    project = asked(tmp_path / "p", cohort, keys)
    answered = Oracle(project, 0).answer_batch(SILENT)
    assert [each.seconds["standard"] for each in answered] == [25, 10, 10, 25, 10, 10]
    project.round(2).write_batch(batch(2, [suggestion(key("a", 1))]))
    (later,) = Oracle(project, 0).answer_batch(SILENT)
    assert later.seconds["standard"] == pytest.approx(25 + 4 + (16 + CORNERS) / 4)


# Noise


def test_noise_belongs_to_seed_and_slice_not_to_the_order(tmp_path, cohort, monkeypatch):
    keys = [key("a", 1), key("b", 1), key("c", 1)]
    plain = 25 + 4 + (16 + CORNERS) / 4

    def times(name, order, seed):
        project = asked(tmp_path / name, cohort, order)
        return seconds_of(Oracle(project, seed).answer_batch(SILENT))

    first = times("first", keys, 3)
    assert times("backwards", keys[::-1], 3) == first
    assert times("alone", keys[1:2], 3)[keys[1]] == first[keys[1]]
    factors = [first[each]["standard"] / plain for each in keys]
    assert len(set(factors)) == 3
    assert all(0.3 < factor < 3 for factor in factors)
    # One person, one factor: slow and fast share it.
    for each, factor in zip(keys, factors, strict=True):
        assert first[each]["slow"] == pytest.approx(factor * (50 + 4 + (16 + CORNERS) / 2))
        assert first[each]["fast"] == pytest.approx(factor * (13 + 4 + (16 + CORNERS) / 8))
    other = times("other", keys, 4)
    assert all(other[each]["standard"] != first[each]["standard"] for each in keys)


def test_noise_is_log_normal_with_a_fifth(tmp_path, cohort):
    oracle = Oracle(asked(tmp_path / "p", cohort, [key("a", 1)]), 1)
    logs = np.log([oracle._noise(key("a", n)) for n in range(4000)])
    assert abs(logs.mean()) < 0.01
    assert logs.std() == pytest.approx(0.2, abs=0.006)
    # Normal, not merely as wide: the share within one, two and three deviations.
    shares = [(np.abs(logs) < 0.2 * n).mean() for n in (1, 2, 3)]
    assert shares == pytest.approx([0.683, 0.954, 0.997], abs=0.02)


# Answers


def test_answers_are_the_reference_and_come_in_as_a_persons_do(tmp_path, cohort):
    wrong = np.zeros((10, 12), np.uint8)
    wrong[2:6, 3:6] = 1  # half of the liver
    keys = [key("a", 3), key("c", 1)]
    project = asked(tmp_path / "p", cohort, keys, {keys[0]: wrong})
    answered = Oracle(project, 7).answer_batch(SILENT)
    annotations = project.annotations()
    assert list(annotations) == keys
    for each in answered:
        annotation = annotations[each.key]
        expected = take_slice(label(), GEOMETRY, Plane.AXIAL, each.key.index)
        np.testing.assert_array_equal(project.read_annotation(annotation), expected)
        assert annotation.author == "oracle"
        assert annotation.seconds == each.seconds["standard"]
    # Dice of 12 shown pixels in 24 wanted ones: 2 x 12 / 36.
    assert annotations[keys[0]].shown == {
        "round": 1,
        "rank": 1,
        "expected_dice": 0.5,
        "minutes": 1.5,
        "audit": False,
        "work": WORK,
        "blank": False,
        "dice": {"liver": pytest.approx(2 / 3), "spleen": 0.0},
        "islands": 0,
    }
    assert annotations[keys[1]].shown["blank"] is True
    assert annotations[keys[1]].shown["dice"] is None
    assert annotations[keys[1]].shown["islands"] is None
    assert project.open_suggestions() == []
    assert Oracle(project, 7).answer_batch(SILENT) == []


def test_an_audit_slice_is_drawn_from_nothing_and_its_proposal_judged(tmp_path, cohort, noiseless):
    """A perfect proposal, held back: it would have been confirmed, and is drawn instead."""
    keys = [key("a", 1), key("b", 1)]
    shown = dict.fromkeys(keys, label()[1])
    project = asked(tmp_path / "p", cohort, keys, shown, audits=keys[:1])
    audit, other = Oracle(project, 0).answer_batch(SILENT)
    assert (audit.how, other.how) == ("draw", "confirm")
    assert audit.seconds["standard"] == pytest.approx(25 + 4 + (16 + CORNERS) / 4)
    records = [project.annotations()[each].shown for each in keys]
    assert [(r["audit"], r["blank"]) for r in records] == [(True, True), (False, False)]
    assert [r["dice"] for r in records] == [{"liver": 1.0, "spleen": None}] * 2


def test_what_another_works_on_is_left_to_them(tmp_path, cohort):
    project = asked(tmp_path / "p", cohort, [key("a", 1), key("b", 1)])
    assert project.next_suggestion("ada").key == key("a", 1)
    answered = Oracle(project, 0).answer_batch(SILENT)
    assert [each.key for each in answered] == [key("b", 1)]


def test_progress_counts_the_answers(tmp_path, cohort, capsys):
    project = asked(tmp_path / "p", cohort, [key("a", 1), key("b", 1)])
    Oracle(project, 0).answer_batch(JsonProgress(sys.stdout, interval_s=0))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["stage"], line["done"], line["total"]) for line in lines] == [
        ("Answering", done, 2) for done in (0, 1, 2)
    ]


def test_without_a_reference_there_is_no_answer(tmp_path, cohort):
    blind = Cohort(
        cohort.root, tuple(replace(v, label=None) for v in cohort.volumes), cohort.structures
    )
    project = asked(tmp_path / "p", blind, [key("a", 1)])
    with pytest.raises(CohortError, match=r"^a: has no reference label") as caught:
        Oracle(project, 0).answer_batch(SILENT)
    assert "\n" not in str(caught.value)
    assert project.annotations() == {}
