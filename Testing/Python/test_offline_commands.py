"""``suggest --to``, ``round --to`` and ``annotate --from``, as they are typed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from activeseg.cli.parser import build_parser
from activeseg.keys import SliceKey
from activeseg.project import Project
from handed_batch import edit, fill_in, read_voxels, rows, truth
from in_process import Done
from tiny_cohort import answer, new_project, write_tiny_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort")


@pytest.fixture(scope="module")
def made(tmp_path_factory, cohort):
    """A project and, written by ``suggest --to``, its first batch; what that printed."""
    folder = tmp_path_factory.mktemp("made")
    new_project(folder / "project", cohort)
    words = ("suggest", folder / "project", "--minutes", 4, "--to", folder / "out")
    out = subprocess.run(
        [sys.executable, "-W", "error", "-m", "activeseg", *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, out.stdout


@pytest.fixture
def given(made, tmp_path):
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    return tmp_path / "project", tmp_path / "out"


def refused(done, *words):
    """One line that says what is wrong, nothing on stdout, exit code 2."""
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    for word in words:
        assert word in done.err


def draw(project, folder, row):
    """Answer one row of the table with the reference label, or a mark where it shows nothing."""
    key = SliceKey.parse(row["key"])
    wanted = truth(Project.open(project), key)
    if not wanted.any():
        wanted[:2, :2] = 1

    def paint(array):
        array[...] = wanted.reshape(array.shape)

    edit(folder / row["mask"], paint)
    return key, wanted


def test_suggest_writes_its_batch_and_says_where(made):
    folder, out = made
    table = rows(folder / "out")
    asked = Project.open(folder / "project").open_suggestions()
    assert [row["key"] for row in table] == [str(each.key) for each in asked]
    assert len(table) > 2
    back = f"activeseg annotate {folder / 'project'} --from {folder / 'out'}"
    assert out.splitlines()[-1] == f"written to {folder / 'out'}; once it is answered: {back}"


def test_annotate_takes_the_folder_in(given, run):
    project, folder = given
    table = rows(folder)
    first, wanted = draw(project, folder, table[0])
    second = SliceKey.parse(table[1]["key"])
    fill_in(folder, {first: "31.5", second: "0"})
    left = [row["key"] for row in table[2:]]
    words = ("annotate", project, "--from", folder, "--author", "ada")
    found = run(*words)
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines() == [
        f"accepted 2 slices; still open: {len(left)}",
        f"open: {', '.join(left)}",
        "a mask that is right as it is counts once its seconds stand in slices.csv",
    ]
    opened = Project.open(project)
    (annotation,) = opened.history(first)
    assert (annotation.author, annotation.seconds) == ("ada", 31.5)
    np.testing.assert_array_equal(opened.read_annotation(annotation), wanted)
    assert [str(each.key) for each in opened.open_suggestions()] == left
    again = run(*words)
    assert again.out.splitlines()[:2] == [
        f"accepted 0 slices; still open: {len(left)}",
        f"left alone, accepted before: {first}, {second}",
    ]
    draw(project, folder, table[2])
    done = {"accepted": left[:1], "unchanged": [str(first), str(second)], "open": left[1:]}
    assert json.loads(run(*words, "--json").out) == done
    for row in table[3:]:
        draw(project, folder, row)
    words = run(*words).out.splitlines()
    assert words[0] == f"accepted {len(left) - 1} slices; still open: 0"
    assert len(words) == 2


def test_what_came_back_is_trained_on_and_the_next_round_is_handed_out(given, run):
    """The whole way, with a real model's proposals in the second folder."""
    project, folder = given
    for row in rows(folder):
        draw(project, folder, row)
    assert run("annotate", project, "--from", folder).code == 0
    target = folder.parent / "second"
    words = ("--minutes", 4, "--steps", 3, "--to", target, "--json", "--progress", "none")
    found = run("round", project, *words)
    assert (found.code, found.err) == (0, "")
    printed = json.loads(found.out)
    assert printed["round"] == 1
    table = rows(target)
    assert [row["key"] for row in table] == [each["key"] for each in printed["suggestions"]]
    opened = Project.open(project)
    for row, each in zip(table, printed["suggestions"], strict=True):
        key = SliceKey.parse(row["key"])
        mask = read_voxels(opened, target / row["mask"], key)
        proposal = opened.round(1).read_proposal(key)
        assert proposal is not None
        np.testing.assert_array_equal(mask, 0 if each["audit"] else proposal)
    key, _ = draw(project, target, table[0])
    assert run("annotate", project, "--from", target, "--author", "ada").code == 0
    shown = Project.open(project).history(key)[0].shown
    assert (shown["round"], shown["rank"]) == (1, 1)
    assert shown["dice"] is not None


