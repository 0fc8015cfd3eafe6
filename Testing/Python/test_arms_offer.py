"""What a project hands to the arms of a benchmark: truth, features, scores, estimates."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from activeseg.cohort import open_cohort, take_slice
from activeseg.errors import ProjectError
from activeseg.model.features import slice_features
from activeseg.progress import Silent
from activeseg.project import annotate
from activeseg.project.estimating import estimate_slices
from activeseg.project.offer import offered
from activeseg.project.scans import read_scan
from activeseg.project.verbs import run_suggest
from activeseg.sampling import RESEARCH, strategy
from rounds_by_hand import as_formerly, read_scores, row_numbers
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
ORACLE = "oracle-foreground-66"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Nothing done yet."""
    folder = tmp_path_factory.mktemp("fresh")
    cohort = write_tiny_cohort(folder / "cohort")
    return new_project(folder / "project", cohort, strategy="auto", plane_policy="all")


@pytest.fixture(scope="module")
def asked(tmp_path_factory, fresh):
    """Two rounds are answered, the second asked by a model that is wrong about the spleen."""
    project = copied(fresh, tmp_path_factory.mktemp("asked") / "project")
    run_suggest(project, 3.0, None, SILENT)
    answer(project, seconds=0.0)
    score_with(project, 1, KnownModel(85.0, 140.0, certainty=0.9))
    run_suggest(project, 12.0, None, SILENT)
    answer(project, seconds=0.0)
    score_with(project, 2, KnownModel(*SEES_BOTH, certainty=0.9))
    return project


def pool_for(project, name, number=None):
    scored = None if number is None else project.round(number)
    return offered(project, scored, strategy(name), None, SILENT).pool


def keys_of(pool):
    return [pool.key(row) for row in range(len(pool))]


# The truth


@pytest.mark.parametrize("scored", [None, 2])
def test_the_truth_is_the_label_of_each_slice(fresh, asked, scored):
    project = fresh if scored is None else asked
    pool = pool_for(project, ORACLE, scored)
    cohort = open_cohort(project.cohort.root)
    labels = {volume.id: cohort.read_label(volume.id) for volume in cohort.volumes}
    for row, key in enumerate(keys_of(pool)):
        geometry = cohort.volume(key.volume).geometry
        label = take_slice(labels[key.volume], geometry, key.plane, key.index)
        assert pool.truth_shown[:, row].tolist() == [(label == 1).any(), (label == 4).any()]
    # Some of each, in each plane: the axes of the files do not mislead.
    assert 0 < pool.truth_shown.mean() < 1
    assert len(set(pool.plane[pool.truth_shown.any(axis=0)].tolist())) == 3


def test_nobody_else_is_told_the_truth(asked):
    assert pool_for(asked, "auto", 2).truth_shown is None
    assert pool_for(asked, "kuo", 2).truth_shown is None


def test_a_volume_without_a_label_is_refused_in_one_line(tmp_path):
    cohort = write_tiny_cohort(tmp_path / "cohort", volumes=2)
    bare = tmp_path / "bare"
    shutil.copytree(cohort, bare)
    (bare / "labels" / "v01.nrrd").unlink()
    project = new_project(tmp_path / "project", bare)
    with pytest.raises(ProjectError, match=f"'{ORACLE}' chooses by .* labels, but v01 has none"):
        run_suggest(project, 4.0, ORACLE, SILENT)
    assert run_suggest(project, 4.0, "random", SILENT).suggestions
    labelled = new_project(tmp_path / "labelled", cohort)
    batch = run_suggest(labelled, 4.0, ORACLE, SILENT)
    assert (batch.strategy, batch.round) == (ORACLE, 0)


# Features


def test_the_annotated_slices_have_their_features_too(asked):
    pool = pool_for(asked, "coreset", 2)
    annotated = list(asked.annotations())
    assert len(pool.annotated_features) == len(annotated) > 3
    key = annotated[-1]
    geometry = asked.cohort.volume(key.volume).geometry
    every = slice_features(read_scan(asked, key.volume), key.plane)
    expected = every[geometry.canonical_index(key.plane, key.index)]
    np.testing.assert_array_equal(pool.annotated_features[-1], expected)
    # Nothing is read for who needs none.
    assert pool_for(asked, "bald", 2).annotated_features is None


def test_a_volume_that_is_annotated_whole_is_looked_at_as_well(tmp_path):
    project = new_project(tmp_path / "project", write_tiny_cohort(tmp_path / "cohort", volumes=2))
    for suggestion in run_suggest(project, 1e4, "random", SILENT).suggestions:
        key = suggestion.key
        if key.volume == "v00":
            annotate(project, key, project.cohort.volume(key.volume).label, 30.0, "ada")
    pool = pool_for(project, "typiclust")
    assert pool.volumes == ("v01",)
    assert len(pool.annotated_features) == len(project.annotations()) == len(pool) == 8
    assert (np.ptp(pool.annotated_features, axis=0) > 0).any()


