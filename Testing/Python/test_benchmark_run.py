"""A whole benchmark on a tiny cohort: what it writes, goes on with, adds to and refuses."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from pyarrow import parquet

from activeseg.benchmark import jobs, run
from activeseg.benchmark.arms import arm
from activeseg.benchmark.collect import collect
from activeseg.benchmark.folders import Folders
from activeseg.benchmark.jobs import waiting_jobs
from activeseg.benchmark.plan import BenchmarkPlan
from activeseg.benchmark.run import run_benchmark, volume_minutes
from activeseg.cli import main
from activeseg.cohort import open_cohort
from activeseg.errors import Cancelled, ProjectError
from activeseg.loop.full import full_minutes
from activeseg.loop.measures import minutes_to
from activeseg.loop.processes import PARTS
from activeseg.loop.split import split
from activeseg.model.training import Recipe
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.sources import code_version
from tiny_cohort import write_tiny_cohort

SILENT = Silent()
OUTPUTS = {"result.json", "report.html", "table.md", "figure.png"} | {
    f"{name}.{suffix}" for name in ("points", "answers") for suffix in ("csv", "parquet")
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return open_cohort(write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", volumes=5))


@pytest.fixture(scope="module", autouse=True)
def one_process():
    """The jobs one after the other in this process, which has everything imported."""

    def in_turn(work, at_once, stage_name, progress, finished):
        for place, (name, job) in enumerate(work.items(), 1):
            finished(name, job.work(progress), 60.0 * (len(work) - place))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "side_by_side", in_turn)
        patched.setattr(run, "EARLY_DRAWS", 20)
        patched.setattr(run, "DRAWS", 50)
        yield


def plan_of(out, cohort, **changes):
    made = BenchmarkPlan(
        out=out,
        cohort=cohort,
        arms=(arm("activeseg"), arm("random")),
        seeds=1,
        minutes=(3.0, 3.0),
        pool=3,
        test=2,
        plane_policy="auto",
        recipe=Recipe(steps=2, batch=2),
        processes=1,
        keep=False,
        quick=False,
    )
    return replace(made, **changes)


def benchmark(plan, say=lambda line: None):
    volume_minutes(plan.out, plan.cohort, SILENT)
    return run_benchmark(plan, SILENT, say)


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def ran(cohort, tmp_path_factory):
    """Two arms, one seed; then another seed and another arm into the same folder."""
    plan = plan_of(tmp_path_factory.mktemp("ran") / "out", cohort)
    said: list[str] = []
    first = benchmark(plan, said.append)
    more = replace(plan, seeds=2, arms=(*plan.arms, arm("strided")))
    second = benchmark(more, said.append)
    return plan, more, first, second, said


def test_runs_come_seed_by_seed_and_only_what_is_missing_is_run(ran):
    assert ran[4] == [
        "full, seed 0 ended (1 of 3; about 2 min left)",
        "activeseg, seed 0 ended (2 of 3; about 1 min left)",
        "random, seed 0 ended (3 of 3)",
        "strided, seed 0 ended (1 of 5; about 4 min left)",
        "full, seed 1 ended (2 of 5; about 3 min left)",
        "activeseg, seed 1 ended (3 of 5; about 2 min left)",
        "random, seed 1 ended (4 of 5; about 1 min left)",
        "strided, seed 1 ended (5 of 5)",
    ]
    assert waiting_jobs(ran[1]) == {}


def test_the_result_keeps_the_contract(ran):
    plan, more, first, second, _ = ran
    assert json.loads((plan.out / "result.json").read_text()) == json.loads(json.dumps(second))
    assert set(first["arms"]) == {"activeseg", "random"}
    assert set(second["arms"]) == {"activeseg", "random", "strided"}
    assert second["cohort"] == str(more.cohort.root)
    for seed in (0, 1):
        pool, _ = split(more.cohort, seed, 3, 2)
        for each in second["arms"].values():
            found = each["seeds"][seed]
            assert found["seed"] == seed
            assert found["full_minutes"] == pytest.approx(full_minutes(more.cohort, pool, SILENT))
            assert [point["round"] for point in found["curve"]] == [0, 1]
            assert "patients" not in found["curve"][0]
            goal = 0.95 * found["full_dice"]
            assert found["m95"] == minutes_to(found["curve"], goal)
            assert found["m95_slow"] == minutes_to(found["curve"], goal, "minutes_slow")
            assert found["dice_p5"] == found["curve"][-1]["dice_p5"]
            for name in ("m90", "m98_fast", "aubc", "hd95", "volume_mae", "slice_spearman"):
                assert name in found
            assert found["coverage90"] is None or 0 <= found["coverage90"] <= 1
            assert found["minutes_mape"] > 0
    # The first seed's figures are those of the first run, whatever was added.
    assert second["arms"]["random"]["seeds"][0] == first["arms"]["random"]["seeds"][0]
    full = [second["arms"]["random"]["seeds"][seed]["full_dice"] for seed in (0, 1)]
    assert second["full_dice"] == pytest.approx(sum(full) / 2)
    assert second["code"] == [code_version()]
    assert set(second["comparisons"]) == {"random", "strided"}
    assert second["primary"]["rivals"] == ["strided"]
    assert first["primary"] is None


def test_the_arms_of_a_seed_share_split_and_seed(ran):
    plan, more, *_ = ran
    pools = {}
    for name in ("activeseg", "random", "strided"):
        project = Project.open(Folders(plan.out).run(name, 1) / "project")
        assert project.seed == 1
        pools[name] = {volume.id for volume in project.cohort.volumes}
    assert set(map(frozenset, pools.values())) == {frozenset(split(more.cohort, 1, 3, 2)[0])}


def test_the_bulk_of_a_run_goes_and_its_records_stay(ran, cohort, tmp_path):
    folder = Folders(ran[0].out).run("activeseg", 0)
    left = {path.name for path in (folder / "project/rounds/001").iterdir()}
    assert left == {"batch.json", "estimate.json", "log.jsonl"}
    assert Project.open(folder / "project").annotations()
    assert not (ran[0].out / "first").exists()
    assert {path.name for path in folder.iterdir()} == {"project", "records", "record.json"}
    kept = plan_of(tmp_path / "out", cohort, arms=(arm("random"),), keep=True)
    benchmark(kept)
    left = Folders(kept.out).run("random", 0) / "project/rounds/002"
    assert {"model.pt", "scores.parquet", "predictions"} <= {path.name for path in left.iterdir()}


def test_the_tidy_files_hold_every_point_and_answer(ran):
    plan, _, _, second, _ = ran
    points = rows_of(plan.out / "points.csv")
    assert len(points) == 3 * 2 * 2
    for row in points:
        seed = second["arms"][row["arm"]]["seeds"][int(row["seed"])]
        point = seed["curve"][int(row["round"])]
        assert float(row["dice"]) == point["dice"]
        assert float(row["parts_draw"]) == point["parts"]["draw"]
        assert "patients" not in row
    answers = rows_of(plan.out / "answers.csv")
    for name, each in second["arms"].items():
        for seed in each["seeds"]:
            own = [r for r in answers if (r["arm"], r["seed"]) == (name, str(seed["seed"]))]
            assert len(own) == seed["curve"][-1]["slices"]
            spent = sum(float(row["seconds_standard"]) for row in own) / 60
            assert spent == pytest.approx(seed["curve"][-1]["minutes"])
    for name, rows, column in (
        ("points", points, "dice"),
        ("answers", answers, "seconds_standard"),
    ):
        same = parquet.read_table(plan.out / f"{name}.parquet").to_pylist()
        assert [set(row) for row in same] == [set(row) for row in rows]
        assert [row[column] for row in same] == [float(row[column]) for row in rows]
        assert [row["arm"] for row in same] == [row["arm"] for row in rows]


def test_the_table_and_the_page_say_the_same(ran):
    plan, _, _, second, _ = ran
    assert {path.name for path in plan.out.iterdir()} >= OUTPUTS
    table = (plan.out / "table.md").read_text()
    page = (plan.out / "report.html").read_text()
    ratio = second["comparisons"]["strided"]["m95"]["standard"]["ratio"]
    assert re.search(rf"\| strided \| 2 \|.*{ratio:.2f} \(", table)
    assert f"{ratio:.2f} (" in page
    for text in (table, page):
        assert "A first look, not evidence: 2 seeds so far." in text
        assert f"{second['full_minutes']:.0f} minutes" in text
    tables = [each.splitlines() for each in table.split("\n\n") if each.startswith("|")]
    # Each arm's minutes and ratios; what the seeds alone say of the rivals.
    assert [len(lines) for lines in tables] == [2 + 3, 2 + 2]
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1


def test_the_page_is_whole_and_loads_nothing(ran):
    page = (ran[0].out / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    assert set(re.findall(r"https?://[^\s\"'<>]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"<(script|img|link|iframe)[^>]*\b(src|href)=", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    targets = re.findall(r"url\(#([^)]+)\)", page) + re.findall(r'href="#([^"]+)"', page)
    assert set(targets) <= set(ids)
    assert not re.search(r"#fe0[01]", page)  # matplotlib's stand-in colours have been replaced
    assert page.count('<svg role="img"') == 6  # three drawings, for wide and for narrow screens
    assert str(ran[1].cohort.root.parent) not in page
    assert (ran[0].out / "figure.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_same_runs_give_the_same_files(ran):
    plan, more, *_ = ran
    before = {name: (plan.out / name).read_bytes() for name in OUTPUTS}
    benchmark(more)
    assert {name: (plan.out / name).read_bytes() for name in OUTPUTS} == before


def test_a_killed_benchmark_has_the_results_so_far_and_goes_on(cohort, tmp_path, ran, monkeypatch):
    plan = plan_of(tmp_path / "out", cohort)
    lines: list[str] = []

    def killed(line):
        lines.append(line)
        if len(lines) == 2:
            raise Cancelled("by hand")

    with pytest.raises(Cancelled):
        benchmark(plan, killed)
    early = json.loads((plan.out / "result.json").read_text())
    assert set(early["arms"]) == {"activeseg"}
    assert early["draws"] == 20
    assert {path.name for path in plan.out.iterdir()} >= OUTPUTS
    found = benchmark(plan)
    assert found["draws"] == 50

    def without_clock(result):
        seeds = [seed for each in result["arms"].values() for seed in each["seeds"]]
        for seed in seeds:
            seed.pop("computing_s", None)
            for point in seed["curve"]:
                point.pop("computing_s", None)
        return result["arms"], result["minutes_to_goals"]

    assert without_clock(found) == without_clock(ran[2])


def test_a_run_that_cannot_go_on_ends_no_other(cohort, tmp_path, monkeypatch):
    real = jobs.run_arm

    def refuse(plan, progress):
        if plan.strategy == "random":
            raise ProjectError("no slice fits 3 minutes")
        return real(plan, progress)

    monkeypatch.setattr(jobs, "run_arm", refuse)
    plan = plan_of(tmp_path / "out", cohort, arms=(arm("random"), arm("strided")))
    said: list[str] = []
    with pytest.raises(ProjectError, match="1 run could not go on") as caught:
        benchmark(plan, said.append)
    assert "random, seed 0: no slice fits 3 minutes" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert said[1].startswith("random, seed 0 could not go on: no slice fits 3 minutes (2 of 3")
    assert set(json.loads((plan.out / "result.json").read_text())["arms"]) == {"strided"}
    monkeypatch.undo()
    assert list(waiting_jobs(plan)) == ["random, seed 0"]


def test_a_cancel_is_no_refusal(cohort, tmp_path, monkeypatch):
    def cancelled(plan, progress):
        raise Cancelled("whoever waited is gone")

    monkeypatch.setattr(jobs, "run_arm", cancelled)
    job = waiting_jobs(plan_of(tmp_path / "out", cohort))["random, seed 0"]
    with pytest.raises(Cancelled):
        job.work(SILENT)


def test_an_arm_is_as_much_work_as_its_models(cohort, tmp_path):
    found = waiting_jobs(plan_of(tmp_path / "out", cohort))
    assert {name: job.parts for name, job in found.items()} == {
        "full, seed 0": PARTS,
        "activeseg, seed 0": 2 * PARTS,
        "random, seed 0": 2 * PARTS,
    }


def test_nothing_is_written_before_there_is_something_to_compare(cohort, tmp_path):
    plan = plan_of(tmp_path / "out", cohort, arms=(arm("random"),))
    volume_minutes(plan.out, cohort, SILENT)
    assert run.write_results(plan, 20) is None
    assert {path.name for path in plan.out.iterdir()} == {"volumes.json"}


def test_a_missing_record_is_told_in_one_line(ran, tmp_path, cohort):
    plan = plan_of(tmp_path / "out", cohort, arms=(arm("random"),))
    benchmark(plan)
    (Folders(plan.out).run("random", 0) / "records/points/001.json").unlink()
    with pytest.raises(ProjectError, match="round 1 of its records is missing") as caught:
        collect(plan.out, 2)
    assert "\n" not in str(caught.value)


def test_the_command_runs_in_processes_of_its_own(tmp_path, capsys):
    """From the words to the table, as a user types it; then a refusal."""
    write_tiny_cohort(tmp_path / "cohort", volumes=4)
    words = [sys.executable, "-m", "activeseg", "benchmark", "--cohort", tmp_path / "cohort"]
    words += ["--out", tmp_path / "out", "--arms", "random", "--seeds", 1, "--minutes", 3]
    words += ["--rounds", 1, "--steps", 2, "--processes", 2]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| random | 1 |" in done.stdout
    assert done.stdout.endswith(f"report: {tmp_path / 'out/report.html'}\n")
    assert "random, seed 0 ended" in done.stderr
    assert "Running the benchmark: 300 of 300 in " in done.stderr
    words[words.index(3)] = 4
    assert main([str(word) for word in words[3:]]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = (each for each in said.err.splitlines() if each.startswith("activeseg: "))
    assert line.startswith(f"activeseg: {tmp_path / 'out'}: begun with minutes [3.0, 3.0], now")
