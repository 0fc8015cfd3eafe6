"""The worker: progress lines to callbacks, and an end for the whole process tree."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

import activeseg
from activeseg_slicer.process import ChildProcess, launch
from activeseg_slicer.worker import Outcome, ProgressLine, Worker
from killing import alive


class Recorder:
    """Notes the worker's callbacks in order, and the thread that made them."""

    def __init__(self) -> None:
        self.progress: list[ProgressLine] = []
        self.ends: list[Outcome] = []
        self.threads: set[int] = set()

    def on_progress(self, line: ProgressLine) -> None:
        self.threads.add(threading.get_ident())
        self.progress.append(line)

    def on_end(self, outcome: Outcome) -> None:
        self.threads.add(threading.get_ident())
        self.ends.append(outcome)


def poll_until(worker: Worker, reached: Callable[[], bool]) -> None:
    """Poll as a timer would; a generous bound, so that a fault fails instead of hanging."""
    for _ in range(3000):
        worker.poll()
        if reached():
            return
        time.sleep(0.01)
    pytest.fail("the worker did not get there")


def run(worker: Worker, *arguments: str) -> Recorder:
    seen = Recorder()
    worker.start("status", *arguments, on_progress=seen.on_progress, on_end=seen.on_end)
    poll_until(worker, lambda: bool(seen.ends))
    return seen


def script(code: str) -> Worker:
    """A worker whose process is a real Python that runs `code` in place of the engine."""
    return Worker(lambda command, folder: launch([sys.executable, "-c", code], folder))


class TestWithARealProcess:
    def test_progress_lines_from_either_stream_and_other_lines_apart(self):
        seen = run(
            script(
                "import sys\n"
                'print(\'{"stage": "train", "done": 1, "total": 2, "eta_s": 3.5}\')\n'
                "print('{')\n"
                'print(\'  "stage": "not progress"}\')\n'
                'print(\'{"stage": "score", "done": 0, "total": 4, "eta_s": null, "new": 1}\','
                " file=sys.stderr)\n"
                "print('a warning', file=sys.stderr)\n"
            )
        )
        # One stream may arrive before the other: compare without order.
        assert set(seen.progress) == {
            ProgressLine("train", 1, 2, 3.5),
            ProgressLine("score", 0, 4, None),
        }
        assert seen.ends == [Outcome(0, '{\n  "stage": "not progress"}', "a warning", False)]

    def test_progress_of_one_stream_keeps_its_order(self):
        code = (
            "for k in range(50): "
            'print(\'{"stage": "s", "done": %d, "total": 49, "eta_s": 0}\' % k, flush=True)'
        )
        assert [line.done for line in run(script(code)).progress] == list(range(50))

    def test_exit_code_and_message(self):
        seen = run(script("import sys; sys.stderr.write('no such folder\\n'); sys.exit(2)"))
        assert seen.ends == [Outcome(2, "", "no such folder", False)]

    def test_text_that_is_not_utf8_does_not_stop_the_reading(self):
        seen = run(script("import sys; sys.stdout.buffer.write(b'\\xff\\nlast\\n')"))
        assert seen.ends[0].output.endswith("last")

    def test_callbacks_are_made_by_the_thread_that_polls(self):
        seen = run(script('print(\'{"stage": "s", "done": 1, "total": 1}\')'))
        assert len(seen.progress) == 1
        assert seen.threads == {threading.get_ident()}

    @pytest.mark.skipif(os.name != "posix", reason="looks at POSIX process ids")
    @pytest.mark.parametrize("own_group", [False, True])
    def test_cancel_ends_child_and_grandchild(self, tmp_path, own_group):
        pids = tmp_path / "pids"
        code = (
            "import os, pathlib, subprocess, sys, time\n"
            "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
            f"grandchild = subprocess.Popen(sleep, start_new_session={own_group})\n"
            f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{grandchild.pid}}')\n"
            'print(\'{"stage": "s", "done": 0, "total": 1, "eta_s": null}\', flush=True)\n'
            "time.sleep(600)\n"
        )
        worker, seen = script(code), Recorder()
        worker.start("round", on_progress=seen.on_progress, on_end=seen.on_end)
        poll_until(worker, lambda: bool(seen.progress))
        child, grandchild = map(int, pids.read_text().split())
        assert alive(child)
        assert alive(grandchild)
        worker.cancel()
        poll_until(worker, lambda: bool(seen.ends))
        assert seen.ends[0].cancelled
        assert seen.ends[0].code < 0
        assert not alive(child)
        poll_until(worker, lambda: not alive(grandchild))

    @pytest.mark.skipif(os.name != "posix", reason="looks at POSIX process ids")
    def test_cancel_ends_a_grandchild_that_outlived_the_launcher(self, tmp_path):
        """PythonSlicer is a launcher: what it leaves behind is still the worker's to end."""
        pid = tmp_path / "pid"
        code = (
            "import pathlib, subprocess, sys\n"
            "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            f"pathlib.Path({str(pid)!r}).write_text(str(left.pid))\n"
        )
        worker, seen = script(code), Recorder()
        worker.start("round", on_progress=seen.on_progress, on_end=seen.on_end)
        poll_until(worker, lambda: pid.is_file() and bool(pid.read_text()))
        left = int(pid.read_text())
        assert alive(left)
        worker.cancel()
        poll_until(worker, lambda: bool(seen.ends))
        poll_until(worker, lambda: not alive(left))

    def test_ending_a_finished_process_does_nothing(self, tmp_path):
        process = ChildProcess([sys.executable, "-c", ""], tmp_path)
        assert list(process.output()) == list(process.messages()) == []
        assert process.wait() == 0
        process.end()
        assert process.wait() == 0


