"""What a project's images say is found out once, and again where its cache was deleted."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest.mock import patch

import pytest

from activeseg.benchmark.folders import remove_bulk
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.project.feature_source import FeatureSource
from activeseg.project.offer import offered
from activeseg.project.verbs import run_suggest
from activeseg.sampling import strategy
from tiny_cohort import SEES_BOTH, KnownModel, answer, new_project, score_with, write_tiny_cohort

SILENT = Silent()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("ACTIVESEG_CACHE", str(tmp_path / "not for projects"))
    return new_project(tmp_path / "p", write_tiny_cohort(tmp_path / "c", volumes=2))


def kinds(project: Project) -> set[str]:
    return {file.name.partition("-")[0] for file in (project.folder / "cache").glob("*")}


def test_the_second_choice_computes_no_features(project: Project, tmp_path: Path) -> None:
    first = run_suggest(project, 4.0, "one-shot", SILENT)
    assert kinds(project) == {"slices", "screening"}
    assert not (tmp_path / "not for projects").exists()
    with patch.object(FeatureSource, "of", side_effect=AssertionError):
        assert run_suggest(project, 4.0, "one-shot", SILENT).suggestions == first.suggestions
    shutil.rmtree(project.folder / "cache")
    assert run_suggest(project, 4.0, "one-shot", SILENT).suggestions == first.suggestions


def test_nothing_is_kept_where_caches_are_off(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVESEG_CACHE", "off")
    run_suggest(project, 4.0, "one-shot", SILENT)
    assert not (project.folder / "cache").exists()


@pytest.mark.parametrize("name", ["coverage", "clue"])
def test_who_reads_no_screening_has_none(project: Project, name: str) -> None:
    run_suggest(project, 2.0, "strided", SILENT)
    answer(project)
    files = score_with(project, 1, KnownModel(*SEES_BOTH))
    chosen_by = strategy(name)
    assert chosen_by.needs_features
    pool = offered(project, files, chosen_by, None, SILENT).pool
    assert pool.features is not None
    assert pool.screened is None
    assert kinds(project) == {"slices"}
    assert offered(project, files, strategy("one-shot"), None, SILENT).pool.screened is not None


def test_a_finished_run_of_a_benchmark_keeps_none(project: Project) -> None:
    run_suggest(project, 4.0, "one-shot", SILENT)
    remove_bulk(project)
    assert not (project.folder / "cache").exists()
