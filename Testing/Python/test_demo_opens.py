"""The demonstration ends in the workbench, on the project of its own arm with an open batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from activeseg.project import Project
from tiny_cohort import write_tiny_cohort

pytest.importorskip("trame_slicer", reason="needs the workbench extra", exc_type=ImportError)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(os.name != "posix", reason="ends the demonstration by a signal")
def test_the_demonstration_opens_the_workbench_on_its_project(tmp_path):
    out = tmp_path / "out"
    cohort = write_tiny_cohort(tmp_path / "cohort", volumes=6)
    words = ["--cohort", str(cohort), "--out", str(out), "--rounds", "0", "--steps", "3"]
    paths = os.pathsep.join(str(ROOT / "ActiveSeg" / each) for each in ("Logic", "Widgets"))
    running = subprocess.Popen(
        [sys.executable, "-m", "activeseg", "demo", *words, "--minutes", "3", "--author", "ada"],
        env={**os.environ, "PYTHONPATH": paths, "DISPLAY": "", "WAYLAND_DISPLAY": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        said = iter(running.stdout.readline, "")
        line = next(line for line in said if line.startswith("open http://127.0.0.1:"))
        address = line.split()[1]
        with urllib.request.urlopen(f"{address}report") as answer:
            assert answer.read() == (out / "report.html").read_bytes()
        assert Project.open(out / "activeseg").open_suggestions()
        os.killpg(running.pid, signal.SIGINT)
        assert running.wait(60) == 0
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.stdout.close()
