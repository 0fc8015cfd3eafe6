"""What may be asked for and for how many minutes: skips, claims, authors, audits, notes."""

from __future__ import annotations

import json
import math
import re

import pytest

from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.progress import Silent
from activeseg.project import annotate, skip
from activeseg.project.offer import fresh_offer, offered
from activeseg.project.verbs import run_suggest
from activeseg.sampling import Choice, strategy
from rounds_by_hand import read_scores, row_numbers
from tiny_cohort import (
    SEES_BOTH,
    KnownModel,
    answer,
    copied,
    new_project,
    score_with,
    write_tiny_cohort,
)

SILENT = Silent()
EVERYTHING = {SliceKey(f"v{n:02d}", Plane.AXIAL, index) for n in range(4) for index in range(8)}


def suggest(project, minutes=4.0, name=None, author=None):
    return run_suggest(project, minutes, name, SILENT, author)


def keys_of(batch):
    return {suggestion.key for suggestion in batch.suggestions}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Nothing done yet."""
    folder = tmp_path_factory.mktemp("fresh")
    return new_project(folder / "project", write_tiny_cohort(folder / "cohort"), strategy="auto")


@pytest.fixture(scope="module")
def asked(tmp_path_factory, fresh):
    """Round 0 is answered, a model that is nearly sure of all has scored, round 1 is asked."""
    project = copied(fresh, tmp_path_factory.mktemp("asked") / "project")
    suggest(project, 3.0)
    answer(project, seconds=0.0)
    score_with(project, 1, KnownModel(*SEES_BOTH, certainty=0.9))
    suggest(project)
    return project


# What nobody is asked for


@pytest.mark.parametrize("stage", ["before any model", "scored"])
def test_what_was_put_aside_is_never_asked_for_again(request, tmp_path, stage):
    start = request.getfixturevalue("asked" if stage == "scored" else "fresh")
    project = copied(start, tmp_path / "p")
    first = suggest(project)
    aside = {each.key for each in first.suggestions[:2]}
    for key in aside:
        skip(project, key, "ada")
    for name in ("random", None):
        assert keys_of(suggest(project, 1e4, name)) == EVERYTHING - aside - set(
            project.annotations()
        )
    assert project.open_suggestions() == list(project.latest_batch().suggestions)


@pytest.mark.parametrize("stage", ["before any model", "scored"])
def test_what_somebody_works_on_is_not_asked_for(request, tmp_path, stage):
    start = request.getfixturevalue("asked" if stage == "scored" else "fresh")
    project = copied(start, tmp_path / "p")
    suggest(project)
    claimed = {project.next_suggestion(author).key for author in ("ada", "bob")}
    assert len(claimed) == 2
    found = keys_of(suggest(project, 1e4))
    assert found == EVERYTHING - claimed - set(project.annotations())
    # The claims outlive the batch that they were made in.
    assert keys_of(suggest(project, 1e4)) == found
    # A claim that has run out holds nothing.
    project.next_suggestion("cleo", minutes=0)
    assert keys_of(suggest(project, 1e4)) >= found


def test_the_offer_is_the_score_table_without_what_is_taken(asked):
    offer = offered(asked, asked.round(1), strategy("auto"), None, SILENT)
    keys = [offer.pool.key(row) for row in range(len(offer.pool))]
    assert keys == sorted(EVERYTHING - set(asked.annotations()))
    table = read_scores(asked.round(1))
    rows = [row_numbers(table)[key] for key in keys]
    # Nobody logged a time: the seconds are the prior's, those of the table.
    assert offer.pool.seconds == pytest.approx(table.scores.seconds[rows])
    assert offer.pool.first_slice_s == pytest.approx(15.0)
    assert list(offer.pool.how) == table.scores.how[rows].tolist()
    assert offer.pool.scored.uncertainty.tolist() == table.scores.uncertainty[rows].tolist()
    assert offer.pool.scored.round == 1
    # 3 mm from one axial slice to the next.
    assert offer.pool.position_mm.tolist() == [3.0 * key.index for key in keys]
    assert sorted(offer.pool.annotated) == sorted(
        (key.volume, key.plane, 3.0 * key.index) for key in asked.annotations()
    )
    assert offer.pool.features is None  # nothing was read for them
    assert offer.pool.blank_seconds == pytest.approx(table.scores.blank_seconds[rows])


def test_without_a_project_what_is_annotated_is_known_and_not_offered(fresh):
    known = SliceKey("v01", Plane.AXIAL, 3)
    pool = fresh_offer(
        fresh.cohort, "auto", [None, None], strategy("one-shot"), SILENT, annotated=[known]
    ).pool
    assert {pool.key(row) for row in range(len(pool))} == EVERYTHING - {known}
    assert [each[:2] for each in pool.annotated] == [("v01", Plane.AXIAL)]


def test_what_minutes_follow_from_is_taken_from_the_table(asked):
    """Two slices of one volume and one of another; the second is an audit, shown blank."""
    offer = offered(asked, asked.round(1), strategy("auto"), None, SILENT)
    keys = [offer.pool.key(row) for row in range(len(offer.pool))]
    picked = [*[key for key in keys if key.volume == "v00"][2:4], keys[-1]]
    choices = [
        Choice(offer.pool.candidate(keys.index(key)), 60.0, "", 1.0, audit=number == 1)
        for number, key in enumerate(picked)
    ]
    work = offer.work(choices)
    table = read_scores(asked.round(1))
    scores, rows = table.scores, [row_numbers(table)[key] for key in picked]
    expected = [
        scores.seconds[rows[0]] + 15,
        scores.blank_seconds[rows[1]],
        scores.seconds[rows[2]] + 15,
    ]
    assert work.prior_s == pytest.approx(expected)
    assert work.first.tolist() == [True, False, True]
    assert work.drawn.tolist() == [scores.drawn[rows[0]], True, scores.drawn[rows[2]]]
    assert work.contour_mm.tolist() == scores.contour_mm[rows].tolist()


def test_features_are_read_where_a_strategy_needs_them(asked):
    pool = offered(asked, asked.round(1), strategy("coverage"), None, SILENT).pool
    assert len(pool.features) == len(pool.information) == len(pool)


# Minutes


def test_minutes_are_the_authors_own(asked, tmp_path):
    """Ada takes twice as long as expected, Bob half as long; nobody knows Eve."""
    project = copied(asked, tmp_path / "p")
    waiting = project.open_suggestions()
    assert len(waiting) >= 4
    for author, factor in (("ada", 2.0), ("bob", 0.5)):
        for each in waiting:
            label = project.cohort.volume(each.key.volume).label
            annotate(project, each.key, label, factor * 60 * each.minutes, author)
    key = min(EVERYTHING - set(project.annotations()))

    def minutes(author):
        batch = suggest(project, 1e4, "random", author)
        (found,) = (each for each in batch.suggestions if each.key == key)
        assert found.minutes_low < found.minutes < found.minutes_high
        return batch.author, found.work, found.minutes, found.minutes_high / found.minutes_low

    found = {author: minutes(author) for author in ("ada", "bob", "eve", None)}
    assert found[None] == found["bob"]  # who answered last
    assert [found[name][0] for name in ("ada", "bob", "eve")] == ["ada", "bob", "eve"]
    assert found["ada"][1] == found["bob"][1] == found["eve"][1]  # the same work
    assert found["bob"][2] < 0.8 * found["eve"][2] < 0.64 * found["ada"][2]
    # Nobody logged for Eve: her interval is the widest.
    assert found["eve"][3] > max(found["ada"][3], found["bob"][3])


# The batch as a whole


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("knapsack", r"budget used (\d\.\d) of 4\.0 minutes, gap [\d.]+ %"),
        ("coverage", r"at least (\d+) % of the optimum"),
    ],
)
def test_what_was_proven_of_a_batch_is_kept_with_it(asked, tmp_path, name, said):
    project = copied(asked, tmp_path / "p")
    batch = suggest(project, 4.0, name)
    figure = float(re.fullmatch(said, batch.note)[1])
    total = sum(each.minutes for each in batch.suggestions)
    assert total <= 4.0
    if name == "knapsack":
        assert figure == pytest.approx(total, abs=0.051)
    else:
        assert 40 <= figure <= 100
    assert json.loads(project.round(1).batch.read_text())["note"] == batch.note
    assert project.latest_batch() == batch
    assert suggest(project, 4.0, "random").note == ""


def test_audit_slices_are_drawn_by_chance_and_shown_blank(asked, tmp_path):
    project = copied(asked, tmp_path / "p")
    batch = suggest(project, 10.0)
    assert batch.strategy == "auto"
    audits = [each for each in batch.suggestions if each.audit]
    others = [each for each in batch.suggestions if not each.audit]
    assert 1 <= len(audits) < len(others)
    for each in audits:
        assert project.proposal(each.key) is None
        assert project.round(1).read_proposal(each.key) is not None
        assert "drawn by chance" in each.reason
        assert "Dice" not in each.reason
        assert each.how == "draw"
        assert each.work["drawn"] is True
        assert each.expected_dice is not None
        # Whatever the model proposes, all of it is to be drawn.
        table = read_scores(project.round(1))
        blank_s = table.scores.blank_seconds[row_numbers(table)[each.key]]
        assert 60 * each.minutes == pytest.approx(blank_s + 15 * each.work["first"])
        assert each.minutes_low < each.minutes < each.minutes_high
    for each in others:
        assert project.proposal(each.key) is not None
    answer(project)
    ledger = [a.shown for a in project.annotations().values() if a.shown["round"] == 1]
    assert sum(each["audit"] for each in ledger) == len(audits)
    assert all(each["blank"] == each["audit"] for each in ledger)
    # The model is right on nearly all pixels, of the audit slices too.
    dice = [value for each in ledger if each["audit"] for value in each["dice"].values()]
    assert all(value is None or value > 0.9 for value in dice)


def test_where_no_gain_is_expected_the_knapsack_says_so(asked, tmp_path):
    """A model that sees nothing anywhere is sure of it."""
    project = copied(asked, tmp_path / "p")
    score_with(project, 1, KnownModel(5000.0, 6000.0))
    with pytest.raises(ProjectError, match=r"expects no gain from any slice; .* --strat") as no:
        suggest(project, 4.0, "knapsack")
    assert "\n" not in str(no.value)
    with pytest.raises(ProjectError, match=r"no slice fits 0\.1 minutes"):
        suggest(project, 0.1, "knapsack")
    for name in ("auto", "random"):
        assert suggest(project, 4.0, name).suggestions


def test_minutes_add_up_to_no_more_than_the_budget(asked, tmp_path):
    project = copied(asked, tmp_path / "p")
    for minutes in (0.8, 2.5, 6.0):
        batch = suggest(project, minutes)
        assert math.fsum(each.minutes for each in batch.suggestions) <= minutes + 1e-4
        assert batch.suggestions
