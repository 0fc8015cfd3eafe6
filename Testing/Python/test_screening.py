"""Copies, noise, broken slices and slices without body, found in images made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from activeseg.cohort.images import read_image_file
from activeseg.representativeness.body import NO_BODY, body_shares, body_voxels
from activeseg.representativeness.screening import (
    SAME_IMAGE,
    SIDE,
    autocorrelation,
    broken_slices,
    duplicates,
    fingerprint,
    noise_like,
    thumbnail,
)


def smooth(seed: int, shape: tuple[int, int, int] = (24, 40, 36)) -> np.ndarray:
    """A scan of nothing: blurred noise."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return ndimage.gaussian_filter(noise, 2.0).astype(np.float32)


def white(seed: int, shape: tuple[int, int, int] = (24, 40, 36)) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# Thumbnails


def test_a_thumbnail_is_the_mean_of_blocks() -> None:
    volume = np.arange(4 * 2 * 3, dtype=np.float32).reshape(4, 2, 3)
    np.testing.assert_allclose(
        thumbnail(volume, (2, 1, 3))[:, 0], [[4.5, 5.5, 6.5], [16.5, 17.5, 18.5]]
    )


def test_a_thumbnail_repeats_what_is_smaller() -> None:
    volume = np.array([1.0, 2.0], dtype=np.float32).reshape(2, 1, 1)
    np.testing.assert_array_equal(
        thumbnail(volume, (4, 1, 2))[:, 0], [[1, 1], [1, 1], [2, 2], [2, 2]]
    )


@given(st.lists(st.integers(1, 9), min_size=6, max_size=6))
def test_a_thumbnail_stays_within_the_values(sides: list[int]) -> None:
    volume = white(0, (sides[0], sides[1], sides[2]))
    small = thumbnail(volume, (sides[3], sides[4], sides[5]))
    assert small.shape == tuple(sides[3:])
    assert volume.min() - 1e-6 <= small.min()
    assert small.max() <= volume.max() + 1e-6


# Copies


def prints(*volumes: np.ndarray) -> np.ndarray:
    return np.stack([fingerprint(volume) for volume in volumes])


def test_copies_point_at_the_first_of_them() -> None:
    a, b = smooth(1), smooth(2)
    found = duplicates(prints(a, b, a, 3 * b + 100, a))
    assert found.tolist() == [-1, -1, 0, 1, 0]


