"""Stochastic passes where they can differ, against every pass at every pixel."""

from __future__ import annotations

import math

import pytest
import torch

from activeseg.model import changed as module
from activeseg.model.changed import Changes, changed, likeliest_of
from activeseg.model.planes import _cells


def softmax_of(seed: int, sharp: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (sharp * torch.randn((2, 3, 8, 12), generator=generator)).softmax(dim=1)


def everywhere(plain: torch.Tensor, changes: Changes) -> list[torch.Tensor]:
    """The passes at all pixels, one after the other."""
    found = []
    for each in changes.maps:
        whole = each[:, :, changes.rows][..., changes.columns]
        found.append((plain.clamp(min=1e-30).log() + whole).softmax(dim=1))
    return found


@pytest.mark.parametrize("at_once", [1 << 20, 64])
def test_undecided_pixels_are_as_each_pass_says(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    monkeypatch.setattr(module, "DECIDED", 2.0)  # none is sure
    plain = softmax_of(0, 2.0)
    maps = torch.randn((4, 2, 3, 2, 3), generator=torch.Generator().manual_seed(1))
    changes = Changes(maps, torch.arange(8) // 4, torch.arange(12) // 4)
    *labels, mean, entropy = changed(plain, changes)
    wanted = everywhere(plain, changes)
    assert len(labels) == 4
    for each, p in zip(labels, wanted, strict=True):
        assert torch.equal(each, likeliest_of(p))
    torch.testing.assert_close(mean, torch.stack(wanted).mean(dim=0))
    entropies = [-(p.log() * p).sum(dim=1, keepdim=True) for p in wanted]
    torch.testing.assert_close(entropy, torch.stack(entropies).mean(dim=0), atol=1e-5, rtol=1e-5)


def test_where_the_plain_answer_is_sure_it_stands() -> None:
    plain = torch.tensor([[0.9995, 0.6], [0.0005, 0.4]]).view(1, 2, 1, 2)
    maps = torch.tensor([0.0, 9.0]).view(1, 1, 2, 1, 1)  # every pixel would turn
    changes = Changes(maps, torch.zeros(1, dtype=torch.long), torch.zeros(2, dtype=torch.long))
    labels, mean, entropy = changed(plain, changes)
    assert labels.flatten().tolist() == [0, 1]
    assert mean[0, 0, 0, 0].item() == pytest.approx(0.9995)
    turned = 0.4 * math.exp(9) / (0.6 + 0.4 * math.exp(9))
    assert mean[0, 1, 0, 1].item() == pytest.approx(turned, abs=1e-5)
    sure = -(0.9995 * math.log(0.9995) + 0.0005 * math.log(0.0005))
    assert entropy.flatten()[0].item() == pytest.approx(sure, abs=1e-5)


def test_the_likeliest_class_is_the_first_of_equals() -> None:
    maps = torch.tensor([[0.2, 0.2], [0.4, 0.5], [0.4, 0.3]])[None]
    assert likeliest_of(maps).tolist() == [[[1, 1]]]
    drawn = torch.rand((3, 5, 4, 6), generator=torch.Generator().manual_seed(0))
    assert torch.equal(likeliest_of(drawn)[:, 0].long(), drawn.argmax(dim=1))


def test_every_pixel_lies_in_the_cell_that_was_computed_of_it() -> None:
    # Sixteen pixels, fourteen of them real, in four cells; as many scan rows, then twice as many.
    assert _cells(14, 14, 4).tolist() == [k // 4 for k in range(14)]
    assert _cells(28, 14, 4).tolist() == [k // 8 for k in range(28)]
    assert _cells(7, 14, 4).tolist() == [(2 * k + 1) // 4 for k in range(7)]
    assert int(_cells(100, 17, 6).max()) == 4
