"""Maps smoothed by a narrow Gaussian."""

from __future__ import annotations

import math

import numpy as np
import pytest

from activeseg.model import smoothing
from activeseg.model.smoothing import smoothed


def test_a_point_is_spread_over_its_neighbours_along_each_axis() -> None:
    maps = np.zeros((1, 3, 3, 3), dtype=np.float32)
    maps[0, 1, 1, 1] = 1.0
    found = smoothed(maps, 0.6, (1.0, 1.0, 1.0))[0]
    beside = math.exp(-0.5 / 0.36)
    share = beside / (1 + 2 * beside)
    line = np.array([share, 1 - 2 * share, share])
    wanted = line[:, None, None] * line[None, :, None] * line[None, None, :]
    assert found == pytest.approx(wanted, abs=1e-6)


def test_edges_are_repeated_and_sums_stay() -> None:
    draw = np.random.default_rng(3)
    maps = draw.random((3, 4, 5, 6)).astype(np.float32)
    maps /= maps.sum(axis=0)
    found = smoothed(maps.copy(), 0.7, (1.0, 1.0, 1.0))
    assert found.sum(axis=0) == pytest.approx(np.ones((4, 5, 6)), abs=1e-5)
    assert found.sum() == pytest.approx(maps.sum(), rel=1e-5)
    even = np.full((2, 3, 1, 2), 0.5, dtype=np.float32)
    assert smoothed(even.copy(), 0.6, (1.0, 1.0, 1.0)) == pytest.approx(even)


def test_thick_slices_are_not_smoothed_into_each_other() -> None:
    maps = np.zeros((1, 3, 1, 3), dtype=np.float32)
    maps[0, 1, 0, 1] = 1.0
    found = smoothed(maps, 0.6, (3.0, 1.0, 1.0))[0, :, 0]
    assert found[[0, 2]].tolist() == [[0.0] * 3] * 2
    assert 0 < found[1, 0] < found[1, 1] < 1


def test_part_by_part_is_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = np.random.default_rng(5).random((2, 7, 5, 6)).astype(np.float32)
    whole = smoothed(maps.copy(), 0.6, (1.5, 1.0, 0.5))
    for voxels in (1, 31, 70):
        monkeypatch.setattr(smoothing, "_AT_ONCE", voxels)
        assert smoothed(maps.copy(), 0.6, (1.5, 1.0, 0.5)) == pytest.approx(whole, abs=1e-6)
