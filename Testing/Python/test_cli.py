"""The command line: the names others rely on, what is printed, and how mistakes are told."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from activeseg import __version__
from activeseg.cli import main
from activeseg.cli.parser import build_parser
from activeseg.cohort import open_cohort, write_label
from activeseg.errors import ProjectError
from activeseg.keys import SliceKey
from activeseg.loop.demo import prepare_folder
from activeseg.project import Project, status
from activeseg.sampling import STRATEGIES
from in_process import Done
from tiny_cohort import write_tiny_cohort

KEYS = {
    *("key", "volume", "plane", "index", "rank"),
    *("value", "minutes", "expected_dice", "entropy", "reason", "how"),
    *("minutes_low", "minutes_high", "dice_low", "dice_high", "audit"),
}


def command(*words: object) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "activeseg", *(str(word) for word in words)]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort", suffix=".nii.gz")


def label_of(cohort, key):
    return cohort / f"labels/{key.split('/')[0]}.nii.gz"


@pytest.fixture(scope="module")
def walked(tmp_path_factory, cohort):
    """A project through every verb by the command line alone; what each printed as JSON."""
    folder = tmp_path_factory.mktemp("walked") / "project"
    printed = {}

    def call(name: str, *words: object) -> None:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            assert main([str(word) for word in words]) == 0
        printed[name] = out.getvalue()

    call("init", "init", folder, "--cohort", cohort, "--seed", 3, "--json")
    call("status before", "status", folder, "--json")
    call("suggest", "suggest", folder, "--minutes", 4, "--json")
    call("next", "next", folder, "--author", "ada", "--json")
    asked = [each["key"] for each in json.loads(printed["suggest"])["suggestions"]]
    for key in asked:
        mask = label_of(cohort, key)
        words = ("--mask", mask, "--seconds", 42.5, "--author", "ada", "--json")
        call("annotate", "annotate", folder, key, *words)
    call("nothing open", "next", folder, "--json")
    call("round", "round", folder, "--minutes", 24, "--steps", 3, "--json")
    call("status", "status", folder, "--json")
    return folder, printed


@pytest.fixture
def project(walked, tmp_path):
    """A copy to change: round 0 answered, round 1 asked."""
    shutil.copytree(walked[0], tmp_path / "project")
    return tmp_path / "project"


# Names


CONTRACT = [
    "demo --cohort DIR --out DIR --rounds 2 --no-serve",
    "demo",
    "phantom DIR --volumes 4 --seed 1",
    "phantom DIR",
    "init PROJECT --cohort DIR --structures A,B --plane auto --model NAME_OR_PATH",
    *(f"init PROJECT --cohort DIR --plane {plane}" for plane in ("axial", "coronal", "sagittal")),
    "init PROJECT --cohort DIR --plane all",
    "suggest PROJECT --minutes 30 --strategy random --json",
    "suggest PROJECT --minutes 0.5",
    "suggest PROJECT --minutes 30 --author A",
    "next PROJECT --json",
    "next PROJECT --skip case_003/axial/057 --author A --json",
    "annotate PROJECT case_003/axial/057 --mask FILE --seconds 12.5 --author A",
    "annotate PROJECT case_003/axial/057 --mask FILE",
    "train PROJECT",
    "score PROJECT",
    "round PROJECT --minutes 30",
    "round PROJECT --minutes 30 --author A",
    *(f"score PROJECT --samples {source}" for source in ("dropout", "augmented", "snapshots")),
    "round PROJECT --minutes 30 --samples snapshots",
    "status PROJECT --json",
    "status PROJECT",
    "predict PROJECT VOLUME -o FILE",
    "doctor",
    "doctor --json",
    *(
        f"{verb} --progress json"
        for verb in (
            "demo",
            "phantom DIR",
            "init P --cohort D",
            "suggest P --minutes 1",
            "train P",
            "score P",
            "round P --minutes 1",
        )
    ),
]


@pytest.mark.parametrize("line", CONTRACT)
def test_the_contracts_commands_are_understood(line):
    arguments = build_parser().parse_args(shlex.split(line))
    assert callable(arguments.run)


def test_words_become_values():
    parse = build_parser().parse_args
    init = parse(["init", "P", "--cohort", "D", "--structures", "A,B"])
    assert (init.project, init.cohort, init.structures) == (Path("P"), Path("D"), ("A", "B"))
    assert (init.plane, init.model, init.seed) == ("auto", "unet25d", 0)
    assert parse(["suggest", "P", "--minutes", "2.5"]).minutes == 2.5
    phantom = parse(["phantom", "D", "--volumes", "7", "--seed", "9"])
    assert (phantom.volumes, phantom.seed) == (7, 9)
    demo = parse(["demo"])
    assert (demo.rounds, demo.cohort, demo.no_serve) == (3, None, False)
    # Who works is asked of the system where nobody says.
    assert parse(["next", "P"]).author
    assert parse(["next", "P", "--author", "Ada"]).author == "Ada"
    # For whom minutes are expected is asked of the project where nobody says.
    for verb in ("suggest", "round"):
        assert parse([verb, "P", "--minutes", "1"]).author is None
        assert parse([verb, "P", "--minutes", "1", "--author", "Ada"]).author == "Ada"
    assert parse(["score", "P"]).samples == parse(["round", "P", "--minutes", "1"]).samples
    assert parse(["score", "P"]).samples == "dropout"
    assert parse(["next", "P"]).skip is None


def test_every_command_has_help(run):
    actions = build_parser()._actions
    (verbs,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    expected = "demo phantom init suggest next annotate train score round status predict doctor"
    assert set(verbs.choices) >= set(expected.split())
    assert len(verbs._choices_actions) == len(verbs.choices)  # each says what it is for
    for name in verbs.choices:
        found = run(name, "--help")
        assert found.code == 0
        assert found.out.startswith(f"usage: activeseg {name}")
    assert run("--version") == Done(0, f"activeseg {__version__}\n", "")


# What is printed


def test_init_prints_where_the_project_stands(walked):
    found = json.loads(walked[1]["init"])
    assert found == json.loads(walked[1]["status before"])
    assert found["structures"] == [{"name": "liver", "value": 1}, {"name": "spleen", "value": 4}]
    assert found["volumes"] == ["v00", "v01", "v02", "v03"]
    assert (found["plane_policy"], found["slices"], found["seed"]) == ("auto", 32, 3)
    assert (found["strategy"], found["model"]) == ("auto", "unet25d")
    assert (found["accepted"], found["open"], found["round"]) == ([], [], None)
    assert found["next"] == f"activeseg suggest {walked[0]} --minutes 30"


def test_suggest_and_round_print_their_batch(walked):
    printed = {"suggestions", "budget_minutes", "strategy", "seed", "round", "author", "note"}
    for name, strategy, number, minutes in (
        ("suggest", "one-shot", 0, 4.0),
        ("round", "auto", 1, 24.0),
    ):
        found = json.loads(walked[1][name])
        assert set(found) == printed
        # Before anybody has answered the minutes are nobody's, then those of who answered last.
        assert (found["author"], found["note"]) == ("ada" if number else None, "")
        assert (found["budget_minutes"], found["strategy"]) == (minutes, strategy)
        assert (found["seed"], found["round"]) == (3, number)
        assert found["suggestions"]
        for rank, each in enumerate(found["suggestions"], 1):
            assert set(each) == KEYS
            assert each["rank"] == rank
            assert each["key"] == f"{each['volume']}/{each['plane']}/{each['index']:03d}"
            for part in ("expected_dice", "entropy", "dice_low", "dice_high"):
                assert (each[part] is not None) == (name == "round")
            assert each["minutes_low"] < each["minutes"] < each["minutes_high"]
            assert each["how"] in ("draw", "correct", "confirm")
            assert isinstance(each["audit"], bool)


def test_next_prints_the_first_open_suggestion_or_null(walked):
    first = json.loads(walked[1]["suggest"])["suggestions"][0]
    assert json.loads(walked[1]["next"]) == first
    assert walked[1]["nothing open"] == "null\n"


def test_annotate_prints_what_was_accepted(walked):
    found = json.loads(walked[1]["annotate"])
    last = json.loads(walked[1]["suggest"])["suggestions"][-1]
    assert set(found) == {"key", "author", "seconds", "time", "file", "shown", "withdrawn"}
    assert found["withdrawn"] is False
    assert (found["key"], found["author"], found["seconds"]) == (last["key"], "ada", 42.5)
    assert Path(found["file"]).is_file()
    assert (found["shown"]["rank"], found["shown"]["blank"]) == (last["rank"], True)


def test_status_lists_what_is_accepted_and_open(walked):
    found = json.loads(walked[1]["status"])
    asked = [each["key"] for each in json.loads(walked[1]["suggest"])["suggestions"]]
    assert found["accepted"] == sorted(asked)
    assert found["annotated_slices"] == len(asked)
    assert found["minutes_spent"] == pytest.approx(42.5 * len(asked) / 60)
    waiting = [each["key"] for each in json.loads(walked[1]["round"])["suggestions"]]
    assert found["open"] == waiting
    assert (found["round"], found["last_trained_round"], found["authors"]) == (1, 1, ["ada"])
    assert found["skipped"] == []
    low, high = found["estimated_dice_interval"]
    assert 0 <= low <= found["estimated_dice"] <= high <= 1
    assert 0 <= found["next_gain"]["low"] <= found["next_gain"]["dice"]


def test_people_get_lines_instead(walked, project, cohort, run):
    found = run("status", project)
    assert (found.code, found.err) == (0, "")
    waiting = json.loads(walked[1]["status"])["open"]
    assert f"open         {len(waiting)} suggestions" in found.out
    first = json.loads(walked[1]["round"])["suggestions"][0]
    following = run("next", project, "--author", "ada")
    assert following.out == f"{waiting[0]}  {first['reason']}\n"
    accepted = run("annotate", project, waiting[0], "--mask", label_of(cohort, waiting[0]))
    assert accepted == Done(0, f"accepted {waiting[0]}\n", "")
    asked = run("suggest", project, "--minutes", 4, "--progress", "none")
    assert (asked.code, asked.err) == (0, "")
    for suggestion in Project.open(project).open_suggestions():
        assert f" {suggestion.key} " in asked.out  # whole, however narrow the terminal
    # Everyone gets one of their own until none is left.
    given = [
        run("next", project, "--author", f"bob {suggestion.rank}").out.split()[0]
        for suggestion in Project.open(project).open_suggestions()
    ]
    assert given == [str(s.key) for s in Project.open(project).open_suggestions()]
    others = run("next", project, "--author", "eve").out
    assert others == f"others work on the {len(given)} open suggestions; try again later\n"


def test_next_can_put_a_slice_aside(walked, project, run):
    waiting = json.loads(walked[1]["status"])["open"]
    assert len(waiting) > 2
    first = json.loads(run("next", project, "--author", "ada", "--json").out)
    assert first["key"] == waiting[0]
    found = run("next", project, "--skip", waiting[0], "--author", "ada", "--json")
    assert (found.code, found.err) == (0, "")
    assert json.loads(found.out)["key"] == waiting[1]
    # One that is not the next can be put aside too.
    found = run("next", project, "--author", "ada", "--skip", waiting[2])
    assert found.out.startswith(f"{waiting[1]}  ")
    status_now = json.loads(run("status", project, "--json").out)
    assert status_now["skipped"] == sorted([waiting[0], waiting[2]])
    assert status_now["open"] == [waiting[1], *waiting[3:]]
    asked = json.loads(run("suggest", project, "--minutes", 1e4, "--json").out)["suggestions"]
    assert {waiting[0], waiting[2]}.isdisjoint(each["key"] for each in asked)
    for each in status_now["open"][:-1]:
        run("next", project, "--skip", each)
    assert run("next", project, "--skip", status_now["open"][-1]).code == 0
    assert {*waiting} == {*json.loads(run("status", project, "--json").out)["skipped"]}


def test_bad_skips(walked, project, run):
    waiting = json.loads(walked[1]["status"])["open"]

    def skip(key, *words):
        return run("next", project, "--skip", key, "--author", "ada", *words)

    refused(skip("v00-axial-1"), "v00-axial-1: not a slice key; expected VOLUME/PLANE")
    refused(skip("v00/axial/008", "--json"), "v00/axial/008: the volume has 8 slices")
    refused(skip("v99/axial/001"), "v99: no such volume")
    refused(skip(waiting[0], "--author", " "), "is not an author's name")
    refused(run("next", project, "--skip"), "--skip")
    found = json.loads(run("status", project, "--json").out)
    # A mistake costs nobody a slice, and claims none.
    assert (found["skipped"], found["open"], found["working"]) == ([], waiting, {})


def test_a_skip_can_say_why(walked, project, run):
    waiting = json.loads(walked[1]["status"])["open"]
    words = ("next", project, "--skip", waiting[0], "--author", "ada")
    assert run(*words, "--reason", " no  contrast\nhere ").code == 0
    (skip,) = Project.open(project).skips()
    assert (str(skip.key), skip.author, skip.reason) == (waiting[0], "ada", "no contrast here")
    refused(run("next", project, "--reason", "why"), "give --skip KEY with it")
    assert len(Project.open(project).skips()) == 1


def test_an_answer_can_be_undone(walked, project, run):
    before = json.loads(run("status", project, "--json").out)
    key = before["accepted"][0]
    (answer,) = Project.open(project).history(SliceKey.parse(key))
    refused(run("annotate", project, key, "--undo", "--author", "eve"), "only ")
    found = run("annotate", project, key, "--undo", "--author", answer.author, "--json")
    assert (found.code, found.err) == (0, "")
    printed = json.loads(found.out)
    assert (printed["key"], printed["file"]) == (key, str(answer.image))
    assert printed["withdrawn"] is True
    assert Path(printed["file"]).is_file()
    after = json.loads(run("status", project, "--json").out)
    assert after["accepted"] == before["accepted"][1:]
    assert after["minutes_spent"] == before["minutes_spent"]
    refused(run("annotate", project, key, "--undo"), "nobody has answered it")
    other = before["accepted"][1]
    author = Project.open(project).history(SliceKey.parse(other))[0].author
    found = run("annotate", project, other, "--undo", "--author", author)
    assert found.out == f"withdrew {other}\n"


def test_an_undo_says_which_older_mask_counts_again(walked, project, run, cohort):
    key = json.loads(walked[1]["status"])["accepted"][0]
    (older,) = Project.open(project).history(SliceKey.parse(key))
    mask = label_of(cohort, key)
    assert run("annotate", project, key, "--mask", mask, "--author", "bob").code == 0
    found = run("annotate", project, key, "--undo", "--author", "bob")
    day, time_of_day = older.time[:10], older.time[11:16]
    assert found.out == (f"withdrew {key}; ada's mask of {day} {time_of_day} UTC counts again\n")
    assert run("annotate", project, key, "--undo", "--author", "ada").out == f"withdrew {key}\n"


def test_an_undo_takes_no_mask_and_no_seconds(walked, project, run):
    key = json.loads(walked[1]["status"])["accepted"][0]
    refused(run("annotate", project, key), "--mask --undo")
    refused(run("annotate", project, key, "--undo", "--mask", "m.nrrd"), "not allowed with")
    refused(run("annotate", project, key, "--undo", "--seconds", 5), "--seconds belongs to --mask")
    assert not any(each.withdrawn for each in Project.open(project).acceptances())


def test_what_was_proven_of_a_batch_is_printed_below_it(project, run):
    for name, said in (("knapsack", "budget used "), ("coverage", "at least ")):
        words = ("suggest", project, "--minutes", 9, "--strategy", name, "--progress", "none")
        printed = json.loads(run(*words, "--json").out)
        assert printed["note"].startswith(said)
        lines = run(*words).out.splitlines()
        assert lines[-1] == printed["note"]
        assert lines[-2].endswith(f"({name})")
    # Where nothing was proven, the table's sum is the last line.
    lines = run("suggest", project, "--minutes", 9, "--strategy", "random").out.splitlines()
    assert lines[-1].endswith(" of 9 minutes (random)")


def test_minutes_are_expected_of_the_author_that_is_named(project, cohort, run):
    """Everybody needs longer than the prior for what is asked; Ada has shown by how much."""
    waiting = json.loads(run("status", project, "--json").out)["open"]
    for key in waiting:
        mask = label_of(cohort, key)
        run("annotate", project, key, "--mask", mask, "--seconds", 1000, "--author", "ada")

    def suggest(*words):
        words = ("--minutes", 1e4, "--strategy", "random", "--json", *words)
        return json.loads(run("suggest", project, *words).out)

    ada, eve, latest = suggest("--author", "ada"), suggest("--author", "eve"), suggest()
    assert (ada["author"], eve["author"], latest["author"]) == ("ada", "eve", "ada")
    assert latest["suggestions"] == ada["suggestions"]
    spent = [sum(each["minutes"] for each in found["suggestions"]) for found in (ada, eve)]
    assert spent[0] > 1.2 * spent[1]


def test_train_score_and_predict_say_what_they_wrote(walked, project, run, tmp_path):
    trained = run("train", project, "--steps", 2)
    assert trained.out == f"trained {project / 'rounds/002/model.pt'}\n"
    scored = run("score", project)
    assert scored.out.startswith(f"scored {project / 'rounds/002/scores.parquet'}; ")
    found = json.loads(run("status", project, "--json").out)
    low, high = found["estimated_dice_interval"]
    said = f"estimated Dice {found['estimated_dice']:.2f} ({low:.2f} to {high:.2f})\n"
    assert scored.out.endswith(said)
    for source in ("augmented", "snapshots"):
        assert run("score", project, "--samples", source).out.startswith("scored ")
    other = json.loads(run("status", project, "--json").out)
    assert other["estimated_dice_interval"] != found["estimated_dice_interval"]
    output = tmp_path / "mask.nii.gz"
    assert run("predict", project, "v03", "-o", output) == Done(0, f"wrote {output}\n", "")
    mask, image = (
        SimpleITK.ReadImage(str(path))
        for path in (output, Project.open(project).cohort.volume("v03").image)
    )
    assert mask.GetSize() == image.GetSize()
    np.testing.assert_allclose(mask.GetOrigin(), image.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(mask.GetDirection(), image.GetDirection(), atol=1e-6)


def progress_lines(text, every=True):
    """Lines of progress, checked one by one."""
    lines = [line for line in text.splitlines() if every or line.startswith("{")]
    found = [json.loads(line) for line in lines]
    assert found
    for line in found:
        assert set(line) == {"stage", "done", "total", "eta_s"}
        assert isinstance(line["stage"], str)
        assert isinstance(line["done"], int)
        assert isinstance(line["total"], int)
        assert 0 <= line["done"] <= line["total"]
        assert line["eta_s"] is None or line["eta_s"] >= 0
    names = list(dict.fromkeys(line["stage"] for line in found))
    for name in names:
        done = [line["done"] for line in found if line["stage"] == name]
        assert done == sorted(done)
        assert done[0] == 0
        total = next(line["total"] for line in found if line["stage"] == name)
        assert done[-1] == total
    return names


def test_progress_for_programs(project, run):
    found = run("round", project, "--minutes", 4, "--steps", 2, "--progress", "json")
    names = progress_lines(found.out, every=False)
    assert names == ["Reading annotated slices", "Training", "Scoring volumes"]
    assert found.err == ""
    found = run("score", project, "--progress", "json")
    assert progress_lines(found.out, every=False) == ["Scoring volumes"]


def test_progress_leaves_stdout_to_the_result(cohort, project, run, tmp_path):
    found = run("suggest", project, "--minutes", 9, "--json", "--progress", "json")
    assert set(json.loads(found.out)) >= {"suggestions"}
    assert found.err == ""  # from scores that are there: a moment's work
    words = ("init", tmp_path / "new", "--cohort", cohort, "--json", "--progress", "json")
    found = run(*words)
    assert json.loads(found.out)["volumes"]
    assert progress_lines(found.err) == ["Checking the cohort"]
    words = ("suggest", tmp_path / "new", "--minutes", 4, "--json", "--progress", "json")
    found = run(*words)
    assert json.loads(found.out)["suggestions"]
    assert progress_lines(found.err) == ["Looking at volumes"]


def test_phantom_writes_a_cohort(run, tmp_path):
    found = run("phantom", tmp_path / "p", "--volumes", 2, "--seed", 4, "--progress", "json")
    assert found.code == 0
    assert progress_lines(found.out, every=False) == ["phantom"]
    files = sorted(p.relative_to(tmp_path / "p").as_posix() for p in tmp_path.rglob("*.nii.gz"))
    ids = [volume.id for volume in open_cohort(tmp_path / "p").volumes]
    assert files == [f"{part}/{each}.nii.gz" for part in ("images", "labels") for each in ids]
    refused(run("phantom", tmp_path / "p", "--volumes", 2), "already holds files")


def test_doctor(run, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    found = json.loads(run("doctor", "--json").out)
    assert (found["activeseg"], found["missing"], found["threads"]) == (__version__, [], "1")
    assert found["device"]
    assert set(found["packages"]) >= {"torch", "monai", "SimpleITK", "numpy", "scikit-learn"}
    assert all(found["packages"].values())
    assert run("doctor").out.endswith("everything needed is here\n")
    monkeypatch.setattr("activeseg.cli.system.NEEDED", ("torch", "no-such-package"))
    lacking = run("doctor")
    assert lacking.code == 2
    assert lacking.err.splitlines() == [
        "activeseg: packages are missing; run: pip install no-such-package"
    ]


# Mistakes


def refused(done, *words):
    """One line that says what is wrong, nothing on stdout, exit code 2."""
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert done.err.endswith("\n")
    assert done.err.startswith("activeseg")
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


def test_bad_cohorts(run, tmp_path, cohort):
    new = tmp_path / "new"
    refused(run("init", new, "--cohort", tmp_path / "nowhere"), "nowhere", "no such folder")
    (tmp_path / "empty").mkdir()
    refused(run("init", new, "--cohort", tmp_path / "empty"), "no image found")
    broken = tmp_path / "broken"
    shutil.copytree(cohort, broken)
    image = broken / "images/v02.nii.gz"
    image.write_bytes(image.read_bytes()[:200])
    refused(run("init", new, "--cohort", broken), "v02", "v02.nii.gz")
    assert not new.exists()


def test_structures_that_do_not_fit(run, tmp_path, cohort):
    new = tmp_path / "new"
    few = run("init", new, "--cohort", cohort, "--structures", "liver")
    refused(few, "v00", "the label holds the value 4; expected 0 and 1 (liver)")
    mixed = run("init", new, "--cohort", cohort, "--structures", "liver,kidney")
    refused(mixed, "dataset.json knows no structure 'kidney'; it has liver, spleen")
    for names in ("liver,,spleen", "liver,liver", ","):
        refused(run("init", new, "--cohort", cohort, "--structures", names), "different names")
    bare = tmp_path / "bare"
    shutil.copytree(cohort / "images", bare / "images")
    refused(run("init", new, "--cohort", bare), "name what to segment with --structures")
    assert not new.exists()


def test_bad_settings(run, tmp_path, cohort):
    new = tmp_path / "new"
    words = ("init", new, "--cohort", cohort)
    refused(run(*words, "--strategy", "clever"), "no strategy 'clever'", *STRATEGIES)
    refused(run(*words, "--model", "resnet"), "no model 'resnet'; expected unet25d or the path")
    refused(run(*words, "--plane", "frontal"), "invalid choice: 'frontal'", "coronal")
    for seed in ("-1", "1.5", "x", "٣"):
        refused(run(*words, f"--seed={seed}"), "expected a whole number from 0")
    refused(run("init", new), "--cohort")
    assert not new.exists()


def test_a_project_is_not_made_twice(run, project, cohort):
    before = (project / "project.json").read_bytes()
    refused(run("init", project, "--cohort", cohort), "is a project already")
    assert (project / "project.json").read_bytes() == before


def test_what_is_no_project(run, tmp_path, cohort):
    (tmp_path / "letters").mkdir()
    for folder in (tmp_path / "letters", tmp_path / "nowhere"):
        for verb in (
            ("status", folder),
            ("status", folder, "--json"),
            ("next", folder),
            ("suggest", folder, "--minutes", 1),
            ("train", folder),
            ("score", folder),
            ("round", folder, "--minutes", 1),
            ("predict", folder, "v00", "-o", tmp_path / "out.nrrd"),
            ("annotate", folder, "v00/axial/001", "--mask", cohort / "labels/v00.nii.gz"),
        ):
            refused(run(*verb), "not a project folder; make one with 'activeseg init")
    assert list((tmp_path / "letters").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


def test_bad_keys_and_masks(run, project, cohort, tmp_path):
    label = cohort / "labels/v00.nii.gz"
    count = len(Project.open(project).all_annotations())

    def annotate(key, mask, *words):
        return run("annotate", project, key, "--mask", mask, *words)

    refused(annotate("v00-axial-1", label), "v00-axial-1: not a slice key; expected VOLUME/PLANE")
    refused(annotate("v00/axial/008", label), "the volume has axial slices 0 to 7")
    refused(annotate("v99/axial/001", label), "v99: no such volume")
    refused(annotate("v00/axial/001", tmp_path / "no.nrrd"), "no file", "no.nrrd")
    refused(annotate("v00/axial/001", cohort / "dataset.json"), "not an image that can be read")
    # v01 has the same size, but lies elsewhere.
    refused(annotate("v00/axial/001", cohort / "labels/v01.nii.gz"), "does not lie on the volume")
    refused(annotate("v00/axial/001", cohort / "images/v00.nii.gz"), "label value")
    volume = Project.open(project).cohort.volume("v00")
    strange = np.full(volume.geometry.shape, 2, np.uint8)
    write_label(tmp_path / "strange.nrrd", strange, volume.geometry)
    strange_mask = annotate("v00/axial/001", tmp_path / "strange.nrrd")
    refused(strange_mask, "label value 2 in the mask; expected 0 or 1 (liver), 4 (spleen)")
    for seconds in ("-1", "nan", "inf"):
        refused(annotate("v00/axial/001", label, f"--seconds={seconds}"), "expected 0 or more")
    refused(annotate("v00/axial/001", label, "--seconds=long"), "--seconds")
    refused(annotate("v00/axial/001", label, "--author", " "), "is not an author's name")
    assert len(Project.open(project).all_annotations()) == count


def test_bad_budgets_and_strategies(run, project):
    for minutes in ("0", "-3", "nan", "inf", "1e9", "soon"):
        for verb in ("suggest", "round"):
            found = run(verb, project, f"--minutes={minutes}")
            refused(found, f"'{minutes}': expected minutes, more than 0 and less than a million")
    refused(run("suggest", project), "--minutes")
    refused(run("suggest", project, "--minutes", 0.01), "no slice fits 0.01 minutes")
    unknown = run("suggest", project, "--minutes", 3, "--strategy", "clever")
    refused(unknown, "no strategy 'clever'; choose one of", *STRATEGIES)
    for steps in ("0", "-5", "many"):
        refused(run("train", project, f"--steps={steps}"), "expected a whole number from 1")


def test_an_unknown_strategy_is_told_before_the_training(run, project):
    """A round takes minutes; a slip of the pen must not cost them."""
    found = run("round", project, "--minutes", 3, "--strategy", "clever", "--steps", 2)
    refused(found, "no strategy 'clever'; choose one of", *STRATEGIES)
    assert not (project / "rounds/002").exists()


def test_bad_predictions(run, project, tmp_path):
    unknown = run("predict", project, "v99", "-o", tmp_path / "out.nrrd")
    refused(unknown, "v99: no such volume among the 4 of the cohort")
    refused(run("predict", project, "v00", "-o", tmp_path / "out.png"), "expected a name in .nii")
    nowhere = run("predict", project, "v00", "-o", tmp_path / "no" / "out.nrrd")
    refused(nowhere, "cannot be written; there is no folder", str(tmp_path / "no"), "make it first")
    refused(run("predict", project, "v00"), "-o")
    assert not any(tmp_path.rglob("out.*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("predict", "v00", "-o", "no/out.nii.gz"), "there is no folder no"),
        (("predict", "v00", "-o", "out.png"), "expected a name in .nii"),
        (("predict", "v99", "-o", "out.nrrd"), "v99: no such volume"),
        (("suggest", "--minutes", "3", "--strategy", "clever"), "no strategy 'clever'"),
        (("round", "--minutes", "3", "--strategy", "clever"), "no strategy 'clever'"),
    ],
)
def test_a_slip_of_the_pen_is_told_before_torch_is_loaded(walked, tmp_path, words, said):
    """Which takes seconds; here it could not be loaded at all."""
    verb, *rest = words
    code = (
        "import sys; sys.modules['torch'] = None; from activeseg.cli import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, verb, str(walked[0]), *rest],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    refused(Done(done.returncode, done.stdout, done.stderr), said)


def test_unknown_commands(run):
    refused(run(), "COMMAND")
    refused(run("improve"), "invalid choice: 'improve'")
    refused(run("status"), "PROJECT")
    refused(run("status", "P", "--yaml"), "--yaml")


def test_a_damaged_project_is_told_in_one_line(run, project):
    (project / "rounds/001/batch.json").write_text("{")
    refused(run("status", project), "batch.json", "damaged")
    (project / "project.json").write_text("{")
    refused(run("status", project), "project.json", "damaged")


def test_bugs_keep_their_traceback(run, project, monkeypatch):
    def bug(_):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("activeseg.project.project_status", bug)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run("status", project)
    code = (
        "import sys, activeseg.project as p\n"
        "p.project_status = lambda _: 1 / 0\n"
        "from activeseg.cli import main\n"
        f"sys.exit(main(['status', {str(project)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


# As processes


def test_real_processes_say_the_same(project, run, tmp_path):
    done = subprocess.run(
        command("status", project, "--json"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == status.project_status(Project.open(project))
    done = subprocess.run(command("status", tmp_path), capture_output=True, text=True, check=False)
    refused(Done(done.returncode, done.stdout, done.stderr), "not a project folder")


# Where the tests run in the background, Ctrl-C is ignored in what they start.
HEEDING = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "runpy.run_module('activeseg', run_name='__main__', alter_sys=True)"
)


def interrupted(number, until, *words, whole_group_after=None):
    """Start a command, wait for a line of progress, send a signal; what came of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDING, *(str(word) for word in words), "--progress", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        told = json.loads(line)
        if told["stage"] == until[0] and told["done"] >= until[1]:
            break
    else:
        pytest.fail(f"ended before: {process.communicate()[1]}")
    if whole_group_after is not None:
        time.sleep(whole_group_after)
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=120)
    return process.returncode, err


posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_cancelled_round_leaves_a_valid_project(project, cohort, run, number):
    waiting = Project.open(project).open_suggestions()
    for each in waiting:
        assert (
            run("annotate", project, each.key, "--mask", label_of(cohort, str(each.key))).code == 0
        )
    accepted = Project.open(project).all_annotations()
    code, err = interrupted(
        number, ("Training", 3), "round", project, "--minutes", 4, "--steps", 100000
    )
    assert err == "activeseg: cancelled; what was finished before is kept\n"
    assert code == 130
    opened = Project.open(project)
    assert opened.all_annotations() == accepted
    for annotation in accepted:
        annotation.verify()
    assert not [p for p in project.rglob("*") if p.name.startswith(".tmp-")]
    assert [files.number for files in opened.rounds() if files.batch.is_file()] == [0, 1]
    assert run("status", project).code == 0
    again = run("round", project, "--minutes", 4, "--steps", 2, "--json")
    assert json.loads(again.out)["round"] == 2


def test_a_request_to_end_is_heard_inside_a_network(project, run, monkeypatch):
    """Whatever MONAI or torch wrap what passes through them in."""

    def forward(*_):
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("monai.networks.blocks.ResidualUnit.forward", forward)
    found = run("train", project, "--steps", 2)
    assert found.err == "activeseg: cancelled; what was finished before is kept\n"
    assert (found.code, found.out) == (130, "")


