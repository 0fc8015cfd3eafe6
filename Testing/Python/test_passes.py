"""Passes side by side: each is a pass of its own, and what chance has no part in is done once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from monai.networks.nets import AttentionUnet, BasicUNet, DynUNet, SegResNet, UNet, VNet
from torch import nn

from activeseg.model.decoder_passes import DecoderPasses, _unsure
from activeseg.model.inference import dropout_only
from activeseg.model.masks import dropped
from activeseg.model.network import NetworkConfig, build, seeded
from activeseg.model.passes import Passes

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "built-in": lambda: build(NetworkConfig(1, (1, 2), 1.0, "mr")),
    "unet": lambda: UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=3,
        channels=(4, 8, 8),
        strides=(2, 2),
        num_res_units=1,
        dropout=0.2,
    ),
    "basic-unet": lambda: BasicUNet(
        spatial_dims=2, in_channels=2, out_channels=3, features=(4, 4, 8, 8, 8, 4), dropout=0.2
    ),
    "dyn-unet": lambda: DynUNet(2, 1, 3, [3, 3, 3], [1, 2, 2], [2, 2], dropout=0.2, res_block=True),
    "attention-unet": lambda: AttentionUnet(2, 1, 3, (4, 8), (2,), dropout=0.2),
    "segresnet": lambda: SegResNet(
        2, 8, 1, 3, dropout_prob=0.2, blocks_down=(1, 1), blocks_up=(1,)
    ),
    "vnet": lambda: VNet(spatial_dims=2, in_channels=1, out_channels=3),
}


def images_for(name: str, count: int = 2) -> torch.Tensor:
    shape = {"built-in": (6, 16, 24), "unet": (1, 8, 8, 8), "basic-unet": (2, 32, 32)}
    size = (count, *shape.get(name, (1, 32, 32)))
    return torch.rand(size, generator=torch.Generator().manual_seed(1))


def ready(name: str, seed: int = 3) -> nn.Module:
    with seeded(seed):
        network = NETWORKS[name]()
    dropout_only(network)
    return network


def counted(forward: Callable[..., torch.Tensor], rows: list[int]) -> Callable[..., torch.Tensor]:
    def call(images: torch.Tensor) -> torch.Tensor:
        rows.append(len(images))
        return forward(images)

    return call


@pytest.mark.parametrize("name", NETWORKS)
def test_passes_differ_and_are_fixed_by_their_seed(name: str) -> None:
    network, images = ready(name), images_for(name)
    with torch.inference_mode(), seeded(0):
        found = Passes(network, 3, 5)(images)
    with torch.inference_mode(), seeded(0):
        again = Passes(network, 3, 5)(images)
    assert found.shape == (2, 3 * 3, *images.shape[2:])
    first, second, third = found.chunk(3, dim=1)
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    assert torch.equal(found, again)


@pytest.mark.parametrize("name", NETWORKS)
def test_without_chance_every_pass_is_the_plain_answer(name: str) -> None:
    """What is computed once and repeated is what each pass would have computed."""
    network, images = ready(name), images_for(name, count=5)
    for layer in network.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = 0.0
    with torch.inference_mode():
        found = Passes(network, 2, 5)(images)
        for each in found.chunk(2, dim=1):
            torch.testing.assert_close(each, network(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["built-in", "unet", "basic-unet", "attention-unet"])
def test_where_dropout_keeps_everything_the_answer_is_known(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with dropout in place, which divides by the share that is kept."""
    network, images = ready(name), images_for(name)
    monkeypatch.setattr("activeseg.model.passes.dropped", lambda values, p, rng: values / (1 - p))
    with torch.inference_mode():
        found = Passes(network, 2, 5)(images)
        for layer in network.modules():
            if isinstance(layer, nn.Dropout) and layer.p > 0:
                layer.register_forward_hook(lambda m, _, out: out / (1 - m.p))
        plain = network.eval()(images)
    for each in found.chunk(2, dim=1):
        torch.testing.assert_close(each, plain, rtol=1e-4, atol=1e-5)


def test_what_comes_before_chance_is_computed_once() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(2, 3, 1))
    dropout_only(network)
    rows: dict[int, list[int]] = {0: [], 1: [], 3: []}
    for place, seen in rows.items():
        layer = network[place]
        layer.forward = counted(layer.forward, seen)
    Passes(network, 3, 0)(torch.rand(7, 1, 8, 8))
    # Seven images by three passes: at most seven rows at once where chance decides.
    assert rows == {0: [2, 2, 2, 1], 1: [2, 2, 2, 1], 3: [6, 6, 6, 3]}


def test_what_overwrites_its_input_does_not_spoil_what_is_remembered() -> None:
    class Skipping(nn.Module):
        """The skipped tensor is overwritten after it was used, and used again with chance."""

        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(1, 2, 1)
            self.drop = nn.Dropout(0.5)
            self.over = nn.ReLU(inplace=True)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            before = self.down(images)
            return self.drop(before) * 0 + self.over(before)

    with seeded(0):
        network = Skipping()
    dropout_only(network)
    images = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = Passes(network, 2, 0)(images)
        wanted = network.down(images).relu()
    assert all(torch.equal(each, wanted) for each in found.chunk(2, dim=1))