def test_a_used_folder_is_refused_before_anything_is_chosen(given, run, tmp_path):
    project, folder = given
    batch = (project / "rounds/000/batch.json").read_bytes()
    for verb in ("suggest", "round"):
        words = (verb, project, "--minutes", 4)
        refused(run(*words, "--to", folder), str(folder), "not empty (it holds 'README.txt')")
        refused(run(*words, "--to", project / "project.json"), "is no folder; name a new or empty")
    answer(Project.open(project))
    refused(run("round", project, "--minutes", 4, "--to", folder), "not empty")
    assert (project / "rounds/000/batch.json").read_bytes() == batch
    assert [each.name for each in (project / "rounds").iterdir()] == ["000"]
    # A batch that cannot be chosen leaves no folder.
    refused(run("suggest", project, "--minutes", 4, "--to", tmp_path / "new"), "activeseg round")
    assert not (tmp_path / "new").exists()


def test_a_used_folder_is_told_before_torch_is_loaded(given):
    code = (
        "import sys; sys.modules['torch'] = None; from activeseg.cli import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    words = ("round", given[0], "--minutes", 4, "--to", given[1])
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    refused(Done(done.returncode, done.stdout, done.stderr), "not empty")


def test_annotate_is_for_one_slice_or_for_a_folder(given, run):
    project, folder = given
    words = ("annotate", project, "--from", folder)
    refused(run("annotate", project, "v00/axial/004", "--from", folder), "v00/axial/004", "--from")
    refused(run(*words, "--seconds", 0), "--seconds", "seconds from its slices.csv")
    refused(run(*words, "--mask", "m.nrrd"), "not allowed with")
    refused(run(*words, "--undo"), "not allowed with")
    refused(run("annotate", project), "--mask --undo --from")
    for what in (("--mask", "m.nrrd"), ("--undo",)):
        refused(run("annotate", project, *what), "KEY is missing", "name it")
    refused(run("annotate", project, "--from", folder.parent), "no batch.json")
    assert Project.open(project).all_annotations() == []


@pytest.mark.parametrize(
    "line",
    [
        "annotate PROJECT v00/axial/004 --mask FILE --seconds 2 --author A",
        "annotate PROJECT --mask FILE v00/axial/004 --seconds 2 --author A",
        "annotate --mask FILE --seconds 2 PROJECT --author A v00/axial/004",
        "annotate --mask=FILE --seconds=2 --author=A PROJECT v00/axial/004",
    ],
)
def test_the_key_may_stand_anywhere(line):
    found = build_parser().parse_args(line.split())
    assert (found.key, found.mask, found.source) == ("v00/axial/004", Path("FILE"), None)
    assert (found.project, found.seconds, found.author) == (Path("PROJECT"), 2.0, "A")


def test_words_of_a_folder():
    parse = build_parser().parse_args
    found = parse(["annotate", "PROJECT", "--from", "DIR"])
    assert (found.source, found.key, found.mask, found.undo) == (Path("DIR"), None, None, False)
    for verb in ("suggest", "round"):
        assert parse(f"{verb} PROJECT --minutes 3 --to DIR".split()).to == Path("DIR")
        assert parse(f"{verb} PROJECT --minutes 3".split()).to is None
