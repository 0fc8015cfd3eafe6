"""What a benchmark is asked for: arms, budgets, defaults; one folder for one set of settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from activeseg.benchmark import run
from activeseg.benchmark.arms import ARMS, HEADLINE, QUICK, REFERENCE, RIVALS, Arm, arm
from activeseg.benchmark.budgets import QUICK_SHARES, SHARES, default_minutes
from activeseg.benchmark.plan import BenchmarkPlan, agree
from activeseg.benchmark.request import Request, plan_of
from activeseg.benchmark.run import volume_minutes
from activeseg.cli.parser import build_parser
from activeseg.cohort import Cohort, open_cohort
from activeseg.errors import CohortError, ProjectError
from activeseg.loop.full import full_minutes, minutes_by_volume
from activeseg.model.training import Recipe
from activeseg.progress import Silent
from activeseg.project.scoring import Scoring
from activeseg.sampling import DEFAULT_STRATEGY, RESEARCH, STRATEGIES, strategy
from tiny_cohort import write_tiny_cohort

SILENT = Silent()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return open_cohort(write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", volumes=5))


def request(out, **changes):
    names = ("arms", "seeds", "rounds", "minutes", "pool", "test", "steps", "processes")
    options = dict.fromkeys(names) | {"plane_policy": "auto", "keep": False, "quick": False}
    return Request(out=out, **(options | changes))


def plan(out, cohort, **changes):
    made = BenchmarkPlan(
        out=out,
        cohort=cohort,
        arms=(arm(REFERENCE), arm("random")),
        seeds=2,
        minutes=(4.0, 5.5),
        pool=3,
        test=2,
        plane_policy="auto",
        recipe=Recipe(steps=3),
        processes=1,
        keep=False,
        quick=False,
    )
    return replace(made, **changes)


# Arms


def test_every_strategy_is_an_arm_and_the_reference_is_the_default_one():
    assert set(ARMS) >= {REFERENCE, *STRATEGIES, *RESEARCH}
    assert arm(REFERENCE) == Arm(REFERENCE, DEFAULT_STRATEGY, Scoring())
    for each in ARMS.values():
        assert strategy(each.strategy).name == each.strategy
    assert {*QUICK, *HEADLINE, *RIVALS} <= set(ARMS)


def test_peers_are_scored_as_they_were_published():
    assert arm("clasp-pe").scoring == Scoring(samples="snapshots")
    assert Recipe().members + 1 == 5
    assert arm("volume-epistemic").scoring == Scoring(samples="full-dropout", passes=10)


def test_an_ablation_is_shown_nothing_and_another_propagates_nothing():
    bare, alone = arm("activeseg-no-proposals"), arm("activeseg-no-propagation")
    assert (bare.strategy, bare.proposals, bare.propagation) == (DEFAULT_STRATEGY, False, True)
    assert (alone.strategy, alone.proposals, alone.propagation) == (DEFAULT_STRATEGY, True, False)
    assert all(each.proposals for each in ARMS.values() if each != bare)
    assert all(each.propagation for each in ARMS.values() if each != alone)


def test_an_unknown_arm_is_answered_with_those_there_are():
    with pytest.raises(ProjectError, match="no arm 'entorpy'; choose from activeseg, ") as no:
        arm("entorpy")
    assert "\n" not in str(no.value)
    assert all(name in str(no.value) for name in ARMS)


# Budgets


def test_six_batches_grow_to_a_seventh_of_it():
    """Of 1756 minutes: 0.4 % are 7.0, 5.5 % are 96.6."""
    found = default_minutes(1756.0, 6, SHARES)
    assert found == (7.0, 14.0, 22.8, 35.1, 61.5, 96.6)
    assert sum(found) == pytest.approx(0.135 * 1756, rel=0.01)


def test_fewer_batches_are_the_first_ones_and_further_ones_like_the_last():
    assert default_minutes(1000.0, 2, SHARES) == (4.0, 8.0)
    assert default_minutes(1000.0, 8, SHARES)[5:] == (55.0, 55.0, 55.0)
    assert default_minutes(439.0, 4, QUICK_SHARES) == (8.8, 8.8, 17.6, 35.1)


def test_no_batch_is_next_to_nothing():
    assert default_minutes(50.0, 4, SHARES) == (2.0,) * 4


def test_full_minutes_are_those_of_the_volumes(cohort):
    ids = [volume.id for volume in cohort.volumes]
    each = minutes_by_volume(cohort, ids, SILENT)
    assert list(each) == ids
    assert sum(each.values()) == pytest.approx(full_minutes(cohort, ids, SILENT))
    assert each["v02"] == pytest.approx(full_minutes(cohort, ["v02"], SILENT))


def test_the_timing_of_the_volumes_is_kept(cohort, tmp_path, monkeypatch):
    found = volume_minutes(tmp_path / "out", cohort, SILENT)
    monkeypatch.setattr(run, "minutes_by_volume", None)
    assert volume_minutes(tmp_path / "out", cohort, SILENT) == found
    assert list(found) == ["v00", "v01", "v02", "v03", "v04"]
    (tmp_path / "out/volumes.json").write_text("{")
    with pytest.raises(ProjectError, match="damaged"):
        volume_minutes(tmp_path / "out", cohort, SILENT)


# Requests


def test_what_nobody_said_gets_its_default(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    made = plan_of(request(tmp_path / "out", arms=("random",)), cohort, SILENT)
    assert (made.pool, made.test, made.seeds, made.processes) == (3, 2, 3, 7)
    assert (made.recipe, made.quick, made.keep) == (Recipe(), False, False)
    mean = sum(volume_minutes(tmp_path / "out", cohort, SILENT).values()) / 5
    assert made.minutes == default_minutes(3 * mean, 6, SHARES)
    assert made.arms == (arm("random"),)


def test_what_was_said_counts(cohort, tmp_path):
    asked = request(
        tmp_path / "out",
        arms=("random", "activeseg"),
        seeds=4,
        rounds=2,
        minutes=(6.0,),
        pool=2,
        test=1,
        steps=9,
        processes=3,
        plane_policy="axial",
        keep=True,
    )
    made = plan_of(asked, cohort, SILENT)
    assert made.minutes == (6.0, 6.0, 6.0)
    assert (made.pool, made.test, made.seeds, made.processes) == (2, 1, 4, 3)
    assert (made.plane_policy, made.keep, made.recipe.steps) == ("axial", True, 9)
    assert [each.name for each in made.arms] == ["random", "activeseg"]
    each = plan_of(replace(asked, minutes=(6.0, 8.0, 12.0)), cohort, SILENT)
    assert each.minutes == (6.0, 8.0, 12.0)


def test_a_first_look_takes_less(cohort, tmp_path):
    made = plan_of(request(tmp_path / "out", quick=True), cohort, SILENT)
    assert tuple(each.name for each in made.arms) == QUICK
    assert (made.seeds, len(made.minutes), made.quick) == (1, 4, True)
    assert (made.pool, made.test) == (3, 2)  # of 5 volumes, not 30 and 15
    assert made.recipe.steps == Recipe().steps / 2
    many = Cohort(
        cohort.root,
        tuple(replace(cohort.volumes[0], id=f"v{n:02d}") for n in range(60)),
        cohort.structures,
    )
    large = plan_of(request(tmp_path / "many", quick=True), many, SILENT)
    assert (large.pool, large.test) == (30, 15)
    said = plan_of(request(tmp_path / "many", quick=True, seeds=2, pool=20, steps=9), many, SILENT)
    assert (said.seeds, said.pool, said.test, said.recipe.steps) == (2, 20, 15, 9)


def test_contradictions_are_refused_before_a_cohort_is_read(tmp_path):
    with pytest.raises(ProjectError, match="no arm 'x'"):
        request(tmp_path / "out", arms=("x",)).check()
    twice = request(tmp_path / "out", arms=("random",), minutes=(4.0, 4.0, 8.0), rounds=5)
    with pytest.raises(ProjectError, match="names 3 batches and --rounds asks for 5") as caught:
        twice.check()
    assert "\n" not in str(caught.value)
    replace(twice, rounds=2).check()
    replace(twice, rounds=None).check()
    replace(twice, minutes=(4.0,)).check()
    assert not (tmp_path / "out").exists()


def test_too_few_volumes_are_refused(cohort, tmp_path):
    with pytest.raises(CohortError, match="5 volumes have a reference label; 4 for the pool"):
        plan_of(request(tmp_path / "out", arms=("random",), pool=4, test=2), cohort, SILENT)


# One folder, one set of settings


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    asked = request(tmp_path, arms=("random",))
    asked.check()  # empty
    (tmp_path / "volumes.json").write_text("{}")
    asked.check()  # what a killed beginning leaves
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ProjectError, match=r"it holds 'thesis\.txt'\) and no benchmark"):
        asked.check()
    (tmp_path / "plan.json").write_text("{}")
    asked.check()


def test_arms_may_be_added_and_the_cohort_may_move(cohort, tmp_path):
    agree(plan(tmp_path / "out", cohort))
    moved = Cohort(Path("elsewhere"), cohort.volumes, cohort.structures)
    agree(plan(tmp_path / "out", moved, arms=(arm("strided"),), seeds=9, processes=4, keep=True))
    kept = json.loads((tmp_path / "out/plan.json").read_text())
    assert set(kept["arms"]) == {"activeseg", "random", "strided"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"minutes": (4.0, 6.0)}, r"begun with minutes \[4.0, 5.5\], now \[4.0, 6.0\]"),
        ({"pool": 2}, "begun with pool 3, now 2"),
        ({"test": 1}, "begun with test 2, now 1"),
        ({"plane_policy": "all"}, 'plane_policy "auto", now "all"'),
        ({"recipe": Recipe(steps=4)}, "begun with recipe: steps 3, now 4"),
        ({"quick": True}, "quick false, now true"),
        ({"arms": (Arm("random", "strided"),)}, 'arm random: strategy "random", now "strided"'),
        (
            {"arms": (Arm("random", "random", Scoring(passes=9)),)},
            "arm random: scoring: passes 6, now 9",
        ),
        ({"arms": (Arm("random", "random", proposals=False),)}, "random: proposals true"),
    ],
)
def test_other_settings_are_refused_in_one_line(cohort, tmp_path, changes, said):
    out = tmp_path / "out"
    agree(plan(out, cohort))
    before = (out / "plan.json").read_text()
    with pytest.raises(ProjectError, match=said) as caught:
        agree(plan(out, cohort, **changes))
    assert "\n" not in str(caught.value)
    assert "choose another folder with --out, or give the same settings" in str(caught.value)
    assert (out / "plan.json").read_text() == before


def test_other_volumes_are_refused(cohort, tmp_path):
    agree(plan(tmp_path / "out", cohort))
    fewer = Cohort(cohort.root, cohort.volumes[:4], cohort.structures)
    with pytest.raises(ProjectError, match="begun with other volumes than this cohort's"):
        agree(plan(tmp_path / "out", fewer))
    (tmp_path / "out/plan.json").write_text("not JSON")
    with pytest.raises(ProjectError, match="damaged"):
        agree(plan(tmp_path / "out", cohort))


# Words


def test_the_words_of_the_command():
    parse = build_parser().parse_args
    bare = parse(["benchmark", "--cohort", "C", "--out", "O"])
    assert (bare.cohort, bare.out, bare.plane) == (Path("C"), Path("O"), "auto")
    names = ("arms", "seeds", "rounds", "minutes", "pool", "test", "steps", "processes")
    assert all(getattr(bare, name) is None for name in names)
    words = "--arms A,B --seeds 4 --minutes 6,8.5 --rounds 1 --quick --keep --progress json"
    said = parse(["benchmark", "--cohort", "C", "--out", "O", *words.split()])
    assert (said.arms, said.seeds, said.minutes, said.rounds) == (("A", "B"), 4, (6.0, 8.5), 1)
    assert said.quick
    assert said.keep


@pytest.mark.parametrize("words", ["--minutes 6,,8", "--minutes 0", "--seeds 0", "--arms A,A"])
def test_words_that_are_none(words, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["benchmark", "--cohort", "C", "--out", "O", *words.split()])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "expected" in said
    assert said.count("\n") == 1
