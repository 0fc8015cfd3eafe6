"""The verb `train` where several devices share it: the checkpoint is the same kind as ever."""

from __future__ import annotations

import os

import pytest
import torch

from activeseg.cli import main
from activeseg.model import training, tuning
from activeseg.model.network import load, load_members, load_tuned
from activeseg.model.ranks import Ranks
from activeseg.model.training import Recipe
from activeseg.model.tuning import Tuning
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.project.verbs import run_suggest, run_train
from tiny_bundle import UNET, unet, write_bundle
from tiny_cohort import answer, new_project, write_tiny_cohort

TWO = Ranks("gloo", ("cpu", "cpu"))
RECIPE = Recipe(steps=4, batch=4, members=2)
TUNING = Tuning(steps=2, learning_rate=1e-2)


@pytest.fixture
def cohort(tmp_path, monkeypatch):
    if os.path.exists("/sys/class/net/lo"):
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    return write_tiny_cohort(tmp_path / "cohort")


def answered(project, minutes):
    run_suggest(project, minutes, "random", Silent())
    answer(project)
    return project


def share(monkeypatch, module):
    """As on a machine with two GPUs; notes what is asked."""
    asked = []

    def two(device, batch, points):
        asked.append((batch, points))
        return TWO

    monkeypatch.setattr(module, "gpus_for", two)
    return asked


def test_the_built_in_network(cohort, tmp_path, monkeypatch):
    project = answered(new_project(tmp_path / "p", cohort), 4.0)
    asked = share(monkeypatch, training)
    files = run_train(project, RECIPE, Silent())
    ((batch, points),) = asked
    assert batch == 4
    assert points in {4 * rows * columns for rows in (8, 16, 24) for columns in (8, 16, 24)}
    network, _, facts = load(files.model)
    assert not any(isinstance(each, torch.nn.SyncBatchNorm) for each in network.modules())
    assert facts["steps"] == 4
    assert len(load_members(files.model)) == 2
    assert int(network.volume_steps) == RECIPE.block_steps
    assert len(files.log.read_text().splitlines()) == 2 + 1


def test_a_foreign_network_is_opened_by_each_rank(cohort, tmp_path, monkeypatch):
    bundle = write_bundle(tmp_path / "bundle", unet(seed=2), UNET)
    words = ["init", str(tmp_path / "p"), "--cohort", str(cohort), "--model", str(bundle)]
    assert main(words) == 0
    project = answered(Project.open(tmp_path / "p"), 5.0)
    asked = share(monkeypatch, tuning)
    weights, _ = load_tuned(run_train(project, RECIPE, Silent(), TUNING).model)
    assert asked == [(2, 2 * 16**3)]
    for name, value in unet(seed=2).named_parameters():
        assert not torch.equal(weights[name], value), name