@posix
def test_ctrl_c_ends_the_demo_with_one_line(cohort, tmp_path):
    """A terminal sends it to the arms' processes too; they are not heard."""
    words = ("demo", "--cohort", cohort, "--no-serve", "--out", tmp_path / "out")
    begun = ("Running the arms", 0)
    code, err = interrupted(signal.SIGINT, begun, *words, whole_group_after=0.5)
    assert err == "activeseg: cancelled; what was finished before is kept\n"
    assert code == 130


# The whole demonstration


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    write_tiny_cohort(folder / "cohort", volumes=6)
    words = ("--rounds", 1, "--steps", 5, "--minutes", 3, "--no-serve", "--out", folder / "out")
    done = subprocess.run(
        command("demo", "--cohort", folder / "cohort", *words),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def test_demo_writes_the_contracts_result(demo):
    folder, _ = demo
    result = json.loads((folder / "out/result.json").read_text())
    assert set(result) >= {"cohort", "full_minutes", "full_dice", "arms"}
    assert result["cohort"] == str(folder / "cohort")
    assert result["full_minutes"] > 0
    assert 0 <= result["full_dice"] <= 1
    assert set(result["arms"]) == {"activeseg", "random"}
    for arm in result["arms"].values():
        (seed,) = arm["seeds"]
        assert set(seed) == {
            *("seed", "curve", "m90", "m95", "m98", "aubc", "volume_mae"),
            *("slice_spearman", "coverage90", "minutes_mape"),
        }
        assert [point["round"] for point in seed["curve"]] == [0, 1]
        for point in seed["curve"]:
            assert set(point) >= {"round", "minutes", "slices", "dice", "estimated_dice", "hd95"}
            assert 0 <= point["dice"] <= 1
        first, last = seed["curve"]
        assert 0 < first["minutes"] < last["minutes"]
        assert 0 < first["slices"] < last["slices"]
        # Nothing is known where it was not reached: null, never NaN.
        assert seed["m98"] is None or seed["m98"] > 0
    assert "NaN" not in (folder / "out/result.json").read_text()


def test_demo_prints_a_table_and_writes_a_report(demo):
    folder, done = demo
    lines = done.stdout.splitlines()
    result = json.loads((folder / "out/result.json").read_text())
    rows = [line.replace("│", " ").split() for line in lines]
    for name, arm in result["arms"].items():
        for number, point in enumerate(arm["seeds"][0]["curve"]):
            (row,) = (row for row in rows if row[:2] == [str(number), name])
            assert row[2:4] == [f"{point['minutes']:.1f}", str(point["slices"])]
            assert row[-1] == f"{point['dice']:.3f}"
    assert f"Dice {result['full_dice']:.3f} after {result['full_minutes']:.0f} minutes" in lines[-2]
    assert "Running the arms: 300 of 300 in " in done.stderr  # the parts of all jobs add up
    assert f"report: {folder / 'out/report.html'}" in lines
    page = (folder / "out/report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    for name in ("activeseg", "random"):
        assert Project.open(folder / "out" / name).annotations()
    # Test volumes are in no arm's project, and both arms have the same pool.
    pools = [
        {volume.id for volume in Project.open(folder / "out" / name).cohort.volumes}
        for name in ("activeseg", "random")
    ]
    assert pools[0] == pools[1]
    assert len(pools[0]) == 4


def test_demo_replaces_its_own_folder_only(demo, run, tmp_path, cohort):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    words = ("demo", "--cohort", cohort, "--no-serve", "--out")
    refused(run(*words, tmp_path / "mine"), "not empty and not a former demo")
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"
    refused(run("demo", "--cohort", tmp_path / "no", "--no-serve", "--out", tmp_path / "x"), "no")
    former = tmp_path / "former"
    shutil.copytree(demo[0] / "out", former)
    assert (former / "result.json").is_file()
    prepare_folder(former)
    assert [path.name for path in former.iterdir()] == ["demo.json"]
    (former / "result.json").write_text("{}")
    prepare_folder(former)
    assert not (former / "result.json").exists()
    with pytest.raises(ProjectError):
        prepare_folder(tmp_path / "mine")


def test_demo_needs_labels_for_pool_and_test(run, tmp_path, cohort):
    words = ("demo", "--cohort", cohort, "--no-serve", "--out", tmp_path / "out")
    refused(run(*words, "--pool", 4, "--test", 2), "4 volumes have a reference label; 4 for the")
