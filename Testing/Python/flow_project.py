"""A small project with a batch, and people who work on it; tests say what they are about."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from activeseg.cohort import open_cohort
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project
from activeseg_slicer.flow import Clock, Session
from plain_desk import PlainDesk
from rounds_by_hand import batch, suggestion
from tiny_cohort import write_tiny_cohort

KEYS = [
    SliceKey("v00", Plane.AXIAL, 2),
    SliceKey("v00", Plane.AXIAL, 5),
    SliceKey("v01", Plane.CORONAL, 7),
    SliceKey("v03", Plane.SAGITTAL, 4),
]

_KEPT = []


@cache
def tiny_cohort():
    """Four volumes with geometries of four kinds, written once."""
    _KEPT.append(TemporaryDirectory())
    return open_cohort(write_tiny_cohort(Path(_KEPT[-1].name) / "cohort"))


def shape_of(key):
    geometry = tiny_cohort().volume(key.volume).geometry
    axis = geometry.array_axis(key.plane)
    return tuple(np.delete(geometry.shape, axis))


def proposal(key, value=1):
    """A mask that is the slice's own."""
    found = np.zeros(shape_of(key), np.uint8)
    found[key.index :, 1:3] = value
    return found


def flow_project(folder, number=0, keys=KEYS, audits=()):
    """A project whose batch shows a proposal of every slice; `audits` are to be laid blank."""
    project = Project.create(folder, tiny_cohort(), "all", "auto", 0, "unet25d")
    ask(project, number, keys, audits)
    return project


def ask(project, number, keys, audits=()):
    """The batch of a round."""
    files = project.round(number)
    files.write_proposals({key: proposal(key) for key in keys})
    entries = [
        suggestion(key, rank, dice=0.5, audit=key in audits) for rank, key in enumerate(keys, 1)
    ]
    files.write_batch(batch(number, entries))


class Person:
    """Somebody with a session, a desk and a time of their own."""

    def __init__(self, project, author):
        self.time = 0.0
        self.desk = PlainDesk()
        self.session = Session(project, author, self.desk, Clock(lambda: self.time))

    def work(self, seconds, value=None, corner=0):
        """Let time pass, with input all the while; paint if there is a value."""
        while seconds > 0:
            self.time += min(seconds, 30.0)
            seconds -= 30.0
            self.session.clock.touch()
        if value is not None:
            self.desk.paint(value, corner)
