"""What a model sees of a volume: canonical axes, neighbouring slices, grey values without unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg.cohort import Geometry
from activeseg.errors import CohortError
from activeseg.keys import Plane
from activeseg.model.scan import CHANNELS, PLACES, Scan, axis_of, make_scan

AXIAL, CORONAL, SAGITTAL = Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL
ALL = (AXIAL, CORONAL, SAGITTAL)

# Columns are the directions of i, j, k in LPS.
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
# i to anterior, j to superior, k to the right: every axis moved, and two of them turned round.
MOVED = (0.0, 0.0, -1.0, -1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def geometry_of(
    array: np.ndarray,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    direction: tuple[float, ...] = IDENTITY,
) -> Geometry:
    """A geometry for a native array `[k, j, i]`."""
    k, j, i = array.shape
    return Geometry((i, j, k), spacing, (0.0, 0.0, 0.0), direction)


def numbered(shape: tuple[int, int, int], channels: int = 1) -> Scan:
    """A scan in which every value is its own number."""
    values = np.arange(channels * int(np.prod(shape)), dtype=np.float32)
    return Scan(values.reshape(channels, *shape), (3.0, 2.0, 0.5), ALL)


def stack(scan: Scan, plane: Plane, index: int) -> np.ndarray:
    """The grey values of what the network is shown of a slice."""
    return scan.seen(plane, [index])[0, :-PLACES]


def head(rng: np.random.Generator, air: int = 6) -> np.ndarray:
    """An MR-like cube of tissue (grey values 200 to 1000) with air, near 0, round it."""
    tissue = 600 + 120 * rng.standard_normal((16, 16, 16))
    tissue = np.clip(tissue, 200, 1000)
    return np.pad(tissue, air).astype(np.float32)


def test_axes_that_are_canonical_already_stay() -> None:
    image = np.arange(24, dtype=np.float32).reshape(2, 3, 4) * 10
    geometry = geometry_of(image, spacing=(0.5, 0.7, 3.0))
    scan = make_scan(image, geometry, "ct", (AXIAL,))
    assert scan.shape == (2, 3, 4)
    assert scan.spacing == (3.0, 0.7, 0.5)
    assert scan.planes == (AXIAL,)
    # The wide window is from -200 to 1300 HU, so nothing is cut off here.
    assert np.allclose((scan.channels[1] + 1) / 2 * 1500 - 200, image, atol=1e-3)


def test_moved_and_flipped_axes_by_hand() -> None:
    image = np.arange(24, dtype=np.float32).reshape(2, 3, 4) * 10  # [k to R, j to S, i to A]
    geometry = geometry_of(image, spacing=(0.5, 0.7, 3.0), direction=MOVED)
    scan = make_scan(image, geometry, "ct", ALL)
    assert scan.shape == (3, 4, 2)
    assert scan.spacing == (0.7, 0.5, 3.0)
    found = (scan.channels[1] + 1) / 2 * 1500 - 200
    for s in range(3):
        for p in range(4):
            for left in range(2):
                wanted = image[1 - left, s, 3 - p]
                assert found[s, p, left] == pytest.approx(wanted, abs=1e-3)


def test_pixel_size_of_each_plane() -> None:
    scan = numbered((4, 5, 6))  # 3 mm along S, 2 mm along P, 0.5 mm along L
    assert [axis_of(plane) for plane in ALL] == [0, 1, 2]
    assert scan.pixel_mm(AXIAL) == (2.0, 0.5)
    assert scan.pixel_mm(CORONAL) == (3.0, 0.5)
    assert scan.pixel_mm(SAGITTAL) == (3.0, 2.0)


def test_stack_is_the_slice_between_its_neighbours() -> None:
    scan = numbered((4, 5, 6))
    volume = scan.channels[0]
    assert np.array_equal(stack(scan, AXIAL, 2), volume[[1, 2, 3]])
    assert np.array_equal(stack(scan, CORONAL, 3), volume[:, [2, 3, 4]].transpose(1, 0, 2))
    assert np.array_equal(stack(scan, SAGITTAL, 1), volume[:, :, [0, 1, 2]].transpose(2, 0, 1))


@pytest.mark.parametrize("plane", ALL)
def test_stack_repeats_the_slice_where_a_neighbour_is_missing(plane: Plane) -> None:
    scan = numbered((4, 5, 6))
    in_front = np.moveaxis(scan.channels[0], axis_of(plane), 0)
    last = len(in_front) - 1
    assert np.array_equal(stack(scan, plane, 0), in_front[[0, 0, 1]])
    assert np.array_equal(stack(scan, plane, last), in_front[[last - 1, last, last]])


def test_stack_of_a_volume_of_one_slice() -> None:
    scan = numbered((1, 5, 6))
    assert np.array_equal(stack(scan, AXIAL, 0), scan.channels[0][[0, 0, 0]])
    assert stack(scan, CORONAL, 0).shape == (3, 1, 6)


def test_stack_keeps_the_channels_of_each_neighbour_together() -> None:
    scan = numbered((4, 5, 6), channels=2)
    wanted = [scan.channels[channel, index] for index in (1, 2, 3) for channel in (0, 1)]
    assert np.array_equal(stack(scan, AXIAL, 2), np.stack(wanted))


def test_stack_is_a_copy() -> None:
    scan = numbered((4, 5, 6))
    before = scan.channels.copy()
    stack(scan, AXIAL, 2)[:] = -1
    assert np.array_equal(scan.channels, before)


def test_ct_windows_at_known_hounsfield_units() -> None:
    units = [-1000, -200, -160, 40, 240, 550, 1300, 3000]
    image = np.array(units, dtype=np.float32).reshape(1, 1, -1)
    soft, wide = make_scan(image, geometry_of(image), "ct", (AXIAL,)).channels[:, 0, 0]
    assert soft == pytest.approx([-1, -1, -1, 0, 1, 1, 1, 1], abs=1e-6)
    at_40, at_240 = 2 * 240 / 1500 - 1, 2 * 440 / 1500 - 1
    wanted = [-1, -1, 2 * 40 / 1500 - 1, at_40, at_240, 0, 1, 1]
    assert wide == pytest.approx(wanted, abs=1e-6)


def test_ct_with_offset_is_ct_moved_by_1024() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(-1024, 2000, (3, 4, 5)).astype(np.float32)
    geometry = geometry_of(image)
    plain = make_scan(image, geometry, "ct", ALL)
    moved = make_scan(image + 1024, geometry, "ct-offset", ALL)
    assert np.array_equal(plain.channels, moved.channels)
    assert not np.array_equal(plain.channels, make_scan(image + 1024, geometry, "ct", ALL).channels)


@pytest.mark.parametrize("modality", sorted(CHANNELS))
def test_channels_as_promised_and_contiguous(modality: str) -> None:
    image = np.random.default_rng(0).normal(0, 300, (3, 4, 5)).astype(np.float32)
    geometry = geometry_of(image, direction=MOVED)
    scan = make_scan(image, geometry, modality, ALL)
    assert scan.channels.shape == (CHANNELS[modality], 4, 5, 3)
    assert scan.channels.dtype == np.float32
    assert scan.channels.flags.c_contiguous


def test_unknown_modality_is_refused_in_one_line() -> None:
    image = np.zeros((2, 2, 2), dtype=np.float32)
    with pytest.raises(CohortError) as refused:
        make_scan(image, geometry_of(image), "pet", (AXIAL,))
    message = str(refused.value)
    assert "'pet'" in message
    assert all(name in message for name in CHANNELS)
    assert "\n" not in message


def test_robust_z_score_by_hand() -> None:
    # 0.05 x the range is below 100, so 0 is air; of 100, 200, 300, 400, 500 the quartiles are 200
    # and 400, the median 300.
    image = np.repeat(np.array([0, 100, 200, 300, 400, 500], dtype=np.float32), 4)
    image = image.reshape(2, 3, 4)
    scan = make_scan(image, geometry_of(image), "mr", (AXIAL,))
    wanted = (image - 300) / (200 / 1.349)
    assert np.allclose(scan.channels[0], wanted, atol=1e-5)


def test_very_bright_voxels_neither_move_the_scale_nor_leave_the_range() -> None:
    image = head(np.random.default_rng(1))
    spoilt = image.copy()
    spoilt[10, 10, 10:14] = 60_000
    geometry = geometry_of(image)
    plain = make_scan(image, geometry, "mr", ALL).channels
    bright = make_scan(spoilt, geometry, "mr", ALL).channels
    others = spoilt == image
    assert np.abs(plain[0][others] - bright[0][others]).max() < 0.05
    assert np.allclose(bright[0][~others], 5.0)
    assert np.abs(bright).max() <= 5.0


@given(
    scale=st.floats(0.01, 100.0),
    shift=st.floats(-1000.0, 1000.0),
)
def test_robust_z_score_does_not_depend_on_scale_and_shift(scale: float, shift: float) -> None:
    image = head(np.random.default_rng(2), air=2).astype(np.float64)
    geometry = geometry_of(image)
    plain = make_scan(image, geometry, "mr", ALL).channels
    other = make_scan((image * scale + shift * scale).astype(np.float32), geometry, "mr", ALL)
    assert np.abs(plain - other.channels).max() < 0.02


@pytest.mark.parametrize("more", [1, 4, 10])
def test_robust_z_score_does_not_depend_on_how_much_air_there_is(more: int) -> None:
    image = head(np.random.default_rng(3), air=2)
    wider = np.pad(image, more)
    plain = make_scan(image, geometry_of(image), "mr", ALL).channels[0]
    other = make_scan(wider, geometry_of(wider), "mr", ALL).channels[0]
    inside = other[more:-more, more:-more, more:-more]
    # A plain z-score, or one whose quartiles count the air, is off by far more than 1.
    assert np.abs(plain - inside).max() < 0.02


def test_robust_z_score_of_a_small_body_in_much_air() -> None:
    rng = np.random.default_rng(5)
    image = np.abs(rng.normal(0, 5, (40, 40, 40))).astype(np.float32)  # noisy, as air is
    tissue = 600 + 120 * rng.standard_normal((10, 10, 8))
    image[:10, :10, :8] = tissue  # 1.25 % of the voxels
    channel = make_scan(image, geometry_of(image), "mr", ALL).channels[0, :10, :10, :8]
    assert np.abs(channel - (tissue - 600) / 120).max() < 0.3


def test_robust_z_score_of_tissue_is_centred_with_unit_spread() -> None:
    image = head(np.random.default_rng(4))
    channel = make_scan(image, geometry_of(image), "mr", ALL).channels[0]
    tissue = channel[image > 100]
    assert abs(float(np.median(tissue))) < 0.01
    assert 0.9 < float(tissue.std()) < 1.1


def test_constant_mr_is_zero() -> None:
    image = np.full((3, 3, 3), 7.0, dtype=np.float32)
    assert not make_scan(image, geometry_of(image), "mr", ALL).channels.any()


def test_two_grey_values_stay_finite() -> None:
    image = np.zeros((4, 4, 4), dtype=np.float32)
    image[1:3] = 100.0
    channel = make_scan(image, geometry_of(image), "mr", ALL).channels
    assert np.isfinite(channel).all()
    assert channel[0, 1, 0, 0] > channel[0, 0, 0, 0]


def test_a_slice_is_seen_with_its_places() -> None:
    scan = Scan(np.zeros((2, 3, 5, 9), np.float32), (1.0, 1.0, 1.0), (AXIAL,))
    seen = scan.seen(AXIAL, [2])[0]
    assert seen.shape == (3 * 2 + PLACES, 5, 9)
    assert (seen[6] == 1).all()  # the last of three slices
    assert np.allclose(seen[7], np.linspace(-1, 1, 5)[:, None])
    assert np.allclose(seen[8], np.linspace(-1, 1, 9)[None])
    sagittal = scan.seen(SAGITTAL, [0])[0]
    assert sagittal.shape == (9, 3, 5)
    assert np.allclose(sagittal[6], np.array([-1, 0, 1])[:, None])
    assert np.allclose(sagittal[7], np.linspace(-1, 1, 5)[None])
    assert (sagittal[8] == -1).all()


@pytest.mark.parametrize("plane", [AXIAL, CORONAL, SAGITTAL])
def test_a_part_of_a_part_knows_its_place_in_the_whole(plane: Plane) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1, 6, 7, 8)).astype(np.float32)
    scan = Scan(values, (1.0, 1.0, 1.0), (plane,))
    part = scan.part((slice(1, 6), slice(None), slice(2, 8)))
    part = part.part((slice(1, 4), slice(3, 6), slice(1, 4)))
    assert part.corner == (2, 3, 3)
    axis = axis_of(plane)
    inside = [slice(2, 5), slice(3, 6), slice(3, 6)]
    index = inside.pop(axis).start + 1
    wanted = scan.seen(plane, [index])[(..., *inside)]
    assert np.array_equal(part.seen(plane, [1]), wanted)


def test_a_single_voxel_lies_in_the_middle() -> None:
    scan = Scan(np.zeros((1, 1, 1, 1), np.float32), (1.0, 1.0, 1.0), (AXIAL,))
    assert scan.seen(AXIAL, [0])[0, 3:].tolist() == [[[0.0]]] * 3


def test_a_scan_keeps_what_is_stored_and_shows_parts_of_it_as_the_whole():
    image = np.random.default_rng(3).integers(-1000, 2000, (5, 6, 7)).astype(np.int16)
    scan = make_scan(image, geometry_of(image), "ct", ALL)
    assert scan.stored.dtype == np.int16
    assert np.shares_memory(scan.stored, image)
    whole = scan.channels
    part = scan.part(np.s_[1:4, 2:6, 0:3])
    assert np.array_equal(part.channels, whole[:, 1:4, 2:6, 0:3])
    for plane in ALL:
        seen = scan.seen(plane, [2, 4])
        shown = np.moveaxis(whole, axis_of(plane) + 1, 0)
        last = len(shown) - 1
        wanted = [shown[[1, 2, 3]], shown[[3, 4, min(5, last)]]]
        assert np.array_equal(seen[:, :6], np.reshape(wanted, (2, 6, *shown.shape[2:])))
