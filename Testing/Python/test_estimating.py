"""What is expected of slices, volumes and cohort: by hand, and learned from answers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from activeseg.cli import main
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, project_status
from activeseg.project.estimating import estimate_slices, write_estimate
from activeseg.project.score_file import write_scores
from activeseg.quality import EVIDENCE, Trend
from rounds_by_hand import TYPICAL, WORK, read_scores, scores
from small_cohort import GEOMETRIES, small_cohort

FILL = EVIDENCE.index("fill")
VOLUMES = sorted(GEOMETRIES)
SEES_NOTHING = VOLUMES[-1]
KEYS = [SliceKey("plain", Plane.AXIAL, n) for n in range(4)]


@pytest.fixture
def project(tmp_path):
    cohort = small_cohort(tmp_path / "cohort")
    return Project.create(tmp_path / "project", cohort, "axial", "auto", 0, "scratch")


def scored(project, number=1, lower=0.0):
    """Four slices of every volume, with typical evidence or less; of one volume nothing shows."""
    evidence = np.tile(np.array(TYPICAL) - lower, (4, 2, 1))
    evidence[..., FILL] = TYPICAL[FILL]
    nothing = {
        "shows": np.zeros((4, 2), dtype=bool),
        "size": np.zeros((4, 2)),
        "evidence": np.full((4, 2, len(TYPICAL)), np.nan),
    }
    parts = {}
    for name in VOLUMES:
        changes = nothing if name == SEES_NOTHING else {"evidence": evidence}
        parts[name] = scores("axial", range(4), **changes)
    files = project.round(number).make()
    write_scores(files, parts)
    return files


def estimated(project, files):
    write_estimate(project, files, read_scores(files))
    return files.read_estimate()


def accept(project, key, seconds=30.0, dice=None, number=1, audit=False):
    """Answer a slice; with a `dice`, its proposal was judged."""
    shown = None
    if dice is not None:
        shown = {
            "round": number,
            "rank": 1,
            "expected_dice": 0.8,
            "minutes": 1.0,
            "audit": audit,
            "work": WORK,
            "blank": audit,
            "dice": {"liver": dice, "spleen": dice},
        }
    project.accept(key, np.zeros((6, 5), np.uint8), "ada", seconds, shown)


def test_typical_evidence_lets_expect_the_typical_dice(project):
    found = estimated(project, scored(project))
    assert found["round"] == 1
    assert found["estimated_dice"] == pytest.approx(0.84)
    assert found["structures"] == {"liver": pytest.approx(0.84), "spleen": pytest.approx(0.84)}
    expected = {name: pytest.approx(0.84) for name in VOLUMES} | {SEES_NOTHING: None}
    assert found["volumes"] == expected
    assert found["intervals"][SEES_NOTHING] is None
    assert (found["judged"], found["audited"]) == (0, 0)
    assert (found["minutes"], found["next_minutes"], found["next_gain"]) == (0.0, 10.0, None)


def test_intervals_hold_their_estimates_and_the_cohorts_is_the_narrowest(project):
    found = estimated(project, scored(project, lower=0.2))
    assert 0 <= found["low"] < found["estimated_dice"] < found["high"] <= 1
    widths = []
    for name, dice in found["volumes"].items():
        if dice is not None:
            low, high = found["intervals"][name]
            assert 0 <= low < dice < high <= 1
            widths.append(high - low)
    assert len(widths) == 4
    assert found["high"] - found["low"] < min(widths)


def test_with_nothing_to_see_anywhere_nothing_is_known(project):
    files = project.round(1).make()
    parts = {
        name: scores(
            "axial",
            [0],
            shows=np.zeros((1, 2), dtype=bool),
            evidence=np.full((1, 2, len(TYPICAL)), np.nan),
        )
        for name in VOLUMES
    }
    write_scores(files, parts)
    accept(project, KEYS[0])
    found = estimated(project, files)
    assert [found[name] for name in ("estimated_dice", "low", "high", "next_gain")] == [None] * 4
    assert set(found["volumes"].values()) == {None}
    status = project_status(project)
    assert status["estimated_dice"] is None
    assert status["estimated_dice_interval"] is None
    slices = estimate_slices(project, files, read_scores(files))
    assert slices.dice.tolist() == [1.0] * 5  # there is nothing to get wrong
    assert slices.gain.tolist() == [0.0] * 5


def test_slices_are_expected_one_by_one(project):
    files = scored(project)
    table = read_scores(files)
    found = estimate_slices(project, files, table)
    shows = table.volume != SEES_NOTHING
    assert found.dice[shows] == pytest.approx(0.84)
    # Two structures, each shown as fully as its mean slice does: (1 - 0.84) twice.
    assert found.gain[shows] == pytest.approx(2 * 0.16)
    assert found.gain[~shows] == pytest.approx(0.0)
    assert (found.low[shows] < 0.84).all()
    assert (found.high[shows] > 0.84).all()


@pytest.mark.parametrize(("true", "moves"), [(0.3, -1), (0.98, 1)])
def test_answers_move_the_estimate_towards_what_was_found(project, true, moves):
    files = scored(project)
    before = estimated(project, files)
    for index, key in enumerate(KEYS):
        accept(project, key, dice=true, audit=index == 0)
    after = estimated(project, files)
    assert (after["judged"], after["audited"]) == (4, 1)
    step = after["estimated_dice"] - before["estimated_dice"]
    assert moves * step > 0.05
    assert abs(step) < abs(true - 0.84)  # four slices are not the whole truth
    slices = estimate_slices(project, files, read_scores(files))
    assert moves * (slices.dice[0] - 0.84) > 0.05


def test_more_answers_that_agree_make_it_surer(project):
    files = scored(project)
    widths = []
    for name in ("plain", "oblique", "at-45-degrees"):
        for index in range(4):
            key = SliceKey(name, Plane.AXIAL, index)
            shape = tuple(
                np.delete(GEOMETRIES[name].shape, GEOMETRIES[name].array_axis(Plane.AXIAL))
            )
            shown = {
                "round": 1,
                "expected_dice": 0.8,
                "audit": False,
                "dice": {"liver": 0.84, "spleen": 0.84},
            }
            project.accept(key, np.zeros(shape, np.uint8), "ada", 30.0, shown)
        found = estimated(project, files)
        assert found["estimated_dice"] == pytest.approx(0.84, abs=0.01)
        widths.append(found["high"] - found["low"])
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3


def test_the_worth_of_ten_more_minutes_by_hand(project):
    for key in KEYS[:2]:
        accept(project, key, seconds=150.0)  # five minutes before round 1
    first = estimated(project, scored(project))
    assert first["minutes"] == pytest.approx(5.0)
    # One round: the missing 0.16 is expected to fall as minutes^-0.3, here from 5 to 15.
    assert first["next_gain"]["dice"] == pytest.approx(0.16 * (1 - 3**-0.3))
    assert 0 <= first["next_gain"]["low"] < first["next_gain"]["dice"] < first["next_gain"]["high"]
    assert project_status(project)["next_gain"] == first["next_gain"]

    accept(project, KEYS[2], seconds=300.0)
    second = estimated(project, scored(project, 2, lower=-0.05))
    assert second["estimated_dice"] > 0.85
    points = [0.84, second["estimated_dice"]]
    worth = Trend.fit([5.0, 10.0], points).worth(10.0, 10.0)
    assert second["next_gain"] == {
        "dice": pytest.approx(worth.gain),
        "low": pytest.approx(worth.low),
        "high": pytest.approx(worth.high),
    }


def test_status_prints_the_interval_and_the_worth(project, capsys):
    assert main(["status", str(project.folder)]) == 0
    out = capsys.readouterr().out
    assert "Dice         no estimate yet\n" in out
    assert "10 minutes   what more annotation brings is not known yet\n" in out
    assert "choice       by what is typical of the cohort, as no model has scored it yet\n" in out
    accept(project, KEYS[0], seconds=300.0)
    found = estimated(project, scored(project))
    assert main(["status", str(project.folder)]) == 0
    out = capsys.readouterr().out
    said = f"Dice         0.84 estimated ({found['low']:.2f} to {found['high']:.2f} in 9 of 10"
    assert said in out
    gain = found["next_gain"]
    worth = f"{gain['dice']:.3f} ({gain['low']:.3f} to {gain['high']:.3f})"
    assert f"10 minutes   more are expected to bring {worth}\n" in out
    assert "choice       by how much slices show; the expected Dice has not proven itself" in out
    files = project.rounds()[-1]
    files.estimate.write_text(json.dumps(found | {"trust": 0.42}))
    assert main(["status", str(project.folder)]) == 0
    assert "gets wrong; the expected Dice is trusted to 42 %\n" in capsys.readouterr().out
    files.estimate.write_text(json.dumps(found))
    assert main(["status", str(project.folder), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["estimated_dice_interval"] == [found["low"], found["high"]]
    assert printed["next_gain"] == gain


def test_what_is_merely_probable_does_not_count_beside_what_is_predicted(project):
    """Slice 0 proposes both structures, 1 the first alone, 2 neither though both are probable."""
    evidence = np.tile(np.array(TYPICAL), (3, 2, 1))
    evidence[1, 1] = evidence[2] = np.nan
    files = project.round(1).make()
    write_scores(files, {"plain": scores("axial", range(3), evidence=evidence)})
    found = estimate_slices(project, files, read_scores(files))
    assert found.dice == pytest.approx([0.84, 0.84, 0.0])
    # Correcting what was missed is a gain all the same.
    assert found.gain == pytest.approx([0.32, 1.16, 2.0])
