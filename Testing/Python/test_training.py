"""Training on sparse annotations: what is not known is not taught, chance is fixed by the seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from activeseg.errors import ModelError
from activeseg.model import fitting, patches, precision, training
from activeseg.model.losses import SliceLoss, deep_loss
from activeseg.model.network import NetworkConfig, build, seeded
from activeseg.model.patches import Patches, cut, plain_offsets
from activeseg.model.planes import padded_logits
from activeseg.model.scan import PLACES
from activeseg.model.slices import IGNORED, LabelledSlice, Sampler
from activeseg.model.supervised import SIDES, SupervisedUNet
from activeseg.model.training import Recipe, train
from activeseg.model.volumes import LabelledVolume
from activeseg.progress import Progress, Silent, Stage

CONFIG = NetworkConfig(image_channels=1, structures=(1,), pixel_mm=1.0, modality="mr")
SHORT = Recipe(steps=3, batch=2, patch=16)


def squares(number: int, seed: int, size: int = 24, shift: float = 2.0) -> list[LabelledSlice]:
    """Noise with one bright square each, which is structure 1."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(number):
        image = rng.normal(0, 0.5, (3 + PLACES, size, size))
        image[3:] = 0  # the squares lie anywhere
        label = np.ones((1, size, size), dtype=np.uint8)
        row, column = rng.integers(2, size - 10, 2)
        image[:3, row : row + 8, column : column + 8] += shift
        label[:, row : row + 8, column : column + 8] = 2
        found.append(LabelledSlice(torch.from_numpy(image).half(), torch.from_numpy(label)))
    return found


def short(seed: int = 1, **changed: Any) -> dict[str, torch.Tensor]:
    """The weights after three steps on three slices."""
    known = {"slices": squares(3, 0), "config": CONFIG, "recipe": SHORT}
    trained = train(**{**known, **changed}, seed=seed, progress=Silent())
    return trained.network.state_dict()


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    assert list(first) == list(second)
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return short(seed=1)


# The loss, by hand


def logits_of(probabilities: list[list[float]]) -> torch.Tensor:
    """Logits `[1, 2, 2, 2]` whose softmax gives structure 1 these probabilities."""
    of_one = torch.tensor(probabilities)[None]
    return torch.stack([(1 - of_one).log(), of_one.log()], dim=1)


def test_loss_of_known_pixels_by_hand() -> None:
    logits = logits_of([[0.8, 0.3], [0.4, 0.9]])
    target = torch.tensor([[[[1, 0], [1, IGNORED]]]])
    cross_entropy = -(math.log(0.8) + math.log(0.7) + math.log(0.4)) / 3
    dice = 1 - 2 * (0.8 + 0.4) / ((0.8 + 0.3 + 0.4) + 2)
    found = float(SliceLoss()(logits, target))
    assert found == pytest.approx(dice + cross_entropy, abs=1e-4)


def test_dice_is_a_mean_over_structures_and_leaves_the_background_out() -> None:
    softmax = torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])  # [pixel, class]
    logits = softmax.log().T[None, :, None]  # [1, 3, 1, 2]
    target = torch.tensor([[[[1, 2]]]])
    cross_entropy = -(math.log(0.5) + math.log(0.7)) / 2
    first = 1 - 2 * 0.5 / (0.7 + 1)
    second = 1 - 2 * 0.7 / (1.0 + 1)
    wanted = (first + second) / 2 + cross_entropy
    assert float(SliceLoss()(logits, target)) == pytest.approx(wanted, abs=1e-4)


def test_dice_is_taken_over_the_batch_together() -> None:
    logits = torch.cat([logits_of([[0.8, 0.3], [0.4, 0.9]]), logits_of([[0.1, 0.1], [0.1, 0.1]])])
    target = torch.tensor([[[[1, 0], [1, 1]]], [[[0, 0], [0, IGNORED]]]])
    cross_entropy = -(math.log(0.8 * 0.7 * 0.4 * 0.9) + 3 * math.log(0.9)) / 7
    dice = 1 - 2 * (0.8 + 0.4 + 0.9) / ((0.8 + 0.3 + 0.4 + 0.9 + 3 * 0.1) + 3)
    found = float(SliceLoss()(logits, target))
    assert found == pytest.approx(dice + cross_entropy, abs=1e-4)


