"""Choosing and training beside the annotating: what is started, told, cancelled, followed."""

from __future__ import annotations

import time

import pytest

from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.progress import Silent
from activeseg.project.choosing import choose
from activeseg_slicer.flow import Meanwhile, Order
from activeseg_slicer.worker import Outcome, ProgressLine, Worker
from flow_project import KEYS, Person, ask, flow_project, tiny_cohort
from rounds_by_hand import batch, suggestion
from tiny_cohort import SEES_BOTH, KnownModel, score_with

ORDER = Order(
    minutes=12.5,
    strategy="entropy-band",
    author="ada",
    device="cpu",
    tune="decoder",
)
DONE = Outcome(0, "", "", False)


class StillWorker:
    """A `Worker` without processes: a test says what the command tells, and when it ends."""

    def __init__(self):
        self.started = []
        self.cancelled = False
        self._callbacks = None
        self._due = []

    @property
    def running(self):
        return self._callbacks is not None

    def start(self, *words, on_progress, on_end):
        if self.running:
            raise RuntimeError("one at a time")
        self.started.append(words)
        self._callbacks = on_progress, on_end

    def tell(self, item):
        self._due.append(item)

    def poll(self):
        due, self._due = self._due, []
        for item in due:
            on_progress, on_end = self._callbacks
            if isinstance(item, Outcome):
                self._callbacks = None
                on_end(item)
            else:
                on_progress(item)

    def cancel(self):
        self.cancelled = True
        if self.running:
            self.tell(Outcome(-9, "", "killed", True))


@pytest.fixture
def project(tmp_path):
    return flow_project(tmp_path / "project")


@pytest.fixture
def worker():
    return StillWorker()


@pytest.fixture
def meanwhile(worker, project):
    return Meanwhile(worker, project.folder)


def end(meanwhile, worker, outcome=DONE):
    worker.tell(outcome)
    meanwhile.poll()


def test_the_commands_are_what_a_user_would_type(meanwhile, worker, project):
    meanwhile.suggest(ORDER)
    end(meanwhile, worker)
    meanwhile.round(ORDER)
    end(meanwhile, worker)
    meanwhile.round(Order(minutes=30))
    folder = str(project.folder)
    progress = ("--progress", "json")
    about = ("--minutes", "12.5", "--strategy", "entropy-band", "--author", "ada")
    about += ("--device", "cpu")
    learning = ("--tune", "decoder")
    assert worker.started == [
        ("suggest", folder, *about, *progress),
        ("round", folder, *about, *learning, *progress),
        ("round", folder, "--minutes", "30", *progress),
    ]


def test_the_command_line_takes_these_words():
    from activeseg.cli.parser import build_parser

    for verb in ("suggest", "round"):
        found = build_parser().parse_args([verb, "P", *ORDER.words(verb), "--progress", "json"])
        assert (found.minutes, found.strategy, found.author) == (12.5, "entropy-band", "ada")
        assert found.device == "cpu"
    assert found.tune == "decoder"
    many = build_parser().parse_args(
        ["suggest", "P", *Order(minutes=1234567.25 / 3).words("suggest")]
    )
    assert many.minutes == 1234567.25 / 3


def test_it_says_how_the_command_gets_on(worker, project):
    changes = []
    meanwhile = Meanwhile(worker, project.folder, lambda: changes.append(meanwhile.stage))
    assert (meanwhile.running, meanwhile.stage) == (False, "")
    meanwhile.round(ORDER)
    assert (meanwhile.running, meanwhile.stage) == (True, "")
    worker.tell(ProgressLine("Training", 3, 10, 7.5))
    assert meanwhile.stage == ""  # only `poll` makes things move
    meanwhile.poll()
    found = (meanwhile.stage, meanwhile.done, meanwhile.total, meanwhile.eta_s)
    assert found == ("Training", 3, 10, 7.5)
    worker.tell(ProgressLine("Scoring volumes", 0, 4, None))
    end(meanwhile, worker)
    assert changes == ["", "Training", "Scoring volumes", ""]
    found = (meanwhile.stage, meanwhile.done, meanwhile.total, meanwhile.eta_s)
    assert found == ("", 0, 0, None)
    assert (meanwhile.running, meanwhile.error) == (False, "")


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome(2, "", "P: nothing is annotated yet\n", False), "P: nothing is annotated yet"),
        (Outcome(1, "", "Traceback\n  x\nValueError: 3\n\n", False), "ended with 1: ValueError: 3"),
        (Outcome(-9, "", "", False), "ended with -9: it said nothing"),
        (Outcome(-15, "", "cancelled", True), ""),
        (Outcome(0, "", "a warning", False), ""),
    ],
)
def test_errors_are_told_in_one_line_and_forgotten(meanwhile, worker, outcome, error):
    meanwhile.suggest(ORDER)
    end(meanwhile, worker, outcome)
    assert not meanwhile.running
    assert meanwhile.error.endswith(error)
    assert "\n" not in meanwhile.error
    assert bool(meanwhile.error) == bool(error)
    meanwhile.suggest(ORDER)
    assert meanwhile.error == ""


def test_one_at_a_time_and_cancel(meanwhile, worker):
    meanwhile.cancel()
    meanwhile.suggest(ORDER)
    with pytest.raises(RuntimeError):
        meanwhile.round(ORDER)
    assert [words[0] for words in worker.started] == ["suggest"]
    meanwhile.cancel()
    assert meanwhile.running
    meanwhile.poll()
    assert (meanwhile.running, meanwhile.error) == (False, "")


