"""A real cluster of processes gives what one process gives, also when a worker dies."""

from __future__ import annotations

import builtins
import gc
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial

import pytest

pytest.importorskip("distributed", reason="needs activeseg[cluster]")

import dask
from distributed import Client, LocalCluster

from activeseg.benchmark.arms import arm
from activeseg.benchmark.plan import BenchmarkPlan
from activeseg.benchmark.run import run_benchmark, volume_minutes
from activeseg.cohort import open_cohort
from activeseg.errors import CohortError, ModelError, WorkerError
from activeseg.executors import Shared, as_they_come, gpu_far_away, local_processes, sharing
from activeseg.executors import cluster as cluster_module
from activeseg.executors.cluster import cluster
from activeseg.files import TEMPORARY
from activeseg.model.training import Recipe
from activeseg.progress import Progress, Silent, Stage
from activeseg.project import Project, scoring
from activeseg.project.offer import fresh_offer
from activeseg.project.scoring import Scoring
from activeseg.project.verbs import run_round, run_score, run_suggest, run_train
from activeseg.sampling import strategy
from activeseg.sources import code_version
from tiny_cohort import answer, copied, new_project, write_tiny_cohort

SILENT = Silent()
RECIPE = Recipe(steps=2, batch=2)
SCORING = Scoring(passes=2)
VOLUMES = 10

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills processes by signals")


@contextmanager
def machines():
    """A scheduler and its workers, each a process of its own; it gives up at the second death."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=50,
        ) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def workers():
    with machines() as found:
        yield found


@pytest.fixture(scope="module")
def tagged():
    """Of three workers one says that it has a GPU."""
    with machines() as found:
        plain = found.worker_spec[0]
        options = plain["options"] | {"resources": {"GPU": 1}}
        found.worker_spec["gpu"] = {"cls": plain["cls"], "options": options}
        found.sync(found._correct_state)
        found.wait_for_workers(3)
        yield found


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Round 1 is trained, nothing is scored."""
    folder = tmp_path_factory.mktemp("trained")
    project = new_project(folder / "project", write_tiny_cohort(folder / "cohort", VOLUMES))
    run_suggest(project, 4.0, None, SILENT)
    answer(project)
    run_train(project, RECIPE, SILENT)
    return project


@pytest.fixture(scope="module")
def alone(trained, tmp_path_factory):
    """Scored by one process."""
    project = copied(trained, tmp_path_factory.mktemp("alone") / "project")
    run_score(project, SCORING, SILENT)
    return project


def files_of(project):
    """A checksum of each file that scoring leaves; a killed writer's own file is swept later."""
    folder = project.round(1).folder
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if (file.suffix in (".npz", ".parquet") or file.name == "estimate.json")
        and not file.name.startswith(TEMPORARY)
    }


def shared(project):
    return Shared(project.folder, (project.cohort.volumes[0].image,))


def reach(workers, project):
    return cluster(workers.scheduler_address, shared(project))


class AtFirst(Progress):
    """Does something when the first part of a stage is done, and counts the parts."""

    def __init__(self, act):
        self._act = act
        self.parts = 0

    @contextmanager
    def stage(self, name, total):
        yield Stage(name, total, self._tell)

    def _tell(self, stage):
        self.parts = stage.done
        if stage.done == 1 and self._act is not None:
            act, self._act = self._act, None
            act()


def kill_one(workers):
    with Client(workers.scheduler_address, set_as_default=False) as client:
        pids = client.run(os.getpid)
    os.kill(next(iter(pids.values())), signal.SIGKILL)


