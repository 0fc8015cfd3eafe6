"""Layers that are quicker to learn through say what torch's say."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from activeseg.model.layers import QuickDropout, QuickPReLU, quicken
from activeseg.model.masks import MOST_CUT
from activeseg.model.network import seeded

SHAPES = [(3, 4, 5, 6), (2, 3, 4, 5, 6), (7, 2), (1, 1, 1, 1)]


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return values.to(memory_format=torch.channels_last) if len(shape) == 4 else values


def both_gradients(
    layer: nn.Module, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The answer, and the gradients of the values and of the slope."""
    values = values.clone().requires_grad_()
    answer = layer(values)
    (answer * drawn(*answer.shape, seed=1)).sum().backward()
    slope = next(layer.parameters())
    assert values.grad is not None
    assert slope.grad is not None
    return answer.detach(), values.grad, slope.grad


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("slope", [0.25, 0.0, -0.5, 1.0])
def test_answer_and_gradients_of_the_slope_are_torchs(shape: tuple[int, ...], slope: float) -> None:
    quick, plain = QuickPReLU(init=slope), nn.PReLU(init=slope)
    values = drawn(*shape)
    values[(0,) * len(shape)] = 0.0
    for found, wanted in zip(
        both_gradients(quick, values), both_gradients(plain, values), strict=True
    ):
        assert found.dtype == wanted.dtype
        assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_slope_of_half_precision_learns_in_single() -> None:
    values = drawn(8, 4, 16, 16).bfloat16()
    quick, plain = QuickPReLU(), nn.PReLU()
    answer, of_values, of_slope = both_gradients(quick, values)
    assert (answer.dtype, of_values.dtype) == (torch.bfloat16, torch.bfloat16)
    assert of_slope.dtype == torch.float32
    wanted = both_gradients(plain, values.float())[2]
    assert torch.allclose(of_slope, wanted, rtol=0.02)


def test_values_are_dropped_with_their_chance_and_gradients_with_them() -> None:
    layer = QuickDropout(0.25)
    values = torch.ones(64, 8, 20, 20).to(memory_format=torch.channels_last).requires_grad_()
    with seeded(0):
        answer = layer(values)
        other = layer(values)
    with seeded(0):
        again = layer(values)
    assert torch.equal(answer, again)
    assert not torch.equal(answer, other)
    assert answer.is_contiguous(memory_format=torch.channels_last)
    assert answer.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (answer == 0).double().mean().item() == pytest.approx(0.25, abs=5e-3)
    answer.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, answer.detach())


def test_no_value_is_dropped_where_nothing_learns_and_all_that_torch_would_drop() -> None:
    values = torch.ones(MOST_CUT + 1)
    assert torch.equal(QuickDropout(0.5).eval()(values), values)
    assert torch.equal(QuickDropout(0.0)(values), values)
    assert not QuickDropout(1.0)(values).any()
    assert (QuickDropout(0.5)(values) == 0).double().mean().item() == pytest.approx(0.5, abs=0.01)


def test_masks_that_were_first_cut_in_inference_can_be_learned_through() -> None:
    layer = QuickDropout(0.375)  # no other test cuts such
    with torch.inference_mode():
        layer(torch.ones(5))
    values = torch.ones(5, requires_grad=True)
    (layer(values) ** 2).sum().backward()
    assert values.grad is not None


def test_a_network_keeps_names_weights_and_other_layers() -> None:
    network = nn.Sequential(nn.PReLU(init=0.4), nn.Sequential(nn.Dropout(0.3)), nn.PReLU(3))
    before = copy.deepcopy(network.state_dict())
    network.eval()
    quicken(network)
    assert not any(module.training for module in network.modules())
    first, inner, channels = network
    assert type(first) is QuickPReLU
    assert type(inner[0]) is QuickDropout
    assert inner[0].p == 0.3
    assert type(channels) is nn.PReLU
    found = network.state_dict()
    assert list(found) == list(before)
    assert all(torch.equal(found[name], before[name]) for name in before)