def test_unknown_pixels_move_neither_loss_nor_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, generator=generator)
    target = torch.randint(0, 3, (2, 1, 4, 4), generator=generator)
    unknown = torch.rand(2, 1, 4, 4, generator=generator) < 0.4
    target[unknown] = IGNORED
    other = torch.where(unknown, 50 * torch.randn(2, 3, 4, 4, generator=generator), logits)
    loss_of = SliceLoss()
    assert torch.equal(loss_of(logits, target), loss_of(other, target))

    logits.requires_grad_()
    loss_of(logits, target).backward()
    moved = logits.grad.abs().sum(dim=1, keepdim=True) > 0
    assert torch.equal(moved, ~unknown)


def test_unknown_is_not_background() -> None:
    logits = logits_of([[0.8, 0.3], [0.4, 0.9]])
    unknown = torch.tensor([[[[1, 0], [1, IGNORED]]]])
    background = torch.tensor([[[[1, 0], [1, 0]]]])
    loss_of = SliceLoss()
    assert float(loss_of(logits, background)) > float(loss_of(logits, unknown)) + 0.1


def test_nothing_known_is_no_loss_and_no_gradient() -> None:
    logits = torch.randn(1, 2, 2, 2, generator=torch.Generator().manual_seed(1))
    logits.requires_grad_()
    loss = SliceLoss()(logits, torch.full((1, 1, 2, 2), IGNORED))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-5)
    assert not logits.grad.any()


def test_shifted_labels_become_classes() -> None:
    labels = torch.tensor([0.0, 1.0, 2.0, 7.0])
    assert fitting.targets(labels).tolist() == [IGNORED, 0, 1, 6]


# Patches


def flat(grey: float, label: float, size: int = 48) -> LabelledSlice:
    """A slice of one grey value and one label; every pixel's place is 0."""
    image = torch.full((3 + PLACES, size, size), grey)
    image[3:] = 0
    return LabelledSlice(image.half(), torch.full((1, size, size), label).byte())


def test_what_moves_in_from_outside_is_unknown_not_background() -> None:
    _, labels = Patches([flat(1.0, 3.0, size=32)], (32, 32), seed=3).draw(20)
    assert set(labels.unique().tolist()) == {0.0, 3.0}
    assert labels[:, 0, 12:20, 12:20].all()  # the middle stays inside


def test_image_repeats_its_edge_where_nothing_is_known() -> None:
    sampler = Sampler([flat(7.0, 1.0, size=32)], (32, 32), np.random.default_rng(3))
    image, label = cut(sampler.draw(), 1.5 * plain_offsets((32, 32)))
    assert torch.allclose(image[:, :3], torch.tensor(7.0), atol=1e-4)
    outside = (label == 0).sum()
    assert outside == 32 * 32 - 22 * 22  # 21.33 pixels of the patch cover the slice


def test_image_and_label_are_moved_together() -> None:
    square = torch.zeros(1, 32, 32)
    square[:, 6:16, 10:26] = 1
    image = torch.cat([20 * square.repeat(3, 1, 1), torch.zeros(PLACES, 32, 32)])
    each = LabelledSlice(image.half(), (1 + square).byte())
    images, labels = Patches([each], (32, 32), seed=4).draw(20)
    moved = 0
    for patch, label in zip(images, labels, strict=True):
        inside = patch[:3].mean(dim=0) > 10
        wrong = (inside != (label[0] == 2)) & (label[0] > 0)
        assert int(wrong.sum()) < 20  # the rim of 52 pixels is interpolated in one, picked in other
        moved += int(not torch.equal(label, 1 + square))
    assert moved > 5


