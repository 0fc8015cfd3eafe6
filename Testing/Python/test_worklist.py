"""``activeseg select``: a worklist for a cohort without project, model or label."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from activeseg.cli import main
from activeseg.cohort import open_cohort
from activeseg.errors import CohortError, ProjectError
from activeseg.progress import Silent
from activeseg.project.verbs import run_suggest
from activeseg.sampling import STRATEGIES
from activeseg.worklist.choice import Worklist, WorklistRequest, choose_worklist
from activeseg.worklist.files import write_worklist
from tiny_cohort import new_project, write_tiny_cohort

SILENT = Silent()
MODEL_FREE = [name for name, each in STRATEGIES.items() if not each.needs_model]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "tiny", volumes=5)


@pytest.fixture(scope="module")
def worklist(cohort: Path) -> Worklist:
    return choose_worklist(WorklistRequest(cohort, minutes=4.0, seed=5), SILENT)


@pytest.mark.parametrize("name", MODEL_FREE)
def test_it_is_the_first_batch_of_a_project(cohort: Path, tmp_path: Path, name: str) -> None:
    found = choose_worklist(WorklistRequest(cohort, 4.0, strategy=name, seed=5), SILENT)
    project = new_project(tmp_path / "p", cohort, strategy=name, seed=5)
    batch = run_suggest(project, 4.0, None, SILENT)
    assert found.suggestions == batch.suggestions
    assert found.note == batch.note


def test_its_minutes_fit_and_its_share_grows(cohort: Path, worklist: Worklist) -> None:
    assert 0 < worklist.minutes <= 4.0
    assert 0 < worklist.covered < worklist.covered_with_more <= 1
    assert len(worklist.map_points) == len(worklist.plane) == 5 * 8
    longer = choose_worklist(replace(worklist.request, minutes=8.0), SILENT)
    assert len(longer.suggestions) > len(worklist.suggestions)
    assert longer.covered > worklist.covered


def test_a_cohort_without_labels_or_names_will_do(cohort: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in (cohort / "images").iterdir():
        (bare / file.name).write_bytes(file.read_bytes())
    found = choose_worklist(WorklistRequest(bare, 4.0), SILENT)
    assert [each.name for each in found.cohort.structures] == ["structure"]
    assert found.suggestions
    with pytest.raises(CohortError, match="name what to segment"):
        open_cohort(bare)  # a project has to know
    sized = choose_worklist(WorklistRequest(bare, 4.0, sizes_mm={"cyst": 9.0}), SILENT)
    assert [each.name for each in sized.cohort.structures] == ["cyst"]


def test_sizes_make_the_minutes(cohort: Path) -> None:
    """A ball of 6 mm in 24 mm of slices: a quarter of them, with a circle of 1.5 pi mm."""
    request = WorklistRequest(cohort, 4.0, strategy="strided", sizes_mm={"liver": 6.0, "spleen": 6})
    found = choose_worklist(request, SILENT)
    drawn = 2 * 0.25 * (4 + np.pi * np.pi / 4 * 6 / 4)
    by_volume = {each.key.volume: each.minutes for each in reversed(found.suggestions)}
    assert by_volume["v00"] * 60 == pytest.approx(10 + 15 + drawn)
    with pytest.raises(ProjectError, match=r"'lung', which is no structure.*liver, spleen"):
        choose_worklist(replace(request, sizes_mm={"lung": 9.0}), SILENT)


@pytest.mark.parametrize("name", ["auto", "oracle-foreground-33"])
def test_who_needs_a_model_or_the_truth_is_refused(cohort: Path, name: str) -> None:
    with pytest.raises(ProjectError, match="needs a model, and a new cohort has none; choose"):
        choose_worklist(WorklistRequest(cohort, 4.0, strategy=name), SILENT)


def test_a_budget_below_every_slice_is_refused(cohort: Path) -> None:
    with pytest.raises(ProjectError, match=r"no slice fits 0.1 minutes; .* about 0.5"):
        choose_worklist(WorklistRequest(cohort, 0.1), SILENT)


def test_files(worklist: Worklist, tmp_path: Path) -> None:
    files = write_worklist(worklist, tmp_path / "list.csv", SILENT)
    assert [file.name for file in files] == ["list.csv", "list.html", "list.png", "list-map.png"]
    rows = list(csv.DictReader((tmp_path / "list.csv").read_text().splitlines()))
    assert [row["key"] for row in rows] == [str(each.key) for each in worklist.suggestions]
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, len(rows) + 1)]
    assert all(Path(row["image"]).is_file() for row in rows)
    page = (tmp_path / "list.html").read_text()
    for each in worklist.suggestions:
        assert f'data-key="{each.key}"' in page
        assert each.reason.split(";")[0] in page
    assert f"{100 * worklist.covered:.0f} % of the cohort" in page
    for name in ("list.png", "list-map.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    write_worklist(worklist, tmp_path / "again.csv", SILENT)
    for name in ("png", "csv", "html"):
        again = (tmp_path / "again").with_suffix(f".{name}").read_bytes()
        assert again == (tmp_path / "list").with_suffix(f".{name}").read_bytes()


def test_json_on_disk_and_on_the_screen(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.json"
    words = ["select", str(cohort), "--minutes", "4", "-o", str(file), "--json"]
    assert main([*words, "--progress", "none"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert json.loads(file.read_text()) == found
    assert {"cohort", "strategy", "seed", "budget_minutes", "suggestions", "covered"} <= set(found)
    assert set(found["suggestions"][0]) >= {"key", "volume", "plane", "index", "reason", "image"}


def test_what_a_person_reads(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["select", str(cohort), "--minutes", "4", "-o", str(tmp_path / "list.csv")]
    assert main([*words, "--progress", "none"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("of 4 minutes (one-shot)")
    assert lines[1].startswith("They stand for ")
    assert lines[-1].startswith("wrote ")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("list.txt", "list.txt: cannot be written; expected a name in .csv or .json"),
        ("none/list.csv", "list.csv: cannot be written; there is no folder"),
    ],
)
def test_a_place_that_cannot_be_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    words = ["select", str(tmp_path / "no cohort"), "--minutes", "4", "-o", str(tmp_path / name)]
    assert main(words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["liver", "liver=", "liver=0", "liver=-3", "=4", "a=x"])
def test_sizes_that_are_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["select", "c", "--minutes", "4", "-o", "list.csv", "--sizes", text])
    assert left.value.code == 2
    assert "expected millimetres such as liver=150,spleen=80" in capsys.readouterr().err


def test_a_size_that_is_given_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["select", "c", "--minutes", "4", "-o", "list.csv", "--sizes", "a=1,a=2"])
    assert left.value.code == 2
    assert "'a=1,a=2': expected each structure once" in capsys.readouterr().err