def test_the_network_is_left_as_it_was() -> None:
    network, images = ready("built-in"), images_for("built-in")
    network.eval()
    with torch.inference_mode():
        plain = network(images)
        dropout_only(network)
        Passes(network, 2, 0)(images)
        network.eval()
        assert torch.equal(network(images), plain)
    assert not any("forward" in module.__dict__ for module in network.modules())


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_values_are_dropped_with_the_layer_s_chance(p: float) -> None:
    network = nn.Sequential(nn.Dropout(p))
    dropout_only(network)
    with torch.inference_mode():
        found = Passes(network, 4, 0)(torch.ones(3, 2, 101, 103))
    dropped = found == 0
    # Of 249,672 values: five standard errors of their share.
    assert dropped.float().mean().item() == pytest.approx(p, abs=5 * (p * (1 - p) / 249672) ** 0.5)
    torch.testing.assert_close(found[~dropped], torch.full_like(found[~dropped], 1 / (1 - p)))
    # No two passes, images or channels share a mask.
    masks = dropped.reshape(24, -1).float()
    together = torch.corrcoef(masks) - torch.eye(24)
    assert together.abs().max().item() < 0.06


# Chance in the decoder alone


def test_without_passes_the_decoder_gives_main_output_and_sides() -> None:
    network, images = ready("built-in").eval(), images_for("built-in")
    with torch.inference_mode():
        logits, changes = DecoderPasses(network, 0, 5)(images)
        assert torch.equal(logits, network.with_sides(images))
        assert torch.equal(logits[:, :3], network(images))
    assert changes is None


def test_passes_of_the_decoder_differ_by_what_is_dropped_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, images = ready("built-in").eval(), images_for("built-in")
    with torch.inference_mode():
        logits, first = DecoderPasses(network, 3, 5)(images)
        _, again = DecoderPasses(network, 3, 5)(images)
        _, other = DecoderPasses(network, 3, 6)(images)
        plain = network.with_sides(images)
    # What dropout changes comes from the side output at quarter resolution.
    assert first.shape == (3, 2, 3, 4, 6)
    assert torch.equal(logits, plain)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[1], first[2])
    # Where nothing is dropped nothing changes.
    monkeypatch.setattr("activeseg.model.decoder_passes.dropped", lambda values, p, rng: values)
    with torch.inference_mode():
        _, sure = DecoderPasses(network, 2, 5)(images)
    torch.testing.assert_close(sure, torch.zeros_like(sure), atol=1e-5, rtol=0)


def test_where_nothing_may_be_shown_no_pass_changes_anything() -> None:
    network, images = ready("built-in").eval(), images_for("built-in")
    with torch.no_grad():
        # The last convolution's bias, and with it the background's logit.
        last = [each for each in network.unet.modules() if isinstance(each, nn.Conv2d)][-1]
        last.bias[0] += 50
    with torch.inference_mode():
        logits, changes = DecoderPasses(network, 2, 5)(images)
    assert not changes.any()
    main, *sides = logits.chunk(3, dim=1)
    assert all(torch.equal(side, main) for side in sides)


def test_passes_of_a_part_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only cells round what is not sure are asked, with one more on each side."""
    network = ready("built-in").eval()
    images = torch.rand((2, 6, 32, 48), generator=torch.Generator().manual_seed(1))
    # No chance, so that the same is dropped whatever part is asked.
    module = "activeseg.model.decoder_passes"
    monkeypatch.setattr(f"{module}.dropped", lambda values, p, rng: 0.5 * values)
    found = {}
    for name, part in (("whole", np.s_[0:8, 0:12]), ("part", np.s_[2:7, 3:9])):
        monkeypatch.setattr(f"{module}._unsure", lambda logits, cells, part=part: part)
        with torch.inference_mode():
            found[name] = DecoderPasses(network, 2, 5)(images).changes
    inner = np.s_[..., 3:6, 4:8]
    assert found["whole"][inner].abs().min() > 0
    torch.testing.assert_close(found["part"][inner], found["whole"][inner])
    assert not found["part"][..., :2, :].any()


def test_cells_where_some_image_is_not_sure_are_asked() -> None:
    logits = torch.zeros((2, 2, 32, 48))
    logits[:, 0] = 20.0  # sure of the background
    assert _unsure(logits, torch.Size((8, 12))) is None
    logits[0, 0, 13, 20] = 0.0
    logits[1, 0, 17, 31] = 0.0
    # Cells of 4 x 4 pixels: rows 3 and 4, columns 5 to 7, and one more on each side.
    assert _unsure(logits, torch.Size((8, 12))) == (slice(2, 6), slice(4, 9))


def test_many_values_are_dropped_with_their_chance_and_not_alike() -> None:
    values = torch.ones(3 << 21)
    found = dropped(values, 0.25, np.random.default_rng(0))
    assert found.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (found == 0).double().mean().item() == pytest.approx(0.25, abs=2e-3)
    halves = found[: 1 << 21], found[1 << 21 : 1 << 22]
    assert not torch.equal(*halves)