def begin(what, *words):
    """``dask scheduler`` or ``dask worker`` as a user would start it, but silent."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "dask", what, *words]
    return subprocess.Popen(command, env=environment, **silent)


def wait_until(reached):
    """A generous bound, so that a fault fails instead of hanging."""
    for _ in range(6000):
        if reached():
            return
        time.sleep(0.01)
    pytest.fail("it did not get there")


def kill_at_first_result(process):
    for _ in as_they_come(rest_for_a_second, range(60)):
        process.kill()


# Work: functions of a module, as other processes need them.


def rest_for_a_second(number):
    time.sleep(1)


def die_once(mark, number):
    """Kills its worker when it is done for the first time."""
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number + 1


def die_always(number):
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(number):
    raise CohortError("is damaged; mend it", "case_2")


def worker_name(number):
    from distributed import get_worker

    return get_worker().name


class TestScores:
    def test_processes_of_this_machine_give_the_same_bytes(self, trained, alone, tmp_path):
        project = copied(trained, tmp_path / "p")
        with local_processes(2):
            run_score(project, SCORING, SILENT)
        assert len(files_of(project)) == VOLUMES + 2
        assert files_of(project) == files_of(alone)

    def test_a_cluster_gives_the_same_bytes(self, workers, trained, alone, tmp_path):
        project = copied(trained, tmp_path / "p")
        progress = AtFirst(None)
        with reach(workers, project):
            run_score(project, SCORING, progress)
        assert progress.parts == VOLUMES
        assert files_of(project) == files_of(alone)

    def test_a_worker_that_is_killed_changes_nothing(self, workers, trained, alone, tmp_path):
        project = copied(trained, tmp_path / "p")
        with reach(workers, project):
            run_score(project, SCORING, AtFirst(partial(kill_one, workers)))
        assert files_of(project) == files_of(alone)

    def test_what_was_scored_before_is_not_scored_again(self, workers, alone, tmp_path):
        project = copied(alone, tmp_path / "p")
        files = project.round(1)
        files.scores.unlink()
        lost = files.folder / "predictions/v02.npz"
        lost.unlink()
        times = {file.name: file.stat().st_mtime_ns for file in lost.parent.iterdir()}
        with reach(workers, project):
            run_score(project, SCORING, SILENT)
        assert files_of(project) == files_of(alone)
        after = {file.name: file.stat().st_mtime_ns for file in lost.parent.iterdir()}
        assert after.pop("v02.npz")
        assert after == times

    def test_an_image_that_is_gone_is_told_as_ever(self, workers, trained, tmp_path):
        cohort = shutil.copytree(trained.cohort.root, tmp_path / "cohort")
        project = new_project(tmp_path / "p", cohort)
        shutil.copytree(trained.folder / "rounds", project.folder / "rounds", dirs_exist_ok=True)
        (cohort / "images/v04.nrrd").unlink()
        with reach(workers, project), pytest.raises(CohortError, match=r"v04: .*no such file"):
            run_score(project, SCORING, SILENT)

    def test_another_model_than_was_meant_is_refused(self, trained, tmp_path, monkeypatch):
        """What a worker does that sees another state of the folder."""
        monkeypatch.setattr(sharing, "PATIENCE_S", 0.0)
        monkeypatch.setattr(sharing, "STEP_S", 0.0)
        task = scoring._Task(trained.folder, "another", SCORING, "cpu")
        with pytest.raises(ModelError, match="another model than the one"):
            scoring._score_volume(task, 0)


class TestOtherWork:
    def test_a_round_chooses_the_same(self, workers, alone, tmp_path):
        batches = []
        for name in ("here", "there"):
            project = copied(alone, tmp_path / name)
            run_suggest(project, 2.0, None, SILENT)
            answer(project)
            if name == "here":
                batches.append(run_round(project, 2.0, None, RECIPE, SCORING, SILENT))
            else:
                with reach(workers, project):
                    batches.append(run_round(project, 2.0, None, RECIPE, SCORING, SILENT))
        assert batches[0].suggestions == batches[1].suggestions
        assert batches[1].round == 2

    def test_features_are_the_same(self, workers, trained):
        cohort = trained.cohort
        chosen_by = strategy("one-shot")
        assert chosen_by.needs_features
        offers = [fresh_offer(cohort, "auto", [None, None], chosen_by, SILENT)]
        with cluster(workers.scheduler_address, Shared(None, (cohort.root,))):
            offers.append(fresh_offer(cohort, "auto", [None, None], chosen_by, SILENT))
        with local_processes(2):
            offers.append(fresh_offer(cohort, "auto", [None, None], chosen_by, SILENT))
        here, *others = (offer.pool for offer in offers)
        for other in others:
            assert here.features.tobytes() == other.features.tobytes()
            assert here.information.tobytes() == other.information.tobytes()
            assert str(here.screened) == str(other.screened)

    def test_a_benchmark_runs_there_and_is_gone_on_with_here(self, workers, trained, tmp_path):
        plan = BenchmarkPlan(
            out=tmp_path / "there",
            cohort=open_cohort(trained.cohort.root),
            arms=(arm("random"),),
            seeds=1,
            minutes=(3.0, 3.0),
            pool=3,
            test=2,
            plane_policy="auto",
            recipe=RECIPE,
            processes=1,
            keep=False,
            quick=False,
        )
        volume_minutes(plan.out, plan.cohort, SILENT)
        said = []
        with cluster(workers.scheduler_address, Shared(plan.out, (plan.cohort.root,))):
            there = run_benchmark(plan, SILENT, said.append)
        assert sorted(line.partition(" ended")[0] for line in said) == [
            "full, seed 0",
            "random, seed 0",
        ]
        # A second call finds all ended, here as there.
        here = run_benchmark(plan, SILENT, said.append)
        assert len(said) == 2
        assert here == there


class TestWorkers:
    def test_work_is_done_again_elsewhere_when_its_worker_dies(self, workers, tmp_path):
        with cluster(workers.scheduler_address, Shared(tmp_path)):
            found = dict(as_they_come(partial(die_once, tmp_path / "mark"), range(6)))
        assert (tmp_path / "mark").exists()
        assert found == {number: number + 1 for number in range(6)}

    def test_what_kills_every_worker_is_given_up_in_one_line(self, workers, tmp_path):
        with (
            cluster(workers.scheduler_address, Shared(tmp_path)),
            pytest.raises(WorkerError, match="the cluster gave the work up") as caught,
        ):
            list(as_they_come(die_always, [1]))
        assert "\n" not in str(caught.value)

    def test_a_scheduler_that_is_killed_is_told_in_one_line(self, tmp_path, capfd):
        file = tmp_path / "scheduler.json"
        words = ("--scheduler-file", str(file), "--no-dashboard")
        scheduler = begin("scheduler", *words, "--host", "127.0.0.1", "--port", "0")
        worker = begin("worker", *words, "--nthreads", "1", "--no-nanny")
        try:
            wait_until(lambda: file.exists() and file.read_text().endswith("}"))
            address = json.loads(file.read_text())["address"]
            capfd.readouterr()
            with (
                cluster(address, Shared(tmp_path)),
                pytest.raises(WorkerError, match="scheduler is gone; what was finished is kept"),
            ):
                kill_at_first_result(scheduler)
            assert capfd.readouterr() == ("", "")
        finally:
            scheduler.kill()
            worker.kill()
            scheduler.wait()
            worker.wait()

    def test_a_refusal_comes_back_as_itself(self, workers, tmp_path):
        with (
            cluster(workers.scheduler_address, Shared(tmp_path)),
            pytest.raises(CohortError, match="case_2: is damaged") as caught,
        ):
            list(as_they_come(refuse, [1]))
        assert caught.value.volume == "case_2"

    def test_without_a_tag_any_worker_does_what_wants_a_gpu(self, workers, tmp_path):
        with cluster(workers.scheduler_address, Shared(tmp_path)) as crew:
            assert crew.gpu is None
            assert not gpu_far_away()
            assert list(as_they_come(abs, [-2], gpu=True)) == [(-2, 2)]


class TestGpus:
    def test_they_do_what_wants_one_and_others_the_rest(self, tagged, tmp_path):
        with cluster(tagged.scheduler_address, Shared(tmp_path)):
            assert gpu_far_away()
            on_gpu = {name for _, name in as_they_come(worker_name, range(8), gpu=True)}
        assert on_gpu == {"gpu"}

    def test_training_goes_there(self, tagged, trained, tmp_path):
        project = copied(trained, tmp_path / "p")
        before = project.round(1).model.read_bytes()
        project.round(1).model.unlink()
        progress = AtFirst(None)
        with reach(tagged, project):
            files = run_train(project, RECIPE, progress)
        assert progress.parts == 1  # one whole training, not its steps
        assert files.number == 1
        assert files.model.read_bytes() == before


class TestRefusals:
    def refused(self, run, project, *words):
        done = run("score", project.folder, "--device", "cpu", *words)
        assert done.code == 2
        assert done.out == ""
        assert done.err.count("\n") == 1
        return done.err

    def test_no_scheduler(self, run, trained, monkeypatch):
        monkeypatch.setattr(cluster_module, "PATIENCE_S", 0.5)
        line = self.refused(run, trained, "--scheduler", "tcp://127.0.0.1:9")
        assert "no scheduler answers at tcp://127.0.0.1:9" in line

    def test_no_address(self, run, trained):
        line = self.refused(run, trained, "--scheduler", "nonsense://x")
        assert "no scheduler answers at nonsense://x" in line

    @pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
    def test_what_did_not_get_through_is_not_left_behind(self, tmp_path, monkeypatch, address):
        """Closed by the collector in the middle of another one's start it would never end."""
        monkeypatch.setattr(cluster_module, "PATIENCE_S", 0.5)

        def clients():
            return {id(each) for each in gc.get_objects() if type(each) is Client}

        gc.disable()
        try:
            before = clients()
            with pytest.raises(WorkerError) as caught, cluster(address, Shared(tmp_path)):
                pass
            assert clients() <= before
        finally:
            gc.enable()
        assert caught.value.__cause__ is not None  # it is held still, without the client

    def test_no_worker(self, run, trained, monkeypatch):
        monkeypatch.setattr(cluster_module, "PATIENCE_S", 0.5)
        with LocalCluster(
            n_workers=0, processes=True, dashboard_address=":0", silence_logs=50
        ) as empty:
            line = self.refused(run, trained, "--scheduler", empty.scheduler_address)
        assert "has no worker; start one with 'dask worker tcp://" in line

    def test_not_installed(self, run, trained, monkeypatch):
        real = builtins.__import__

        def without(name, *rest, **options):
            if name.partition(".")[0] == "distributed":
                raise ImportError(name)
            return real(name, *rest, **options)

        monkeypatch.setattr(builtins, "__import__", without)
        line = self.refused(run, trained, "--scheduler", "tcp://127.0.0.1:9")
        assert "pip install 'activeseg[cluster]'" in line

    def test_a_worker_that_does_not_see_the_project(self, run, trained, workers, monkeypatch):
        def marked_elsewhere(shared):
            return contextmanager(lambda: (yield (shared.folder / "not shared",)))()

        monkeypatch.setattr(cluster_module, "marked", marked_elsewhere)
        line = self.refused(run, trained, "--scheduler", workers.scheduler_address)
        assert f"does not see {trained.folder}; it has to lie on a disk" in line

    def test_a_worker_that_does_not_see_the_images(self, workers, tmp_path):
        gone = tmp_path / "gone.nii.gz"
        with (
            pytest.raises(WorkerError, match=f"does not see {gone}; it has to lie"),
            cluster(workers.scheduler_address, Shared(tmp_path, (gone,))),
        ):
            pass

    def test_a_worker_with_other_versions(self, run, trained, workers, monkeypatch):
        monkeypatch.setattr(sharing, "code_version", lambda: "0.1 abc")
        line = self.refused(run, trained, "--scheduler", workers.scheduler_address)
        assert f"has activeseg {code_version()}, and here it is 0.1 abc; install the same" in line

    def test_several_threads_in_one_process(self, run, trained):
        with LocalCluster(
            n_workers=1,
            threads_per_worker=3,
            processes=False,
            dashboard_address=":0",
            silence_logs=50,
        ) as threads:
            line = self.refused(run, trained, "--scheduler", threads.scheduler_address)
        assert "has 3 threads in one process" in line
        assert "--nthreads 1 --nworkers 3" in line

    def test_both_at_once(self, run, trained):
        words = ("--scheduler", "tcp://127.0.0.1:9", "--processes", "2")
        assert "leave one of them out" in self.refused(run, trained, *words)


