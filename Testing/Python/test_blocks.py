"""Training blocks: cut by hand, the same for the same seed, every class as often as any other."""

from __future__ import annotations

import math

import pytest
import torch

from activeseg.model import augmentation, blocks
from activeseg.model.blocks import Blocks, cut_block
from activeseg.model.volumes import LabelledVolume


def volume_of(
    shape: tuple[int, int, int] = (20, 22, 24),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    corner: tuple[int, int, int] = (0, 0, 0),
    seed: int = 0,
) -> LabelledVolume:
    """Grey values by chance; an axial slice is annotated, a small square of it structure 1."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.zeros(shape, dtype=torch.uint8)
    label[5] = 1
    label[5, 8:10, 8:10] = 2
    whole = tuple(n + c for n, c in zip(shape, corner, strict=True))
    image = torch.randn((1, *shape), generator=generator).half()
    return LabelledVolume(image, label, spacing, corner, whole)


def grid_at(*first: float, size: int = 4) -> torch.Tensor:
    sides = [torch.arange(size) + start for start in first]
    return torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1)


def test_a_straight_block_holds_the_voxels_themselves() -> None:
    volume = volume_of(corner=(2, 0, 1))
    image, label = cut_block(volume, grid_at(3.0, 7.0, 6.0))
    there = (slice(3, 7), slice(7, 11), slice(6, 10))
    assert torch.allclose(image[0, 0], volume.image[0][there].float(), atol=1e-4)
    assert torch.equal(label[0, 0], volume.label[there].float())
    # Places count from the corner of the whole volume of 22 x 22 x 25 voxels.
    assert image[0, 1:, 0, 0, 0].tolist() == pytest.approx(
        [2 * 5 / 21 - 1, 2 * 7 / 21 - 1, 2 * 7 / 24 - 1]
    )


def test_between_voxels_grey_is_interpolated_and_the_label_is_the_nearest() -> None:
    volume = volume_of()
    image, label = cut_block(volume, grid_at(5.3, 8.0, 8.0, size=1))
    wanted = 0.7 * volume.image[0, 5, 8, 8].float() + 0.3 * volume.image[0, 6, 8, 8].float()
    assert float(image[0, 0]) == pytest.approx(float(wanted), abs=1e-3)
    assert float(label) == 2
    assert float(cut_block(volume, grid_at(5.6, 8.0, 8.0, size=1))[1]) == 0


def test_outside_the_edge_goes_on_and_nothing_is_known() -> None:
    volume = volume_of()
    image, label = cut_block(volume, grid_at(4.0, -2.0, 8.0))
    assert torch.allclose(image[0, 0, :, 0], image[0, 0, :, 2], atol=1e-4)
    assert not label[0, 0, :, :2].any()
    assert label[0, 0, 1, 2].tolist() == [1, 1, 1, 1]


def test_the_same_seed_draws_the_same_and_parts_are_those_of_the_whole() -> None:
    volumes = [volume_of(), volume_of(seed=1)]

    def fresh(seed: int) -> Blocks:
        return Blocks(volumes, 8, 2, seed)

    whole, first, second = fresh(1), fresh(1), fresh(1)
    for _ in range(2):
        images, labels = whole.draw(6)
        parts = [first.draw(6, slice(0, 2)), second.draw(6, slice(2, 6))]
        assert torch.equal(torch.cat([image for image, _ in parts]), images)
        assert torch.equal(torch.cat([label for _, label in parts]), labels)
    assert images.shape == (6, 1 + 3, 8, 8, 8)
    assert labels.shape == (6, 1, 8, 8, 8)
    assert not torch.equal(fresh(2).draw(6)[0], fresh(1).draw(6)[0])


def test_a_rare_class_is_seen_as_often_as_a_common_one() -> None:
    """4 of 528 known voxels; one block of two lies round it, near enough to hold it."""
    _, labels = Blocks([volume_of()], 16, 1, seed=0).draw(60)
    shows = sum(bool((each == 2).any()) for each in labels)
    assert shows >= 30


def test_every_block_shows_something_that_is_known() -> None:
    _, labels = Blocks([volume_of()], 16, 1, seed=3).draw(40)
    assert all(bool((each > 0).any()) for each in labels)


def test_blocks_lie_round_no_more_voxels_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_CENTRES", 3)
    drawn = Blocks([volume_of()], 8, 1, seed=0)
    kept = {value: len(voxels) for value, ((_, voxels),) in drawn._centres.items()}
    assert kept == {1: 3, 2: 3}
    drawn.draw(4)


def test_blocks_are_turned_in_millimetres() -> None:
    """A quarter turn of a block of 4 mm by 1 mm voxels: a step along S is four along P."""
    drawn = Blocks([volume_of()], 3, 1, seed=0)
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    found = drawn._offsets(volume_of(spacing=(4.0, 1.0, 1.0)), turn)
    assert found[2, 1, 1].tolist() == pytest.approx([0, 4, 0])
    assert found[1, 2, 1].tolist() == pytest.approx([-0.25, 0, 0])


def test_some_blocks_are_left_as_they_are_and_none_is_turned_far() -> None:
    drawn = Blocks([volume_of()], 8, 1, seed=0)
    turns = drawn._turns(200)
    plain = torch.isclose(turns, torch.eye(3)).all(dim=(1, 2))
    assert 0.1 < plain.float().mean() < 0.3
    sizes = torch.linalg.svdvals(turns)
    assert float(sizes.min()) >= 1 - augmentation.MOST_SCALED - 1e-5
    assert float(sizes.max()) <= 1 + augmentation.MOST_SCALED + 1e-5
    cosine = (torch.linalg.det(turns) ** (1 / 3)).reciprocal() * turns[:, 0, 0]
    assert float(cosine.min()) > math.cos(3 * augmentation.MOST_TURNED)


@pytest.mark.parametrize(("slices", "share"), [(1, 0.8), (100, 0.8), (400, 0.2), (8000, 0.01)])
def test_with_many_slices_few_blocks_are_bent(slices: int, share: float) -> None:
    bends = Blocks([volume_of()], 8, slices, seed=0)._bends(1000)
    bent = bends.flatten(1).abs().amax(dim=1) > 0
    assert float(bent.float().mean()) == pytest.approx(share, abs=0.04)
