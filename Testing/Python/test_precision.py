"""Half precision where it is native, and where what it answers is right."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from activeseg.model import precision
from activeseg.model.network import NetworkConfig, build, seeded
from activeseg.model.scan import PLACES

CPU = torch.device("cpu")
CONFIG = NetworkConfig(image_channels=1, structures=(1, 2), pixel_mm=1.0, modality="mr")


def kind(block: object, columns: int = 16) -> torch.dtype:
    """The precision that a layer answers in within a block."""
    layer, images = nn.Conv2d(1, 1, 1), torch.ones(1, 1, 4, columns)
    with block:  # type: ignore[attr-defined]
        answer: torch.dtype = layer(images).dtype
    return answer


@pytest.mark.parametrize("tiles", [False, True])
def test_a_processor_learns_in_bfloat16_where_it_multiplies_tiles(
    monkeypatch: pytest.MonkeyPatch, tiles: bool
) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: True)
    monkeypatch.setattr(precision, "has_tiles", lambda: tiles)
    learned = torch.bfloat16 if tiles else torch.float32
    assert kind(precision.learning_autocast(CPU, 16)) == learned
    assert precision.learning_precision(CPU) == str(learned).removeprefix("torch.")
    assert kind(precision.autocast(CPU, 16)) == torch.bfloat16


def test_narrow_images_and_plain_processors_stay_in_single_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "has_tiles", lambda: True)
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: True)
    assert kind(precision.autocast(CPU, 15)) == torch.float32
    assert kind(precision.learning_autocast(CPU, 8)) == torch.float32
    monkeypatch.setattr(precision, "has_bfloat16", lambda _: False)
    assert kind(precision.autocast(CPU, 16)) == torch.float32


def near(found: torch.Tensor, wanted: torch.Tensor, share: float) -> bool:
    return bool((found - wanted).norm() <= share * wanted.norm())


SIZES = [(8, 8), (64, 8), (8, 64), (16, 16), (64, 16), (40, 24), (40, 40)]
BLOCKS = [(8, 8, 8), (32, 32, 8), (8, 8, 32), (32, 8, 16), (16, 16, 16), (24, 24, 24)]


@pytest.mark.parametrize("size", [*SIZES, *BLOCKS])
def test_answers_and_gradients_are_those_of_single_precision(size: tuple[int, ...]) -> None:
    """On this processor; where it has no bfloat16 there is nothing to go wrong."""
    with seeded(0):
        whole = build(CONFIG).eval()
        channels = (3 if len(size) == 2 else 1) + PLACES
        images, weights = torch.randn(8, channels, *size), torch.randn(8, 3, *size)
    network = whole if len(size) == 2 else whole.volume
    learned = [each for each in network.parameters() if each.requires_grad]
    found = []
    for _ in range(2):  # the second time memory is not fresh
        for block in (
            torch.autocast("cpu", enabled=False),
            precision.learning_autocast(CPU, size[-1]),
            precision.autocast(CPU, size[-1]),
        ):
            network.zero_grad()
            with block:
                logits = network(images)
            (logits.float() * weights).sum().backward()
            flat = [each.grad.flatten() for each in learned if each.grad is not None]
            found.append((logits.detach().float(), torch.cat(flat)))
    for answer, gradient in found:
        assert near(answer, found[0][0], 0.01)
        assert near(gradient, found[0][1], 0.05)