# Scores


def test_the_columns_of_the_arms_are_those_of_the_table(asked):
    table = read_scores(asked.round(2))
    reading = {
        "volume-epistemic": "foreground_entropy",
        "kuo": "top_patches",
        "atzeni": "contour_mm",
        "badge": "gradient",
    }
    pools = {name: pool_for(asked, name, 2) for name in reading}
    pool = pools["kuo"]
    rows = [row_numbers(table)[key] for key in keys_of(pool)]
    # Each reads its own column and no other's.
    for name, column in reading.items():
        read = {each for each in reading.values() if getattr(pools[name].scored, each) is not None}
        assert read == {column}
    scored = replace(
        pool.scored,
        **{column: getattr(pools[name].scored, column) for name, column in reading.items()},
    )
    assert scored.foreground_entropy.tolist() == table.scores.foreground_entropy[rows].tolist()
    assert scored.top_patches.tolist() == table.scores.top_patches[rows].tolist()
    assert scored.contour_mm.tolist() == table.scores.contour_mm[rows].tolist()
    np.testing.assert_array_equal(scored.gradient, table.scores.gradient[rows].T)
    assert scored.gradient.shape == (9, len(pool))
    assert (scored.gradient > 0).any()
    assert (scored.foreground_entropy > 0).any()
    # The model's passes agree that they are not quite sure: nothing of that is BALD.
    assert scored.top_patches.max() < 1e-5 < scored.whole_entropy.max()


def test_scores_from_before_these_columns_are_read_and_refused_by_who_needs_them(asked, tmp_path):
    project = copied(asked, tmp_path / "p")
    files = project.round(2)
    as_formerly(files, without=("foreground_entropy", "top_patches", "gradient"))
    assert run_suggest(project, 4.0, "auto", SILENT).suggestions
    for name in ("badge", "kuo", "volume-epistemic"):
        with pytest.raises(ProjectError, match="earlier version"):
            run_suggest(project, 4.0, name, SILENT)
    scores = read_scores(files).scores
    assert np.isnan(scores.gradient).all()
    assert scores.gradient.shape == (len(scores.index), 9)


# Estimates


def test_without_calibration_slices_are_judged_by_the_prior(asked):
    table = read_scores(asked.round(2))
    bare = estimate_slices(asked, asked.round(2), table, calibrated=False)
    taught = estimate_slices(asked, asked.round(2), table)
    assert np.abs(bare.dice - taught.dice).max() > 0.01
    # The prior is what a project without any judged answer expects of the same scores.
    pool = pool_for(asked, "auto-no-calibration", 2)
    rows = [row_numbers(table)[key] for key in keys_of(pool)]
    assert pool.scored.expected_dice.tolist() == bare.dice[rows].tolist()
    assert pool.scored.gain.tolist() == bare.gain[rows].tolist()
    assert pool_for(asked, "auto", 2).scored.gain.tolist() == taught.gain[rows].tolist()


def test_in_the_first_round_there_is_nothing_to_forget(fresh, tmp_path):
    project = copied(fresh, tmp_path / "p")
    run_suggest(project, 3.0, None, SILENT)
    answer(project)
    score_with(project, 1, KnownModel(*SEES_BOTH, certainty=0.9))
    table = read_scores(project.round(1))
    both = [estimate_slices(project, project.round(1), table, each) for each in (True, False)]
    np.testing.assert_array_equal(both[0].dice, both[1].dice)


# All of them


@pytest.mark.parametrize("name", sorted(RESEARCH))
def test_each_arm_chooses_in_a_project(asked, fresh, tmp_path, name):
    project = copied(asked, tmp_path / "p")
    batch = run_suggest(project, 5.0, name, SILENT)
    assert (batch.strategy, batch.round) == (name, 2)
    assert 4.0 < sum(each.minutes for each in batch.suggestions) <= 5.0 + 1e-4
    assert not {each.key for each in batch.suggestions} & set(project.annotations())
    # Before any model those that need one give way to the one-shot choice.
    first = run_suggest(copied(fresh, tmp_path / "f"), 3.0, name, SILENT)
    assert first.strategy == ("one-shot" if RESEARCH[name].needs_model else name)
    # A model that sees nothing anywhere is sure of it; there is a batch all the same.
    score_with(project, 2, KnownModel(5000.0, 6000.0))
    assert run_suggest(project, 5.0, name, SILENT).suggestions


def test_the_name_of_an_arm_can_be_a_projects_own(tmp_path):
    cohort = write_tiny_cohort(tmp_path / "cohort", volumes=2)
    project = new_project(tmp_path / "project", cohort, strategy="coreset")
    assert run_suggest(project, 3.0, None, SILENT).strategy == "coreset"
