"""A kill at any moment of `round` and `annotate`: the project opens and nothing is missing."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from activeseg.cohort import take_slice
from activeseg.model.training import Recipe
from activeseg.progress import Progress, Silent
from activeseg.project import Project, annotate, project_status
from activeseg.project.scoring import Scoring
from activeseg.project.verbs import run_round, run_suggest
from killing import kill_after, killed_at_call, run_child
from tiny_cohort import answer, copied, new_project, write_tiny_cohort

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork server, no SIGKILL")

PRELOAD = ("tiny_cohort",)
KILLS = 25
SILENT = Silent()
RECIPE = Recipe(steps=4, batch=4)
SCORING = Scoring(passes=2)
MINUTES = 9.0


class Reporting(Progress):
    """Reports the stages as they begin, so that it is known where a kill came."""

    def __init__(self, report):
        self._report = report

    @contextmanager
    def stage(self, name, total):
        self._report(f"stage {name}")
        with super().stage(name, total) as stage:
            yield stage


def whole_round(project, progress=SILENT):
    return run_round(project, MINUTES, None, RECIPE, SCORING, progress)


def work_for_ever(report, folder):
    """What people do: answer what is open, mend what is not, let the next be chosen, again.

    Of each batch one slice is answered, so that the cohort's slices last for all kills.
    """
    project = Project.open(folder)
    while True:
        asked = project.latest_batch().suggestions
        new = [asked[0].key] if len(project.open_suggestions()) == len(asked) else []
        for key in (*new, *list(project.annotations())[:1]):
            label = project.cohort.volume(key.volume).label
            annotation = annotate(project, key, label, 60.0, "ada")
            report(f"annotation {annotation.key} {annotation.image.name}")
        batch = whole_round(project, Reporting(report))
        report(f"round {batch.round}")


def measure(folder, file):
    """Write how long the first answers and the first round take in a child."""
    begun = time.monotonic()
    project = Project.open(folder)
    answer(project)
    whole_round(project)
    file.write_text(str(time.monotonic() - begun))


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Round 0 is asked, nothing is answered."""
    folder = tmp_path_factory.mktemp("asked")
    project = new_project(folder / "project", write_tiny_cohort(folder / "cohort", volumes=10))
    run_suggest(project, MINUTES, None, SILENT)
    return project


def check(folder, done):
    """Open the project as if for the first time and look for all that was reported."""
    project = Project.open(folder)
    everything = project.all_annotations()
    kept = {f"annotation {a.key} {a.image.name}" for a in everything}
    reported = [line for line in done if line.startswith("annotation ")]
    assert [line for line in reported if line not in kept] == []
    for annotation in everything:
        annotation.verify()
        key = annotation.key
        geometry = project.cohort.volume(key.volume).geometry
        wanted = take_slice(project.cohort.read_label(key.volume), geometry, key.plane, key.index)
        np.testing.assert_array_equal(project.read_annotation(annotation), wanted)
    status = project_status(project)
    assert status["annotated_slices"] == len({a.key for a in everything})
    finished = [int(line.split()[1]) for line in done if line.startswith("round ")]
    check_rounds(project, finished)
    assert status["round"] >= max(finished, default=0)
    return project


def check_rounds(project, finished):
    """What is finished is whole; only the last round may be half done."""
    rounds = project.rounds()
    assert [files.number for files in rounds] == list(range(len(rounds)))
    complete = [files.number for files in rounds if files.batch.is_file()]
    assert complete in ([*range(len(rounds))], [*range(len(rounds) - 1)])
    assert set(finished) <= set(complete)
    for files in rounds[1:]:
        if files.number in complete:
            names = ("model.pt", "scores.parquet", "proposals.npz", "estimate.json", "batch.json")
            assert files.existing() == (*names, "log.jsonl")
            files.read_estimate()
            for suggestion in files.read_batch().suggestions:
                assert files.read_proposal(suggestion.key) is not None


def test_kills_at_random_moments_lose_nothing(asked, tmp_path):
    copied(asked, tmp_path / "measured")
    seconds = tmp_path / "seconds"
    assert run_child(measure, tmp_path / "measured", seconds, preload=PRELOAD) == 0
    longest = 1.2 * float(seconds.read_text())

    copied(asked, tmp_path / "project")
    rng = np.random.default_rng(7)
    done: list[str] = []
    ends = []
    for _ in range(KILLS):
        moment = float(rng.uniform(0, longest))
        done = kill_after(moment, tmp_path, work_for_ever, tmp_path / "project", preload=PRELOAD)
        check(tmp_path / "project", done)
        ends += done[-1:]
    # The kills came in the midst of work, and work went on between them.
    assert sum(end.startswith("stage ") for end in ends) >= 5
    assert sum(line.startswith("annotation ") for line in done) >= 3
    assert any(line.startswith("round ") for line in done)

    project = Project.open(tmp_path / "project")
    before = max(files.number for files in project.rounds() if files.batch.is_file())
    assert whole_round(project).round == before + 1  # the half-done round, not one after it
    check(tmp_path / "project", [*done, f"round {before + 1}"])


def round_until_call(folder, number):
    """A whole round that dies just before one of its renamings; or tells how many it has."""
    with killed_at_call(number, ("replace",)) as calls:
        whole_round(Project.open(folder))
    (folder / "calls.txt").write_text(str(len(calls)))


def test_a_round_killed_before_any_file_appears_ends_like_an_undisturbed_one(asked, tmp_path):
    """Same seed, same suggestions: also when the round was begun, killed and taken up again."""
    begun = copied(asked, tmp_path / "begun")
    answer(begun)
    whole = copied(begun, tmp_path / "whole")
    assert run_child(round_until_call, whole.folder, 0, preload=PRELOAD) == 0
    expected = whole.latest_batch()
    assert expected.round == 1
    steps = int((whole.folder / "calls.txt").read_text())
    assert steps == 17  # who works, model, log, 10 predictions, scores, estimate, ...
    for number in range(1, steps + 1):
        project = copied(begun, tmp_path / str(number))
        code = run_child(round_until_call, project.folder, number, preload=PRELOAD)
        assert code == -signal.SIGKILL
        check(project.folder, [])
        assert project.latest_batch() == begun.latest_batch()  # the batch is the last file
        again = whole_round(project)
        assert (again.round, again.suggestions) == (1, expected.suggestions)
        check(project.folder, ["round 1"])