def test_the_command_line_hands_the_work_over(run, workers, trained, alone, tmp_path):
    project = copied(trained, tmp_path / "p")
    volume = project.cohort.volumes[0].id
    scheduler = ("--scheduler", workers.scheduler_address)
    done = run("score", project.folder, "--progress", "none", *scheduler)
    assert done.code == 0, done.err
    masks = []
    for name, words in (("here.nrrd", ()), ("there.nrrd", scheduler)):
        done = run("predict", project.folder, volume, "-o", tmp_path / name, *words)
        assert done.code == 0, done.err
        masks.append((tmp_path / name).read_bytes())
    assert masks[0] == masks[1]
    lists = []
    for name, words in (("one", ()), ("two", scheduler), ("three", ("--processes", 2))):
        (tmp_path / name).mkdir()
        done = run(
            *("select", project.cohort.root, "--minutes", 5, "--progress", "none"),
            *("-o", tmp_path / name / "list.csv", *words),
        )
        assert done.code == 0, done.err
        lists.append((tmp_path / name / "list.csv").read_text())
    assert lists[0] == lists[1] == lists[2]
    assert Project.open(project.folder).round(1).scores.is_file()


def test_images_at_an_address_are_fetched_by_whoever_scores(run, trained, tmp_path, monkeypatch):
    """The workers share the project, not the images."""
    monkeypatch.setenv("ACTIVESEG_CACHE", str(tmp_path / "cache"))
    project = new_project(tmp_path / "p", f"file://{trained.cohort.root}")
    shutil.copytree(trained.folder / "rounds", project.folder / "rounds", dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "cache")
    with machines() as workers:
        words = ("--progress", "none", "--scheduler", workers.scheduler_address)
        done = run("score", project.folder, *words)
    assert done.code == 0, done.err
    fetched = [file for file in (tmp_path / "cache").rglob("*.nrrd") if file.is_file()]
    assert sorted(file.name for file in fetched) == [f"v{n:02d}.nrrd" for n in range(VOLUMES)]
    assert project.round(1).scores.is_file()
