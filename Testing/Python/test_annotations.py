"""Masks of one slice: what is kept lies where it lay in the volume; what does not fit is refused.

Every volume here has three different sizes, so that exchanged axes cannot go unnoticed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK

from activeseg.annotations import check_mask, read_mask, read_slice, write_slice
from activeseg.cohort import CohortVolume, take_slice, write_image, write_label
from activeseg.errors import AnnotationError
from activeseg.keys import Plane, SliceKey
from small_cohort import GEOMETRIES, STRUCTURES

PLANES = list(Plane)
EVERY_WAY = pytest.mark.parametrize(
    ("name", "plane"), [(name, plane) for name in GEOMETRIES for plane in PLANES]
)


def labels(geometry, seed=0):
    """A whole label volume of 0, 1 and 4 in which no two slices are alike."""
    return np.random.default_rng(seed).choice(np.array([0, 1, 4], np.uint8), geometry.shape)


def volume(name, tmp_path):
    return CohortVolume(name, tmp_path / "none.nii.gz", None, GEOMETRIES[name], "ct")


def itk(array, geometry):
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image


@EVERY_WAY
def test_a_kept_slice_reads_back_and_lies_where_it_lay(tmp_path, name, plane):
    geometry = GEOMETRIES[name]
    array = labels(geometry)
    whole = itk(array, geometry)
    for index in (0, 2, geometry.slice_count(plane) - 1):
        key = SliceKey(name, plane, index)
        path = tmp_path / f"{index}.seg.nrrd"
        write_slice(path, take_slice(array, geometry, plane, index), geometry, key, STRUCTURES)
        read = read_slice(path, geometry, key)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, take_slice(array, geometry, plane, index))
        image = SimpleITK.ReadImage(str(path))
        cells = np.ndindex(*image.GetSize())
        for i, j, k in cells:
            point = image.TransformIndexToPhysicalPoint((i, j, k))
            there = whole.TransformPhysicalPointToIndex(point)
            exact = whole.TransformIndexToPhysicalPoint(there)
            np.testing.assert_allclose(point, exact, atol=1e-6)
            assert image[i, j, k] == whole[there]
        axis = 2 - geometry.array_axis(plane)
        assert image.GetSize()[axis] == 1


@EVERY_WAY
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_of_a_whole_volume_only_the_slice_is_taken(tmp_path, name, plane, suffix):
    geometry = GEOMETRIES[name]
    array = labels(geometry)
    key = SliceKey(name, plane, 2)
    expected = take_slice(array, geometry, plane, 2).copy()
    # What lies outside the slice is nobody's business, not even values that are no structure's.
    outside = np.full(geometry.shape, 99, np.uint8)
    take_slice(outside, geometry, plane, 2)[:] = expected
    path = tmp_path / f"mask{suffix}"
    write_label(path, outside, geometry)
    read = read_mask(path, volume(name, tmp_path), key, STRUCTURES)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, expected)


@EVERY_WAY
def test_a_slice_alone_is_taken_where_it_lies_and_nowhere_else(tmp_path, name, plane):
    geometry = GEOMETRIES[name]
    key, other = SliceKey(name, plane, 2), SliceKey(name, plane, 3)
    mask = take_slice(labels(geometry), geometry, plane, 2)
    named, plain = tmp_path / "named.seg.nrrd", tmp_path / "plain.nrrd"
    write_slice(named, mask, geometry, key, STRUCTURES)
    write_slice(plain, mask, geometry, key, ())  # as any program may write it: without names
    for path in (named, plain):
        np.testing.assert_array_equal(
            read_mask(path, volume(name, tmp_path), key, STRUCTURES), mask
        )
        with pytest.raises(AnnotationError, match=r"slices 2 to 2 only|does not lie on this slice"):
            read_mask(path, volume(name, tmp_path), other, STRUCTURES)


@EVERY_WAY
def test_a_two_dimensional_image_is_taken_in_the_order_of_the_file(tmp_path, name, plane):
    geometry = GEOMETRIES[name]
    key = SliceKey(name, plane, 1)
    mask = take_slice(labels(geometry), geometry, plane, 1)
    path = tmp_path / "mask.png"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ascontiguousarray(mask)), str(path))
    np.testing.assert_array_equal(read_mask(path, volume(name, tmp_path), key, STRUCTURES), mask)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.ascontiguousarray(mask.T)), str(path))
    if mask.shape != mask.T.shape:
        with pytest.raises(AnnotationError, match="rows x columns"):
            read_mask(path, volume(name, tmp_path), key, STRUCTURES)


def write_segments(path, array, geometry, names, first=(0, 0, 0)):
    """A segmentation as 3D Slicer writes it; `first` is the first voxel (i, j, k) kept."""
    i, j, k = first
    image = itk(array, geometry)[i:, j:, k:]
    for number, (value, name) in enumerate(names.items()):
        image.SetMetaData(f"Segment{number}_ID", f"Segment_{number + 1}")
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
        image.SetMetaData(f"Segment{number}_Layer", "0")
    SimpleITK.WriteImage(image, str(path), useCompression=True)


@EVERY_WAY
@pytest.mark.parametrize("first", [(0, 0, 0), (1, 0, 1), (2, 1, 0)])
def test_segments_are_known_by_name_whole_or_cropped(tmp_path, name, plane, first):
    geometry = GEOMETRIES[name]
    array = labels(geometry)
    i, j, k = first
    array[:k], array[:, :j], array[:, :, :i] = 0, 0, 0
    theirs = np.zeros_like(array)  # 3D Slicer numbers segments in the order of their making
    theirs[array == 1], theirs[array == 4] = 2, 1
    path = tmp_path / "Segmentation.seg.nrrd"
    write_segments(path, theirs, geometry, {1: "Spleen", 2: "liver"}, first)
    for index in (2, geometry.slice_count(plane) - 1):
        read = read_mask(path, volume(name, tmp_path), SliceKey(name, plane, index), STRUCTURES)
        np.testing.assert_array_equal(read, take_slice(array, geometry, plane, index))


@EVERY_WAY
@pytest.mark.parametrize("turned", [(2,), (0, 1), (0, 1, 2)], ids=str)
def test_axes_may_run_the_other_way_round_in_the_file(tmp_path, name, plane, turned):
    """As 3D Slicer writes what belongs to a left-handed image: the same voxels elsewhere."""
    geometry = GEOMETRIES[name]
    array = labels(geometry)

    def write(path, block, first):
        """Store axes i (0), j (1), k (2) backwards; the first voxel is the last one then."""
        image = itk(block, geometry)
        ends = [block.shape[2 - axis] - 1 if axis in turned else 0 for axis in range(3)]
        place = [int(a + b) for a, b in zip(first, ends, strict=True)]
        signs = [-1 if axis in turned else 1 for axis in range(3)]
        stored = itk(np.flip(block, [2 - axis for axis in turned]).copy(), geometry)
        stored.SetOrigin(image.TransformIndexToPhysicalPoint(place))
        cosines = np.asarray(geometry.direction).reshape(3, 3) * signs
        stored.SetDirection(cosines.ravel().tolist())
        for number, structure in enumerate(STRUCTURES if path.name.count(".") > 1 else ()):
            stored.SetMetaData(f"Segment{number}_Name", structure.name)
            stored.SetMetaData(f"Segment{number}_LabelValue", str(structure.value))
        SimpleITK.WriteImage(stored, str(path))

    cropped = array.copy()
    cropped[:1], cropped[:, :1], cropped[:, :, :1] = 0, 0, 0
    key = SliceKey(name, plane, 2)
    wanted = take_slice(array, geometry, plane, 2)
    axis = geometry.array_axis(plane)
    alone = np.take(array, [2], axis=axis)
    first = [0, 0, 0]
    first[2 - axis] = 2
    for path, block, begins, expected in (
        (tmp_path / "whole.nrrd", array, (0, 0, 0), wanted),
        (tmp_path / "alone.nrrd", alone, first, wanted),
        (tmp_path / "alone.seg.nrrd", alone, first, wanted),
        (
            tmp_path / "cropped.seg.nrrd",
            cropped[1:, 1:, 1:],
            (1, 1, 1),
            take_slice(cropped, geometry, plane, 2),
        ),
    ):
        write(path, block, begins)
        read = read_mask(path, volume(name, tmp_path), key, STRUCTURES)
        np.testing.assert_array_equal(read, expected, err_msg=path.name)


def test_a_cropped_segmentation_that_ends_before_the_slice_is_not_an_empty_mask(tmp_path):
    geometry = GEOMETRIES["plain"]
    path = tmp_path / "s.seg.nrrd"
    write_segments(path, np.zeros(geometry.shape, np.uint8), geometry, {1: "liver"}, (0, 0, 3))
    with pytest.raises(AnnotationError, match="holds axial slices 3 to 6 only"):
        read_mask(path, volume("plain", tmp_path), SliceKey("plain", PLANES[0], 2), STRUCTURES)


def test_a_segmentation_without_a_painted_voxel_is_an_empty_mask(tmp_path):
    """3D Slicer saves it as one voxel that lies nowhere, with or without segments."""
    path = tmp_path / "s.seg.nrrd"
    key = SliceKey("oblique", Plane.AXIAL, 2)

    def write(value, **fields):
        image = SimpleITK.GetImageFromArray(np.full((1, 1, 1), value, np.uint8))
        for name, text in fields.items():
            image.SetMetaData(name, text)
        SimpleITK.WriteImage(image, str(path))

    def read():
        return read_mask(path, volume("oblique", tmp_path), key, STRUCTURES)

    slicers = {"Segmentation_MasterRepresentation": "Binary labelmap"}
    for fields in (slicers, {**slicers, "Segment0_Name": "liver", "Segment0_LabelValue": "1"}):
        write(0, **fields)
        assert read().shape == (6, 5)
        assert not read().any()
        write(1, **fields)  # painted, so its place counts
        with pytest.raises(AnnotationError, match="does not lie on the volume"):
            read()
    write(0)  # anybody's image of one voxel
    with pytest.raises(AnnotationError, match="does not lie on the volume"):
        read()


def test_a_segment_that_is_no_structure_is_refused_only_where_it_is_painted(tmp_path):
    geometry = GEOMETRIES["plain"]
    array = np.zeros(geometry.shape, np.uint8)
    array[1, 2, 3] = 1
    array[4, 0, 0] = 2
    array[5, 0, 0] = 7
    path = tmp_path / "s.seg.nrrd"
    write_segments(path, array, geometry, {1: "liver", 2: "kidney"})

    def read(index):
        key = SliceKey("plain", Plane.AXIAL, index)
        return read_mask(path, volume("plain", tmp_path), key, STRUCTURES)

    assert np.argwhere(read(1)).tolist() == [[2, 3]]
    with pytest.raises(AnnotationError, match="segment 'kidney' is no structure"):
        read(4)
    with pytest.raises(AnnotationError, match="label value 7 belongs to no segment"):
        read(5)


def test_an_exact_name_goes_before_one_that_differs_in_case(tmp_path):
    geometry = GEOMETRIES["plain"]
    structures = [replace(STRUCTURES[0], name="l"), replace(STRUCTURES[1], name="L")]
    array = np.zeros(geometry.shape, np.uint8)
    array[0, 0, :2] = 1, 2
    path = tmp_path / "s.seg.nrrd"
    write_segments(path, array, geometry, {1: "l", 2: "L"})
    read = read_mask(path, volume("plain", tmp_path), SliceKey("plain", Plane.AXIAL, 0), structures)
    assert read[0, :3].tolist() == [1, 4, 0]


def test_overlapping_segments_are_refused(tmp_path):
    geometry = GEOMETRIES["plain"]
    image = itk(np.zeros(geometry.shape, np.uint8), geometry)
    path = tmp_path / "layers.seg.nrrd"
    SimpleITK.WriteImage(SimpleITK.Compose(image, image), str(path))
    with pytest.raises(AnnotationError, match="2 components"):
        read_mask(path, volume("plain", tmp_path), SliceKey("plain", PLANES[0], 0), STRUCTURES)


def refused(tmp_path, path, match, index=0):
    """The message: one line that names the slice."""
    key = SliceKey("plain", Plane.AXIAL, index)
    with pytest.raises(AnnotationError, match=match) as caught:
        read_mask(path, volume("plain", tmp_path), key, STRUCTURES)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(key))
    assert caught.value.key == str(key)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"spacing": (1.0, 1.0, 1.01)}, "spacing 1 x 1 x 1.01 instead of 1 x 1 x 1"),
        ({"origin": (0.0, 0.5, 0.0)}, "origin"),
        ({"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)}, "direction"),
        ({"size": (5, 6, 8)}, "size 5 x 6 x 8 instead of 5 x 6 x 7"),
    ],
)
def test_a_label_image_of_another_grid_is_refused(tmp_path, change, match):
    geometry = replace(GEOMETRIES["plain"], **change)
    path = tmp_path / "mask.nrrd"
    write_label(path, np.zeros(geometry.shape, np.uint8), geometry)
    refused(tmp_path, path, f"does not lie on the volume: {match}")
    write_segments(path, np.zeros(geometry.shape, np.uint8), geometry, {1: "liver"}, (0, 1, 0))
    refused(tmp_path, path, "grid|beyond the volume")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.float32([0, 0.5]), "fractions, NaN or infinity"),
        (np.float32([0, np.nan]), "fractions, NaN or infinity"),
        (np.float64([1, np.inf]), "fractions, NaN or infinity"),
        (np.int16([1, -1]), "label value -1 in the mask; expected 0 or 1 .liver., 4 .spleen."),
        (np.uint16([1, 257]), "label value 257"),
        (np.float32([1, 300]), "label value 300"),
        (np.uint8([2, 4]), "label value 2"),
    ],
)
def test_values_that_are_no_labels_are_refused(tmp_path, values, match):
    geometry = GEOMETRIES["plain"]
    array = np.zeros(geometry.shape, values.dtype)
    array[3, 2, 1:3] = values
    path = tmp_path / "mask.nrrd"
    write_image(path, array, geometry)
    refused(tmp_path, path, match, index=3)
    # Only that slice is looked at.
    key = SliceKey("plain", Plane.AXIAL, 2)
    assert not read_mask(path, volume("plain", tmp_path), key, STRUCTURES).any()


def test_whole_numbers_in_any_type_are_labels(tmp_path):
    geometry = GEOMETRIES["plain"]
    for dtype in (np.int8, np.uint16, np.int32, np.float32, np.float64):
        path = tmp_path / "mask.mha"
        write_image(path, np.full(geometry.shape, 4, dtype), geometry)
        key = SliceKey("plain", Plane.AXIAL, 2)
        assert (read_mask(path, volume("plain", tmp_path), key, STRUCTURES) == 4).all()


def test_what_is_no_image_is_refused(tmp_path):
    refused(tmp_path, tmp_path / "nowhere.nrrd", "no file")
    refused(tmp_path, tmp_path, "no file")
    for name in ("empty.nrrd", "text.nii.gz", "text.png", "text.txt"):
        (tmp_path / name).write_bytes(b"" if name.startswith("empty") else b"hello\n" * 50)
        refused(tmp_path, tmp_path / name, "not an image that can be read")
    colour = SimpleITK.GetImageFromArray(np.zeros((6, 5, 3), np.uint8), isVector=True)
    SimpleITK.WriteImage(colour, str(tmp_path / "colour.png"))
    refused(tmp_path, tmp_path / "colour.png", "3 components")
    film = SimpleITK.JoinSeries([itk(np.zeros((7, 6, 5), np.uint8), GEOMETRIES["plain"])] * 2)
    SimpleITK.WriteImage(film, str(tmp_path / "film.nii.gz"))
    refused(tmp_path, tmp_path / "film.nii.gz", "4 dimensions")
    waves = SimpleITK.RealAndImaginaryToComplex(*[SimpleITK.Image(5, 6, 7, 8)] * 2)
    SimpleITK.WriteImage(waves, str(tmp_path / "waves.mha"))
    refused(tmp_path, tmp_path / "waves.mha", "complex|components")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_of_a_file_cut_short_nothing_wrong_is_taken(tmp_path, suffix):
    geometry = replace(GEOMETRIES["plain"], size=(30, 31, 32))
    array = labels(geometry)
    path = tmp_path / f"mask{suffix}"
    write_label(path, array, geometry)
    whole = path.read_bytes()
    where = CohortVolume("plain", path, None, geometry, "ct")
    for part in (0.1, 0.3, 0.5, 0.52, 0.7, 0.97):
        path.write_bytes(whole[: int(part * len(whole))])
        answers = []
        for index in (0, 16, 31):
            try:
                read = read_mask(path, where, SliceKey("plain", Plane.AXIAL, index), STRUCTURES)
            except AnnotationError as error:
                answers.append(str(error))
            else:
                np.testing.assert_array_equal(read, array[index])
        assert any("cut short" in answer for answer in answers)  # at least the last slice is
        assert all("\n" not in answer for answer in answers)


@pytest.mark.parametrize("index", [-1, 7, 1000])
def test_a_slice_that_the_volume_has_not_is_refused(tmp_path, index):
    geometry = GEOMETRIES["plain"]
    key = SliceKey("plain", Plane.AXIAL, index)
    mask = np.zeros((6, 5), np.uint8)
    with pytest.raises(AnnotationError, match="axial slices 0 to 6"):
        read_mask(tmp_path / "any", volume("plain", tmp_path), key, STRUCTURES)
    with pytest.raises(AnnotationError, match="axial slices 0 to 6"):
        check_mask(mask, geometry, key, STRUCTURES)
    with pytest.raises(AnnotationError, match="axial slices 0 to 6"):
        write_slice(tmp_path / "a.seg.nrrd", mask, geometry, key, STRUCTURES)
    assert list(tmp_path.iterdir()) == []


def test_a_mask_in_memory_is_checked_like_a_file():
    geometry = GEOMETRIES["plain"]
    key = SliceKey("plain", Plane.CORONAL, 0)
    mask = np.zeros((7, 5), bool)
    mask[1, 1] = True
    checked = check_mask(mask, geometry, key, STRUCTURES)
    assert checked.dtype == np.uint8
    assert checked[1, 1] == 1
    with pytest.raises(
        AnnotationError, match=r"5 x 7 voxels .rows x columns.; the slice has 7 x 5"
    ):
        check_mask(mask.T, geometry, key, STRUCTURES)
    with pytest.raises(AnnotationError, match="expected labels"):
        check_mask(np.full((7, 5), "liver"), geometry, key, STRUCTURES)


def test_a_kept_slice_names_its_structures_for_people(tmp_path):
    geometry = GEOMETRIES["plain"]
    path = tmp_path / "a.seg.nrrd"
    key = SliceKey("plain", Plane.SAGITTAL, 3)
    write_slice(path, np.zeros((7, 6), np.uint8), geometry, key, STRUCTURES)
    image = SimpleITK.ReadImage(str(path))
    assert image.GetMetaData("Segment0_Name") == "liver"
    assert image.GetMetaData("Segment0_LabelValue") == "1"
    assert image.GetMetaData("Segment1_Name") == "spleen"
    assert image.GetMetaData("Segment1_LabelValue") == "4"
    assert image.GetMetaData("Segmentation_ReferenceImageExtentOffset") == "3 0 0"
    assert image.GetMetaData("Segment1_Extent") == "0 0 0 5 0 6"


def test_a_disk_that_keeps_less_than_was_written_is_noticed(tmp_path, monkeypatch):
    geometry = GEOMETRIES["plain"]
    path = tmp_path / "a.seg.nrrd"
    write = SimpleITK.WriteImage

    def damage(image, name, **options):
        write(image * 0, name, **options)

    monkeypatch.setattr(SimpleITK, "WriteImage", damage)
    key = SliceKey("plain", Plane.AXIAL, 3)
    with pytest.raises(AnnotationError, match="nothing was accepted"):
        write_slice(path, np.ones((6, 5), np.uint8), geometry, key, STRUCTURES)
    assert list(tmp_path.iterdir()) == []


def test_a_kept_file_that_is_gone_or_another_is_refused(tmp_path):
    geometry = GEOMETRIES["plain"]
    key, other = (SliceKey("plain", Plane.AXIAL, n) for n in (3, 4))
    path = tmp_path / "a.seg.nrrd"
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_slice(path, geometry, key)
    write_slice(path, np.ones((6, 5), np.uint8), geometry, key, STRUCTURES)
    with pytest.raises(AnnotationError, match="lies elsewhere than the slice: origin"):
        read_slice(path, geometry, other)
    flat = SimpleITK.GetImageFromArray(np.ones((6, 5), np.uint8))
    SimpleITK.WriteImage(flat, str(path))
    with pytest.raises(AnnotationError, match="not a one-slice label image"):
        read_slice(path, geometry, key)
