"""Tuning that two processes share: the weights are those of one.

By gloo, on the processor. What opens a model in a rank is a function of this module.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from activeseg.errors import ModelError
from activeseg.keys import Plane
from activeseg.model.foreign import ForeignModel
from activeseg.model.opened import Opened, try_out
from activeseg.model.ranks import Ranks
from activeseg.model.torchscript import open_torchscript
from activeseg.model.tuning import Tuning, tune
from activeseg.progress import Silent
from test_tuning import CONFIG, PLAIN, bright, model_of, taught
from tiny_bundle import unet, write_torchscript

TWO = Ranks("gloo", ("cpu", "cpu"))
WINDOW = replace(PLAIN, window=(16, 16, 16))
TUNING = Tuning(steps=5, batch=4, learning_rate=1e-3)
"""Two windows for each rank: gradients of the first are kept until those of the second."""


class WithUnused(nn.Module):
    """A network that has weights which its answer does not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.used = unet(seed=1, dropout=0.0)
        self.unused = nn.Conv3d(1, 1, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.used(image)


def opened_unet() -> ForeignModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model_of(WithUnused(), WINDOW)


def opened_script(file) -> ForeignModel:
    opened = Opened(open_torchscript(file).network, WINDOW, "here", scripted=True)
    return ForeignModel(opened, try_out(opened), (1, 2), CONFIG, "cpu")


@pytest.fixture(autouse=True)
def _without_network(monkeypatch):
    if os.path.exists("/sys/class/net/lo"):
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")


def run(again, ranks=None, tuning=TUNING):
    model = again()
    image, truth = bright()
    slices = [(Plane.AXIAL, 5), (Plane.CORONAL, 11)]
    volume = taught(model, image, truth, slices, (1.0,) * 3)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    trained = tune(model, [volume], tuning, 3, Silent(), again, ranks)
    assert trained.network is model.network
    assert not trained.network.training
    return before, trained


def compare(again, tuning=TUNING):
    before, one = run(again, tuning=tuning)
    _, two = run(again, TWO, tuning)
    assert [each["step"] for each in two.log] == [each["step"] for each in one.log]
    for mine, wanted in zip(two.log, one.log, strict=True):
        assert mine["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
    moved = set()
    for name, value in one.network.state_dict().items():
        assert torch.allclose(two.network.state_dict()[name], value, rtol=0, atol=1e-5), name
        if value.is_floating_point() and (value - before[name]).abs().max() > 5e-4:
            moved.add(name)
    return moved


def test_two_ranks_learn_what_one_does():
    """Batch norm keeps its statistics here, so only rounding depends on who is shown what."""
    moved = compare(opened_unet)
    assert len(moved) > 10
    assert not any(name.startswith("unused") for name in moved)


def test_a_script_is_tuned_by_ranks_too(tmp_path):
    file = write_torchscript(tmp_path / "net.ts", unet(seed=1, dropout=0.0))
    assert compare(partial(opened_script, file))


def test_the_decoder_alone_is_tuned_by_ranks_too():
    moved = compare(opened_unet, replace(TUNING, part="decoder"))
    assert moved
    assert all(name.startswith("used.model.2.") for name in moved)


def test_what_cannot_be_tuned_is_refused_as_ever(tmp_path):
    file = write_torchscript(tmp_path / "net.ts", unet(seed=1, dropout=0.0))
    with pytest.raises(ModelError, match="train with --tune all"):
        run(partial(opened_script, file), TWO, replace(TUNING, part="decoder"))
