"""What all tests share: where things are, and the settings that make runs repeatable."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from in_process import Done, outcome

# Before numpy and torch are loaded: with a process a core, more threads only get in the way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
# What a test finds must not depend on what an earlier run has kept for the user.
os.environ["ACTIVESEG_CACHE"] = "off"

# The same examples in each run, and no verdict from the machine's speed.
settings.register_profile("activeseg", deadline=None, derandomize=True)
settings.load_profile("activeseg")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real cohorts, named by ACTIVESEG_DATA; skips where there is none."""
    folder = os.environ.get("ACTIVESEG_DATA")
    if not folder:
        pytest.skip("set ACTIVESEG_DATA to a folder of real cohorts to run this")
    path = Path(folder)
    assert path.is_dir(), f"ACTIVESEG_DATA is {folder}, which is no folder"
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """Run a command in this process; the signal handler that it sets is taken back."""
    before = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> Done:
        capsys.readouterr()
        code = outcome(words)
        return Done(code, *capsys.readouterr())

    yield call
    signal.signal(signal.SIGTERM, before)
