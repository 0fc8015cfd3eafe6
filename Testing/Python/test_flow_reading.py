"""Volumes read ahead: nothing is read twice, and a failure comes when it is asked for."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from activeseg.cohort import Cohort
from activeseg.errors import CohortError, ProjectError
from activeseg_slicer.flow.reading import KEPT, Reading
from flow_project import KEYS, Person, flow_project, tiny_cohort
from small_cohort import small_cohort


class Disk:
    """Counts what is read, by which thread, and can hold a reading up or fail it."""

    def __init__(self, monkeypatch):
        self.read = []
        self.threads = []
        self.broken = set()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        monkeypatch.setattr(Cohort, "read_image", lambda cohort, volume: self(volume))

    def __call__(self, volume):
        self.begun.set()
        assert self.gate.wait(30)
        self.read.append(volume)
        self.threads.append(threading.current_thread())
        if volume in self.broken:
            raise CohortError("is damaged", volume)
        return np.full((1, 1, 1), len(self.read), np.float32)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture
def project(tmp_path):
    return flow_project(tmp_path / "project")


@pytest.fixture
def reading(project):
    made = Reading(project)
    yield made
    made.rest()


def test_what_was_read_ahead_is_not_read_again(disk, reading):
    reading.ahead("v01", None)
    assert disk.begun.wait(30)
    assert reading.image("v01") is reading.image("v01")
    assert disk.read == ["v01"]
    assert disk.threads[0] is not threading.main_thread()
    reading.image("v00")
    assert disk.threads[1] is threading.main_thread()


def test_one_that_is_under_way_is_waited_for(disk, reading):
    disk.gate.clear()
    reading.ahead("v01", None)
    reading.ahead("v01", None)
    assert disk.begun.wait(30)
    threading.Timer(0.05, disk.gate.set).start()
    assert reading.image("v01").shape == (1, 1, 1)
    assert disk.read == ["v01"]


def test_one_that_waits_behind_another_is_read_at_once(disk, reading):
    disk.gate.clear()
    reading.ahead("v01", None)
    assert disk.begun.wait(30)
    reading.ahead("v02", None)
    disk.gate.set()
    reading.image("v02")
    reading.image("v01")
    assert sorted(disk.read) == ["v01", "v02"]


def test_the_last_few_stay(disk, reading):
    names = ["v00", "v01", "v02", "v03"]
    assert len(names) == KEPT + 1
    for name in names:
        reading.image(name)
    for name in names[1:]:
        reading.image(name)
    assert disk.read == names
    reading.image("v01")
    reading.image("v00")  # pushes v02 out, which was used longest ago
    reading.image("v01")
    assert disk.read == [*names, "v00"]
    reading.image("v02")
    assert disk.read == [*names, "v00", "v02"]


def test_a_failure_ahead_comes_when_it_is_asked_for_and_is_forgotten(disk, reading):
    disk.broken.add("v01")
    reading.ahead("v01", None)
    with pytest.raises(CohortError, match="v01: is damaged"):
        reading.image("v01")
    disk.broken.clear()
    reading.image("v01")
    assert disk.read == ["v01", "v01"]


def test_doubts_are_read_ahead_too_and_missing_ones_are_none(project, reading):
    reading.ahead("v00", 0)
    assert reading.entropy(0, "v00") is None
    file = project.round(0).folder / "predictions" / "v01.npz"
    file.parent.mkdir()
    file.write_bytes(b"PK")
    reading.ahead("v01", 0)
    with pytest.raises(ProjectError, match="damaged"):
        reading.entropy(0, "v01")


def test_after_a_rest_it_goes_on(disk, reading):
    reading.rest()
    reading.ahead("v01", None)
    reading.image("v01")
    reading.rest()
    reading.ahead("v02", None)
    reading.image("v02")
    assert disk.read == ["v01", "v02"]


def test_what_was_begun_before_a_rest_is_read_when_it_is_asked_for(disk, reading):
    disk.gate.clear()
    reading.ahead("v01", None)
    assert disk.begun.wait(30)
    reading.ahead("v02", None)
    reading.rest()
    disk.gate.set()
    reading.image("v02")
    reading.image("v01")
    assert sorted(disk.read) == ["v01", "v02"]


def test_a_session_reads_the_next_volume_while_this_one_is_painted(project, monkeypatch):
    read = []
    done = {name: threading.Event() for name in ("v00", "v01", "v03")}
    before = Cohort.read_image

    def noted(cohort, volume):
        found = before(cohort, volume)
        read.append((volume, threading.current_thread() is threading.main_thread()))
        done[volume].set()
        return found

    monkeypatch.setattr(Cohort, "read_image", noted)
    ada = Person(project, "ada")
    ada.session.next()
    assert done["v01"].wait(30)
    ada.session.accept()
    assert ada.session.accept().key == KEYS[2]
    assert done["v03"].wait(30)
    assert ada.session.accept().key == KEYS[3]
    ada.session.leave()
    assert read == [("v00", True), ("v01", False), ("v03", False)]


def test_a_cohort_that_is_elsewhere_at_the_moment(tmp_path):
    project = flow_project(tmp_path / "project")
    object.__setattr__(project.settings, "cohort", small_cohort(tmp_path / "nowhere"))
    reading = Reading(project)
    with pytest.raises(CohortError, match="plain: "):
        reading.image("plain")
    assert tiny_cohort().read_image("v00").ndim == 3