@given(st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_scale_and_offset_make_no_other_image(scale: float, offset: float) -> None:
    a = smooth(1)
    first, second = prints(a, (scale * a.astype(np.float64) + offset * scale))
    assert first @ second > 0.999


def test_the_same_image_saved_with_less_precision_is_the_same() -> None:
    a = smooth(1)
    low, high = a.min(), a.max()
    in_bytes = np.rint(255 * (a - low) / (high - low))
    assert duplicates(prints(a, in_bytes)).tolist() == [-1, 0]


def test_a_turned_and_a_moved_image_are_others() -> None:
    a = smooth(1)
    assert duplicates(prints(a, a[::-1], np.roll(a, 4, axis=1))).tolist() == [-1, -1, -1]


def test_bodies_of_one_outline_are_told_apart_by_what_is_in_them() -> None:
    """Body against air alone would correlate by more than 0.999."""
    row, column = np.mgrid[:40, :36]
    outline = (((row - 20) / 18) ** 2 + ((column - 18) / 16) ** 2 < 1) * 1000.0
    first, second = (outline + 235 * smooth(seed) for seed in (1, 2))
    small = [thumbnail(each, (SIDE, SIDE, SIDE)).ravel() for each in (first, second)]
    assert np.corrcoef(*small)[0, 1] > 0.999
    assert duplicates(prints(first, second)).tolist() == [-1, -1]


def test_volumes_without_contrast_are_no_copies_of_each_other() -> None:
    flat = np.full((8, 8, 8), 7.0, dtype=np.float32)
    assert not fingerprint(flat).any()
    assert duplicates(prints(flat, flat, flat + 1)).tolist() == [-1, -1, -1]
    assert duplicates(np.zeros((0, SIDE**3), dtype=np.float32)).tolist() == []


def test_no_two_patients_are_copies(real_data: Path) -> None:
    files = sorted((real_data / "msd_hippocampus" / "images").iterdir())[:40]
    volumes = [read_image_file(file)[0].astype(np.float32) for file in files]
    own = prints(*volumes)
    assert (duplicates(own) == -1).all()
    others = own @ own.T - 2 * np.eye(len(own))
    assert others.max() < SAME_IMAGE - 0.3  # 0.53 among all 200
    assert duplicates(np.concatenate([own, prints(2 * volumes[3] + 5)])).tolist()[-1] == 3


# Noise


def test_autocorrelation_of_a_chequerboard_a_ramp_and_nothing() -> None:
    board = np.indices((6, 6, 6)).sum(axis=0) % 2
    assert autocorrelation(board.astype(np.float32)) == pytest.approx(-1)
    ramp = np.broadcast_to(np.arange(6.0)[:, None, None], (6, 6, 6)).astype(np.float32)
    assert autocorrelation(ramp) == pytest.approx(1)
    assert autocorrelation(np.full((4, 4, 4), 3.0)) == 0
    assert autocorrelation(np.zeros((1, 1, 1))) == 0


def test_noise_has_none_and_blurred_noise_much() -> None:
    assert abs(autocorrelation(white(0))) < 0.03
    assert autocorrelation(smooth(0)) > 0.8


def test_structure_along_one_axis_is_structure() -> None:
    """Thick slices have nothing to do with each other, and still are images."""
    stack = np.stack([smooth(seed, (1, 60, 60))[0] for seed in range(12)])
    assert autocorrelation(stack) > 0.8


def test_noise_is_found_by_itself_and_among_others() -> None:
    assert noise_like(np.array([0.9, 0.02, 0.95, -0.1])).tolist() == [False, True, False, True]
    # Alone in the cohort too.
    assert noise_like(np.array([0.01])).tolist() == [True]
    assert noise_like(np.array([])).tolist() == []
    # 0.45 is little beside 0.9, and nothing strange in a cohort of noisy scans.
    assert noise_like(np.array([0.9, 0.9, 0.45])).tolist() == [False, False, True]
    assert noise_like(np.array([0.5, 0.5, 0.45])).tolist() == [False, False, False]
    # Whatever the cohort is like, 0.55 is an image.
    assert noise_like(np.array([0.99, 0.99, 0.55])).tolist() == [False, False, False]


@given(st.lists(st.floats(0.5, 1), min_size=1, max_size=9))
def test_no_image_is_noise(values: list[float]) -> None:
    assert not noise_like(np.array(values)).any()


# Broken slices


def stack() -> np.ndarray:
    """Twenty slices that change slowly."""
    noise = np.random.default_rng(3).normal(size=(20, 48, 40))
    return (1000 * ndimage.gaussian_filter(noise, (4, 2, 2))).astype(np.float32)


def broken(changed: np.ndarray) -> list[int]:
    return np.flatnonzero(broken_slices(changed)).tolist()


def test_an_ordinary_stack_has_no_broken_slice() -> None:
    assert broken(stack()) == []
    assert broken(stack()[:1]) == []
    assert broken(stack()[:2]) == []


@pytest.mark.parametrize("at", [0, 1, 7, 19])
def test_a_constant_slice_is_broken(at: int) -> None:
    changed = stack()
    changed[at] = 12.0
    assert broken(changed) == [at]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_run_of_noise_is_broken_and_its_neighbours_are_not(count: int) -> None:
    changed = stack()
    changed[7 : 7 + count] = 100 * white(1, (count, 48, 40))
    assert broken(changed) == list(range(7, 7 + count))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_slices_that_were_mostly_lost_are_broken(count: int) -> None:
    changed = stack()
    lost = np.random.default_rng(0).random((count, 48, 40)) < 0.7
    changed[7 : 7 + count][lost] = 0.0
    assert broken(changed) == list(range(7, 7 + count))


def test_a_slice_of_which_a_third_was_lost_is_none_of_it() -> None:
    changed = stack()
    changed[7][:16] = 0.0
    assert broken(changed) == []


def test_a_bright_line_breaks_nothing() -> None:
    changed = stack()
    changed[7, 20] = 5 * changed.max()
    assert broken(changed) == []


def test_air_round_a_body_that_grows_breaks_nothing() -> None:
    """Most of a slice may be one value where this is so in the neighbourhood."""
    row, column = np.mgrid[:48, :40]
    changed = np.zeros((20, 48, 40), dtype=np.float32)
    for index in range(20):
        inside = (row - 24) ** 2 + (column - 20) ** 2 < (4 + index) ** 2
        changed[index][inside] = 100 + stack()[index][inside]
    assert broken(changed) == []


def test_another_part_of_the_body_is_where_slices_change_and_no_fault() -> None:
    changed = np.concatenate([stack()[:10], 100 * smooth(8, (10, 48, 40))])
    assert broken(changed) == []


def test_slices_of_any_size_are_looked_at() -> None:
    changed = np.repeat(np.repeat(stack(), 5, axis=1), 7, axis=2)
    changed[4] = 100 * white(1, (1, 240, 280))[0]
    changed[9] = 3.0
    assert broken(changed) == [4, 9]


# Where the body is


def scanner(body: slice) -> np.ndarray:
    """Hounsfield units: a body on a couch of two thin shells, which goes on where it ends."""
    _, p, left = np.ogrid[:40, :128, :128]
    volume = np.random.default_rng(0).normal(-1000, 15, (40, 128, 128))
    inside = ((p - 60) / 38) ** 2 + ((left - 64) / 50) ** 2 < 1
    volume[body] = np.where(inside, 40.0, volume[body])
    for row in (103, 109):
        volume[:, row : row + 2, 10:118] = -50.0
    return volume.astype(np.float32)


def seen(volume: np.ndarray, air: float = -500.0) -> list[list[int]]:
    """First and last slice with a body along each axis."""
    small = thumbnail(volume, tuple(min(64, count) for count in volume.shape))
    found = [np.flatnonzero(each >= NO_BODY) for each in body_shares(small, volume.shape, air)]
    return [[int(each[0]), int(each[-1])] for each in found]


def test_couch_and_air_are_no_body() -> None:
    # Blocks of two voxels: 22 to 98 and 14 to 114 are where the body ends.
    assert seen(scanner(slice(8, 30))) == [[8, 29], [22, 97], [14, 113]]


def test_a_volume_full_of_body_is_all_body() -> None:
    assert seen(np.full((3, 70, 20), 30.0)) == [[0, 2], [0, 69], [0, 19]]


def test_where_there_is_no_body_nothing_is_said() -> None:
    assert seen(np.full((3, 5, 4), -1000.0)) == [[0, 2], [0, 4], [0, 3]]


def test_both_legs_are_body_and_a_speck_is_not() -> None:
    bright = np.zeros((30, 40, 40), dtype=bool)
    bright[:, 10:22, 4:16] = True
    bright[:, 10:22, 24:34] = True
    bright[2:5, 34:37, 18:21] = True
    found = body_voxels(bright)
    assert np.flatnonzero(found.any(axis=(0, 1))).tolist() == [*range(4, 16), *range(24, 34)]


def test_what_is_thin_everywhere_is_body_all_the_same() -> None:
    bright = np.zeros((10, 20, 20), dtype=bool)
    bright[:, 5:7, 3:17] = True
    np.testing.assert_array_equal(body_voxels(bright), bright)
