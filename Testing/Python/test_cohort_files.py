"""Reading and writing image files, and what is refused in them."""

from __future__ import annotations

import gzip
import math
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from activeseg.cohort import Geometry, read_image_file, write_image, write_label
from activeseg.errors import CohortError

COS, SIN = math.cos(math.radians(30)), math.sin(math.radians(30))
OBLIQUE = (COS, -SIN, 0.0, SIN, COS, 0.0, 0.0, 0.0, 1.0)
FLIPPED = (-1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
GEO = Geometry((4, 5, 6), (0.5, 0.75, 2.5), (-10.0, 20.0, 3.5), IDENTITY)


def values(geo=GEO, seed=0):
    return np.random.default_rng(seed).integers(-900, 900, geo.shape).astype(np.int16)


def nifti_bytes(
    array=None,
    pixdim=(1.0, 1.0, 2.0),
    sform=None,
    dim=None,
    order="<",
    datatype=(4, 16),
    magic=b"n+1\0",
):
    """A NIfTI-1 file made by hand, so that it may say what no library would write."""
    array = values() if array is None else array
    dim = (3, *array.shape[::-1]) if dim is None else dim
    header = bytearray(352)
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, *dim, *[1] * (8 - len(dim)))
    struct.pack_into(order + "2h", header, 70, *datatype)
    struct.pack_into(order + f"{len(pixdim) + 1}f", header, 76, 1.0, *pixdim)
    struct.pack_into(order + "3f", header, 108, 352.0, 1.0, 0.0)
    header[123] = 2  # millimetres
    struct.pack_into(order + "2h", header, 252, 1, 0 if sform is None else 1)
    if sform is not None:
        struct.pack_into(order + "12f", header, 280, *np.ravel(sform))
    header[344:348] = magic
    return bytes(header) + array.astype(array.dtype.newbyteorder(order)).tobytes()


def refusal(path: Path) -> str:
    with pytest.raises(CohortError) as caught:
        read_image_file(path, thorough=True)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(path.name)
    return str(caught.value)


