"""A training that two processes share: the weights are those of one, and it repeats.

By gloo, on the processor; GPUs are not needed. What ranks do are functions of this module, as
processes that are spawned need them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

import pytest
import torch
from monai.networks.nets import UNet
from torch import nn

from activeseg.errors import Cancelled, ModelError
from activeseg.model import precision, training
from activeseg.model.fitting import targets
from activeseg.model.losses import SliceLoss, deep_loss
from activeseg.model.network import NetworkConfig, build, seeded
from activeseg.model.patches import Patches
from activeseg.model.rank_processes import together
from activeseg.model.ranks import Rank, Ranks, alone
from activeseg.model.scan import PLACES
from activeseg.model.slices import LabelledSlice
from activeseg.model.supervised import SliceVolumeUNet, SupervisedUNet
from activeseg.model.training import Recipe, Task, train
from activeseg.model.volumes import LabelledVolume
from activeseg.progress import Progress, Silent, Stage
from test_training import CONFIG, equal, squares

TWO = Ranks("gloo", ("cpu", "cpu"))
SHORT = Recipe(steps=4, batch=4, patch=16, members=1)
TASK = Task(squares(5, 0), CONFIG, SHORT, seed=3, start=None, part="all")


@pytest.fixture(autouse=True)
def _without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.path.exists("/sys/class/net/lo"):
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")


def plain(config: NetworkConfig) -> SupervisedUNet:
    """A network without norm and dropout: only rounding depends on how a batch is shared."""
    inputs, outputs = 3 * config.image_channels + PLACES, 1 + len(config.structures)
    return SupervisedUNet(
        UNet(2, inputs, outputs, (4, 8, 8, 8), (2, 2, 2), num_res_units=1, norm=None)
    )


def plain_both(config: NetworkConfig) -> SliceVolumeUNet:
    """The same with a network of volumes beside it."""
    inputs, outputs = config.image_channels + PLACES, 1 + len(config.structures)
    volume = UNet(3, inputs, outputs, (4, 8, 8, 8), (2, 2, 2), num_res_units=1, norm=None)
    return SliceVolumeUNet(plain(config).unet, volume)


def in_a_volume(slices: list[LabelledSlice]) -> list[LabelledSlice]:
    """The same slices as parts of one volume, one above the other."""
    label = torch.stack([each.label[0] for each in slices])
    image = torch.stack([each.image[1] for each in slices])[None]
    whole = (len(slices), *slices[0].label.shape[1:])
    volume = LabelledVolume(image, label, (1.0, 1.0, 1.0), (0, 0, 0), whole)
    return [replace(each, volume=volume) for each in slices]


def weights_of(task: Task, rank: Rank, progress: Progress) -> dict[str, Any]:
    """What `on_rank` trains, of every rank."""
    trained = training._trained(task, rank, progress)
    return {"weights": dict(trained.network.state_dict()), "log": list(trained.log)}


def plain_weights_of(task: Task, rank: Rank, progress: Progress) -> dict[str, Any]:
    single = mock.patch.object(precision, "has_bfloat16", return_value=False)
    with single, mock.patch.object(training, "build", plain):
        return weights_of(task, rank, progress)


def plain_both_of(task: Task, rank: Rank, progress: Progress) -> dict[str, Any]:
    single = mock.patch.object(precision, "has_bfloat16", return_value=False)
    with single, mock.patch.object(training, "build", plain_both):
        return weights_of(task, rank, progress)


def in_two(work: Callable[..., Any], task: Task) -> list[Any]:
    return together(partial(work, task), TWO, Silent())


def parameters(found: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the running statistics, which each rank has its own of before the next pass."""
    names = {name for name, _ in build(CONFIG).named_parameters()}
    return {name: value for name, value in found.items() if name in names}


def test_two_ranks_learn_what_one_does() -> None:
    """Loss and weights of the whole batch: weights that move by 1e-3 and more differ by 3e-8."""
    task = replace(TASK, recipe=replace(SHORT, learning_rate=1e-2))
    one = plain_weights_of(task, alone(torch.device("cpu")), Silent())
    two = in_two(plain_weights_of, task)
    with seeded(task.seed):
        fresh = plain(CONFIG).state_dict()
    for rank in two:
        for record, wanted in zip(rank["log"], one["log"], strict=True):
            assert record["step"] == wanted["step"]
            assert record["loss"] == pytest.approx(wanted["loss"], rel=1e-6)
        for name, value in one["weights"].items():
            assert torch.allclose(rank["weights"][name], value, rtol=0, atol=1e-6), name
            assert (value - fresh[name]).abs().max() > 1e-3, name
    assert equal(two[0]["weights"], two[1]["weights"])


def test_two_ranks_learn_the_network_of_volumes_as_one_does() -> None:
    recipe = replace(SHORT, learning_rate=1e-2, block_batch=4, block=8)
    task = replace(TASK, recipe=recipe, slices=in_a_volume(squares(5, 0)))
    one = plain_both_of(task, alone(torch.device("cpu")), Silent())
    two = in_two(plain_both_of, task)
    with seeded(task.seed):
        fresh = plain_both(CONFIG).state_dict()
    assert [record["step"] for record in one["log"] if "volume_loss" in record] == [2]
    for rank in two:
        assert int(rank["weights"]["volume_steps"]) == recipe.block_steps
        for name, value in one["weights"].items():
            assert torch.allclose(rank["weights"][name], value, rtol=0, atol=1e-6), name
            assert (value - fresh[name]).abs().max() > 1e-6, name


