"""Ranks of one training: who takes part, what comes back, and no process left behind.

The children of every test import this file, so it imports no more than they need. They are
processes of this machine's processor that talk by gloo; GPUs are not needed.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import contextmanager

import pytest
import torch

from activeseg.errors import Cancelled, ModelError
from activeseg.model import ranks as module
from activeseg.model.rank_processes import together
from activeseg.model.ranks import LEAST_POINTS, Rank, Ranks, alone, gpus_for
from activeseg.progress import Progress, Silent, Stage

TWO = Ranks("gloo", ("cpu", "cpu"))
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class Recorder(Progress):
    """Notes what it is told; may lose patience."""

    def __init__(self, patience=None):
        self.told = []
        self._patience = patience

    @contextmanager
    def stage(self, name, total):
        self.told.append((name, total))
        yield Stage(name, total, self._tell)
        self.told.append(f"end of {name}")

    def _tell(self, stage):
        self.told.append(stage.done)
        if self._patience is not None and stage.done >= self._patience:
            raise Cancelled("no longer wanted")


# What ranks do: functions of a module, as processes that are spawned need them.


def exchange(rank: Rank, progress: Progress):
    """Two stages, and a gradient that has to be averaged over both ranks."""
    for name in ("Reading", "Training"):
        with progress.stage(name, 2) as stage:
            stage.advance()
            stage.advance()
    own = torch.full((1, 2), float(rank.number + 1), requires_grad=True)
    whole = rank.gathered(own)
    (whole.prod() * rank.count).backward()
    network = torch.nn.Linear(1, 1, bias=False)
    spread = rank.spread(network)
    spread(torch.tensor([[float(10**rank.number)]])).sum().backward()
    return {
        "whole": whole.detach(),
        "gradient": own.grad,
        "mean": network.weight.grad,
        "weight": network.weight.detach(),
        "pid": os.getpid(),
    }


def wait_for_ever(rank: Rank, progress: Progress):
    with progress.stage("Training", 10**6) as stage:
        while True:
            stage.advance()
            rank.gathered(torch.ones(1))
            time.sleep(0.01)


def refuse_on_one(rank: Rank, progress: Progress):
    if rank.number == 1:
        raise ModelError("the start weights do not fit")
    wait_for_ever(rank, progress)


def no_memory_on_one(rank: Rank, progress: Progress):
    if rank.number == 1:
        raise RuntimeError("CUDA out of memory.\n Tried to allocate 9 GiB")
    wait_for_ever(rank, progress)


def bug_on_one(rank: Rank, progress: Progress):
    if rank.number == 1:
        raise ZeroDivisionError("a bug")
    time.sleep(600)


def die_on_one(rank: Rank, progress: Progress):
    if rank.number == 1:
        os._exit(3)
    time.sleep(600)


@pytest.fixture(autouse=True)
def _none_left(monkeypatch):
    """Gloo finds its way without a network; whatever happens, no process stays."""
    if os.path.exists("/sys/class/net/lo"):
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) == before


def test_ranks_exchange_and_average_and_rank_0_tells():
    recorder = Recorder()
    found = together(exchange, TWO, recorder)
    assert len({os.getpid(), found[0]["pid"], found[1]["pid"]}) == 3
    for own, each in enumerate(found):
        assert each["whole"].tolist() == [[1, 1], [2, 2]]
        # The product is 4; by a pixel of value v it changes by 4 / v, times the two ranks.
        assert each["gradient"].tolist() == [[8 / (own + 1)] * 2]
        assert each["mean"].tolist() == [[(1 + 10) / 2]]
        assert torch.equal(each["weight"], found[0]["weight"])
    expected = []
    for name in ("Reading", "Training"):
        expected += [(name, 2), 0, 1, 2, f"end of {name}"]
    assert recorder.told == expected


def test_a_cancel_ends_all():
    with pytest.raises(Cancelled):
        together(wait_for_ever, TWO, Recorder(patience=3))


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (refuse_on_one, "^the start weights do not fit$"),
        (no_memory_on_one, r"lost on cpu \(CUDA out of memory. Tried to allocate 9 GiB\)"),
        (bug_on_one, "its process ended with code 1"),
        (die_on_one, "its process ended with code 3"),
    ],
)
def test_a_rank_that_fails_is_one_line_and_ends_the_others(work, said, capfd):
    with pytest.raises(ModelError, match=said) as caught:
        together(work, TWO, Silent())
    assert "\n" not in str(caught.value)
    assert ("ZeroDivisionError: a bug" in capfd.readouterr().err) == (work is bug_on_one)


# Alone, and who takes part


def test_alone_nothing_is_changed():
    rank = alone(CPU)
    own = torch.ones(3, requires_grad=True)
    network = torch.nn.BatchNorm2d(2)
    assert rank.share(5) == slice(0, 5)
    assert rank.gathered(own) is own
    assert rank.ready(network) is network
    assert rank.spread(network) is network
    with torch.random.fork_rng(devices=[]):
        before = torch.get_rng_state()
        rank.own_chance(3)
        assert torch.equal(torch.get_rng_state(), before)


def test_shares_make_up_the_batch():
    parts = [list(range(12))[Rank(number, 3, CPU).share(12)] for number in range(3)]
    assert parts == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.fixture
def gpus(monkeypatch):
    """A machine with GPUs of these names."""

    def there(*names, nccl=True):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: names[number])
        monkeypatch.setattr(module, "_has_nccl", lambda: nccl)

    return there


def count(batch, points):
    found = gpus_for(CUDA, batch, points)
    if found is None:
        return 1
    assert found.backend == "nccl"
    assert found.devices[0] == "cuda:0"
    return len(set(found.devices))


MUCH = 100 * LEAST_POINTS


@pytest.mark.parametrize(
    ("there", "batch", "points", "used"),
    [
        (0, 16, MUCH, 1),
        (1, 16, MUCH, 1),
        (2, 16, MUCH, 2),
        (3, 16, MUCH, 2),  # equal shares
        (3, 15, MUCH, 3),
        (8, 16, MUCH, 8),
        (8, 2, MUCH, 2),
        (2, 1, MUCH, 1),
        (8, 16, 5 * LEAST_POINTS, 4),
        (8, 16, 2 * LEAST_POINTS, 2),
        (8, 16, 2 * LEAST_POINTS - 1, 1),
    ],
)
def test_as_many_gpus_as_have_enough_to_do(gpus, there, batch, points, used):
    gpus(*["A"] * there)
    assert count(batch, points) == used


def test_only_gpus_of_one_kind(gpus):
    gpus("A", "B", "A")
    assert gpus_for(CUDA, 2, MUCH).devices == ("cuda:0", "cuda:2")
    gpus("A", "B")
    assert count(2, MUCH) == 1


def test_one_device_where_several_cannot_be_had(gpus, monkeypatch):
    gpus("A", "A", nccl=False)
    assert count(2, MUCH) == 1
    gpus("A", "A")
    assert count(2, MUCH) == 2
    assert gpus_for(CPU, 2, MUCH) is None
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: object())
    assert count(2, MUCH) == 1