def test_a_new_batch_is_told_once_whoever_made_it(meanwhile, project, worker):
    assert not meanwhile.new_batch()  # the one that was there
    ask(project, 1, KEYS[:1])
    assert meanwhile.new_batch()
    assert not meanwhile.new_batch()
    project.round(2).make()  # a round under way
    assert not meanwhile.new_batch()
    ask(project, 1, KEYS[1:])  # chosen anew in the same round
    assert meanwhile.new_batch()
    assert Meanwhile(worker, project.folder).new_batch() is False


def test_an_early_batch_and_the_last_one_are_told_once_each(meanwhile, project, worker):
    files = project.round(1).make()
    files.write_batch(batch(1, [suggestion(KEYS[0])]), early=True)
    assert meanwhile.new_batch()
    assert not meanwhile.new_batch()
    # Answered while the rest is scored: nothing is started beside what runs.
    meanwhile.round(ORDER)
    assert not meanwhile.follow(True, ORDER)
    ask(project, 1, KEYS)
    assert meanwhile.new_batch()
    assert not meanwhile.new_batch()
    assert [words[0] for words in worker.started] == ["round"]


def test_an_early_batch_that_outlived_its_round_is_taken_up_once_it_is_answered(
    meanwhile, project, worker
):
    project.round(1).make().write_batch(batch(1, [suggestion(KEYS[0])]), early=True)
    assert meanwhile.follow(True, ORDER)
    assert [words[0] for words in worker.started] == ["round"]


def test_a_first_batch_is_new(tmp_path, worker):
    from activeseg.project import Project

    project = Project.create(tmp_path / "new", tiny_cohort(), "all", "auto", 0, "unet25d")
    meanwhile = Meanwhile(worker, project.folder)
    assert not meanwhile.new_batch()
    assert not meanwhile.follow(True, ORDER)
    ask(project, 0, KEYS)
    assert meanwhile.new_batch()


def test_an_answered_batch_is_followed_by_a_round_once(meanwhile, worker, project):
    assert not meanwhile.follow(False, ORDER)
    assert meanwhile.follow(True, ORDER)
    assert worker.started[-1][0] == "round"
    assert not meanwhile.follow(True, ORDER)  # it runs
    end(meanwhile, worker, Outcome(2, "", "another activeseg is at work here", False))
    assert not meanwhile.follow(True, ORDER)  # it was tried
    assert len(worker.started) == 1
    ask(project, 1, KEYS)
    assert not meanwhile.follow(False, ORDER)
    assert meanwhile.follow(True, ORDER)
    end(meanwhile, worker, Outcome(-9, "", "", True))
    assert not meanwhile.follow(True, ORDER)  # whoever cancelled it does not want it
    meanwhile.round(ORDER)
    assert len(worker.started) == 3


def test_following_can_be_switched_off(meanwhile, worker):
    meanwhile.automatic = False
    assert not meanwhile.follow(True, ORDER)
    assert worker.started == []
    meanwhile.automatic = True
    assert meanwhile.follow(True, ORDER)


def test_only_a_project_is_worked_in(worker, tmp_path):
    with pytest.raises(ProjectError, match="not a project folder"):
        Meanwhile(worker, tmp_path)


def test_an_answer_given_while_a_round_runs_counts(project):
    """It is left out of the round's batch, as is what lies on a desk, and is learned from next."""
    ada, bob = Person(project, "ada"), Person(project, "bob")
    ada.session.next()
    ada.work(30.0)
    ada.session.accept()
    score_with(project, 1, KnownModel(*SEES_BOTH))  # the round has trained and scored
    ada.work(20.0)
    answered = ada.session.accept().key  # meanwhile: the second is answered, the third laid
    bob.session.next()
    ada.work(5.0, value=4)
    batch = choose(project, 1e4, "entropy-band", Silent())
    asked = {each.key for each in batch.suggestions}
    assert batch.round == 1
    assert len(asked) > 10
    assert asked.isdisjoint({*KEYS[:2], answered, bob.session.current.key})
    second = project.annotations()[KEYS[1]]
    assert (second.shown["round"], second.seconds) == (0, 20.0)
    # The third slice was shown by the old batch, and says so though the new one is there.
    assert ada.session.accept().key in asked
    third = project.annotations()[KEYS[2]]
    assert (third.shown["round"], third.shown["rank"]) == (0, 3)
    assert set(project.annotations()) == set(KEYS[:3])
    assert project.round_for_training().number == 2


def test_the_real_command_brings_a_batch(tmp_path):
    project = flow_project(tmp_path / "project", keys=[SliceKey("v00", Plane.AXIAL, 0)])
    meanwhile = Meanwhile(Worker(), project.folder)
    meanwhile.suggest(Order(minutes=3, strategy="random"))
    deadline = time.monotonic() + 120  # so that a fault fails instead of hanging
    while meanwhile.running and time.monotonic() < deadline:
        meanwhile.poll()
        time.sleep(0.01)
    assert (meanwhile.running, meanwhile.error) == (False, "")
    assert meanwhile.new_batch()
    assert project.latest_batch().strategy == "random"
    assert project.latest_batch().budget_minutes == 3