def test_one_rank_does_what_was_done_before_there_were_any() -> None:
    """Bit for bit the plain loop: draw, answer, loss of all, step."""
    with seeded(TASK.seed):
        network = build(CONFIG)
        patches = Patches(TASK.slices, (16, 16), TASK.seed)
        optimiser = torch.optim.AdamW(network.parameters(), 6e-3, weight_decay=1e-4, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, 6e-3, total_steps=20, pct_start=0.1
        )
        for _ in range(SHORT.steps):
            images, labels = patches.draw(SHORT.batch)
            with precision.learning_autocast(torch.device("cpu"), images.shape[-1]):
                logits = network.with_sides(images)
            target = targets(labels)
            loss = deep_loss(SliceLoss(), 0.25, logits.float(), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    one = train(TASK.slices, CONFIG, SHORT, TASK.seed, Silent(), device="cpu")
    assert equal(one.network.state_dict(), network.state_dict())
    assert one.log[-1] == {"step": 4, "loss": loss.item()}


def test_ranks_agree_repeat_and_give_rank_0s_model() -> None:
    """Of the network as it is, with batch norm and dropout."""
    first, second = in_two(weights_of, TASK)
    assert equal(parameters(first["weights"]), parameters(second["weights"]))
    told: list[int] = []

    class Listening(Progress):
        @contextmanager
        def stage(self, name: str, total: int) -> Any:
            assert (name, total) == ("Training", 4)
            yield Stage(name, total, lambda stage: told.append(stage.done))

    before = torch.get_rng_state()
    trained = train(TASK.slices, CONFIG, SHORT, 3, Listening(), ranks=TWO)
    assert torch.equal(torch.get_rng_state(), before)
    assert told == [0, 1, 2, 3, 4]
    assert equal(trained.network.state_dict(), first["weights"])
    assert isinstance(trained.network, SupervisedUNet)
    assert not trained.network.training
    assert list(trained.log) == first["log"]
    (member,) = trained.members
    assert list(member) == [name for name in first["weights"] if not name.startswith("volume")]
    assert not equal(dict(member), {name: first["weights"][name] for name in member})


def test_dropout_differs_between_ranks() -> None:
    for number, same in ((0, True), (1, False)):
        with seeded(5):
            wanted = torch.rand(4)
        with seeded(5):
            Rank(number, 2, torch.device("cpu")).own_chance(5)
            assert torch.equal(torch.rand(4), wanted) == same


def test_the_decoder_alone_is_trained_on_ranks_too() -> None:
    with seeded(7):
        start = build(CONFIG).state_dict()
    trained = train(TASK.slices, CONFIG, SHORT, 3, Silent(), start=start, part="decoder", ranks=TWO)
    changed = {
        name
        for name, value in trained.network.state_dict().items()
        if not torch.equal(value, start[name])
    }
    one = train(TASK.slices, CONFIG, SHORT, 3, Silent(), start=start, part="decoder")
    assert changed == {
        name
        for name, value in one.network.state_dict().items()
        if not torch.equal(value, start[name])
    }


def test_what_does_not_fit_is_refused_as_ever() -> None:
    other = replace(CONFIG, structures=(1, 2))
    with pytest.raises(ModelError, match="start weights do not fit") as refused:
        train(TASK.slices, CONFIG, SHORT, 3, Silent(), build(other).state_dict(), ranks=TWO)
    assert "\n" not in str(refused.value)


def test_a_cancel_ends_a_shared_training() -> None:
    class Impatient(Progress):
        @contextmanager
        def stage(self, name: str, total: int) -> Any:
            def tell(stage: Stage) -> None:
                if stage.done == 2:
                    raise Cancelled("no longer wanted")

            yield Stage(name, total, tell)

    endless = replace(SHORT, steps=10**6)
    with pytest.raises(Cancelled):
        train(TASK.slices, CONFIG, endless, 3, Impatient(), ranks=TWO)


def test_one_device_begins_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("a process")

    monkeypatch.setattr(training, "together", forbidden)
    train(TASK.slices, CONFIG, replace(SHORT, steps=1), 3, Silent(), device="cpu")


# What is shared


def test_parts_of_a_batch_are_those_of_the_whole() -> None:
    def patches() -> Patches:
        return Patches(TASK.slices, (16, 16), seed=2)

    whole, parts = patches(), [patches() for _ in range(3)]
    for _ in range(2):  # the second batch too
        images, labels = whole.draw(6)
        shares = [
            each.draw(6, Rank(number, 3, torch.device("cpu")).share(6))
            for number, each in enumerate(parts)
        ]
        assert torch.equal(torch.cat([share for share, _ in shares]), images)
        assert torch.equal(torch.cat([share for _, share in shares]), labels)


def test_batch_norm_over_gpus_keeps_names_answers_and_structure() -> None:
    """What `Rank.ready` does on GPUs; whatever the network keeps of its layers sees it too."""
    with seeded(1):
        network = build(CONFIG).eval()
    image = torch.rand((1, 3 + PLACES, 16, 16), generator=torch.Generator().manual_seed(0))
    before, names = network.with_sides(image), list(network.state_dict())
    assert nn.SyncBatchNorm.convert_sync_batchnorm(network) is network
    assert list(network.state_dict()) == names
    assert torch.equal(network.with_sides(image), before)
    kinds = {type(each) for part in (*network.downs, *network.ups) for each in part.modules()}
    assert nn.SyncBatchNorm in kinds
    assert nn.BatchNorm2d not in kinds | {type(each) for each in network.modules()}
