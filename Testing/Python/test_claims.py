"""No slice is given to two people, whatever happens at the same time."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from activeseg.errors import AnnotationError, CohortError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, claims
from activeseg.project.names import slice_folder
from rounds_by_hand import batch, suggestion
from small_cohort import GEOMETRIES, small_cohort

KEY = SliceKey("plain", Plane.AXIAL, 3)


def links(root, key=KEY):
    return sorted(entry.name for entry in slice_folder(root, key).iterdir())


def test_a_claim_holds_against_others_and_is_renewed_by_its_author(tmp_path):
    assert claims.holder(tmp_path, KEY) is None
    assert claims.take(tmp_path, KEY, "ada", minutes=10)
    first = claims.holder(tmp_path, KEY)
    assert first.author == "ada"
    minutes = (first.until - datetime.now(timezone.utc)) / timedelta(minutes=1)
    assert 9 < minutes <= 10
    assert not claims.take(tmp_path, KEY, "bob")
    assert claims.take(tmp_path, KEY, "ada", minutes=20)
    assert claims.holder(tmp_path, KEY).until > first.until
    assert not claims.take(tmp_path, KEY, "bob")
    assert claims.take(tmp_path, SliceKey("plain", Plane.AXIAL, 4), "bob")


def test_an_expired_claim_is_taken_over(tmp_path):
    assert claims.take(tmp_path, KEY, "ada", minutes=0)
    assert claims.holder(tmp_path, KEY) is None
    assert claims.take(tmp_path, KEY, "bob")
    assert claims.holder(tmp_path, KEY).author == "bob"
    assert not claims.take(tmp_path, KEY, "ada")


def test_a_released_claim_is_free(tmp_path):
    claims.release(tmp_path, KEY)
    claims.take(tmp_path, KEY, "ada")
    claims.release(tmp_path, KEY)
    assert links(tmp_path) == []
    assert claims.take(tmp_path, KEY, "bob")


def test_renewals_leave_no_litter(tmp_path):
    for _ in range(10):
        claims.take(tmp_path, KEY, "ada")
    assert links(tmp_path) == ["000009.json", "000010.json"]
    record = json.loads((slice_folder(tmp_path, KEY) / "000010.json").read_text())
    assert (record["key"], record["author"]) == ("plain/axial/003", "ada")


def test_a_claim_whose_writer_was_killed_is_honoured_for_a_moment_only(tmp_path):
    folder = slice_folder(tmp_path, KEY)
    folder.mkdir(parents=True)
    for content in (b"", b'{"author": "ada", "unt', b"[]"):
        link = folder / "000001.json"
        link.write_bytes(content)
        assert not claims.take(tmp_path, KEY, "bob")
        minute_ago = time.time() - 60
        os.utime(link, (minute_ago, minute_ago))
        assert claims.take(tmp_path, KEY, "bob")
        claims.release(tmp_path, KEY)


def test_strangers_among_the_claims_are_passed_over(tmp_path):
    folder = slice_folder(tmp_path, KEY)
    folder.mkdir(parents=True)
    for name in ("notes.txt", "x.json", ".tmp-1-aa-000009.json", ".DS_Store"):
        (folder / name).write_text("?")
    assert claims.take(tmp_path, KEY, "ada")
    assert claims.holder(tmp_path, KEY).author == "ada"


def test_who_looked_too_long_ago_does_not_get_it(tmp_path, monkeypatch):
    """Ada sees an expired claim; before she acts, Bob has taken it over and renewed it twice."""
    assert claims.take(tmp_path, KEY, "cleo", minutes=0)
    create = claims.create_exclusive
    waiting = [True]

    def slow(path, data):
        if waiting:
            waiting.clear()
            for _ in range(3):
                assert claims.take(tmp_path, KEY, "bob")
        return create(path, data)

    monkeypatch.setattr(claims, "create_exclusive", slow)
    assert not claims.take(tmp_path, KEY, "ada")
    assert claims.holder(tmp_path, KEY).author == "bob"
    assert "000002.json" not in links(tmp_path)  # what Ada created in vain


def test_of_many_who_take_over_an_expired_claim_one_has_it(tmp_path):
    for turn in range(20):
        key = SliceKey("plain", Plane.CORONAL, turn)
        claims.take(tmp_path, key, "gone", minutes=0)
        barrier = threading.Barrier(6)
        given = []

        def take(author, key=key, barrier=barrier, given=given):
            barrier.wait()
            if claims.take(tmp_path, key, author):
                given.append(author)

        threads = [threading.Thread(target=take, args=(f"author {n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(given) == 1
        assert claims.holder(tmp_path, key).author == given[0]


def test_ones_own_claim_alone_is_released(tmp_path):
    claims.release_own(tmp_path, KEY, "ada")
    claims.take(tmp_path, KEY, "ada")
    claims.release_own(tmp_path, KEY, "bob")
    assert claims.holder(tmp_path, KEY).author == "ada"
    claims.release_own(tmp_path, KEY, "ada")
    assert links(tmp_path) == []


def test_who_releases_too_late_takes_nothing_from_the_next(tmp_path, monkeypatch):
    """Ada's claim has expired; between her look and her release Bob takes the slice over."""
    claims.take(tmp_path, KEY, "ada", minutes=0)
    read = claims._read

    def slow(folder, number):
        found = read(folder, number)
        monkeypatch.setattr(claims, "_read", read)
        assert claims.take(tmp_path, KEY, "bob")
        return found

    monkeypatch.setattr(claims, "_read", slow)
    claims.release_own(tmp_path, KEY, "ada")
    assert claims.holder(tmp_path, KEY).author == "bob"


