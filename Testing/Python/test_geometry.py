"""Planes, canonical arrays and pictures of hand-made and random geometries."""

from __future__ import annotations

import json
import math
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.cohort import Geometry, picture, picture_spacing, take_slice
from activeseg.errors import CohortError
from activeseg.keys import Plane

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
AXIAL, CORONAL, SAGITTAL = Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL
ALL = (AXIAL, CORONAL, SAGITTAL)

# Columns are the directions of i, j, k. A coronal acquisition runs i to the left, j to inferior,
# k to posterior; a sagittal one i to posterior, j to inferior, k to the left.
CORONAL_ACQUISITION = (1, 0, 0, 0, 0, 1, 0, -1, 0)
SAGITTAL_ACQUISITION = (0, 0, 1, 1, 0, 0, 0, -1, 0)


def geometry(size=(4, 5, 6), spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=IDENTITY):
    return Geometry(size, spacing, origin, tuple(float(c) for c in direction))


def rotation(axis, degrees):
    """The matrix that turns about one LPS axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    a, b = [n for n in range(3) if n != axis]
    matrix = np.eye(3)
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix


def point(geo, kji):
    """The physical point (LPS mm) of a native voxel: origin + direction (index x spacing)."""
    ijk = np.asarray(kji[::-1], dtype=float)
    cosines = np.asarray(geo.direction).reshape(3, 3)
    return np.asarray(geo.origin) + cosines @ (ijk * np.asarray(geo.spacing))


def numbered(geo):
    """A native array in which every voxel holds its own number."""
    return np.arange(math.prod(geo.shape)).reshape(geo.shape)


def test_axial_acquisition_of_hand():
    geo = geometry(size=(4, 5, 6), spacing=(0.5, 0.7, 3.0))
    assert geo.shape == (6, 5, 4)
    assert [geo.array_axis(plane) for plane in ALL] == [0, 1, 2]
    assert [geo.plane_of(axis) for axis in range(3)] == list(ALL)
    assert [geo.slice_count(plane) for plane in ALL] == [6, 5, 4]
    assert [geo.thickness(plane) for plane in ALL] == [3.0, 0.7, 0.5]
    assert geo.slice_spacing(AXIAL) == (0.7, 0.5)
    assert geo.slice_spacing(CORONAL) == (3.0, 0.5)
    assert geo.slice_spacing(SAGITTAL) == (3.0, 0.7)
    assert geo.canonical_shape == (6, 5, 4)
    assert geo.canonical_spacing == (3.0, 0.7, 0.5)
    array = numbered(geo)
    assert np.array_equal(geo.to_canonical(array), array)


def test_coronal_acquisition_of_hand():
    geo = geometry(size=(4, 5, 6), spacing=(0.5, 0.7, 3.0), direction=CORONAL_ACQUISITION)
    # k runs to posterior (array axis 0), j to inferior (array axis 1), i to the left.
    assert [geo.array_axis(plane) for plane in ALL] == [1, 0, 2]
    assert [geo.plane_of(axis) for axis in range(3)] == [CORONAL, AXIAL, SAGITTAL]
    assert geo.acquisition_plane is CORONAL
    assert geo.planes("auto") == (CORONAL,)
    assert geo.canonical_shape == (5, 6, 4)
    assert geo.canonical_spacing == (0.7, 3.0, 0.5)
    array = numbered(geo)
    assert np.array_equal(geo.to_canonical(array), array.transpose(1, 0, 2)[::-1])
    # The first row of the file is the most superior one, thus the last canonical slice.
    assert geo.canonical_index(AXIAL, 0) == 4
    assert geo.native_index(AXIAL, 4) == 0
    assert geo.canonical_index(CORONAL, 2) == 2


def test_sagittal_acquisition_of_hand():
    geo = geometry(size=(4, 5, 6), spacing=(0.5, 0.7, 3.0), direction=SAGITTAL_ACQUISITION)
    assert [geo.array_axis(plane) for plane in ALL] == [1, 2, 0]
    assert geo.acquisition_plane is SAGITTAL
    array = numbered(geo)
    # canonical (s, p, l) = native [k = l, j from the other end = s, i = p]
    assert geo.to_canonical(array)[1, 2, 3] == array[3, 5 - 1 - 1, 2]
    assert geo.canonical_spacing == (0.7, 0.5, 3.0)


@pytest.mark.parametrize("flips", list(product((1, -1), repeat=3)))
def test_flips_turn_each_axis_alone(flips):
    geo = geometry(direction=np.diag(flips).ravel())
    array = numbered(geo)
    x, y, z = flips
    assert np.array_equal(geo.to_canonical(array), array[::z, ::y, ::x])
    assert geo.canonical_index(AXIAL, 1) == (1 if z > 0 else 4)
    assert geo.canonical_index(CORONAL, 1) == (1 if y > 0 else 3)
    assert geo.canonical_index(SAGITTAL, 1) == (1 if x > 0 else 2)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("degrees", [30, -30, 44])
def test_oblique_volumes_keep_the_nearest_planes(axis, degrees):
    geo = geometry(direction=rotation(axis, degrees).ravel())
    assert [geo.array_axis(plane) for plane in ALL] == [0, 1, 2]
    array = numbered(geo)
    assert np.array_equal(geo.to_canonical(array), array)


def test_turning_by_60_degrees_exchanges_two_planes():
    geo = geometry(direction=rotation(0, 60).ravel())
    assert [geo.array_axis(plane) for plane in ALL] == [1, 0, 2]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("noise", [0.0, 1e-6, -1e-6])
def test_ties_at_45_degrees_give_a_permutation_that_rounding_cannot_change(axis, noise):
    geo = geometry(direction=rotation(axis, 45 + noise).ravel())
    assert [geo.array_axis(plane) for plane in ALL] == [0, 1, 2]


@pytest.mark.parametrize(
    ("about_i", "axes"),
    [
        # cosines [[.75 .65 .13] [.43 .63 .65] [.50 .43 .75]]: i-L, j-P, k-S sum to 2.13
        (30, [0, 1, 2]),
        # cosines [[.75 .66 .05] [.43 .44 .79] [.50 .61 .61]]: i-L, k-P, j-S sum to 2.15
        (45, [1, 0, 2]),
    ],
)
def test_two_axes_nearest_to_left_still_get_a_plane_each(about_i, axes):
    direction = rotation(2, 30) @ rotation(1, 30) @ rotation(0, about_i)
    assert list(np.abs(direction).argmax(axis=0))[:2] == [0, 0]  # i and j: both left
    geo = geometry(direction=direction.ravel())
    assert [geo.array_axis(plane) for plane in ALL] == axes


@pytest.mark.parametrize(
    ("spacing", "plane"),
    [
        ((1.0, 1.0, 5.0), AXIAL),  # thick slices
        ((3.9, 3.9, 2.5), AXIAL),  # thin slices of coarse pixels
        ((5.0, 1.0, 1.0), SAGITTAL),
        ((1.0, 0.4, 1.0), CORONAL),
        ((1.0, 1.0, 1.0), AXIAL),  # isotropic: array axis 0
        ((1.0, 1.0, 1.001), AXIAL),  # isotropic but for rounding
        ((1.0, 1.001, 1.0), AXIAL),
        ((1.0, 2.0, 4.0), AXIAL),  # thick and thin stand out alike: the thick one
        ((4.0, 2.0, 1.0), SAGITTAL),
    ],
)
def test_acquisition_plane(spacing, plane):
    assert geometry(spacing=spacing).acquisition_plane is plane


def test_isotropic_volume_cuts_array_axis_0_in_its_own_anatomy():
    assert geometry(direction=SAGITTAL_ACQUISITION).acquisition_plane is SAGITTAL


def test_plane_policies():
    thick, fine = geometry(spacing=(1.0, 1.0, 2.0)), geometry(spacing=(1.0, 1.0, 1.99))
    assert not thick.near_isotropic
    assert fine.near_isotropic
    assert thick.planes("auto") == (AXIAL,)
    assert fine.planes("auto") == ALL
    assert thick.planes("all") == ALL
    assert thick.planes("sagittal") == (SAGITTAL,)
    with pytest.raises(CohortError, match="no plane policy 'oblique'; expected auto, axial"):
        thick.planes("oblique")


@pytest.mark.parametrize("plane", ALL)
@pytest.mark.parametrize("index", [-1, 6])
def test_slices_beyond_the_volume_are_refused(plane, index):
    geo = geometry(size=(6, 6, 6))
    with pytest.raises(CohortError, match=f"no {plane} slice {index}; the volume has 0 to 5"):
        take_slice(numbered(geo), geo, plane, index)


def landmarks(direction):
    """A volume whose voxel values tell S, P, L by the digits: 100 S + 10 P + L (canonical)."""
    geo = geometry(size=(3, 3, 3), direction=direction)
    s, p, left = np.indices((3, 3, 3))
    return geo.from_canonical(100 * s + 10 * p + left), geo


@pytest.mark.parametrize(
    "direction",
    [
        np.array(flips)[:, None] * np.eye(3)[list(order)]
        for order in permutations(range(3))
        for flips in product((1, -1), repeat=3)
    ],
)
def test_pictures_look_the_same_in_all_48_orientations(direction):
    array, geo = landmarks(direction.ravel())
    views = {
        plane: picture(
            take_slice(array, geo, plane, geo.native_index(plane, 1)), geo, plane
        ).tolist()
        for plane in ALL
    }
    # rows anterior -> posterior, columns right -> left
    assert views[AXIAL] == [[100, 101, 102], [110, 111, 112], [120, 121, 122]]
    # rows superior -> inferior, columns right -> left
    assert views[CORONAL] == [[210, 211, 212], [110, 111, 112], [10, 11, 12]]
    # rows superior -> inferior, columns anterior -> posterior
    assert views[SAGITTAL] == [[201, 211, 221], [101, 111, 121], [1, 11, 21]]


def test_picture_spacing_follows_the_picture():
    geo = geometry(size=(4, 5, 6), spacing=(0.5, 0.7, 3.0), direction=SAGITTAL_ACQUISITION)
    # i posterior 0.5, j inferior 0.7, k left 3.0
    assert picture_spacing(geo, AXIAL) == (0.5, 3.0)
    assert picture_spacing(geo, CORONAL) == (0.7, 3.0)
    assert picture_spacing(geo, SAGITTAL) == (0.7, 0.5)
    array = numbered(geo)
    shapes = {plane: picture(take_slice(array, geo, plane, 0), geo, plane).shape for plane in ALL}
    assert shapes == {AXIAL: (4, 6), CORONAL: (5, 6), SAGITTAL: (5, 4)}


def test_slices_and_pictures_are_views_that_write_through():
    geo = geometry(direction=CORONAL_ACQUISITION)
    array = np.zeros(geo.shape, dtype=np.uint8)
    picture(take_slice(array, geo, SAGITTAL, 2), geo, SAGITTAL)[:] = 7
    assert np.array_equal(np.argwhere(array == 7)[:, 2], np.full(30, 2))
    geo.to_canonical(array)[:] = 1
    assert array.min() == array.max() == 1


def test_json_keeps_every_digit():
    geo = geometry(
        spacing=(0.1 + 0.2, 1 / 3, 2.5),
        origin=(-1e-9, 1e5 / 3, 0),
        direction=rotation(1, 30).ravel(),
    )
    assert Geometry.from_json(json.loads(json.dumps(geo.to_json()))) == geo


@pytest.mark.parametrize(
    "damage",
    [{"size": None}, {"size": [1, 2]}, {"spacing": ["a", 1, 1]}, {"direction": [1, 0, 0]}],
)
def test_damaged_records_are_refused(damage):
    with pytest.raises(CohortError, match="a recorded geometry"):
        Geometry.from_json(geometry().to_json() | damage)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": (4, 5, 7)}, "size 4 x 5 x 7 instead of 4 x 5 x 6 voxels"),
        ({"spacing": (1.0, 1.0, 1.01)}, "spacing 1 x 1 x 1.01 instead of 1 x 1 x 1 mm"),
        ({"origin": (0.0, 0.5, 0.0)}, "origin (0, 0.5, 0) instead of (0, 0, 0) mm"),
        ({"direction": rotation(0, 1).ravel()}, "direction (1, 0, 0, 0, 0.9998, -0.01745"),
    ],
)
def test_mismatch_names_what_differs(change, words):
    assert geometry(**change).mismatch(geometry()).startswith(words)


def test_mismatch_overlooks_rounding_relative_to_the_spacing():
    rounded = geometry(origin=(0.0009, 0.0, 0.0), spacing=(1.0, 1.0, 1.0009))
    assert rounded.mismatch(geometry()) is None
    coarse, shifted = (
        geometry(spacing=(9.0,) * 3),
        geometry(spacing=(9.0,) * 3, origin=(0.008, 0, 0)),
    )
    assert shifted.mismatch(coarse) is None
    assert geometry(origin=(0.008, 0, 0)).mismatch(geometry()) is not None


@st.composite
def geometries(draw):
    order = draw(st.permutations(range(3)))
    flips = draw(st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3))
    angles = draw(st.tuples(*[st.floats(-25, 25)] * 3))
    turn = rotation(0, angles[0]) @ rotation(1, angles[1]) @ rotation(2, angles[2])
    direction = turn @ (np.eye(3)[:, list(order)] * np.asarray(flips))
    spacing = draw(st.tuples(*[st.floats(0.1, 10)] * 3))
    origin = draw(st.tuples(*[st.floats(-500, 500)] * 3))
    size = draw(st.tuples(*[st.integers(1, 5)] * 3))
    return geometry(size, spacing, origin, direction.ravel())


@settings(max_examples=150, deadline=None)
@given(geometries())
def test_canonical_and_back_is_the_same_array(geo):
    array = numbered(geo)
    canonical = geo.to_canonical(array)
    assert canonical.shape == geo.canonical_shape
    assert np.shares_memory(canonical, array)
    assert np.array_equal(geo.from_canonical(canonical), array)
    assert sorted(geo.array_axis(plane) for plane in ALL) == [0, 1, 2]
    assert all(geo.array_axis(geo.plane_of(axis)) == axis for axis in range(3))


@settings(max_examples=150, deadline=None)
@given(geometries(), st.data())
def test_canonical_slices_are_native_slices(geo, data):
    array = numbered(geo)
    canonical = geo.to_canonical(array)
    for axis, plane in enumerate(ALL):
        index = data.draw(st.integers(0, geo.slice_count(plane) - 1))
        there = geo.canonical_index(plane, index)
        assert geo.native_index(plane, there) == index
        native = take_slice(array, geo, plane, index)
        assert set(native.ravel()) == set(canonical.take(there, axis).ravel())
        rows = picture(native, geo, plane)
        assert np.array_equal(rows if plane is AXIAL else rows[::-1], canonical.take(there, axis))


@settings(max_examples=150, deadline=None)
@given(geometries())
def test_canonical_axes_lead_to_superior_posterior_left(geo):
    """One step along a canonical axis moves the physical point that way, by the spacing."""
    array = numbered(geo)
    canonical = geo.to_canonical(array)
    start = np.unravel_index(canonical[0, 0, 0], geo.shape)
    for axis, (lps, plane) in enumerate(zip((2, 1, 0), ALL, strict=True)):
        if canonical.shape[axis] < 2:
            continue
        stepped = [0, 0, 0]
        stepped[axis] = 1
        end = np.unravel_index(canonical[tuple(stepped)], geo.shape)
        moved = point(geo, end) - point(geo, start)
        assert moved[lps] > 0
        assert np.linalg.norm(moved) == pytest.approx(geo.canonical_spacing[axis])
        assert geo.thickness(plane) == geo.canonical_spacing[axis]
