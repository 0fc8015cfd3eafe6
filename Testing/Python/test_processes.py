"""Jobs side by side: results, progress, and no process left behind whatever happens.

Nothing heavy is imported here: the children of every test import this file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from activeseg.errors import Cancelled, CohortError
from activeseg.loop.processes import PARTS, Job, side_by_side
from activeseg.progress import Progress, Silent, Stage

STAGES = {"Reading": (2, 1.0), "Training": (2, 3.0)}


class Recorder(Progress):
    """Notes every number that a stage tells; may lose patience."""

    def __init__(self, patience=None):
        self.told = []
        self.names = []
        self._patience = patience

    @contextmanager
    def stage(self, name, total):
        self.names.append((name, total))
        yield Stage(name, total, self._tell)

    def _tell(self, stage):
        self.told.append(stage.done)
        if self._patience is not None and stage.done >= self._patience:
            raise Cancelled("no longer wanted")


# Jobs: functions of a module, as processes that are spawned need them.


def loop(value, progress):
    """Tells of all its stages, of one that was not announced, and of an empty one."""
    for _ in range(2):
        with progress.stage("Reading", 3) as stage:
            for _ in range(3):
                stage.advance()
        with progress.stage("Something else", 5) as stage:
            stage.advance(5)
        with progress.stage("Training", 0):
            pass
    return {"value": value, "pid": os.getpid()}


def mark(file, name, seconds, progress):
    """Writes when it begins and ends."""
    with file.open("a") as lines:
        lines.write(f"begin {name}\n")
    time.sleep(seconds)
    with file.open("a") as lines:
        lines.write(f"end {name}\n")


def refuse(progress):
    raise CohortError("has no label; give it one", "case_7")


def fail(progress):
    raise ZeroDivisionError("a bug")


def die(progress):
    os._exit(3)


def wait_for_ever(file, progress):
    """Tells half of its work, leaves its number and never ends by itself."""
    with progress.stage("Training", 1) as stage:
        stage.advance()
    file.write_text(str(os.getpid()))
    time.sleep(600)


def begun(file, other, progress):
    """Waits until another job is at work, then goes on as that one."""
    while not file.exists() or not file.read_text():
        time.sleep(0.02)
    other(progress)


def ask_for_sigint(progress):
    """Ctrl-C reaches the whole terminal; this is what a job gets of it."""
    os.kill(os.getpid(), signal.SIGINT)
    return signal.SIGINT in signal.sigpending()


def advance_for_ever(file, progress):
    """Works on; notes when it was told to stop."""
    try:
        with progress.stage("Training", 10**9) as stage:
            file.write_text("at work")
            while True:
                stage.advance()
                time.sleep(0.01)
    except Cancelled:
        file.write_text("cancelled")
        raise


def threads(progress):
    return os.environ["OMP_NUM_THREADS"]


def ended(file: Path) -> bool:
    try:
        os.kill(int(file.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def test_each_result_comes_back_under_its_name():
    progress = Recorder()
    jobs = {name: Job(partial(loop, name.upper()), STAGES) for name in ("a", "b")}
    found = side_by_side(jobs, 2, "Running", progress)
    assert {name: result["value"] for name, result in found.items()} == {"a": "A", "b": "B"}
    assert len({os.getpid(), *(result["pid"] for result in found.values())}) == 3
    assert progress.names == [("Running", 2 * PARTS)]
    # All parts of both jobs add up, and only ever upward.
    assert progress.told[-1] == 2 * PARTS
    assert progress.told == sorted(progress.told)


def test_parts_follow_the_shares_of_the_stages():
    progress = Recorder()
    side_by_side({"a": Job(partial(loop, 1), STAGES)}, 1, "Running", progress)
    # Each reading is 1/8 of the work, in three steps; each training, which is empty here, 3/8.
    assert progress.told == [0, 4, 8, 12, 50, 54, 58, 62, 100]


def test_what_is_not_told_stage_by_stage_is_done_when_the_job_ends():
    """A job that goes on where it was has stages behind it that it does not go through again."""
    progress = Recorder()
    stages = {"Reading": (6, 1.0), "Training": (2, 3.0)}
    side_by_side({"a": Job(partial(loop, 1), stages)}, 1, "Running", progress)
    # Each reading is 1/12 of the work, each training 3/12; four readings were done before.
    assert progress.told == [0, 2, 5, 8, 33, 36, 38, 41, 66, 100]


def test_a_larger_job_weighs_more():
    progress = Recorder()
    jobs = {"a": Job(partial(loop, 1), STAGES, size=3), "b": Job(partial(loop, 2), STAGES)}
    side_by_side(jobs, 1, "Running", progress)
    assert progress.names == [("Running", 4 * PARTS)]
    assert progress.told[-9:] == [300, 304, 308, 312, 350, 354, 358, 362, 400]


def test_each_end_is_told_while_others_go_on():
    told = []
    jobs = {name: Job(partial(loop, name.upper()), STAGES) for name in ("a", "b")}
    found = side_by_side(jobs, 1, "Running", Silent(), lambda *end: told.append(end))
    assert [(name, result) for name, result, _ in told] == list(found.items())
    (_, _, left), (_, _, nothing_left) = told
    assert left > 0
    assert nothing_left == 0


def test_processes_compute_in_one_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert side_by_side({"a": Job(threads, STAGES)}, 1, "Running", Silent()) == {"a": "1"}
    assert os.environ["OMP_NUM_THREADS"] == "8"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert side_by_side({"a": Job(threads, STAGES)}, 1, "Running", Silent()) == {"a": "1"}
    assert "OMP_NUM_THREADS" not in os.environ


def test_no_more_at_once_than_asked(tmp_path):
    file = tmp_path / "lines"
    jobs = {name: Job(partial(mark, file, name, 0.05), {"x": (1, 1.0)}) for name in "abc"}
    side_by_side(jobs, 1, "Running", Silent())
    assert file.read_text().split("\n")[:-1] == [
        f"{what} {name}" for name in "abc" for what in ("begin", "end")
    ]


def test_what_a_job_refuses_comes_out_as_itself_and_ends_the_others(tmp_path):
    file = tmp_path / "pid"
    jobs = {
        "long": Job(partial(wait_for_ever, file), STAGES),
        "refused": Job(partial(begun, file, refuse), STAGES),
    }
    with pytest.raises(CohortError) as caught:
        side_by_side(jobs, 2, "Running", Silent())
    assert str(caught.value) == "case_7: has no label; give it one"
    assert caught.value.volume == "case_7"
    assert ended(file)


@pytest.mark.parametrize(("job", "code"), [(die, 3), (fail, 1)])
def test_a_process_that_dies_is_a_bug_and_ends_the_others(tmp_path, job, code, capfd):
    file = tmp_path / "pid"
    jobs = {
        "long": Job(partial(wait_for_ever, file), STAGES),
        "dead": Job(partial(begun, file, job), STAGES),
    }
    with pytest.raises(RuntimeError, match=f"the process of dead ended with code {code}"):
        side_by_side(jobs, 2, "Running", Silent())
    assert ended(file)
    assert ("ZeroDivisionError: a bug" in capfd.readouterr().err) == (job is fail)


@pytest.mark.skipif(sys.platform == "win32", reason="no signal masks")
def test_ctrl_c_is_left_to_the_process_that_waits():
    assert side_by_side({"a": Job(ask_for_sigint, STAGES)}, 1, "Running", Silent()) == {"a": True}
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_job_whose_parent_was_killed_ends_by_itself(tmp_path):
    file = tmp_path / "state"
    code = (
        "from functools import partial; from pathlib import Path; import test_processes as t\n"
        "if __name__ == '__main__':\n"
        f"    job = t.Job(partial(t.advance_for_ever, Path({str(file)!r})), t.STAGES)\n"
        "    t.side_by_side({'a': job}, 1, 'Running', t.Silent())\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    path = os.pathsep.join(sys.path)
    parent = subprocess.Popen([sys.executable, str(script)], env=os.environ | {"PYTHONPATH": path})
    wait_until(lambda: file.exists() and file.read_text() == "at work")
    parent.kill()
    parent.wait()
    wait_until(lambda: file.read_text() == "cancelled")


def wait_until(reached):
    """A generous bound, so that a fault fails instead of hanging."""
    for _ in range(6000):
        if reached():
            return
        time.sleep(0.01)
    pytest.fail("it did not get there")


def test_a_cancel_ends_all(tmp_path):
    file = tmp_path / "pid"
    jobs = {
        "long": Job(partial(wait_for_ever, file), STAGES),
        "other": Job(partial(begun, file, partial(loop, 1)), STAGES),
        "not begun": Job(partial(mark, tmp_path / "begun", "c", 0), STAGES),
    }
    with pytest.raises(Cancelled):
        side_by_side(jobs, 2, "Running", Recorder(patience=PARTS))
    assert ended(file)
    assert not (tmp_path / "begun").exists()
