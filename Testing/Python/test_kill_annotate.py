"""A kill at any moment of `annotate`: the project opens, and no accepted annotation is missing."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from activeseg.cohort import write_label
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, annotate, project_status, skip
from killing import kill_after, killed_at_each_step
from rounds_by_hand import batch, suggestion
from small_cohort import GEOMETRIES, small_project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork server, no SIGKILL")

PRELOAD = ("activeseg.project", "activeseg.quality", "small_cohort")
KEYS = [SliceKey("oblique", plane, index) for plane in Plane for index in range(5)]


def new_project(folder: Path) -> Project:
    """A project with a batch that shows a proposal, and a mask file of every slice."""
    project = small_project(folder)
    entries = [suggestion(key, n, dice=0.5) for n, key in enumerate(KEYS, 1)]
    files = project.round(1)
    files.write_proposals({KEYS[0]: np.ones(shape_of(KEYS[0]), np.uint8)})
    files.write_batch(batch(1, entries))
    write_label(folder / "mask.nrrd", whole_mask(), GEOMETRIES["oblique"])
    return project


def whole_mask():
    geometry = GEOMETRIES["oblique"]
    return np.random.default_rng(0).choice(np.array([0, 1, 4], np.uint8), geometry.shape)


def shape_of(key):
    geometry = GEOMETRIES[key.volume]
    return tuple(np.delete(geometry.shape, geometry.array_axis(key.plane)))


def answer_for_ever(report, folder, seed):
    """What a clinician's program does: take the next slice, annotate it, again and again."""
    project = Project.open(folder / "project")
    rng = np.random.default_rng(seed)
    while True:
        asked = project.next_suggestion(f"author {seed % 3}")
        key = KEYS[rng.integers(len(KEYS))] if asked is None else asked.key
        annotation = annotate(project, key, folder / "mask.nrrd", 1.0, f"author {seed % 3}")
        report(f"{annotation.key} {annotation.image.name}")


def check(folder, done):
    """Open the project as if for the first time and look for all that was reported."""
    project = Project.open(folder / "project")
    everything = project.all_annotations()
    kept = {f"{a.key} {a.image.name}" for a in everything}
    missing = [line for line in done if line not in kept]
    assert missing == []
    truth = whole_mask()
    for annotation in everything:
        annotation.verify()
        axis = GEOMETRIES["oblique"].array_axis(annotation.key.plane)
        expected = truth.take(annotation.key.index, axis=axis)
        np.testing.assert_array_equal(project.read_annotation(annotation), expected)
    # Everything else works on.
    assert project_status(project)["annotated_slices"] == len({a.key for a in everything})
    return len(everything)


def test_kills_at_random_moments_lose_nothing(tmp_path):
    new_project(tmp_path)
    rng = np.random.default_rng(20240)
    done: list[str] = []
    for kill in range(25):
        seconds = float(rng.uniform(0, 0.12))
        done = kill_after(seconds, tmp_path, answer_for_ever, tmp_path, kill, preload=PRELOAD)
        check(tmp_path, done)
    assert len(done) > 5  # the kills came in the midst of work
    assert len(set(done)) == len(done)


def annotate_one(folder):
    project = Project.open(folder / "project")
    annotate(project, KEYS[0], folder / "mask.nrrd", 1.0, "ada")


def test_a_kill_before_any_step_leaves_nothing_or_all(tmp_path):
    """Between any two steps towards the disk; what counts is all there or not at all."""
    steps, killed = killed_at_each_step(annotate_one, new_project, tmp_path, PRELOAD)
    assert check(tmp_path / "whole", []) == 1
    assert steps.count("replace") == 2  # the image, then the record
    kept = []
    for folder in killed:
        kept.append(check(folder, []))
        # The clinician tries again and nothing is in the way.
        annotate_one(folder)
        assert check(folder, []) == kept[-1] + 1
    # Not accepted up to the renaming of the record, accepted from then on.
    commit = max(n for n, step in enumerate(steps) if step == "replace") + 1
    assert kept == [0] * commit + [1] * (len(steps) - commit)


def skip_one(folder):
    skip(Project.open(folder / "project"), KEYS[0], "ada")


def test_a_kill_before_any_step_of_a_skip_leaves_nothing_or_all(tmp_path):
    steps, killed = killed_at_each_step(skip_one, new_project, tmp_path, PRELOAD)
    assert steps.count("replace") == 1
    kept = []
    for folder in killed:
        check(folder, [])
        project = Project.open(folder / "project")
        kept.append(len(project.skipped()))
        assert project.next_suggestion("bob").key == KEYS[kept[-1]]
        # Whoever tries again succeeds.
        skip_one(folder)
        assert project_status(project)["skipped"] == [str(KEYS[0])]
    commit = steps.index("replace") + 1
    assert kept == [0] * commit + [1] * (len(steps) - commit)


def test_a_claim_of_one_who_was_killed_ends_by_itself(tmp_path):
    project = new_project(tmp_path)
    kill_after(0.05, tmp_path, claim_and_wait, tmp_path, preload=PRELOAD)
    assert project.working_on()[KEYS[0]].author == "ada"
    assert project.next_suggestion("bob").key == KEYS[1]
    assert project.next_suggestion("ada").key == KEYS[0]


def claim_and_wait(report, folder):
    Project.open(folder / "project").next_suggestion("ada")
    report("claimed")
    signal.pause()
