"""What earlier proposals turned out to be, and what was known when they were made, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, judged
from activeseg.project.judged import DiceLedger, with_trend
from activeseg.project.score_file import write_scores
from activeseg.quality import EVIDENCE, Judged
from rounds_by_hand import WORK, scores
from small_cohort import small_cohort

KEYS = [SliceKey("plain", Plane.AXIAL, n) for n in range(7)]
OTHER = SliceKey("oblique", Plane.AXIAL, 2)
STORED = len(EVIDENCE) - 1
NAN = float("nan")


@pytest.fixture
def project(tmp_path):
    cohort = small_cohort(tmp_path / "cohort")
    return Project.create(tmp_path / "project", cohort, "axial", "auto", 0, "scratch")


def scored(project, number, level):
    """Evidence of slice k is `level` + k / 100, of the spleen half of that; sizes by hand."""
    index = list(range(7))
    base = level + np.array(index) / 100
    evidence = np.repeat(np.stack([base, base / 2], axis=1)[:, :, None], STORED, axis=2)
    size = np.array([[10.0, 8.0]] * 6 + [[40.0, 0.0]])
    shows = np.array([[True, True]] * 6 + [[True, False]])
    plain = scores("axial", index, evidence=evidence, size=size, shows=shows)
    oblique = scores("axial", [2], evidence=np.full((1, 2, STORED), level + 0.5))
    write_scores(project.round(number).make(), {"oblique": oblique, "plain": plain})


def accept(project, key, number, liver, spleen, *, expected=0.7, audit=False, dice=True, **islands):
    shown = {
        "round": number,
        "rank": 1,
        "expected_dice": expected,
        "minutes": 1.0,
        "audit": audit,
        "work": WORK,
        "blank": audit or not dice,
        "dice": {"liver": liver, "spleen": spleen} if dice else None,
        **islands,
    }
    return project.accept(key, np.zeros((6, 5), np.uint8), "ada", 30.0, shown)


def two_rounds(project):
    """Two slices before any model, three judged in round 1, two in round 2."""
    accept(project, KEYS[0], 0, None, None, dice=False, expected=None)
    project.accept(KEYS[1], np.zeros((6, 5), np.uint8), "ada")  # not asked for
    scored(project, 1, 0.3)
    accept(project, KEYS[2], 1, 0.5, 0.25, audit=True)
    accept(project, KEYS[3], 1, 0.7, None)
    accept(project, OTHER, 1, None, None)  # neither had anything
    scored(project, 2, 0.6)
    accept(project, KEYS[2], 2, 0.9, 0.85)  # mended under the next model
    accept(project, KEYS[6], 2, 0.8, None)
    scored(project, 3, 0.8)


def learned(project, monkeypatch):
    """What the estimator is given to learn from."""
    seen = []

    class Spy:
        @staticmethod
        def learn(found: Judged, several_views: bool):
            seen.append((found, several_views))
            return "estimator"

    monkeypatch.setattr(judged, "DiceEstimator", Spy)
    assert DiceLedger(project).learn(several_views=True) == "estimator"
    ((found, several),) = seen
    assert several is True
    return found


def test_every_judged_proposal_is_in_the_ledger(project):
    two_rounds(project)
    found = DiceLedger(project).slices
    assert [(s.key, s.round, s.audit) for s in found] == [
        (KEYS[2], 1, True),
        (KEYS[3], 1, False),
        (OTHER, 1, False),
        (KEYS[2], 2, False),
        (KEYS[6], 2, False),
    ]
    assert [s.mean for s in found] == [
        pytest.approx(0.375),
        0.7,
        None,
        pytest.approx(0.875),
        0.8,
    ]
    assert {s.expected for s in found} == {0.7}
    assert found[0].dice == {"liver": 0.5, "spleen": 0.25}


def test_answers_are_joined_with_the_evidence_of_the_round_that_proposed(project, monkeypatch):
    two_rounds(project)
    found = learned(project, monkeypatch)
    # Rows: each slice's liver and spleen; round 1, then round 2; round 3 has no answers yet.
    first, second = 0.3, 0.6
    level = [
        *(first + 0.02, (first + 0.02) / 2),
        *(first + 0.03, (first + 0.03) / 2),
        *(first + 0.5, first + 0.5),
        *(second + 0.02, (second + 0.02) / 2),
        *(second + 0.06, (second + 0.06) / 2),
    ]
    np.testing.assert_allclose(found.evidence[:, :STORED], np.tile(level, (STORED, 1)).T)
    np.testing.assert_array_equal(found.dice, [0.5, 0.25, 0.7, NAN, NAN, NAN, 0.9, 0.85, 0.8, NAN])
    assert found.audit.tolist() == [True, True, *[False] * 8]
    assert found.volume.tolist() == ["plain"] * 4 + ["oblique"] * 2 + ["plain"] * 4
    # Mean sizes where shown: liver (6 x 10 + 40 + 20) / 8 = 15, spleen (6 x 8 + 20) / 7 = 68 / 7.
    liver, spleen = 10 / 15, 8 * 7 / 68
    expected = [liver, spleen, liver, spleen, 20 / 15, 20 * 7 / 68, liver, spleen, 40 / 15, 0]
    np.testing.assert_allclose(found.size, expected)


def test_the_trend_extrapolates_the_rounds_before(project, monkeypatch):
    two_rounds(project)
    ledger = DiceLedger(project)
    # Round 1: nothing was judged before it.
    assert np.isnan([ledger.trend(0, 1), ledger.trend(1, 1)]).all()
    # Round 2: 2 answers before round 1, 5 before round 2. The one round there is has a mean
    # liver of 0.6 and a spleen of 0.25; the prior lets the missing Dice fall by n^-0.3.
    liver = 1 - (1 - 0.6) * (5 / 2) ** -0.3
    spleen = 1 - (1 - 0.25) * (5 / 2) ** -0.3
    assert ledger.trend(0, 2) == pytest.approx(liver)
    assert ledger.trend(1, 2) == pytest.approx(spleen)
    # Round 3 follows two rounds, of which the later was better than the prior would have it.
    from_one = 1 - (1 - 0.6) * (7 / 2) ** -0.3
    assert from_one < ledger.trend(0, 3) < 1
    found = learned(project, monkeypatch)
    trend = found.evidence[:, EVIDENCE.index("trend")]
    np.testing.assert_allclose(trend, [NAN] * 6 + [liver, spleen] * 2)


def test_the_trend_is_the_last_column_of_all_slices_of_a_round(project):
    two_rounds(project)
    ledger = DiceLedger(project)
    evidence = np.full((3, 2, STORED), 0.5)
    with_it = with_trend(evidence, ledger, 2)
    assert with_it.shape == (3, 2, len(EVIDENCE))
    np.testing.assert_array_equal(with_it[:, :, :STORED], evidence)
    for structure in (0, 1):
        assert set(with_it[:, structure, -1]) == {ledger.trend(structure, 2)}


def test_a_structure_that_no_round_judged_has_no_trend(project):
    accept(project, KEYS[0], 0, None, None, dice=False, expected=None)
    scored(project, 1, 0.3)
    accept(project, KEYS[2], 1, 0.5, None)
    scored(project, 2, 0.6)
    ledger = DiceLedger(project)
    assert ledger.trend(0, 2) == pytest.approx(1 - 0.5 * 2**-0.3)
    assert np.isnan(ledger.trend(1, 2))


def test_a_new_project_has_nothing_to_learn_from(project, monkeypatch):
    assert DiceLedger(project).slices == []
    assert np.isnan(DiceLedger(project).trend(0, 1))
    assert len(learned(project, monkeypatch).dice) == 0


def test_a_slice_of_a_plane_that_was_not_scored_teaches_nothing(project, monkeypatch):
    coronal = SliceKey("plain", Plane.CORONAL, 2)
    scored(project, 1, 0.3)
    shown = {"round": 1, "expected_dice": None, "audit": False, "dice": {"liver": 0.4}}
    project.accept(coronal, np.zeros((7, 5), np.uint8), "ada", 1.0, shown)
    accept(project, KEYS[3], 1, 0.7, 0.6)
    assert [s.key for s in DiceLedger(project).slices] == [coronal, KEYS[3]]
    np.testing.assert_array_equal(learned(project, monkeypatch).dice, [0.7, 0.6])


def test_a_round_whose_scores_are_gone_is_passed_over(project, monkeypatch):
    two_rounds(project)
    project.round(1).scores.unlink()
    assert len(DiceLedger(project).slices) == 5
    assert len(learned(project, monkeypatch).dice) == 4
    assert np.isnan(DiceLedger(project).trend(0, 2))
    project.round(2).scores.write_bytes(b"half")
    with pytest.raises(ProjectError, match=r"002.scores\.parquet: damaged"):
        DiceLedger(project)


def test_trust_is_earned_by_what_was_expected_of_the_slices(project):
    assert DiceLedger(project).trust == 0
    scored(project, 1, 0.3)
    for key, dice in zip(KEYS[:4], (0.1, 0.4, 0.3, 0.9), strict=True):
        accept(project, key, 1, dice, dice, expected=dice / 2 + 0.1)
    accept(project, KEYS[4], 1, None, None)  # nothing there, nothing proposed
    accept(project, KEYS[5], 1, 0.1, 0.1, expected=None)
    assert DiceLedger(project).trust == pytest.approx(4 / 14)  # the ranks of four agree


def test_islands_are_counted_in_all_judged_proposals(project):
    assert DiceLedger(project).islands == 0
    scored(project, 1, 0.3)
    accept(project, KEYS[0], 0, None, None, dice=False, islands=None)  # there was no proposal
    accept(project, KEYS[1], 1, 0.5, 0.5)  # by a version that did not count them
    for key, islands in zip(KEYS[2:5], (4, 0, 5), strict=True):
        accept(project, key, 1, 0.5, 0.5, islands=islands)
    accept(project, KEYS[4], 1, 0.5, 0.5, islands=0)  # revised: it judges the proposal anew
    assert DiceLedger(project).islands == pytest.approx((4 - 1.64 * 2) / 3)
