"""The score table: written volume by volume, read part by part, by an earlier version too."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest

from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.progress import Silent
from activeseg.project import score_file
from activeseg.project.offer import offered
from activeseg.project.predictions import Scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.score_file import open_scores, score_writer, write_scores
from activeseg.project.score_table import Doubts, ScoreTable, mean_sizes
from activeseg.project.verbs import run_suggest
from activeseg.sampling import RESEARCH, STRATEGIES, strategy
from rounds_by_hand import as_formerly, read_scores, row_numbers, scores
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
COLUMNS = [field.name for field in fields(Scores)]


def made_up(seed, count=5):
    """Random scores of one volume; every number its own."""
    rng = np.random.default_rng(seed)
    evidence = rng.random((count, 2, 7))
    evidence[rng.random(evidence.shape) < 0.2] = np.nan
    return scores(
        "coronal",
        range(count),
        evidence=evidence,
        size=rng.random((count, 2)) * 100,
        shows=rng.random((count, 2)) < 0.7,
        gradient=rng.random((count, 9)),
        how=rng.choice(["draw", "correct", "confirm"], count),
        doubt=np.array([f"border {seed} {row} is uncertain" for row in range(count)]),
        drawn=rng.random(count) < 0.5,
        seconds=10 + rng.random(count),
    )


@pytest.fixture
def files(tmp_path):
    return RoundFiles(tmp_path / "001").make()


def test_what_is_written_is_read_again_in_single_precision(files):
    parts = {"b": made_up(1), "a": made_up(2, 3)}
    write_scores(files, parts)
    assert [file.name for file in files.folder.iterdir()] == ["scores.parquet"]
    table, joined = read_scores(files), Scores.join(list(parts.values()))
    assert table.volume.tolist() == ["b"] * 5 + ["a"] * 3  # in the order of scoring
    for name in COLUMNS:
        wanted, found = getattr(joined, name), getattr(table.scores, name)
        assert found.shape == wanted.shape
        if wanted.dtype.kind == "f":
            assert found.dtype == np.float32
            wanted = wanted.astype(np.float32)
        np.testing.assert_array_equal(found, wanted, err_msg=name)


def test_a_group_of_rows_holds_whole_volumes_and_no_more_than_it_must(files, monkeypatch):
    monkeypatch.setattr(score_file, "GROUP_ROWS", 8)
    with score_writer(files) as table:
        for number, count in enumerate((5, 3, 8, 1, 2)):
            table.add(f"v{number}", made_up(number, count))
    found = open_scores(files)
    assert list(found.sizes()) == [8, 8, 3]
    assert [part.first for part in found.parts("index")] == [0, 8, 16]
    volumes = [part.words("volume").words for part in found.parts("volume")]
    assert volumes == [("v0", "v1"), ("v2",), ("v3", "v4")]
    whole = read_scores(files)
    # Rows here and there, out of order, of two groups.
    rows = np.array([17, 2, 16, 0])
    taken = found.take(rows, "evidence", "seconds")
    np.testing.assert_array_equal(taken["evidence"], whole.scores.evidence[rows])
    np.testing.assert_array_equal(taken["seconds"], whole.scores.seconds[rows])
    keys = [SliceKey("v3", Plane.CORONAL, 0), SliceKey("v1", Plane.CORONAL, 2)]
    stranger = SliceKey("v1", Plane.AXIAL, 2)
    assert found.find([*keys, stranger]) == {keys[0]: 16, keys[1]: 7}
    assert list(Doubts(found, rows)) == whole.scores.doubt[rows].tolist()


def test_many_different_words_outgrow_a_dictionary_and_are_read_all_the_same(files):
    count = 40_000
    words = np.array([f"structure {row}: back border is uncertain, {row}" for row in range(count)])
    write_scores(files, {"a": scores("axial", range(count), doubt=words)})
    doubts = Doubts(open_scores(files), np.arange(count))
    assert [doubts[0], doubts[31_234], doubts[count - 1]] == words[[0, 31_234, -1]].tolist()


def test_mean_sizes_do_not_depend_on_the_order_of_volumes(files, monkeypatch):
    parts = {f"v{number}": made_up(number, 7) for number in range(6)}
    write_scores(files, parts)
    found = mean_sizes(open_scores(files))
    monkeypatch.setattr(score_file, "GROUP_ROWS", 10)
    write_scores(files, dict(reversed(parts.items())))
    assert mean_sizes(open_scores(files)).tolist() == found.tolist()
    joined = Scores.join(list(parts.values()))
    shown = [joined.size[joined.shows[:, s], s].mean() for s in (0, 1)]
    assert found == pytest.approx(shown)
    # By hand: nothing shows the second structure.
    shows = np.array([[True, False], [True, False]])
    by_hand = scores("axial", [0, 1], size=[[10.0, 3], [20, 4]], shows=shows)
    assert mean_sizes(ScoreTable.join({"a": by_hand})).tolist() == [15.0, 0.0]


def test_a_table_that_could_not_be_finished_is_not_there(files, monkeypatch):
    monkeypatch.setattr(score_file, "GROUP_ROWS", 8)

    def write():
        with score_writer(files) as table:
            table.add("a", made_up(1, 9))
            assert len(list(files.folder.iterdir())) == 1  # under a temporary name
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write()
    assert list(files.folder.iterdir()) == []


def test_a_damaged_table_is_named_in_one_line(files):
    write_scores(files, {"a": made_up(1)})
    whole = files.scores.read_bytes()
    for data in (b"half", whole[: len(whole) // 2], b"PAR1" + bytes(len(whole)) + b"PAR1"):
        files.scores.write_bytes(data)
        with pytest.raises(ProjectError, match=r"scores\.parquet: damaged") as no:
            read_scores(files)
        assert "\n" not in str(no.value)


# In a project


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """One round is answered, the second is scored."""
    folder = tmp_path_factory.mktemp("asked")
    project = new_project(folder / "project", write_tiny_cohort(folder / "cohort"))
    run_suggest(project, 3.0, None, SILENT)
    answer(project, seconds=0.0)
    score_with(project, 1, KnownModel(85.0, 140.0, certainty=0.9))
    run_suggest(project, 3.0, None, SILENT)
    answer(project, seconds=0.0)
    score_with(project, 2, KnownModel(*SEES_BOTH, certainty=0.9))
    return project


@pytest.mark.parametrize("name", ["auto", "kuo"])
def test_the_scores_of_an_earlier_version_give_the_same_batch(asked, tmp_path, name):
    project = copied(asked, tmp_path / "p")
    now = run_suggest(project, 3.0, name, SILENT)
    for files in project.rounds():
        if files.scores.is_file():
            as_formerly(files)
            assert files.scores.name == "scores.npz"
    assert run_suggest(project, 3.0, name, SILENT).suggestions == now.suggestions
    # Scored again, the new table counts, whatever lies beside it.
    score_with(project, 2, KnownModel(*SEES_BOTH, certainty=0.9))
    assert project.round(2).scores.name == "scores.parquet"
    assert run_suggest(project, 3.0, name, SILENT).suggestions == now.suggestions


def test_a_choice_does_not_depend_on_how_the_table_is_cut_or_sorted(asked, tmp_path, monkeypatch):
    project = copied(asked, tmp_path / "p")
    now = run_suggest(project, 3.0, None, SILENT)
    table = read_scores(project.round(2))
    parts = {}
    for volume in sorted(set(table.volume.tolist()), reverse=True):
        there = table.volume == volume
        of_volume = {name: column[there] for name, column in table.scores.arrays().items()}
        parts[volume] = Scores(**of_volume)
    monkeypatch.setattr(score_file, "GROUP_ROWS", 1)
    write_scores(project.round(2), parts)
    assert len(open_scores(project.round(2)).sizes()) == len(parts) == 4
    assert run_suggest(project, 3.0, None, SILENT).suggestions == now.suggestions


@pytest.mark.parametrize("name", sorted({*STRATEGIES, *RESEARCH}))
def test_a_strategy_reads_all_that_it_ranks_by(asked, name):
    """What it does not name is missing from its pool, and it chooses all the same."""
    chosen_by = strategy(name)
    pool = offered(asked, asked.round(2), chosen_by, None, SILENT).pool
    late = {"energy", "foreground_entropy", "top_patches", "contour_mm", "gradient"}
    known = {column for column in late if getattr(pool.scored, column) is not None}
    assert known <= set(chosen_by.reads) <= late
    if name != "energy":  # the tiny model has none
        assert known == set(chosen_by.reads)
        chosen_by.choose(pool, budget_s=180, rng=np.random.default_rng(0))


def test_each_slice_of_the_offer_has_its_own_row(asked):
    pool = offered(asked, asked.round(2), strategy("auto"), None, SILENT).pool
    table = read_scores(asked.round(2))
    rows = [row_numbers(table)[pool.key(row)] for row in range(len(pool))]
    assert [pool.row(pool.key(row)) for row in range(len(pool))] == list(range(len(pool)))
    assert pool.row(next(iter(asked.annotations()))) is None
    assert pool.scored.whole_entropy.tolist() == table.scores.whole_entropy[rows].tolist()
    assert list(pool.scored.doubt) == table.scores.doubt[rows].tolist()
    assert list(pool.how) == table.scores.how[rows].tolist()


def test_light_verbs_do_not_load_what_reads_the_table(asked):
    code = (
        "import sys; from activeseg.cli import main;"
        f"main(['next', {str(asked.folder)!r}, '--json', '--author', 'ada']);"
        f"main(['status', {str(asked.folder)!r}]);"
        "print('pyarrow' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "False", done.stderr