def test_patches_turn_scale_and_shear_about_their_middle_and_no_further() -> None:
    offsets = Patches([flat(0.0, 1.0)], (16, 16), seed=1)._turned(400)
    plain = plain_offsets((16, 16))
    as_it_is = [torch.equal(each, plain) for each in offsets]
    assert 50 < sum(as_it_is) < 110  # a fifth, binomial spread 8
    assert offsets.mean(dim=(1, 2)).abs().max() < 1e-4  # the middle stays
    longest = offsets.norm(dim=3).max() / plain.norm(dim=2).max()
    assert 1.05 < longest < 1.15 + 0.1 + 1e-3
    # The way from the first to the last pixel of a row, turned by up to a quarter radian.
    row = offsets[:, 8, -1] - offsets[:, 8, 0]
    angle = torch.atan2(row[:, 1], row[:, 0])
    assert 0.2 < angle.max() < 0.25 + 0.13
    assert -0.25 - 0.13 < angle.min() < -0.2


@pytest.mark.parametrize(("slices", "share"), [(1, 0.8), (100, 0.8), (400, 0.2)])
def test_patches_bend_smoothly_and_less_often_of_many_slices(slices: int, share: float) -> None:
    bends = Patches([flat(0.0, 1.0)] * slices, (40, 30), seed=1)._bends(400)
    assert bends.shape == (400, 40, 30, 2)
    bent = bends.flatten(1).abs().amax(dim=1) > 0
    # Binomial spread of the share: 0.02.
    assert bent.float().mean().item() == pytest.approx(share, abs=0.06)
    moved = bends[bent]
    assert 0.7 < moved.std() < 1.5  # 1.5 pixels at the knots, less between them
    # From a pixel to the next the way changes by little: knots of 1.5 pixels, 6.5 pixels apart.
    assert moved.diff(dim=1).std() < 0.4
    assert moved.diff(dim=2).std() < 0.4


def test_grey_values_change_and_places_move_as_a_whole() -> None:
    images, _ = Patches([flat(1.0, 1.0)], (16, 16), seed=2).draw(200)
    grey, places = images[:, :3], images[:, 3:]
    spread = grey.std(dim=(1, 2, 3))
    noisy = spread > 0.05
    assert 35 < noisy.sum() < 85  # 30 %, binomial spread 6.5
    assert (spread[noisy] - 0.1).abs().max() < 0.025  # scaled by up to a fifth
    level = grey.mean(dim=(1, 2, 3))
    assert 0.6 - 0.01 <= level.min() < 0.8
    assert 1.2 < level.max() <= 1.4 + 0.01
    assert (level - 1).abs().lt(0.01).sum() > 20  # a quarter is left as it is
    assert places.std(dim=(2, 3)).max() < 1e-5
    assert places[:, :, 0, 0].std() == pytest.approx(0.1, rel=0.2)


