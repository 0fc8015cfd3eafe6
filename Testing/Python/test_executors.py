"""Pieces of work handed out: each result once, whoever makes it, and nobody left behind.

Nothing heavy is imported here: the processes of every test import this file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from activeseg.errors import CohortError, WorkerError
from activeseg.executors import (
    Crew,
    as_they_come,
    far_away,
    gpu_far_away,
    local_processes,
    sharing,
    until_seen,
    working_with,
)
from activeseg.executors.sharing import Seen, Shared, difference, look, marked
from killing import alive

# Work: functions of a module, as processes that are spawned need them.


def square(number):
    return number * number, os.getpid(), os.environ.get("OMP_NUM_THREADS")


def refuse_two(number):
    if number == 2:
        raise CohortError("is damaged; mend it", "case_2")
    return number


def die(number):
    os.kill(os.getpid(), signal.SIGKILL)


def wait_for_ever(folder, number):
    """Leaves its number and never ends by itself."""
    (folder / str(number)).write_text(str(os.getpid()))
    time.sleep(600)


def wait_until(reached):
    """A generous bound, so that a fault fails instead of hanging."""
    for _ in range(6000):
        if reached():
            return
        time.sleep(0.01)
    pytest.fail("it did not get there")


class TestInThisProcess:
    def test_items_are_done_here_one_after_the_other(self):
        done = []
        for item, result in as_they_come(lambda n: (done.append(n), n + 1)[1], iter([3, 1, 2])):
            assert result == item + 1
            assert done[-1] == item  # the next is not begun before this one was used
        assert done == [3, 1, 2]

    def test_what_work_raises_comes_out_and_the_rest_is_not_begun(self):
        begun = []
        with pytest.raises(ZeroDivisionError):
            list(as_they_come(lambda n: begun.append(n) or 1 / n, [1, 0, 2]))
        assert begun == [1, 0]

    def test_nothing_to_do(self):
        assert list(as_they_come(square, [])) == []


class TestAnyExecutor:
    """Whoever has another executor hands it in."""

    def test_results_come_as_they_are_done(self):
        seen = threading.Event()

        def work(name):
            assert name == "fast" or seen.wait(60)
            return name.upper()

        with ThreadPoolExecutor(2) as pool, working_with(Crew(pool, ahead=2)):
            found = as_they_come(work, ["slow", "fast"])
            assert next(found) == ("fast", "FAST")
            seen.set()
            assert list(found) == [("slow", "SLOW")]

    @pytest.mark.parametrize(("device", "where"), [(True, "gpu"), (False, "any")])
    def test_what_wants_a_gpu_goes_where_there_is_one(self, device, where):
        def name(_):
            return threading.current_thread().name.partition("_")[0]

        with (
            ThreadPoolExecutor(1, "any") as pool,
            ThreadPoolExecutor(1, "gpu") as other,
            working_with(Crew(pool, gpu=other, remote=True)),
        ):
            assert far_away()
            assert gpu_far_away()
            assert list(as_they_come(name, [0], gpu=device)) == [(0, where)]
        assert not far_away()
        assert not gpu_far_away()

    def test_without_one_any_does(self):
        with ThreadPoolExecutor(1) as pool, working_with(Crew(pool, remote=True)):
            assert list(as_they_come(abs, [-1], gpu=True)) == [(-1, 1)]
            assert far_away()
            assert not gpu_far_away()

    def test_no_more_are_handed_over_than_asked(self):
        handed = []

        class Counting(ThreadPoolExecutor):
            def submit(self, fn, /, *args, **kwargs):
                handed.append(args[0])
                return super().submit(fn, *args, **kwargs)

        with Counting(1) as pool, working_with(Crew(pool, ahead=2)):
            results = as_they_come(abs, range(5))
            next(results)
            assert handed == [0, 1]
            assert [result for _, result in results] == [1, 2, 3, 4]


class TestProcesses:
    def test_each_result_is_there_once_and_computed_in_one_thread(self, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", "8")
        with local_processes(2) as crew:
            assert not crew.remote
            found = dict(as_they_come(square, range(20)))
        assert {number: result[0] for number, result in found.items()} == {
            number: number**2 for number in range(20)
        }
        pids = {pid for _, pid, _ in found.values()}
        assert os.getpid() not in pids
        assert len(pids) in (1, 2)
        assert {threads for _, _, threads in found.values()} == {"1"}
        assert os.environ["OMP_NUM_THREADS"] == "8"
        assert not any(alive(pid) for pid in pids)

    def test_a_refusal_comes_out_as_itself(self):
        with (
            local_processes(1),
            pytest.raises(CohortError, match="case_2: is damaged; mend it") as caught,
        ):
            list(as_they_come(refuse_two, range(100)))
        assert caught.value.volume == "case_2"

    @pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
    def test_a_process_that_is_killed_is_told_in_one_line(self):
        with local_processes(1), pytest.raises(WorkerError, match="fewer --processes") as caught:
            list(as_they_come(die, [1]))
        assert "\n" not in str(caught.value)

    @pytest.mark.skipif(sys.platform == "win32", reason="no signals between processes")
    def test_ctrl_c_ends_what_runs(self, tmp_path):
        file = tmp_path / "7"

        def interrupt():
            wait_until(lambda: file.exists() and file.read_text())
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        # A process that a shell began in the background ignores Ctrl-C, and so do its children.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            thread.start()
            with pytest.raises(KeyboardInterrupt), local_processes(1):
                list(as_they_come(partial(wait_for_ever, tmp_path), [7]))
            thread.join()
        finally:
            signal.signal(signal.SIGINT, before)
        assert int(file.read_text()) != os.getpid()
        assert not alive(int(file.read_text()))

    @pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
    def test_processes_end_when_their_parent_is_killed(self, tmp_path):
        script = tmp_path / "parent.py"
        script.write_text(
            "from functools import partial; from pathlib import Path; import test_executors as t\n"
            "if __name__ == '__main__':\n"
            "    with t.local_processes(2):\n"
            f"        work = partial(t.wait_for_ever, Path({str(tmp_path)!r}))\n"
            "        list(t.as_they_come(work, [1, 2]))\n"
        )
        path = os.pathsep.join(sys.path)
        environment = os.environ | {"PYTHONPATH": path}
        parent = subprocess.Popen([sys.executable, str(script)], env=environment)
        files = [tmp_path / "1", tmp_path / "2"]
        wait_until(lambda: all(file.exists() and file.read_text() for file in files))
        pids = [int(file.read_text()) for file in files]
        assert all(map(alive, pids))
        parent.kill()
        parent.wait()
        wait_until(lambda: not any(map(alive, pids)))


class TestSharing:
    def test_what_is_not_there_is_named(self, tmp_path):
        there, gone = tmp_path / "there", tmp_path / "gone"
        there.touch()
        assert look((there,)).missing is None
        assert look((there, gone)).missing == str(gone)

    def test_versions_are_compared_by_name(self):
        here = look(())
        assert here.versions["Python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
        assert difference(here, here) is None
        other = Seen({**here.versions, "torch": "1.0"})
        assert difference(here, other) == f"torch 1.0, and here it is {here.versions['torch']}"
        lacking = {name: number for name, number in here.versions.items() if name != "monai"}
        assert "monai none, and here" in difference(here, Seen(lacking))

    def test_a_mark_lies_in_the_folder_for_as_long_as_it_is_looked_for(self, tmp_path):
        image = Path("image.nii")
        with marked(Shared(tmp_path, (image,))) as paths:
            assert paths[1:] == (image,)
            assert list(tmp_path.iterdir()) == [paths[0]]
        assert list(tmp_path.iterdir()) == []
        with marked(Shared(None, (image,))) as paths:
            assert paths == (image,)

    def test_a_folder_that_cannot_be_written_to(self, tmp_path):
        (tmp_path / "file").touch()
        with (
            pytest.raises(WorkerError, match="cannot be written to"),
            marked(Shared(tmp_path / "file")),
        ):
            pass

    def test_what_comes_late_is_waited_for(self, monkeypatch):
        monkeypatch.setattr(sharing, "STEP_S", 0.0)
        answers = iter([None, None, "there"])
        assert until_seen(lambda: next(answers)) == "there"
        monkeypatch.setattr(sharing, "PATIENCE_S", 0.0)
        assert until_seen(lambda: None) is None