@pytest.mark.parametrize("direction", [IDENTITY, FLIPPED, OBLIQUE])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_what_is_written_is_read_with_its_geometry(tmp_path, suffix, direction):
    geo = Geometry(GEO.size, GEO.spacing, GEO.origin, direction)
    path = tmp_path / f"case{suffix}"
    write_image(path, values(), geo)
    array, found = read_image_file(path, thorough=True)
    assert array.dtype == np.int16
    assert np.array_equal(array, values())
    assert found.mismatch(geo) is None
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
@pytest.mark.parametrize("packed", [False, True])
def test_headers_with_their_pixels_in_another_file(tmp_path, suffix, packed):
    path = tmp_path / f"case{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values()), str(path), packed)
    array, geo = read_image_file(path, thorough=True)
    assert np.array_equal(array, values())
    assert geo.size == (4, 5, 6)
    next(file for file in tmp_path.iterdir() if file != path).unlink()
    refusal(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_nifti_of_either_byte_order(tmp_path, order):
    path = tmp_path / "case.nii"
    path.write_bytes(nifti_bytes(order=order))
    array, geo = read_image_file(path)
    assert np.array_equal(array, values())
    assert geo.spacing == (1.0, 1.0, 2.0)


def test_nifti_2_is_refused_by_name(tmp_path):
    path = tmp_path / "case.nii"
    path.write_bytes(struct.pack("<i", 540) + b"n+2\0\r\n\032\n" + bytes(600))
    assert "is a NIfTI-2 file; expected NIfTI-1" in refusal(path)


def test_suffixes_in_capitals(tmp_path):
    path = tmp_path / "CASE.NII.GZ"
    path.write_bytes(gzip.compress(nifti_bytes()))
    assert np.array_equal(read_image_file(path, thorough=True)[0], values())


def test_gzip_of_several_members_is_whole(tmp_path):
    data = nifti_bytes()
    path = tmp_path / "case.nii.gz"
    path.write_bytes(gzip.compress(data[:400]) + gzip.compress(data[400:]) + gzip.compress(b""))
    assert np.array_equal(read_image_file(path)[0], values())


def test_labels_are_written_as_bytes(tmp_path):
    label = np.zeros(GEO.shape, dtype=np.uint8)
    label[2, 3, 1] = 200
    write_label(tmp_path / "case.nii.gz", label, GEO)
    array, _ = read_image_file(tmp_path / "case.nii.gz")
    assert array.dtype == np.uint8
    assert np.array_equal(array, label)
    write_label(tmp_path / "case.nii.gz", label > 0, GEO)
    assert read_image_file(tmp_path / "case.nii.gz")[0].max() == 1
    with pytest.raises(TypeError, match="Cannot cast"):
        write_label(tmp_path / "case.nii.gz", label.astype(np.int16), GEO)


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(CohortError, match=r"expected a name in \.nii\.gz, \.nii, \.nrrd, \.mha"):
        write_image(tmp_path / "case.mhd", values(), GEO)
    with pytest.raises(CohortError, match=r"array of \(5, 5, 4\) cannot have a geometry of"):
        write_image(tmp_path / "case.nii", values()[1:], GEO)
    with pytest.raises(CohortError, match="cannot be written"):
        write_image(tmp_path / "nowhere" / "case.nii", values(), GEO)
    assert list(tmp_path.iterdir()) == []


def test_missing_and_foreign_files(tmp_path):
    assert "no such file" in refusal(tmp_path / "gone.nii")
    (tmp_path / "report.pdf").write_text("%PDF")
    assert "no image that can be read here" in refusal(tmp_path / "report.pdf")
    assert "no such file or folder" in refusal(tmp_path / "series")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_empty_files_and_files_of_something_else(tmp_path, suffix, capfd):
    path = tmp_path / f"case{suffix}"
    path.touch()
    assert "the file is empty (0 bytes)" in refusal(path)
    path.write_bytes(b"this is a text, not an image\n" * 40)
    assert any(words in refusal(path) for words in ("not a", "cannot be read", "damaged"))
    if suffix == ".nii.gz":
        path.write_bytes(gzip.compress(b"nor is this\n" * 100))
        assert "not a NIfTI file" in refusal(path)
    assert capfd.readouterr() == ("", "")


# Where pixels begin in the file does not matter: each is cut to parts of its whole length.
@pytest.mark.parametrize("keep", ["0.2", "0.5", "0.9", "-9", "-2"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".nhdr", ".mhd"])
def test_truncated_files_are_refused_and_nothing_is_printed(tmp_path, suffix, packed, keep, capfd):
    shape = (12, 20, 20)
    array = np.random.default_rng(1).integers(-900, 900, shape).astype(np.int16)
    path = tmp_path / f"case{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path), packed)
    assert np.array_equal(read_image_file(path, thorough=True)[0], array)
    pixels = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    data = pixels.read_bytes()
    length = int(keep) if keep.startswith("-") else int(len(data) * float(keep))
    pixels.write_bytes(data[:length])
    assert "truncated" in refusal(path)
    with pytest.raises(CohortError, match="truncated"):
        read_image_file(path)  # the quick check of later reads
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_damage_inside_packed_pixels_is_found_when_a_cohort_is_opened(tmp_path, suffix):
    array = np.random.default_rng(1).integers(-900, 900, (12, 20, 20)).astype(np.int16)
    path = tmp_path / f"case{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path), True)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    assert "damaged" in refusal(path)


def test_mha_that_does_not_say_how_long_its_packed_pixels_are(tmp_path):
    path = tmp_path / "case.mha"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values()), str(path), True)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(x for x in lines if not x.startswith(b"CompressedDataSize")))
    assert "does not say how long its packed pixels are" in refusal(path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_four_dimensions(tmp_path, suffix):
    path = tmp_path / f"case{suffix}"
    image = SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(values())] * 2)
    SimpleITK.WriteImage(image, str(path))
    assert "is a 4-D image; expected one 3-D volume in each file" in refusal(path)


def test_four_dimensions_in_nrrd(tmp_path):
    path = tmp_path / "case.nrrd"
    header = (
        "NRRD0004\ntype: short\ndimension: 4\nspace: left-posterior-superior\nsizes: 4 5 3 2\n"
        "space directions: (1,0,0) (0,1,0) (0,0,2) none\nendian: little\nencoding: raw\n\n"
    )
    path.write_bytes(header.encode() + values().tobytes())
    assert "is a 4-D image" in refusal(path)