def test_patches_are_fixed_by_their_seed() -> None:
    def drawn(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        return Patches(squares(3, 0), (16, 16), seed).draw(4)

    first, again, other = drawn(5), drawn(5), drawn(6)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


# Chance


def test_equal_seeds_give_equal_weights(weights: dict[str, torch.Tensor]) -> None:
    torch.rand(5)  # the state outside does not matter
    assert equal(weights, short(seed=1))


def test_another_seed_gives_other_weights(weights: dict[str, torch.Tensor]) -> None:
    assert not equal(weights, short(seed=2))


def test_seed_fixes_the_fresh_weights() -> None:
    crawl = Recipe(steps=1, batch=2, patch=16, learning_rate=1e-9)
    name = next(name for name, _ in build(CONFIG).named_parameters())
    first, again, other = (short(seed=seed, recipe=crawl)[name] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)


def test_other_slices_give_other_weights(weights: dict[str, torch.Tensor]) -> None:
    assert not equal(weights, short(seed=1, slices=squares(3, 9)))


def test_state_of_torch_and_numpy_is_left_as_it_was() -> None:
    before_torch = torch.get_rng_state()
    kind, keys, *place = np.random.get_state()  # noqa: NPY002
    short(slices=squares(1, 0))
    assert torch.equal(torch.get_rng_state(), before_torch)
    kind_after, keys_after, *place_after = np.random.get_state()  # noqa: NPY002
    assert (kind, *place) == (kind_after, *place_after)
    assert np.array_equal(keys, keys_after)


def test_state_is_left_as_it_was_when_training_fails() -> None:
    class Interrupted(Exception):
        pass

    class Interrupting(Progress):
        @contextmanager
        def stage(self, name: str, total: int) -> Iterator[Stage]:
            def tell(stage: Stage) -> None:
                if stage.done == 1:
                    raise Interrupted

            yield Stage(name, total, tell)

    before = torch.get_rng_state()
    with pytest.raises(Interrupted):
        train(squares(1, 0), CONFIG, SHORT, 1, Interrupting())
    assert torch.equal(torch.get_rng_state(), before)


def test_slices_are_left_as_they_were() -> None:
    slices = squares(2, 0)
    before = [(each.image.clone(), each.label.clone()) for each in slices]
    short(slices=slices)
    for each, (image, label) in zip(slices, before, strict=True):
        assert torch.equal(each.image, image)
        assert torch.equal(each.label, label)


# Steps


@pytest.mark.parametrize("steps", [1, 2, 8, 9, 10, 19])
def test_any_number_of_steps_is_taken(steps: int) -> None:
    recipe = Recipe(steps=steps, batch=1, patch=16)
    trained = train(squares(1, 0), CONFIG, recipe, 1, Silent())
    assert trained.log[-1]["step"] == steps
    assert all(math.isfinite(record["loss"]) for record in trained.log)
    assert all(value.isfinite().all() for value in trained.network.state_dict().values())
    assert all(value.dtype == torch.float32 for value in trained.network.parameters())
    assert not trained.network.training


def test_each_step_is_taken_with_dropout_and_batch_statistics(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modes: list[tuple[bool, bool]] = []

    def watched(config: NetworkConfig) -> SupervisedUNet:
        network = build(config)
        changing = [m for m in network.modules() if isinstance(m, nn.Dropout | nn.BatchNorm2d)]

        def note(*_: object) -> None:
            mode = {module.training for module in changing}
            modes.append((torch.is_grad_enabled(), mode == {True}))
            assert len(mode) == 1

        network.downs[0].register_forward_pre_hook(note)
        return network

    monkeypatch.setattr(training, "build", watched)
    recipe = Recipe(steps=10, batch=1, patch=16)
    train(squares(1, 0), CONFIG, recipe, 1, Silent())
    assert modes == [(True, True)] * 10


def test_loss_is_taken_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.dtype] = []

    class Watched(SliceLoss):
        def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            seen.append(logits.dtype)
            return super().forward(logits, target)

    monkeypatch.setattr(precision, "has_bfloat16", lambda _: True)
    monkeypatch.setattr(training, "SliceLoss", Watched)
    short()
    assert seen == [torch.float32] * 3 * (1 + SIDES)


def test_log_and_progress_tell_of_the_steps() -> None:
    told: list[tuple[int, int]] = []

    class Listening(Progress):
        @contextmanager
        def stage(self, name: str, total: int) -> Iterator[Stage]:
            yield Stage(name, total, lambda stage: told.append((stage.done, stage.total)))

    recipe = Recipe(steps=10, batch=1, patch=16)
    trained = train(squares(1, 0), CONFIG, recipe, 1, Listening())
    assert told == [(done, 10) for done in range(11)]
    assert [record["step"] for record in trained.log] == [8, 9, 10]


def test_weights_are_those_of_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[SupervisedUNet] = []
    after: list[dict[str, torch.Tensor]] = []

    class Keeping(Progress):
        @contextmanager
        def stage(self, name: str, total: int) -> Iterator[Stage]:
            yield Stage(name, total, lambda _: after.append(deepcopy(built[0].state_dict())))

    def watched(config: NetworkConfig) -> SupervisedUNet:
        built.append(build(config))
        return built[0]

    monkeypatch.setattr(training, "build", watched)
    trained = train(squares(1, 0), CONFIG, SHORT, 1, Keeping())
    assert len(after) == 1 + 3
    assert not any(equal(before, after[-1]) for before in after[:-1])
    assert equal(after[-1], trained.network.state_dict())


def test_every_slice_reaches_the_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[LabelledSlice] = []

    class Spy(Sampler):
        def __init__(self, slices: Any, patch: Any, rng: Any) -> None:
            seen.extend(slices)
            super().__init__(slices, patch, rng)

    monkeypatch.setattr(patches, "Sampler", Spy)
    slices = squares(12, 0)
    short(slices=slices)
    assert [id(each) for each in seen] == [id(each) for each in slices]


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(ModelError, match="annotate at least one"):
        short(slices=[])


# Start weights


def test_start_weights_are_where_training_starts() -> None:
    with seeded(77):
        start = build(CONFIG).state_dict()
    names = [name for name, _ in build(CONFIG).named_parameters()]
    crawl = Recipe(steps=3, batch=2, patch=16, learning_rate=1e-9)
    found = short(seed=1, recipe=crawl, start=start)
    fresh = short(seed=1, recipe=crawl)
    assert all(torch.allclose(found[name], start[name], atol=1e-6) for name in names)
    assert not any(
        torch.allclose(fresh[name], start[name], atol=1e-6)
        for name in names
        if name.endswith("conv.weight")
    )


def test_start_weights_are_left_as_they_were() -> None:
    start = build(CONFIG).state_dict()
    before = {name: value.clone() for name, value in start.items()}
    assert not equal(before, short(seed=1, start=start))
    assert equal(before, start)


@pytest.mark.parametrize(
    "made_for",
    [
        NetworkConfig(image_channels=1, structures=(1, 2), pixel_mm=1.0, modality="mr"),
        NetworkConfig(image_channels=2, structures=(1,), pixel_mm=1.0, modality="ct"),
    ],
)
def test_start_weights_that_do_not_fit_are_refused(made_for: NetworkConfig) -> None:
    with pytest.raises(ModelError, match="start weights do not fit") as refused:
        short(start=build(made_for).state_dict())
    assert "\n" not in str(refused.value)


# It learns


def dice_of(network: nn.Module, slices: list[LabelledSlice]) -> float:
    """Dice of structure 1 over all slices together, every pixel of which is known."""
    shared = sizes = 0
    for each in slices:
        logits = padded_logits(network, each.image.float()[None], torch.device("cpu")).logits
        found, truth = logits[0].argmax(0) == 1, each.label[0] == 2
        shared += int((found & truth).sum())
        sizes += int(found.sum()) + int(truth.sum())
    return 2 * shared / sizes


def test_it_learns_a_bright_square() -> None:
    others = squares(6, 100)
    crawl = Recipe(steps=1, batch=8, patch=24, learning_rate=1e-9)
    before = train(squares(4, 0), CONFIG, crawl, 1, Silent())
    after = train(squares(4, 0), CONFIG, Recipe(steps=60, batch=4, patch=24), 1, Silent())
    start = dice_of(before.network, others)
    reached = dice_of(after.network, others)
    assert reached > 0.7
    assert reached > start + 0.2
    assert after.log[-1]["loss"] < before.log[-1]["loss"]


def test_unknown_parts_are_learned_from_the_known_ones() -> None:
    # Of each square of 8 rows only the upper 2 are annotated, the others are not known.
    slices = squares(6, 0)
    for each in slices:
        rows = torch.nonzero(each.label[0] == 2)[:, 0]
        lower = torch.zeros_like(each.label, dtype=torch.bool)
        lower[:, int(rows.min()) + 2 :] = True
        each.label[lower & (each.label == 2)] = 0
    trained = train(
        slices, CONFIG, Recipe(steps=60, batch=4, patch=24, learning_rate=3e-3), 1, Silent()
    )
    reached = dice_of(trained.network, squares(6, 100))
    assert reached > 0.7  # taught as background, the lower rows would be lost: about 0.4


# Deep supervision and members


def test_side_outputs_are_learned_only_when_they_weigh() -> None:
    def heads(side_weight: float) -> list[torch.Tensor]:
        recipe = Recipe(steps=3, batch=1, patch=16, weight_decay=0, side_weight=side_weight)
        network = train(squares(1, 0), CONFIG, recipe, 1, Silent()).network
        assert isinstance(network, SupervisedUNet)
        return list(network.heads.parameters())

    with seeded(1):
        fresh = list(build(CONFIG).heads.parameters())
    assert all(torch.equal(a, b) for a, b in zip(heads(0.0), fresh, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(heads(0.5), fresh, strict=True))


def test_deep_loss_by_hand() -> None:
    target = torch.ones(1, 1, 2, 2, dtype=torch.long)
    logits = torch.cat([torch.full((1, 2, 2, 2), value) for value in (1.0, 2.0, 3.0)], dim=1)

    class First(SliceLoss):
        def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return logits.mean()

    # 1 + 0.5 * (2 + 3) / 2
    assert deep_loss(First(), 0.5, logits, target).item() == pytest.approx(2.25)


def test_the_decoder_alone_is_trained_of_both_networks() -> None:
    """From the bottleneck on; what the networks see stays as it was."""
    label = torch.stack([each.label[0] for each in squares(5, 0)])
    image = torch.stack([each.image[1] for each in squares(5, 0)])[None]
    volume = LabelledVolume(image, label, (1.0, 1.0, 1.0), (0, 0, 0), tuple(label.shape))
    slices = [replace(each, volume=volume) for each in squares(5, 0)]
    with seeded(7):
        start = build(CONFIG).state_dict()
    recipe = replace(SHORT, block_batch=2, block=16)
    trained = train(slices, CONFIG, recipe, 3, Silent(), start=start, part="decoder")
    known = dict(trained.network.named_parameters())
    changed = {name for name, each in known.items() if not torch.equal(each, start[name])}
    for part, first in (("unet", "unet.model.0."), ("volume", "volume.model.0.")):
        moved = {name for name in changed if name.startswith(part)}
        assert moved
        assert not any(name.startswith(first) for name in moved)


def test_without_volumes_that_network_learns_nothing() -> None:
    with seeded(1):
        fresh = build(CONFIG).state_dict()
    trained = train(squares(3, 0), CONFIG, SHORT, 1, Silent())
    found = trained.network.state_dict()
    assert int(found["volume_steps"]) == 0
    assert all(torch.equal(fresh[name], found[name]) for name in fresh if "volume" in name)


def test_members_are_kept_from_half_way_on() -> None:
    recipe = Recipe(steps=8, batch=1, patch=16, members=2)
    trained = train(squares(1, 0), CONFIG, recipe, 1, Silent())
    assert len(trained.members) == 2
    final = trained.network.state_dict()
    name = "unet.model.0.conv.unit0.conv.weight"
    first, second = (member[name] for member in trained.members)
    assert not torch.equal(first, second)
    assert not torch.equal(second, final[name])
    steps = training._member_steps(recipe)
    assert steps == {4, 6}
    assert training._member_steps(Recipe(steps=8, members=0)) == frozenset()


def test_a_later_model_takes_smaller_steps_and_the_whole_takes_those_of_all() -> None:
    recipe = Recipe(steps=600, batch=7, learning_rate=6e-3, block_rate=3e-3)
    assert recipe.going_on() == Recipe(steps=600, batch=7, learning_rate=4e-3, block_rate=2e-3)
    assert recipe.altogether(0) == recipe
    whole = recipe.altogether(5)
    assert whole == Recipe(steps=3600, batch=7, learning_rate=6e-3, block_rate=3e-3)
    assert whole.block_steps == 6 * recipe.block_steps == 1800
