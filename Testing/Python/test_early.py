"""Suggestions before all is scored: what is scored first, when the early batch comes, and after."""

from __future__ import annotations

import signal
import sys
from unittest.mock import patch

import numpy as np
import pytest

from activeseg.cost import STANDARD
from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.model.training import Recipe
from activeseg.progress import Silent
from activeseg.project import Project, annotate, early, project_status, skip
from activeseg.project.early import FILLS, EarlyChoice, one_answer_s, scoring_order, unfinished
from activeseg.project.offer import offered
from activeseg.project.score_file import open_scores, write_scores
from activeseg.project.scoring import Scoring, score
from activeseg.project.verbs import run_round, run_suggest, run_train
from activeseg.sampling import strategy
from killing import killed_at_call, run_child
from rounds_by_hand import read_scores, scores
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
RECIPE = Recipe(steps=4, batch=4)
SCORING = Scoring(passes=2)
MINUTES = 4.0
VOLUMES = 8


def whole_round(project):
    """A round whose early batch comes after two or three volumes of the tiny cohort."""
    with patch.object(early, "FILLS", 0.5):
        return run_round(project, MINUTES, None, RECIPE, SCORING, SILENT)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Round 0 is answered."""
    folder = tmp_path_factory.mktemp("begun")
    cohort = write_tiny_cohort(folder / "cohort", volumes=VOLUMES)
    project = new_project(folder / "project", cohort, strategy="auto")
    run_suggest(project, 3.0, None, SILENT)
    answer(project)
    return project


def first_batches(project):
    """A whole round; what was written early, and in the end."""
    seen = []

    def note(early_batch):
        seen.append((early_batch, project.latest_batch(), project_status(project)))
        return early_batch

    original = early.choose_early
    with patch.object(early, "choose_early", lambda *args: note(original(*args))):
        last = whole_round(project)
    return seen, last


# When


def test_one_answer_is_the_mean_of_what_shows_something():
    shows = np.array([[True, False], [False, False], [True, True]])
    found = scores("axial", range(3), shows=shows, seconds=[20.0, 500.0, 40.0])
    assert one_answer_s(found) == pytest.approx(STANDARD.first_slice_s + 30.0)
    assert one_answer_s(scores("axial", [0], shows=np.array([[False, False]]))) == 0.0


@pytest.mark.parametrize(
    ("minutes", "count", "expected"),
    [
        # 45 s a volume: four of them fill a minute three times over, and are half of the cohort.
        (1.0, 8, [4]),
        (0.4, 8, [2]),
        (1.1, 8, []),  # five would be needed, and then most of it is scored
        (0.4, 3, []),
    ],
)
def test_the_early_batch_comes_when_the_budget_can_be_filled_several_times(
    begun, monkeypatch, minutes, count, expected
):
    assert FILLS * 60 <= 4 * 45 < FILLS * 66
    came = []
    monkeypatch.setattr(early, "choose_early", lambda *args: came.append(args[-1]))
    monkeypatch.setattr(early, "read_volume_scores", lambda files, name: scores("axial", [0]))
    volumes = begun.cohort.volumes[:count]
    monkeypatch.setattr(type(begun), "cohort", property(lambda _: Of(volumes)))
    choice = EarlyChoice(begun, begun.round(1), minutes, None, None)
    for volume in volumes:
        choice(volume.id, scores("axial", range(4)))  # 30 s, and 15 s to open the volume
    assert came == [
        f"chosen from {scored} of {count} volumes; the list may change once" for scored in expected
    ]


class Of:
    """A cohort of fewer volumes."""

    def __init__(self, volumes):
        self.volumes = volumes


# The order of scoring


def test_what_can_win_is_scored_first_and_what_is_new_before_it(begun, tmp_path):
    project = copied(begun, tmp_path / "p")
    score_with(project, 1, KnownModel(*SEES_BOTH, certainty=0.9))
    run_suggest(project, 3.0, None, SILENT)
    answer(project)
    files = project.round(2)
    found = scoring_order(project, files)
    assert sorted(found) == [volume.id for volume in project.cohort.volumes]
    # By hand, from the columns of the pool: shown x gain^w x what is left / (1 + answered).
    pool = offered(project, project.round(1), strategy("auto"), None, SILENT).pool
    best = dict.fromkeys(found, -1.0)
    for row in range(len(pool)):
        name = pool.volumes[pool.volume[row]]
        near = [abs(mm - pool.position_mm[row]) for v, _, mm in pool.annotated if v == name]
        left = 1 - np.exp(-((min(near, default=np.inf) / pool.redundancy_mm) ** 2))
        weight = 0.5 * pool.scored.trust
        shown = pool.scored.shown[:, row].astype(float)
        worth = (np.where(shown >= 0.05, shown, 0) ** (1 - weight)).sum()
        worth *= float(pool.scored.gain[row]) ** weight * left / (1 + len(near))
        best[name] = max(best[name], worth / (pool.seconds[row] + pool.first_slice_s))
    values = [best[name] for name in found]
    assert values == pytest.approx(sorted(values, reverse=True))
    assert len(set(values)) > 3
    # A volume that the round before has not scored comes first, one without any slice last.
    table = read_scores(project.round(1))
    parts = {}
    for name in found[1:]:
        index = table.scores.index[table.volume == name]
        parts[name] = scores("axial", index)
    write_scores(project.round(1), parts)
    for index in range(8):
        key = SliceKey(found[1], Plane.AXIAL, index)
        if key not in project.annotations():
            skip(project, key, "ada")
    again = scoring_order(project, files)
    assert (again[0], again[-1]) == (found[0], found[1])


def test_before_any_scores_the_order_is_by_chance_and_always_the_same(begun):
    found = scoring_order(begun, begun.round(1))
    names = [volume.id for volume in begun.cohort.volumes]
    assert sorted(found) == names != found
    assert scoring_order(begun, begun.round(1)) == found != scoring_order(begun, begun.round(2))


def test_the_order_changes_when_a_volume_is_scored_and_nothing_else(begun, tmp_path):
    projects = [copied(begun, tmp_path / name) for name in "ab"]
    names = [volume.id for volume in begun.cohort.volumes]
    order = [names[5], names[2]]
    told: list[str] = []
    model = KnownModel(*SEES_BOTH, certainty=0.9)
    run_train(projects[0], RECIPE, SILENT)
    run_train(projects[1], RECIPE, SILENT)
    with patch("activeseg.project.scoring.model_of", lambda p, d: (p.round(1), model)):
        score(projects[0], SCORING, SILENT)
        score(projects[1], SCORING, SILENT, "cpu", order, lambda name, found: told.append(name))
    assert told == [*order, *(name for name in names if name not in order)]
    tables = [open_scores(project.round(1)) for project in projects]
    assert list(dict.fromkeys(read_scores(projects[1].round(1)).volume.tolist())) == told
    pools = [offered(p, p.round(1), strategy("auto"), None, SILENT).pool for p in projects]
    assert len(tables[0]) == len(tables[1])
    for name in ("gain", "expected_dice", "shown", "whole_entropy"):
        np.testing.assert_array_equal(*(getattr(pool.scored, name) for pool in pools))


# The batch


def test_an_early_batch_is_there_and_the_last_one_is_what_it_would_be_without(begun, tmp_path):
    project, plain = copied(begun, tmp_path / "p"), copied(begun, tmp_path / "q")
    seen, last = first_batches(project)
    ((batch, latest, status),) = seen
    assert latest == batch
    assert batch.suggestions
    assert (batch.round, status["round"], status["early"]) == (1, 1, True)
    assert batch.note.endswith(f" of {VOLUMES} volumes; the list may change once")
    assert sum(each.minutes for each in batch.suggestions) <= MINUTES + 1e-4
    with patch.object(early.EarlyChoice, "__call__", lambda *_: None):
        without = whole_round(plain)
    assert without.former == ()
    assert (last.suggestions, last.note) == (without.suggestions, without.note)
    assert "the list may change" not in last.note
    kept = {each.key for each in (*last.suggestions, *last.former)}
    assert kept >= {each.key for each in batch.suggestions}
    assert project.latest_batch() == last
    assert project_status(project)["early"] is False
    assert {"early.json", "batch.json"} <= set(project.round(1).existing())
    # The next round is the next one.
    assert project.round_for_training().number == 2


def test_what_is_answered_claimed_or_put_aside_early_is_not_asked_for_again(begun, tmp_path):
    project = copied(begun, tmp_path / "p")
    done = {}
    original = early.choose_early

    def work_on(*args):
        batch = original(*args)
        mine = project.next_suggestion("ada").key
        others = [each.key for each in batch.suggestions if each.key != mine]
        annotate(project, others[0], project.cohort.volume(others[0].volume).label, 9.0, "bob")
        done.update(claimed=mine, answered=others[0], shown=project.proposal(mine))
        return batch

    with patch.object(early, "choose_early", work_on):
        last = whole_round(project)
    asked = {each.key for each in last.suggestions}
    assert not asked & {done["claimed"], done["answered"]}
    shown = project.annotations()[done["answered"]].shown
    assert shown["round"] == 1
    # The open slice stays open, with the proposal that it was opened with.
    assert project.holder(done["claimed"]).author == "ada"
    np.testing.assert_array_equal(project.round(1).read_proposal(done["claimed"]), done["shown"])
    label = project.cohort.volume(done["claimed"].volume).label
    assert annotate(project, done["claimed"], label, 9.0, "ada").shown["round"] == 1


def test_where_nothing_can_be_chosen_yet_nothing_is_written(begun, tmp_path):
    project = copied(begun, tmp_path / "p")
    found = []
    original = early.choose_early
    choose = lambda *args: found.append(original(*args))  # noqa: E731
    files = project.round(1)
    with patch.object(early, "choose_early", choose), patch.object(early, "FILLS", 0.0):
        choice = EarlyChoice(project, files, 0.1, None, None)  # no slice takes six seconds
        with patch.object(early, "read_volume_scores", lambda *_: scores("axial", [0])):
            choice("v00", scores("axial", [0]))
    assert found == [None]
    assert not files.folder.exists()


def test_a_batch_that_was_asked_early_is_not_trained_over(begun, tmp_path):
    project = copied(begun, tmp_path / "p")
    assert unfinished(project) is None
    with pytest.raises(RuntimeError, match="stop"), stopped_before_the_last_choice():
        whole_round(project)
    files = unfinished(project)
    assert files is not None
    assert files.number == 1
    assert project.round_for_training().number == 2
    model = files.model.read_bytes()
    waiting = project.open_suggestions()
    assert waiting
    label = project.cohort.volume(waiting[0].key.volume).label
    annotate(project, waiting[0].key, label, 9.0, "ada")
    last = whole_round(project)
    assert (last.round, files.model.read_bytes()) == (1, model)
    assert unfinished(project) is None
    assert waiting[0].key not in {each.key for each in last.suggestions}
    assert whole_round(project).round == 2


@pytest.mark.parametrize("name", ["auto", "random"])
def test_nobody_chooses_beside_an_early_batch_that_is_shown(begun, tmp_path, name):
    project = copied(begun, tmp_path / "p")
    original = early.choose_early

    def then_stop(*args):
        original(*args)
        raise RuntimeError("stop")

    stopped = patch.object(early, "choose_early", then_stop)
    with pytest.raises(RuntimeError, match="stop"), stopped:
        whole_round(project)
    waiting = project.open_suggestions()
    with pytest.raises(ProjectError, match=r"round 1 was interrupted .* 'activeseg round'"):
        run_suggest(project, MINUTES, name, SILENT)
    assert project.open_suggestions() == waiting
    assert whole_round(project).round == 1
    assert run_suggest(project, MINUTES, name, SILENT).round == 1


def stopped_before_the_last_choice():
    def stop(*_):
        raise RuntimeError("stop")

    return patch("activeseg.project.verbs.choose", stop)


# Kills


def round_until_call(folder, number):
    """A whole round that dies just before one of its renamings; or tells how many it has."""
    with killed_at_call(number, ("replace",)) as calls:
        whole_round(Project.open(folder))
    (folder / "calls.txt").write_text(str(len(calls)))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork server, no SIGKILL")
def test_a_round_killed_after_its_early_batch_ends_like_an_undisturbed_one(begun, tmp_path):
    whole = copied(begun, tmp_path / "whole")
    assert run_child(round_until_call, whole.folder, 0, preload=("tiny_cohort",)) == 0
    expected = whole.latest_batch()
    steps = int((whole.folder / "calls.txt").read_text())
    # Who works, model, log, 8 predictions, early proposals and batch, scores, estimate, ...
    assert steps == 3 + VOLUMES + 2 + 4
    early_from = None
    for number in range(3 + VOLUMES // 2, steps + 1):
        project = copied(begun, tmp_path / str(number))
        code = run_child(round_until_call, project.folder, number, preload=("tiny_cohort",))
        assert code == -signal.SIGKILL
        files = project.round(1)
        assert not files.batch.is_file()  # the batch is the last file
        if files.early.is_file():
            early_from = early_from or number
            assert project.latest_batch().round == 1
            for each in project.open_suggestions():
                assert files.read_proposal(each.key) is not None
        else:
            assert early_from is None
            assert project.latest_batch() == begun.latest_batch()
        again = whole_round(project)
        assert (again.round, again.suggestions, again.note) == (
            1,
            expected.suggestions,
            expected.note,
        )
        assert project.round_for_training().number == 2
    assert early_from is not None