def test_two_dimensions(tmp_path):
    path = tmp_path / "case.nii.gz"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values()[0]), str(path))
    assert "is a 2-D image; expected one 3-D volume" in refusal(path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_several_numbers_in_each_voxel(tmp_path, suffix):
    path = tmp_path / f"case{suffix}"
    colours = np.zeros((3, 4, 5, 3), dtype=np.uint8)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(colours, isVector=True), str(path))
    assert "has 3 numbers in each voxel (colour or vectors); expected one" in refusal(path)


@pytest.mark.parametrize("size", [0.0, -1.0, math.nan, math.inf])
def test_nifti_spacing_that_itk_would_mend_in_silence(tmp_path, size):
    path = tmp_path / "case.nii"
    path.write_bytes(nifti_bytes(pixdim=(1.0, size, 2.0)))
    assert f"the voxel spacing is 1 x {size:g} x 2 mm; expected positive" in refusal(path)
    packed = tmp_path / "case.nii.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert f"the voxel spacing is 1 x {size:g} x 2 mm; expected positive" in refusal(packed)


@pytest.mark.parametrize("size", ["0", "-2"])
def test_spacing_of_other_formats(tmp_path, size):
    mha = tmp_path / "case.mha"
    mha.write_bytes(
        "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
        f"ElementSpacing = 1 1 {size}\nDimSize = 4 5 6\nElementType = MET_SHORT\n"
        "ElementDataFile = LOCAL\n".encode()
        + values().tobytes()
    )
    assert f"the voxel spacing is 1 x 1 x {size} mm" in refusal(mha)
    nrrd = tmp_path / "case.nrrd"
    nrrd.write_bytes(
        f"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 5 6\nspacings: 1 1 {size}\n"
        "endian: little\nencoding: raw\n\n".encode()
        + values().tobytes()
    )
    assert "the voxel spacing is" in refusal(nrrd)


def test_zero_direction_in_nrrd(tmp_path):
    path = tmp_path / "case.nrrd"
    path.write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 5 6\n"
        b"space directions: (1,0,0) (0,1,0) (0,0,0)\nendian: little\nencoding: raw\n\n"
        + values().tobytes()
    )
    assert "the voxel spacing is 1 x 1 x 0 mm" in refusal(path)


def test_sheared_axes(tmp_path):
    sheared = [[1, 0.5, 0, 0], [0, math.sqrt(0.75), 0, 0], [0, 0, 2, 0]]
    nifti = tmp_path / "case.nii"
    nifti.write_bytes(nifti_bytes(sform=sheared))
    assert "its axes are not at right angles" in refusal(nifti)
    nrrd = tmp_path / "case.nrrd"
    nrrd.write_bytes(
        b"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: 4 5 6\n"
        b"space directions: (1,0.5,0) (0,1,0) (0,0,2)\nendian: little\nencoding: raw\n\n"
        + values().tobytes()
    )
    assert "its axes are not at right angles; resample it first" in refusal(nrrd)


def test_nifti_that_gives_two_spacings(tmp_path):
    path = tmp_path / "case.nii"
    path.write_bytes(nifti_bytes(sform=[[3, 0, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0]]))
    assert "two voxel spacings, 1 x 1 x 2 mm (pixdim) and 3 x 1 x 2 mm (sform)" in refusal(path)
    path.write_bytes(nifti_bytes(sform=[[-1, 0, 0, 7], [0, 1, 0, 0], [0, 0, 2, 0]]))
    assert read_image_file(path)[1].direction[0] == 1  # RAS of the file, LPS here


def test_nifti_headers_of_nonsense(tmp_path, capfd):
    path = tmp_path / "case.nii"
    path.write_bytes(nifti_bytes(dim=(3, 0, 5, 6)))
    assert "its NIfTI header gives 3 axes of the lengths [0, 5, 6]" in refusal(path)
    path.write_bytes(nifti_bytes(dim=(9, 4, 5, 6)))
    assert "its NIfTI header gives 9 axes" in refusal(path)
    path.write_bytes(nifti_bytes(magic=b"ni1\0"))
    assert "holds both its header and its pixels" in refusal(path)
    assert capfd.readouterr() == ("", "")


def test_complex_numbers(tmp_path):
    path = tmp_path / "case.nrrd"
    image = SimpleITK.GetImageFromArray(np.zeros((3, 4, 5), dtype=np.complex64))
    SimpleITK.WriteImage(image, str(path))
    assert any(words in refusal(path) for words in ("numbers", "cannot be read"))


def test_importing_the_package_does_not_load_simpleitk():
    code = "import sys, activeseg.cohort; print('SimpleITK' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