def project_with(folder, keys):
    project = Project.create(folder, small_cohort(folder), "all", "activeseg", 0, "scratch")
    entries = [suggestion(key, n) for n, key in enumerate(keys, 1)]
    project.round(0).write_batch(batch(0, entries))
    return project


def empty_mask(key):
    geometry = GEOMETRIES[key.volume]
    return np.zeros(np.delete(geometry.shape, geometry.array_axis(key.plane)), np.uint8)


def test_an_accepted_slice_is_nobody_s_work_any_more(tmp_path):
    project = project_with(tmp_path / "project", [KEY])
    assert project.next_suggestion("ada").key == KEY
    assert links(project.folder / "claims") == ["000001.json"]
    project.accept(KEY, empty_mask(KEY), "bob")
    assert links(project.folder / "claims") == []


def test_a_slice_of_ones_own_choice_is_claimed_and_released(tmp_path):
    other = SliceKey("oblique", Plane.SAGITTAL, 2)
    project = project_with(tmp_path / "project", [KEY])
    assert project.claim(KEY, " ada ")
    assert project.claim(other, "ada")  # asked for or not
    assert not project.claim(KEY, "bob")
    assert project.next_suggestion("bob") is None
    assert project.holder(KEY).author == "ada"
    project.release(KEY, "bob")
    assert project.holder(KEY).author == "ada"
    project.release(KEY, "ada")
    assert project.holder(KEY) is None
    assert project.next_suggestion("bob").key == KEY
    for key, error in (
        (SliceKey("plain", Plane.AXIAL, 7), AnnotationError),
        (SliceKey("nobody", Plane.AXIAL, 0), CohortError),
    ):
        with pytest.raises(error):
            project.claim(key, "ada")
    with pytest.raises(ProjectError, match="not an author's name"):
        project.claim(KEY, "")
    assert claims.held(project.folder / "claims") == {KEY, other}


def test_what_is_answered_between_the_look_and_the_claim_is_not_given_again(tmp_path, monkeypatch):
    other = SliceKey("plain", Plane.AXIAL, 5)
    project = project_with(tmp_path / "project", [KEY, other])
    take = claims.take

    def slow(root, key, author, minutes):
        if key == KEY:
            project.accept(KEY, empty_mask(KEY), "bob")
        return take(root, key, author, minutes)

    monkeypatch.setattr(claims, "take", slow)
    assert project.next_suggestion("ada").key == other
    assert links(project.folder / "claims") == []


def answer_all(folder, number, barrier, results):
    """One clinician of several: take what is next, annotate it, until nothing is left."""
    project = Project.open(folder)
    given = []
    barrier.wait()
    while (suggestion := project.next_suggestion(f"author {number}")) is not None:
        key = suggestion.key
        given.append(str(key))
        project.accept(key, empty_mask(key), f"author {number}", 1.0)
    results.put((number, given))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork server")
def test_four_processes_never_get_the_same_slice(tmp_path):
    from killing import fork_server

    keys = [SliceKey(name, Plane.AXIAL, n) for name in sorted(GEOMETRIES) for n in range(4)]
    folder = tmp_path / "project"
    project = project_with(folder, keys)
    for key in keys[:5]:  # these were claimed by somebody who never came back
        claims.take(folder / "claims", key, "gone", minutes=0)
    context = fork_server("activeseg.project", "activeseg.quality", "small_cohort")
    barrier, results = context.Barrier(4), context.Queue()
    children = [
        context.Process(target=answer_all, args=(folder, number, barrier, results))
        for number in range(4)
    ]
    for child in children:
        child.start()
    answers = dict(results.get(timeout=60) for _ in children)
    for child in children:
        child.join()
        assert child.exitcode == 0
    results.close()
    results.join_thread()
    given = [key for answered in answers.values() for key in answered]
    assert sorted(given) == sorted(map(str, keys))
    assert all(len(project.history(key)) == 1 for key in keys)
    assert project.open_suggestions() == []


def test_of_many_slices_those_that_are_held_are_found(tmp_path: Path) -> None:
    asked = [SliceKey(name, Plane.AXIAL, k) for name in ("a/b", "a", "never") for k in range(4)]
    for key in (asked[1], asked[6]):
        claims.take(tmp_path, key, "ada")
    claims.take(tmp_path, asked[2], "bob", minutes=-1)
    claims.take(tmp_path, SliceKey("a", Plane.CORONAL, 1), "eve")  # nobody asks about it
    (tmp_path / "a" / "notes.txt").write_text("?")
    found = claims.holders(tmp_path, asked)
    assert found == {key: claims.holder(tmp_path, key) for key in (asked[1], asked[6])}
    assert claims.holders(tmp_path / "nothing", asked) == {}


def test_every_live_claim_is_listed(tmp_path: Path) -> None:
    one, other, free = (SliceKey("a b", Plane.AXIAL, k) for k in (1, 2, 3))
    claims.take(tmp_path, one, "ada")
    claims.take(tmp_path, other, "bob", minutes=-1)
    claims.take(tmp_path, free, "eve")
    claims.release(tmp_path, free)
    assert claims.held(tmp_path) == {one}
    assert claims.held(tmp_path / "nothing") == frozenset()
