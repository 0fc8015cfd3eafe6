"""Partly annotated volumes: what is known lies where it was annotated, the rest is unknown."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from activeseg.keys import Plane
from activeseg.model import volumes as module
from activeseg.model.scan import Scan, axis_of
from activeseg.model.volumes import Lesson, grey_volume, labelled_volume, places_at

AXIAL, SAGITTAL = Plane.AXIAL, Plane.SAGITTAL


def scan_of(
    shape: tuple[int, int, int], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> Scan:
    """A scan whose every voxel has its own grey value."""
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape) / 64
    return Scan(values, spacing, tuple(Plane))


def lesson(plane: Plane, index: int, truth: np.ndarray) -> Lesson:
    return Lesson(plane, index, np.take(truth, index, axis_of(plane)))


def box_in(shape: tuple[int, int, int]) -> np.ndarray:
    """One structure in the middle."""
    truth = np.zeros(shape, np.uint8)
    truth[tuple(slice(n // 4, n - n // 4) for n in shape)] = 1
    return truth


def test_slices_of_two_planes_lie_where_they_cross() -> None:
    truth = box_in((6, 8, 10))
    found = labelled_volume(
        scan_of((6, 8, 10)), [lesson(AXIAL, 2, truth), lesson(SAGITTAL, 7, truth)], False
    )
    wanted = np.zeros((6, 8, 10), np.uint8)
    wanted[2] = truth[2] + 1
    wanted[:, :, 7] = truth[:, :, 7] + 1
    assert found.corner == (0, 0, 0)
    np.testing.assert_array_equal(found.label.numpy(), wanted)
    np.testing.assert_array_equal(found.image.numpy(), scan_of((6, 8, 10)).channels.astype("f2"))


def test_only_what_a_block_can_reach_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REACH", 2)
    truth = box_in((12, 8, 10))
    found = labelled_volume(scan_of((12, 8, 10)), [lesson(AXIAL, 5, truth)], False)
    assert (found.corner, found.whole) == ((3, 0, 0), (12, 8, 10))
    assert tuple(found.label.shape) == (5, 8, 10)
    np.testing.assert_array_equal(found.label[2].numpy(), truth[5] + 1)
    assert not found.label[[0, 1, 3, 4]].any()
    assert torch.equal(
        found.image[0], torch.from_numpy(scan_of((12, 8, 10)).channels[0, 3:8]).half()
    )


def test_of_a_coarser_grid_the_middle_pixel_is_known_and_grey_values_are_means() -> None:
    scan = scan_of((4, 6, 5), (1.0, 1.0, 1.0)).on_grid(2.0)
    assert (scan.step, scan.shape) == ((2, 2, 2), (2, 3, 3))
    truth = np.random.default_rng(0).integers(0, 3, (4, 6, 5)).astype(np.uint8)
    found = labelled_volume(scan, [lesson(AXIAL, 3, truth)], False)
    assert not found.label[0].any()
    # The last voxel along L reaches beyond the stored ones: there is no middle, so the last.
    np.testing.assert_array_equal(found.label[1].numpy(), truth[3][1::2][:, [1, 3, 4]] + 1)
    stored = scan.channels[0]
    for s, p, left in np.ndindex(2, 3, 3):
        part = stored[2 * s : 2 * s + 2, 2 * p : 2 * p + 2, 2 * left : 2 * left + 2]
        assert float(grey_volume(scan)[0, s, p, left]) == pytest.approx(part.mean(), rel=1e-5)


def test_grey_values_do_not_depend_on_how_many_slices_are_made_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = scan_of((7, 5, 9)).on_grid(2.0)
    whole = grey_volume(scan)
    monkeypatch.setattr(module, "STORED_SLICES", 1)
    assert torch.equal(grey_volume(scan), whole)
    assert tuple(whole.shape) == (1, *scan.shape)


@given(st.tuples(*[st.integers(0, 5)] * 3), st.tuples(*[st.integers(1, 5)] * 3))
def test_a_part_has_the_grey_values_of_the_whole(
    first: tuple[int, int, int], size: tuple[int, int, int]
) -> None:
    scan = scan_of((11, 12, 13)).on_grid(2.0)
    box = tuple(
        slice(min(a, n - 1), min(a + b, n)) for a, b, n in zip(first, size, scan.shape, strict=True)
    )
    part = grey_volume(scan.part(box))
    assert torch.allclose(part, grey_volume(scan)[(slice(None), *box)], rtol=1e-5)


# Propagation


def test_neighbours_are_known_but_for_edges_and_never_against_an_annotation() -> None:
    truth = box_in((9, 16, 16))
    scan = scan_of((9, 16, 16))
    empty = np.zeros_like(truth)
    found = labelled_volume(scan, [lesson(AXIAL, 4, truth), lesson(AXIAL, 5, empty)], True).label
    np.testing.assert_array_equal(found[5].numpy(), np.ones((16, 16)))  # as annotated
    assert not found[[0, 1, 2, 6, 7, 8]].any()  # a slice without structures says nothing
    beside = found[3].numpy()
    assert beside[8, 8] == 2
    assert beside[0, 0] == 1
    # Rows 4 to 11 are the structure: an edge may move by 1.5 mm.
    assert beside[8, 3:5].tolist() == [0, 0]
    assert beside[8, [2, 5]].tolist() == [1, 2]


def test_of_thick_slices_more_near_an_edge_is_unknown() -> None:
    truth = box_in((9, 16, 16))
    found = labelled_volume(scan_of((9, 16, 16), (3.0, 1.0, 1.0)), [lesson(AXIAL, 4, truth)], True)
    row = found.label[3, 8].tolist()
    assert [value for value in row if value == 2] == []  # 8 mm across, 4.5 from each edge
    assert found.label[3, 8, 0] == 0  # 4 pixels from the edge
    assert found.label[3, 0, 0] == 1  # across the corner it is farther
    assert found.label[4, 8].tolist() == (truth[4, 8] + 1).tolist()


# Places


def test_places_by_hand() -> None:
    voxels = torch.tensor([[0.0, 0.0, 0.0], [2.0, 3.0, 0.0], [1.0, 9.0, -4.0]])
    found = places_at(voxels, (5, 4, 1))
    np.testing.assert_allclose(found, [[-1, -1, 0], [0, 1, 0], [-0.5, 1, 0]])


def test_places_are_those_that_slices_are_shown() -> None:
    scan = scan_of((5, 4, 6))
    voxels = torch.stack(
        torch.meshgrid(*[torch.arange(n).float() for n in scan.shape], indexing="ij"), dim=-1
    )
    seen = scan.seen(AXIAL, [3])[0, -3:]
    np.testing.assert_allclose(places_at(voxels, scan.shape)[3].movedim(-1, 0), seen, atol=1e-6)
