"""What an annotated slice says of the slices beside it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from activeseg.keys import Plane
from activeseg.model.propagation import propagated
from activeseg.model.scan import Scan, axis_of
from activeseg.model.slices import BESIDE_SHARE, LabelledSlice, Sampler, labelled_slice

ALL = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)


def scan_of(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Scan:
    """A scan whose grey value says in which axial slice it lies."""
    values = np.arange(shape[0], dtype=np.float32)[:, None, None]
    return Scan(np.broadcast_to(values, shape)[None].copy(), spacing, ALL)


def square() -> np.ndarray:
    """A structure of 7 x 7 pixels in a slice of 13 x 13."""
    channels = np.zeros((13, 13), np.uint8)
    channels[3:10, 3:10] = 1
    return channels


def test_a_neighbour_is_known_but_for_what_is_near_an_edge() -> None:
    # Slices a millimetre apart: an edge may move by 1.5 mm, a pixel on either side of it.
    taught = propagated(scan_of((9, 13, 13), (1.0, 1.0, 1.0)), Plane.AXIAL, 4, square(), 1.0)
    expected = np.ones((13, 13), np.uint8)
    expected[2:11, 2:11] = 0
    # Beyond a corner of the square the next pixel is sqrt(2) away: not known either.
    expected[4:9, 4:9] = 2
    assert len(taught.beside) == 2
    for each in taught.beside:
        assert each.label[0].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("spacing", "target_mm", "away"), [(1.0, 1.0, 1), (3.0, 1.0, 1), (0.5, 1.0, 2), (0.3, 1.0, 3)]
)
def test_a_neighbour_lies_about_a_working_pixel_away(
    spacing: float, target_mm: float, away: int
) -> None:
    scan = scan_of((9, 13, 13), (spacing, 1.0, 1.0))
    taught = propagated(scan, Plane.AXIAL, 4, square(), target_mm)
    middle = [float(each.image[1, 0, 0]) for each in taught.beside]
    assert middle == [4 - away, 4 + away]


def test_thick_slices_say_less() -> None:
    # 3 mm apart, an edge may move by 4.5 mm: of a square of 7 mm nothing is left.
    taught = propagated(scan_of((9, 13, 13), (3.0, 1.0, 1.0)), Plane.AXIAL, 4, square(), 1.0)
    assert 2 not in taught.beside[0].label
    assert 2 in taught.label


def test_the_first_slice_has_one_neighbour_and_an_empty_one_none() -> None:
    scan = scan_of((9, 13, 13), (1.0, 1.0, 1.0))
    assert len(propagated(scan, Plane.AXIAL, 0, square(), 1.0).beside) == 1
    assert propagated(scan, Plane.AXIAL, 4, np.zeros((13, 13), np.uint8), 1.0).beside == ()


@given(channels=arrays(np.uint8, (6, 7), elements=st.integers(0, 2)), plane=st.sampled_from(ALL))
def test_what_is_known_is_what_was_annotated(channels: np.ndarray, plane: Plane) -> None:
    shape = [6, 7]
    shape.insert(axis_of(plane), 5)
    scan = Scan(np.zeros((1, *shape), np.float32), (1.0, 1.0, 1.0), ALL)
    taught = propagated(scan, plane, 2, channels, 1.0)
    own = labelled_slice(scan, plane, 2, channels, 1.0)
    assert torch.equal(taught.label, own.label)
    for each in taught.beside:
        known = each.label > 0
        assert torch.equal(each.label[known], own.label[known])


def test_patches_come_from_the_slice_and_from_beside_it() -> None:
    def of(number: float, label: torch.Tensor, *beside: LabelledSlice) -> LabelledSlice:
        return LabelledSlice(torch.full((4, 16, 16), number).half(), label, beside)

    both = torch.ones((1, 16, 16), dtype=torch.uint8)
    both[0, 8:] = 2
    alone = torch.ones((1, 16, 16), dtype=torch.uint8)
    # The second neighbour does not show the structure: of it no patch of the structure is taken.
    own = of(0, both, of(1, both), of(2, alone))
    sampler = Sampler([own], (8, 8), np.random.default_rng(0))
    count = Counter(float(sampler.draw().slice.image[0, 0, 0]) for _ in range(4000))
    assert count[1] / 4000 == pytest.approx(BESIDE_SHARE / 2, abs=0.03)
    assert count[2] / 4000 == pytest.approx(BESIDE_SHARE / 4, abs=0.03)
    assert count[0] / 4000 == pytest.approx(1 - BESIDE_SHARE * 3 / 4, abs=0.03)
