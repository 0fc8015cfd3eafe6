"""An arm that is killed goes on to the same figures; where its minutes went, by hand."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager

import numpy as np
import pytest

from activeseg import oracle as oracle_module
from activeseg.cohort import open_cohort
from activeseg.errors import Cancelled, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.loop import arm as arm_module
from activeseg.loop.answers import PARTS, LoggedAnswer, logged_answers
from activeseg.loop.arm import ArmPlan, arm_stages, run_arm
from activeseg.loop.first_models import FirstModels
from activeseg.loop.ledger import ArmLedger
from activeseg.model.training import Recipe
from activeseg.oracle import Oracle
from activeseg.progress import Progress, Silent, Stage
from activeseg.project import Project, annotate
from activeseg.project.scoring import Scoring
from rounds_by_hand import batch, suggestion
from tiny_cohort import write_tiny_cohort

SILENT = Silent()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return open_cohort(write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort"))


def plan_of(cohort, folder, **changes):
    options = {
        "folder": folder / "project",
        "records": folder / "records",
        "cohort": cohort,
        "pool": ("v00", "v01"),
        "test": ("v02", "v03"),
        "strategy": "entropy-band",
        "minutes": (2.0, 3.0),
        "plane_policy": "auto",
        "seed": 2,
        "recipe": Recipe(steps=2, batch=2),
        "scoring": Scoring(passes=1),
    }
    return ArmPlan(**(options | changes))


def figures(run):
    """The curve without what a clock of the machine said."""
    return [{k: v for k, v in point.items() if k != "computing_s"} for point in run.curve]


class Killing(Progress):
    """Ends the work when a stage begins, or within one; says which that was."""

    def __init__(self, at_stage=None, in_stage=None, after=1):
        self._left = at_stage
        self._in_stage, self._after = in_stage, after
        self.names = []

    @contextmanager
    def stage(self, name, total):
        if self._left is not None and len(self.names) >= self._left:
            raise Cancelled(f"killed before {name}")
        self.names.append(name)
        yield Stage(name, total, lambda s: self._told(name, s))

    def _told(self, name, stage):
        if name == self._in_stage and stage.done == self._after < stage.total:
            raise Cancelled(f"killed in {name}")


@pytest.fixture(scope="module")
def unbroken(cohort, tmp_path_factory):
    return run_arm(plan_of(cohort, tmp_path_factory.mktemp("unbroken")), SILENT)


def test_killed_between_all_steps_it_ends_with_the_same_figures(cohort, tmp_path, unbroken):
    """Three stages a life: enough to end a training, too few to end a round."""
    plan, lives, run = plan_of(cohort, tmp_path), 0, None
    while run is None:
        progress = Killing(at_stage=3)
        lives += 1
        try:
            run = run_arm(plan, progress)
        except Cancelled:
            assert lives < 12
    assert lives >= 4
    assert figures(run) == figures(unbroken)
    assert run.answered == unbroken.answered


@pytest.mark.parametrize("stage", ["Answering", "Scoring volumes", "Training", "Testing"])
def test_killed_within_a_step_it_ends_with_the_same_figures(cohort, tmp_path, unbroken, stage):
    """Within the answers: a volume that was opened before the kill is not opened anew."""
    plan = plan_of(cohort, tmp_path)
    with pytest.raises(Cancelled, match=stage):
        run_arm(plan, Killing(in_stage=stage))
    run = run_arm(plan, SILENT)
    assert figures(run) == figures(unbroken)
    assert run.answered == unbroken.answered


def test_what_is_done_is_not_done_again(cohort, tmp_path, unbroken, monkeypatch):
    plan = plan_of(cohort, tmp_path)
    run_arm(plan, SILENT)
    for name in ("evaluate", "run_train", "run_score", "run_suggest"):
        monkeypatch.setattr(arm_module, name, None)
    progress = Killing()
    again = run_arm(plan, progress)
    assert progress.names == []
    assert figures(again) == figures(unbroken)
    assert again.answered == unbroken.answered


def trainings(monkeypatch):
    """The rounds that are trained from now on."""
    rounds = []
    real = arm_module.run_train

    def run_train(project, *rest):
        files = real(project, *rest)
        rounds.append(files.number)
        return files

    monkeypatch.setattr(arm_module, "run_train", run_train)
    return rounds


def test_who_comes_second_takes_over_the_first_model(cohort, tmp_path, monkeypatch):
    """Another strategy with the same first batch: the figures of a run of its own."""
    changes = {"strategy": "worst-dice"}
    alone = run_arm(plan_of(cohort, tmp_path / "alone", **changes), SILENT)
    shared = FirstModels(tmp_path / "first")
    trained = trainings(monkeypatch)
    first = run_arm(plan_of(cohort, tmp_path / "first_arm", first_models=shared), SILENT)
    assert trained == [1, 2]
    plan = plan_of(cohort, tmp_path / "second", first_models=shared, **changes)
    second = run_arm(plan, SILENT)
    assert trained == [1, 2, 2]
    assert figures(second) == figures(alone)
    assert second.answered == alone.answered
    assert first.answered != alone.answered
    files = [
        Project.open(folder / "project").round(1)
        for folder in (tmp_path / "alone", tmp_path / "second")
    ]
    assert len({each.model.read_bytes() for each in files}) == 1
    assert len({each.log.read_bytes() for each in files}) == 1
    assert "train" in first.curve[0]["computing_s"]
    assert "train" not in second.curve[0]["computing_s"]


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": Recipe(steps=3, batch=2)},
        {"recipe": Recipe(steps=2, batch=2, propagation=False)},
        {"seed": 3},
        {"strategy": "strided"},
    ],
    ids=["steps", "propagation", "seed", "slices"],
)
def test_a_model_of_another_kind_is_not_taken_over(cohort, tmp_path, monkeypatch, changes):
    shared = FirstModels(tmp_path / "first")
    run_arm(plan_of(cohort, tmp_path / "a", first_models=shared, minutes=(2.0,)), SILENT)
    trained = trainings(monkeypatch)
    plan = plan_of(cohort, tmp_path / "b", first_models=shared, minutes=(2.0,), **changes)
    run_arm(plan, SILENT)
    assert trained == [1]


def test_every_point_is_measured_once(cohort, tmp_path, monkeypatch):
    measured = []
    real = arm_module.evaluate

    def evaluate(model, *rest):
        measured.append(model)
        return real(model, *rest)

    monkeypatch.setattr(arm_module, "evaluate", evaluate)
    plan = plan_of(cohort, tmp_path)
    with pytest.raises(Cancelled):  # reading, training and scoring are the second round's
        run_arm(plan, Killing(at_stage=9))
    run_arm(plan, SILENT)
    assert len(measured) == 2


def test_a_point_says_where_the_minutes_went_and_how_each_patient_is(unbroken):
    assert [point["round"] for point in unbroken.curve] == [0, 1]
    for number, point in enumerate(unbroken.curve):
        answers = [each for each in unbroken.answered if each.round <= number]
        assert point["slices"] == len(answers)
        assert tuple(point["parts"]) == PARTS
        assert sum(point["parts"].values()) == pytest.approx(point["minutes"])
        for part in PARTS:
            expected = sum(each.parts[part] for each in answers) / 60
            assert point["parts"][part] == pytest.approx(expected)
        assert point["foreground_voxels"] == sum(each.foreground for each in answers)
        one, other = (point["patients"][name] for name in ("v02", "v03"))
        assert set(one["structures"]) == set(point["structures"]) == {"liver", "spleen"}
        assert point["dice"] == pytest.approx((one["dice"] + other["dice"]) / 2)
        assert point["hd95"] == pytest.approx((one["hd95"] + other["hd95"]) / 2)
        low, high = sorted((one["dice"], other["dice"]))
        assert point["dice_p5"] == pytest.approx(low + 0.05 * (high - low))
        steps = {"choose", "answer", "train", "score", "test"}
        assert set(point["computing_s"]) == steps
        assert min(point["computing_s"].values()) > 0
        json.dumps(point, allow_nan=False)


def test_the_stages_of_an_arm_are_those_it_goes_through(cohort, tmp_path):
    progress = Killing()
    run_arm(plan_of(cohort, tmp_path, strategy="random"), progress)
    announced = arm_stages(2)
    assert {name: progress.names.count(name) for name in announced} == {
        name: times for name, (times, _) in announced.items()
    }
    assert set(progress.names) == set(announced)


# Answers, by hand


def asked(folder, cohort, keys, shown, audits=()):
    project = Project.create(folder, cohort, "axial", "random", 0, "unet25d")
    entries = [
        suggestion(key, rank, dice=0.5, minutes=1.5, audit=key in audits)
        for rank, key in enumerate(keys, 1)
    ]
    files = project.round(1)
    files.write_proposals(shown)
    files.write_batch(batch(1, entries))
    return project


def axial(volume, index):
    return SliceKey(volume, Plane.AXIAL, index)


def test_what_an_answer_cost_and_what_for(cohort, tmp_path, monkeypatch):
    """v00 is stored as it lies: slice 0 is empty, 3 shows the liver, 4 both structures."""
    monkeypatch.setattr(oracle_module, "NOISE", 0.0)
    truth = cohort.read_label("v00")
    assert [set(np.unique(truth[index])) for index in (0, 3, 4)] == [{0}, {0, 1}, {0, 1, 4}]
    keys = [axial("v00", 0), axial("v00", 3), axial("v00", 4), axial("v01", 0)]
    wrong = truth[4].copy()
    wrong[0, 0:4] = 1  # one wrong piece of 4 pixels in a row
    shown = {keys[1]: truth[3], keys[2]: wrong}
    project = asked(tmp_path / "p", cohort, keys, shown)
    Oracle(project, 0).answer_batch(SILENT)
    nothing, right, mended, other = logged_answers(project, project.latest_batch())
    assert [each.how for each in (nothing, right, mended)] == ["confirm", "confirm", "correct"]
    assert [each.first for each in (nothing, right, mended, other)] == [True, False, False, True]
    none = dict.fromkeys(PARTS, 0.0)
    assert nothing.parts == pytest.approx(none | {"opening": 15, "empty": 10})
    assert nothing.seconds == pytest.approx({"standard": 25, "slow": 50, "fast": 13})
    assert (nothing.foreground, nothing.dice) == (0, None)
    assert right.parts == pytest.approx(none | {"overhead": 10})
    assert right.dice == 1.0
    # 3 s for the piece, its contour at 8 mm/s: two long sides, two short ones, four corners.
    piece = 3 + (2 * 3 + 4 * math.sqrt(0.5)) / 8
    assert mended.parts == pytest.approx(none | {"overhead": 10, "correct": piece})
    assert mended.foreground == np.count_nonzero(truth[4])
    assert np.count_nonzero(truth[4] == 1) == 49
    assert mended.dice == pytest.approx((2 * 49 / (49 + 53) + 1) / 2)
    assert (mended.expected_dice, mended.expected_minutes) == (0.5, 1.5)
    assert [each.rank for each in (nothing, right, mended, other)] == [1, 2, 3, 4]


def test_an_audit_is_drawn_on_a_blank_canvas_and_judged_all_the_same(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(oracle_module, "NOISE", 0.0)
    truth = cohort.read_label("v00")
    key = axial("v00", 3)
    project = asked(tmp_path / "p", cohort, [key], {key: truth[3]}, audits=[key])
    Oracle(project, 0).answer_batch(SILENT)
    (found,) = logged_answers(project, project.latest_batch())
    assert (found.how, found.audit, found.dice) == ("draw", True, 1.0)
    assert found.parts["draw"] > 0
    assert found.parts["correct"] == 0


def test_without_proposals_everything_is_drawn_from_nothing(cohort, tmp_path, monkeypatch):
    """The very mask that is wanted helps nobody who is not shown it; it is judged all the same."""
    monkeypatch.setattr(oracle_module, "NOISE", 0.0)
    truth = cohort.read_label("v00")
    key = axial("v00", 3)
    seconds = {}
    for proposals in (True, False):
        project = asked(tmp_path / f"p{proposals}", cohort, [key], {key: truth[3]})
        (told,) = Oracle(project, 0, proposals=proposals).answer_batch(SILENT)
        (found,) = logged_answers(project, project.latest_batch(), proposals)
        assert found.how == told.how == ("confirm" if proposals else "draw")
        assert found.dice == 1.0
        seconds[proposals] = found.seconds["standard"]
    assert seconds[False] - seconds[True] == pytest.approx(found.parts["draw"])
    plan = plan_of(cohort, tmp_path / "run", proposals=False, strategy="random")
    run = run_arm(plan, SILENT)
    assert {each.how for each in run.answered} == {"draw", "confirm"}
    assert all(each.foreground == 0 for each in run.answered if each.how == "confirm")


def test_the_noise_of_the_person_is_in_all_parts_and_clocks(cohort, tmp_path):
    keys = [axial("v00", 3), axial("v00", 4)]
    project = asked(tmp_path / "p", cohort, keys, {})
    told = {each.key: each for each in Oracle(project, 5).answer_batch(SILENT)}
    for each in logged_answers(project, project.latest_batch()):
        assert each.seconds == pytest.approx(told[each.key].seconds)
        assert sum(each.parts.values()) == pytest.approx(each.seconds["standard"])
        assert each.how == told[each.key].how
        factor = each.parts["overhead"] / 10
        assert factor != pytest.approx(1, abs=1e-3)
        # 10, 20 and 5 s of looking, 15, 30 and 8 s of opening.
        fixed = {"standard": 25, "slow": 50, "fast": 13}
        if not each.first:
            fixed = {"standard": 10, "slow": 20, "fast": 5}
        work = {clock: each.seconds[clock] / factor - s for clock, s in fixed.items()}
        pieces = 2 * work["standard"] - work["slow"]  # what tracing speed does not change
        assert work["fast"] - pieces == pytest.approx((work["standard"] - pieces) / 2)


def test_a_clinician_who_is_called_away_goes_on_with_the_open_volume(cohort, tmp_path, monkeypatch):
    """The first slice of a volume costs more, once a batch."""
    keys = [axial("v00", 3), axial("v00", 4)]
    whole = asked(tmp_path / "whole", cohort, keys, {})
    expected = {each.key: each.seconds for each in Oracle(whole, 1).answer_batch(SILENT)}
    broken = asked(tmp_path / "broken", cohort, keys, {})
    calls = []

    def once(*arguments):
        if calls:
            raise Cancelled("called away")
        calls.append(arguments)
        return annotate(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(oracle_module, "annotate", once)
        with pytest.raises(Cancelled):
            Oracle(broken, 1).answer_batch(SILENT)
    (late,) = Oracle(broken, 1).answer_batch(SILENT)
    assert (late.key, late.seconds) == (keys[1], expected[keys[1]])
    found = logged_answers(broken, broken.latest_batch())
    for each in found:
        assert each.seconds == pytest.approx(expected[each.key])


# The ledger


def test_the_ledger_gives_back_what_it_was_given(tmp_path, unbroken):
    ledger = ArmLedger(tmp_path / "ledger", {"code": "1", "precision": "float32"})
    assert ledger.made_by(0) == []
    assert (ledger.answers(0), ledger.point(0), ledger.computing(0)) == (None, None, {})
    ledger.keep_answers(0, unbroken.answered)
    ledger.keep_point(0, unbroken.curve[0])
    with ledger.timed(0, "train"):
        pass
    with pytest.raises(Cancelled), ledger.timed(0, "score"):
        raise Cancelled("too early")
    again = ArmLedger(tmp_path / "ledger", {"code": "2", "precision": "float32"})
    assert again.answers(0) == unbroken.answered
    assert again.point(0) == unbroken.curve[0]
    assert set(again.computing(0)) == {"train"}
    for step in ("score", "test"):  # by another version, which went on
        with again.timed(0, step):
            pass
    assert [each["code"] for each in ArmLedger(tmp_path / "ledger").made_by(0)] == ["1", "2"]
    assert isinstance(again.answers(0)[0], LoggedAnswer)


@pytest.mark.parametrize("text", ["", "[]", '{"answers": [{"key": "v00/axial/000"}]}'])
def test_damaged_answers_are_refused_in_one_line(tmp_path, text):
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers/000.json").write_text(text)
    with pytest.raises(ProjectError, match="remove the folder of this arm and seed") as caught:
        ArmLedger(tmp_path).answers(0)
    assert "\n" not in str(caught.value)
