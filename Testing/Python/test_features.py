"""Frozen features of slices: the same for everyone, telling slices apart before any training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from activeseg.keys import Plane
from activeseg.model.features import (
    slice_centrality,
    slice_features,
    slice_information,
    texture_energy,
)
from activeseg.model.scan import Scan, axis_of

AXIAL, CORONAL, SAGITTAL = Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL
ALL = (AXIAL, CORONAL, SAGITTAL)


def scan_of(volume: np.ndarray) -> Scan:
    return Scan(volume[None].astype(np.float32), (1.0, 1.0, 1.0), ALL)


def noise(shape: tuple[int, int, int], channels: int = 1) -> Scan:
    values = np.random.default_rng(0).normal(size=(channels, *shape)).astype(np.float32)
    return Scan(values, (1.0, 1.0, 1.0), ALL)


def body() -> np.ndarray:
    """Ten slices: air, a textured disc that grows, and air again."""
    rng = np.random.default_rng(1)
    row, column = np.mgrid[:40, :40] - 20
    volume = np.full((10, 40, 40), -1.0)
    for index in range(2, 8):
        disc = row**2 + column**2 < (4 + 2 * index) ** 2
        volume[index][disc] = rng.normal(0.5, 0.3, int(disc.sum()))
    return volume


@pytest.mark.parametrize("plane", ALL)
def test_one_row_of_features_a_slice(plane: Plane) -> None:
    scan = noise((5, 9, 12))
    found = slice_features(scan, plane)
    assert found.shape[0] == scan.shape[axis_of(plane)]
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert len(np.unique(found, axis=0)) == len(found)  # noise: no two slices alike


def test_number_of_features_depends_on_the_channels_alone() -> None:
    wide = slice_features(noise((3, 50, 70)), AXIAL).shape[1]
    # 16 cells of a grid: their grey value, and 24 filters at two scales.
    assert wide == 16 * (1 + 2 * 24)
    assert slice_features(noise((3, 9, 200)), SAGITTAL).shape[1] == wide
    assert slice_features(noise((1, 64, 64)), AXIAL).shape[1] == wide
    assert slice_features(noise((3, 20, 20), channels=2), AXIAL).shape[1] == 16 * (2 + 2 * 24)


def test_features_are_the_same_each_time_and_touch_no_state() -> None:
    scan = noise((4, 20, 20))
    state = torch.get_rng_state()
    first = slice_features(scan, AXIAL)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert np.array_equal(first, slice_features(scan, AXIAL))


def test_features_of_a_slice_do_not_depend_on_the_others() -> None:
    scan = noise((6, 20, 20))
    part = Scan(scan.channels[:, 2:4], scan.spacing, scan.planes)
    assert np.allclose(
        slice_features(scan, AXIAL)[2:4], slice_features(part, AXIAL), rtol=1e-4, atol=1e-5
    )


def test_rows_are_in_canonical_order() -> None:
    volume = np.zeros((3, 4, 5))
    volume[:, 2] = 7.0
    found = slice_features(scan_of(volume), CORONAL)
    assert int(np.argmax(found[:, :16].mean(axis=1))) == 2
    assert found[2, :16] == pytest.approx(7.0, abs=1e-4)


def test_grey_values_are_kept_where_they_lie() -> None:
    volume = np.zeros((1, 64, 64))
    volume[0, :16, 48:] = 1.0  # the upper right cell of the 4 x 4 grid
    grid = slice_features(scan_of(volume), AXIAL)[0, :16].reshape(4, 4)
    wanted = np.zeros((4, 4))
    wanted[0, 3] = 1.0
    assert np.allclose(grid, wanted, atol=1e-5)


def test_like_slices_are_nearer_than_unlike_ones() -> None:
    found = slice_features(scan_of(body()), AXIAL)
    assert np.array_equal(found[0], found[1])  # air and air

    def apart(one: int, other: int) -> float:
        return float(np.linalg.norm(found[one] - found[other]))

    assert apart(6, 7) < apart(3, 7)
    assert apart(0, 3) < apart(0, 7)


def test_filters_see_texture_not_brightness() -> None:
    flat = slice_features(scan_of(np.stack([np.zeros((64, 64)), np.full((64, 64), 3.0)])), AXIAL)
    inner = (slice(None), slice(16, None))
    cells = flat[inner].reshape(2, -1, 4, 4)[:, :, 1:3, 1:3]  # the rim sees the padding
    assert np.allclose(cells, 0, atol=1e-4)
    board = np.indices((64, 64)).sum(axis=0) // 4 % 2
    rough = slice_features(scan_of(board[None]), AXIAL)
    assert rough[inner].reshape(1, -1, 4, 4)[:, :, 1:3, 1:3].max() > 0.1


def test_another_field_of_view_keeps_the_shape() -> None:
    volume = body()
    wider = np.pad(volume, ((0, 0), (6, 2), (3, 11)), constant_values=-1.0)
    narrow, wide = slice_features(scan_of(volume), AXIAL), slice_features(scan_of(wider), AXIAL)
    assert narrow.shape == wide.shape
    assert not np.allclose(narrow[5], wide[5], atol=0.01)
    assert np.isfinite(wide).all()


def test_air_has_next_to_no_information() -> None:
    found = slice_information(scan_of(body()), AXIAL)
    assert found.shape == (10,)
    assert found.dtype == np.float32
    assert found[[0, 1, 8, 9]] == pytest.approx(0, abs=1e-6)
    assert int(np.argmax(found)) == 7
    assert found[7] == 1
    assert np.all(np.diff(found[2:8]) > 0)


def test_faint_noise_in_air_is_little_information() -> None:
    volume = body() + np.random.default_rng(2).normal(0, 0.005, (10, 40, 40))
    found = slice_information(scan_of(volume), AXIAL)
    assert found[[0, 1, 8, 9]].max() < 0.05


def test_information_counts_steps_by_hand() -> None:
    volume = np.zeros((3, 2, 4))
    volume[0] = [[0, 1, 2, 3], [0, 1, 2, 3]]  # columns 1 apart, rows alike
    volume[1] = [[0, 0, 0, 0], [3, 3, 3, 3]]  # rows 3 apart, columns alike
    volume[2] = [[0, 1, 2, 3], [1, 2, 3, 4]]  # both 1 apart
    found = slice_information(scan_of(volume), AXIAL)
    assert found == pytest.approx([1 / 3, 1, 2 / 3])


@pytest.mark.parametrize("plane", ALL)
def test_information_in_each_plane(plane: Plane) -> None:
    volume = np.zeros((6, 6, 6))
    one_slice = np.moveaxis(volume, axis_of(plane), 0)[4]
    one_slice[:] = np.random.default_rng(3).normal(size=(6, 6))
    found = slice_information(scan_of(volume), plane)
    assert found == pytest.approx([0, 0, 0, 0, 1, 0])


def test_information_of_a_volume_of_nothing_is_even() -> None:
    assert slice_information(scan_of(np.zeros((4, 5, 6))), AXIAL).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("plane", ALL)
def test_volume_of_one_slice(plane: Plane) -> None:
    scan = noise((1, 8, 9))
    found = slice_information(scan, plane)
    assert found.shape == (scan.shape[axis_of(plane)],)
    assert np.isfinite(found).all()
    assert np.isfinite(slice_features(scan, plane)).all()


def test_centrality_by_hand() -> None:
    assert slice_centrality(1).tolist() == [1]
    assert slice_centrality(4).tolist() == pytest.approx([1 / 16, 9 / 16, 9 / 16, 1 / 16])
    assert slice_centrality(5).tolist() == pytest.approx([0.04, 0.36, 1, 0.36, 0.04])


def test_texture_energy_is_that_of_the_filters_at_each_scale() -> None:
    scan = noise((3, 20, 20), channels=2)
    features = slice_features(scan, AXIAL)
    found = texture_energy(features)
    # Behind the grey values of 16 cells in two channels, 24 filters on 16 cells at each scale.
    assert found[:, 0] == pytest.approx(features[:, 32 : 32 + 384].mean(axis=1))
    assert found[:, 1] == pytest.approx(features[:, 32 + 384 :].mean(axis=1))
    smoother = replace(scan, stored=uniform_filter(scan.channels, (1, 3, 3, 3)))
    assert (texture_energy(slice_features(smoother, AXIAL)) < found).all()
    assert not texture_energy(slice_features(scan_of(np.zeros((2, 9, 9))), AXIAL)).any()
