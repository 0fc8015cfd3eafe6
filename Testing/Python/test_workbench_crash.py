"""A desk that dies under the clinician's hands: the page comes back, and the strokes are there."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from activeseg.keys import Plane, SliceKey
from activeseg.project import Project
from flow_project import flow_project, proposal
from workbench_page import Bench, browser, workbench

KEYS = [SliceKey("v00", Plane.AXIAL, index) for index in (1, 2, 3)]


def desk_of(project: Project) -> int:
    """The process of the desk that works in a project."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if {b"activeseg_web.desk", str(project.folder).encode()} <= set(words):
            return int(entry.name)
    raise AssertionError("no desk is running")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds the desk in /proc")
def test_a_killed_desk_loses_no_stroke(tmp_path):
    project = flow_project(tmp_path / "project", keys=KEYS)
    with browser() as chromium, workbench(project.folder) as served:
        bench = Bench(chromium, served.address).open()
        key = SliceKey.parse(bench.wait_for_slice())
        bench.stroke()
        for _ in range(100):
            draft = project.read_draft(key, "anna")
            if draft is not None and not np.array_equal(draft.mask, proposal(key)):
                break
            time.sleep(0.1)
        else:
            raise AssertionError("no draft was kept")
        bench.page.evaluate("window.before = true")
        killed = desk_of(project)
        os.kill(killed, signal.SIGKILL)
        bench.page.wait_for_function("() => !window.before")
        assert bench.wait_for_slice(str(key)) == str(key)
        assert desk_of(project) != killed
        bench.large()  # its picture is there
        bench.accept()
        accepted = Project.open(project.folder).annotations()[key]
        assert np.array_equal(project.read_annotation(accepted), draft.mask)
        assert accepted.seconds >= draft.seconds
        bench.page.context.close()