class FakeProcess:
    """A command whose lines are given."""

    def __init__(self, output: Sequence[str] = (), code: int = 0) -> None:
        self.lines, self.code, self.ended = output, code, False

    def output(self) -> Iterator[str]:
        return iter(self.lines)

    def messages(self) -> Iterator[str]:
        return iter(())

    def wait(self) -> int:
        return self.code

    def end(self) -> None:
        self.ended = True


class TestWithoutAProcess:
    def test_the_command_is_what_a_user_would_type(self):
        calls = []

        def launcher(command, folder):
            calls.append((command, folder))
            return FakeProcess()

        run(Worker(launcher, python="/opt/python"), "/data/project", "--json")
        assert [call[0] for call in calls] == [
            ["/opt/python", "-m", "activeseg", "status", "/data/project", "--json"]
        ]
        assert (calls[0][1] / "activeseg" / "__init__.py").samefile(activeseg.__file__)

    def test_one_command_at_a_time_and_another_after_it(self):
        worker = Worker(lambda command, folder: FakeProcess(code=len(command)))
        seen = Recorder()
        worker.start("status", on_progress=seen.on_progress, on_end=seen.on_end)
        with pytest.raises(RuntimeError, match="one command at a time"):
            worker.start("next", on_progress=seen.on_progress, on_end=seen.on_end)
        assert worker.running
        poll_until(worker, lambda: bool(seen.ends))
        assert not worker.running
        assert run(worker, "more").ends[0].code == 5

    def test_the_end_may_start_the_next_command(self):
        worker, seen = Worker(lambda command, folder: FakeProcess([command[3]])), Recorder()

        def then(outcome: Outcome) -> None:
            worker.start("next", on_progress=seen.on_progress, on_end=seen.on_end)

        worker.start("status", on_progress=seen.on_progress, on_end=then)
        poll_until(worker, lambda: bool(seen.ends))
        assert seen.ends[0].output == "next"

    def test_cancel_after_the_end_changes_nothing(self):
        process, seen = FakeProcess(), Recorder()
        worker = Worker(lambda command, folder: process)
        worker.start("round", on_progress=seen.on_progress, on_end=seen.on_end)
        worker.cancel()
        poll_until(worker, lambda: bool(seen.ends))
        assert process.ended
        assert seen.ends == [Outcome(0, "", "", cancelled=False)]

    def test_without_a_command_poll_and_cancel_do_nothing(self):
        def never(command, folder):
            pytest.fail("nothing was started")

        worker = Worker(never)
        worker.poll()
        worker.cancel()
        assert not worker.running

    @given(st.text())
    def test_any_other_line_is_no_progress(self, line):
        assert ProgressLine.parse(line) is None

    @pytest.mark.parametrize(
        "line",
        [
            '{"stage": "s", "done": 1}',
            '{"stage": 1, "done": 1, "total": 2}',
            '{"stage": "s", "done": null, "total": 2}',
            '["stage", "done", "total"]',
        ],
    )
    def test_json_that_is_no_progress(self, line):
        assert ProgressLine.parse(line) is None
