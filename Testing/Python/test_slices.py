"""Annotated slices as training data: what is known, at which size, and how often it is drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from activeseg.keys import Plane
from activeseg.model.network import STRIDE
from activeseg.model.patches import cut, plain_offsets
from activeseg.model.scan import Scan
from activeseg.model.slices import (
    LabelledSlice,
    Sampler,
    labelled_slice,
    patch_size,
    resize,
    working_pixel_mm,
)

AXIAL, CORONAL, SAGITTAL = Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL
ALL = (AXIAL, CORONAL, SAGITTAL)


def scan_of(volume: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Scan:
    return Scan(volume[None].astype(np.float32), spacing, ALL)


def coded(rows: int, columns: int, label: np.ndarray, number: int = 0) -> LabelledSlice:
    """A slice whose image says of each pixel its slice, row and column."""
    image = torch.stack(
        [
            torch.full((rows, columns), float(number)),
            torch.arange(rows).float()[:, None].expand(rows, columns),
            torch.arange(columns).float()[None].expand(rows, columns),
        ]
    )
    return LabelledSlice(image.half(), torch.from_numpy(label.astype(np.uint8))[None])


def drawn(sampler: Sampler) -> dict[str, torch.Tensor]:
    """The patch that a sampler draws, as it lies in its slice: codes are whole numbers."""
    image, label = cut(sampler.draw(), plain_offsets(sampler.patch))
    return {"image": image[0].round(), "label": label[0]}


def centre_of_mass(weights: np.ndarray) -> tuple[float, float]:
    """Row and column of the centre, as parts of the height and the width."""
    rows, columns = weights.shape
    total = weights.sum()
    row = (weights.sum(axis=1) * (np.arange(rows) + 0.5)).sum() / total / rows
    column = (weights.sum(axis=0) * (np.arange(columns) + 0.5)).sum() / total / columns
    return float(row), float(column)


def test_working_pixel_size_by_hand() -> None:
    # Spacings 1, 1, 2, 3, 0.5, 0.5: median 1. Extents 100, 150 and 50 mm: their median, 100 mm
    # over 192 pixels, is finer than that.
    slices = [((80, 100), (1.0, 1.0)), ((60, 50), (2.0, 3.0)), ((100, 90), (0.5, 0.5))]
    assert working_pixel_mm(slices) == 1.0


def test_working_pixel_is_coarser_for_large_slices() -> None:
    large = ((512, 512), (0.75, 0.75))
    assert working_pixel_mm([large]) == 384 / 192
    # One large slice among three small ones does not decide.
    small = ((100, 100), (1.0, 1.0))
    assert working_pixel_mm([small, large, small, small]) == 1.0


def test_working_pixel_takes_the_longer_side() -> None:
    assert working_pixel_mm([((96, 960), (0.1, 1.0))]) == 960 / 192


@pytest.mark.parametrize(
    ("row_mm", "rows"),
    [(1.0, 20), (0.91, 20), (1.09, 20), (1.15, 23), (0.85, 17), (3.0, 60)],
)
def test_resampled_only_beyond_a_tenth(row_mm: float, rows: int) -> None:
    stack = torch.randn(2, 3, 20, 10, generator=torch.Generator().manual_seed(0))
    found = resize(stack, (row_mm, 1.0), 1.0)
    assert found.shape == (2, 3, rows, 10)
    if rows == 20:
        assert torch.equal(found, stack)


def test_resampling_keeps_the_extent_of_each_axis() -> None:
    found = resize(torch.zeros(1, 1, 17, 23), (0.5, 2.0), 1.0)
    assert found.shape == (1, 1, 8, 46)  # 8.5 mm and 46 mm
    assert resize(torch.zeros(1, 1, 1, 9), (0.01, 1.0), 1.0).shape == (1, 1, 1, 9)


def test_coarser_pixels_are_means_not_picks() -> None:
    board = torch.zeros(1, 1, 16, 16)
    board[..., ::2, ::2] = 1.0
    board[..., 1::2, 1::2] = 1.0
    found = resize(board, (1.0, 1.0), 4.0)
    assert torch.allclose(found, torch.full_like(found, 0.5), atol=0.1)


def test_labels_are_moved_up_by_one() -> None:
    scan = scan_of(np.zeros((3, 4, 5)))
    channels = np.array([[0, 1, 2, 0, 0]] * 4, dtype=np.uint8)
    found = labelled_slice(scan, AXIAL, 1, channels, 1.0)
    assert found.label.dtype == torch.uint8
    assert found.label.tolist() == [[[1, 2, 3, 1, 1]] * 4]


@pytest.mark.parametrize("plane", ALL)
def test_image_is_the_stack_of_the_slice_and_nothing_is_unknown(plane: Plane) -> None:
    volume = np.arange(4 * 5 * 6).reshape(4, 5, 6) / 10
    scan = scan_of(volume)
    wanted = scan.seen(plane, [2])[0]
    channels = np.zeros(wanted.shape[1:], dtype=np.uint8)
    found = labelled_slice(scan, plane, 2, channels, 1.0)
    assert found.image.dtype == torch.float16
    assert np.allclose(found.image.float().numpy(), wanted, atol=0.01)
    assert found.label.shape == (1, *wanted.shape[1:])
    assert (found.label == 1).all()


def test_a_flipped_label_is_taken_as_it_lies() -> None:
    label = np.zeros((4, 5), dtype=np.uint8)
    label[0, 1] = 1
    found = labelled_slice(scan_of(np.zeros((3, 4, 5))), AXIAL, 1, label[::-1, ::-1], 1.0)
    assert torch.nonzero(found.label[0] == 2).tolist() == [[3, 3]]


@pytest.mark.parametrize("target_mm", [0.4, 0.7, 1.0, 1.7, 2.5])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 2.0), (1.0, 0.6, 1.3)])
def test_label_lies_on_the_image_at_any_pixel_size(
    target_mm: float, spacing: tuple[float, float, float]
) -> None:
    truth = np.zeros((33, 47), dtype=np.uint8)
    truth[5:18, 22:41] = 1
    volume = np.repeat(truth[None].astype(np.float32), 3, axis=0)
    found = labelled_slice(scan_of(volume, spacing), AXIAL, 1, truth, target_mm)
    image, label = found.image[1].float().numpy(), found.label[0].numpy() == 2
    assert image.shape == label.shape
    wanted = centre_of_mass(truth.astype(np.float64))
    size = np.array(label.shape)
    # Half a working pixel: one pick of the nearest pixel can be off by no more.
    assert np.all(np.abs(np.subtract(centre_of_mass(image), wanted)) * size < 0.1)
    assert np.all(np.abs(np.subtract(centre_of_mass(label), wanted)) * size <= 0.51)
    assert np.abs((image > 0.5).astype(int) - label).sum() <= 2 * label.shape[0] + label.shape[1]
    assert abs(label.mean() / truth.mean() - 1) < 0.15


def test_labels_are_never_mixed() -> None:
    truth = np.zeros((20, 20), dtype=np.uint8)
    truth[:, 10:] = 3  # between 0 and 3 an interpolation would find 1 and 2
    scan = scan_of(np.zeros((3, 20, 20)))
    for target_mm in (0.37, 1.9):
        found = labelled_slice(scan, AXIAL, 1, truth, target_mm)
        assert set(found.label.unique().tolist()) == {1, 4}


def test_every_class_is_drawn_about_equally_often() -> None:
    rare = np.ones((40, 40))
    rare[2:6, 2:6] = 2
    assert (rare == 2).mean() == 0.01
    slices = [coded(40, 40, rare), coded(40, 40, np.full((40, 40), 3))]
    sampler = Sampler(slices, (8, 8), np.random.default_rng(0))
    found: Counter[int] = Counter()
    for _ in range(600):
        found[int(drawn(sampler)["label"].max())] += 1
    # 200 of each class are drawn, binomial spread 12; patches drawn for the background beside
    # the rare class show the rare class too.
    assert 150 < found[3] < 250
    assert 160 < found[2] < 280
    assert 130 < found[1] < 240


def test_a_class_of_one_pixel_in_a_hundred_slices_gets_its_share() -> None:
    plain = np.ones((16, 16))
    slices = [coded(16, 16, plain, number) for number in range(100)]
    dot = plain.copy()
    dot[9, 4] = 2
    slices[37] = coded(16, 16, dot, 37)
    sampler = Sampler(slices, (8, 8), np.random.default_rng(1))
    shown = sum(bool((drawn(sampler)["label"] == 2).any()) for _ in range(300))
    assert 115 < shown < 185  # half of them, binomial spread 8.7


def test_slices_of_a_class_are_drawn_alike() -> None:
    slices = [coded(16, 16, np.ones((16, 16)), number) for number in range(4)]
    sampler = Sampler(slices, (8, 8), np.random.default_rng(2))
    found = Counter(int(drawn(sampler)["image"][0, 0, 0]) for _ in range(400))
    assert sorted(found) == [0, 1, 2, 3]
    assert all(60 < count < 140 for count in found.values())


def test_unknown_is_no_class_to_draw() -> None:
    label = np.zeros((32, 32))
    label[4:6, 4:6] = 1
    label[28:30, 28:30] = 2
    sampler = Sampler([coded(32, 32, label)], (8, 8), np.random.default_rng(3))
    for _ in range(100):
        assert (drawn(sampler)["label"] > 0).any()


def test_patch_is_cut_from_one_place_of_image_and_label() -> None:
    rng = np.random.default_rng(4)
    label = rng.integers(1, 4, (24, 30))
    sampler = Sampler([coded(24, 30, label)], (8, 16), rng)
    corners = set()
    for _ in range(200):
        patch = drawn(sampler)
        rows, columns = patch["image"][1].int(), patch["image"][2].int()
        row, column = int(rows[0, 0]), int(columns[0, 0])
        assert patch["image"].shape == (3, 8, 16)
        assert patch["label"].shape == (1, 8, 16)
        assert torch.equal(rows[:, 0], torch.arange(row, row + 8).int())
        assert torch.equal(columns[0], torch.arange(column, column + 16).int())
        wanted = label[row : row + 8, column : column + 16]
        assert np.array_equal(patch["label"][0].numpy(), wanted)
        corners.add((row, column))
    assert max(corners)[0] == 16  # the far edge is reached
    assert min(corners)[0] == 0
    assert len(corners) > 50


@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    patch=st.tuples(st.sampled_from((8, 16, 24)), st.sampled_from((8, 16, 24))),
    seed=st.integers(0, 1000),
)
def test_drawn_patch_shows_the_drawn_class_and_padding_is_unknown(
    rows: int, columns: int, patch: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    label = np.full((rows, columns), 2)
    sampler = Sampler([coded(rows, columns, label)], patch, rng)
    shown = drawn(sampler)
    assert shown["image"].shape == (3, *patch)
    high, wide = min(rows, patch[0]), min(columns, patch[1])
    assert (shown["label"][0, :high, :wide] == 2).all()
    assert not shown["label"][0, high:].any()
    assert not shown["label"][0, :, wide:].any()
    # What is not in the slice repeats its edge; nothing from elsewhere is read.
    assert int(shown["image"][1].max()) <= rows - 1
    assert int(shown["image"][2].max()) <= columns - 1
    assert torch.equal(shown["image"][:, -1], shown["image"][:, high - 1])


@given(row=st.integers(0, 39), column=st.integers(0, 29), seed=st.integers(0, 1000))
def test_a_single_pixel_is_in_every_patch_drawn_for_it(row: int, column: int, seed: int) -> None:
    label = np.zeros((40, 30))
    label[row, column] = 2
    sampler = Sampler([coded(40, 30, label)], (8, 16), np.random.default_rng(seed))
    patch = drawn(sampler)
    places = torch.nonzero(patch["label"][0] == 2)
    assert len(places) == 1
    at = tuple(places[0].tolist())
    assert patch["image"][1:, at[0], at[1]].tolist() == [row, column]


def test_away_from_edges_the_pixel_is_in_the_middle_half() -> None:
    label = np.zeros((64, 64))
    label[31, 33] = 2
    sampler = Sampler([coded(64, 64, label)], (16, 16), np.random.default_rng(5))
    found = [torch.nonzero(drawn(sampler)["label"][0])[0].tolist() for _ in range(200)]
    assert {row for row, _ in found} == set(range(4, 12))
    assert {column for _, column in found} == set(range(4, 12))


def test_the_generator_is_the_only_source_of_chance() -> None:
    label = np.random.default_rng(6).integers(1, 4, (24, 24))

    def several(seed: int) -> torch.Tensor:
        sampler = Sampler([coded(24, 24, label)], (8, 8), np.random.default_rng(seed))
        return torch.stack([drawn(sampler)["image"] for _ in range(20)])

    first = several(7)
    torch.rand(3)
    assert torch.equal(first, several(7))
    assert not torch.equal(first, several(8))


def test_drawing_leaves_the_slices_as_they_are() -> None:
    each = coded(8, 8, np.ones((8, 8)))
    image, label = each.image.clone(), each.label.clone()
    patch = drawn(Sampler([each], (8, 8), np.random.default_rng(9)))
    patch["image"] += 1
    patch["label"] += 1
    assert torch.equal(each.image, image)
    assert torch.equal(each.label, label)


def test_patch_size_is_that_of_the_median_slice() -> None:
    shapes = [(17, 9), (5, 40), (33, 41)]
    slices = [coded(h, w, np.ones((h, w))) for h, w in shapes]
    assert patch_size(slices, 64) == (24, 40)
    assert patch_size(slices, 32) == (24, 32)
    assert patch_size(slices[:1], 64) == (24, 16)
    assert all(n % STRIDE == 0 for n in patch_size(slices, 64))
