"""DICOM series as volumes, written with pydicom for these tests."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage

from activeseg.cohort import open_cohort, read_image_file, write_label
from activeseg.errors import CohortError
from activeseg.keys import Plane

ROWS, COLUMNS, SLICES = 5, 4, 6
COS, SIN = math.cos(math.radians(30)), math.sin(math.radians(30))
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (1.0, 0.0, 0.0, 0.0, COS, SIN)


def stored():
    """Stored values; every voxel has its own."""
    return np.arange(SLICES * ROWS * COLUMNS, dtype=np.uint16).reshape(SLICES, ROWS, COLUMNS)


def dataset(uid="1.2.3.1", modality="CT", sop=CTImageStorage, instance=1):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop
    meta.MediaStorageSOPInstanceUID = f"{uid}.{instance}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = sop, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.3", uid
    data.PatientID, data.PatientName = "p", "p"
    data.Modality, data.InstanceNumber = modality, str(instance)
    return data


def series(
    folder: Path,
    uid="1.2.3.1",
    number="1",
    modality="CT",
    axes=AXIAL,
    step=2.5,
    skip=(),
    shift=(0.0, 0.0, 0.0),
    offsets=None,
    suffix=".dcm",
    prefix="im",
    pixels=None,
):
    """One file for each slice, named against the order of their positions."""
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(axes[:3], axes[3:])
    for k, plane in enumerate(stored() if pixels is None else pixels):
        if k in skip:
            continue
        data = dataset(uid, modality, instance=k + 1)
        along = k * step if offsets is None else offsets[k]
        position = np.array([-10.0, 20.0, 30.0]) + along * normal + k * np.asarray(shift)
        data.SeriesNumber = number
        data.ImagePositionPatient = [f"{x:.6g}" for x in position]
        data.ImageOrientationPatient = [f"{x:.6g}" for x in axes]
        data.PixelSpacing, data.SliceThickness = ["0.75", "0.5"], "2.5"
        data.Rows, data.Columns, data.SamplesPerPixel = *plane.shape, 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
        data.PixelRepresentation = 0
        data.RescaleSlope, data.RescaleIntercept = "1", "-1024"
        data.PixelData = plane.tobytes()
        data.save_as(folder / f"{prefix}{SLICES - k}{suffix}", enforce_file_format=True)
    return folder


def refusal(path: Path) -> str:
    with pytest.raises(CohortError) as caught:
        open_cohort(path, ["x"])
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".dcm", ""])
@pytest.mark.parametrize(
    ("axes", "plane", "normal"),
    [
        (AXIAL, Plane.AXIAL, (0, 0, 1)),
        (CORONAL, Plane.CORONAL, (0, 1, 0)),
        (OBLIQUE, Plane.AXIAL, (0, -SIN, COS)),
    ],
)
def test_a_series_is_one_volume(tmp_path, axes, plane, normal, suffix, capfd):
    series(tmp_path / "patient 1", axes=axes, suffix=suffix)
    cohort = open_cohort(tmp_path, ["x"])
    (volume,) = cohort.volumes
    assert (volume.id, volume.image) == ("patient 1", tmp_path / "patient 1")
    geo = volume.geometry
    assert geo.size == (COLUMNS, ROWS, SLICES)
    assert geo.spacing == pytest.approx((0.5, 0.75, 2.5), abs=1e-4)
    assert geo.origin == pytest.approx((-10.0, 20.0, 30.0))
    cosines = np.asarray(geo.direction).reshape(3, 3)
    assert cosines[:, 0] == pytest.approx(axes[:3], abs=1e-5)  # along a row
    assert cosines[:, 1] == pytest.approx(axes[3:], abs=1e-5)  # down a column
    assert cosines[:, 2] == pytest.approx(normal, abs=1e-5)
    assert geo.acquisition_plane is plane
    assert np.array_equal(cohort.read_image("patient 1"), stored() - 1024.0)  # Hounsfield
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("modality", "told"), [("CT", "ct"), ("MR", "mr")])
def test_the_modality_tag_is_believed(tmp_path, modality, told):
    series(tmp_path / "a", modality=modality)
    assert open_cohort(tmp_path, ["x"]).volumes[0].modality == told


def test_labels_of_series(tmp_path):
    series(tmp_path / "a")
    _, geo = read_image_file(tmp_path / "a")
    (tmp_path / "labels").mkdir()
    label = (stored() == 7).astype(np.uint8)
    write_label(tmp_path / "labels" / "a.nii.gz", label, geo)
    cohort = open_cohort(tmp_path)
    assert np.array_equal(cohort.read_label("a"), label)
    (tmp_path / "images").mkdir()
    (tmp_path / "a").rename(tmp_path / "images" / "a")
    assert np.array_equal(open_cohort(tmp_path).read_label("a"), label)


def test_series_in_one_folder_and_in_nested_folders(tmp_path):
    series(tmp_path / "one")
    series(tmp_path / "two", uid="1.2.3.21", number="4", prefix="a")
    series(tmp_path / "two", uid="1.2.3.22", number="12", prefix="b", pixels=stored()[::-1])
    series(tmp_path / "p1" / "CT")
    series(tmp_path / "p2" / "study" / "CT")
    series(tmp_path / ".hidden")
    cohort = open_cohort(tmp_path, ["x"])
    assert [volume.id for volume in cohort.volumes] == [
        "one", "p1_CT", "p2_study_CT", "two_s004", "two_s012",
    ]  # fmt: skip
    assert cohort.read_image("two_s004")[0, 0, 0] == -1024
    assert cohort.read_image("two_s012")[-1, 0, 0] == -1024


def test_series_with_one_number_are_told_apart_by_their_uid(tmp_path):
    series(tmp_path / "two", uid="1.2.3.21", prefix="a")
    series(tmp_path / "two", uid="1.2.3.22", prefix="b")
    assert [v.id for v in open_cohort(tmp_path, ["x"]).volumes] == ["two_21", "two_22"]


def test_the_root_itself_is_a_series(tmp_path):
    series(tmp_path / "scan")
    assert [v.id for v in open_cohort(tmp_path / "scan", ["x"]).volumes] == ["scan"]


def test_a_list_may_name_a_series(tmp_path):
    series(tmp_path / "deep" / "scan")
    (tmp_path / "cohort.csv").write_text("id,image\nfirst,deep/scan\n")
    assert open_cohort(tmp_path, ["x"]).read_image("first").shape == (SLICES, ROWS, COLUMNS)


def test_documents_beside_images_are_passed_over(tmp_path):
    series(tmp_path / "a")
    contours = dataset("1.2.3.9", "RTSTRUCT", RTStructureSetStorage)
    contours.save_as(tmp_path / "a" / "contours.dcm", enforce_file_format=True)
    (tmp_path / "b").mkdir()
    contours.save_as(tmp_path / "b" / "contours.dcm", enforce_file_format=True)
    assert [v.id for v in open_cohort(tmp_path, ["x"]).volumes] == ["a"]


def test_links_in_a_circle(tmp_path):
    series(tmp_path / "a")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert [v.id for v in open_cohort(tmp_path, ["x"]).volumes] == ["a"]


def test_missing_slice(tmp_path):
    series(tmp_path / "a", skip=(2,))
    assert refusal(tmp_path) == (
        "a: the slices of the DICOM series are not equally spaced: 5 mm between slices 2 and "
        "3, 2.5 mm elsewhere; a slice may be missing"
    )


def test_uneven_slices(tmp_path):
    series(tmp_path / "a", offsets=[0, 2.5, 5, 7.8, 10, 12.5])
    assert "not equally spaced: 2.8 mm between slices 3 and 4" in refusal(tmp_path)


def test_rounded_positions_are_even(tmp_path):
    series(tmp_path / "a", offsets=[0, 2.51, 5.0, 7.49, 10.0, 12.5])
    assert open_cohort(tmp_path, ["x"]).volumes[0].geometry.spacing[2] == pytest.approx(2.5)


def test_two_images_at_one_position(tmp_path):
    series(tmp_path / "a", offsets=[0, 0, 2.5, 2.5, 5, 5])
    assert "has several slices at one position" in refusal(tmp_path)


def test_tilted_gantry(tmp_path):
    series(tmp_path / "a", shift=(0.0, 0.5, 0.0))
    assert "are shifted against each other (tilted gantry)" in refusal(tmp_path)


def test_mixed_directions(tmp_path):
    series(tmp_path / "a")
    file = tmp_path / "a" / "im3.dcm"
    data = pydicom.dcmread(file)
    data.ImageOrientationPatient = ["0", "1", "0", "1", "0", "0"]
    data.save_as(file)
    assert "mixes slices of different size, spacing or direction" in refusal(tmp_path)


def test_a_scout(tmp_path):
    series(tmp_path / "a", skip=range(1, SLICES))
    assert "has a single slice; expected a volume" in refusal(tmp_path)


@pytest.mark.parametrize("keep", [100, 400, -15])
@pytest.mark.parametrize("name", ["im1.dcm", "im3.dcm", "im6.dcm"])
def test_truncated_slice(tmp_path, name, keep, capfd):
    # GDCM passes over such a file; the first or the last slice would leave no gap.
    file = series(tmp_path / "a") / name
    file.write_bytes(file.read_bytes()[:keep])
    assert refusal(tmp_path) == (
        f"a: the DICOM image {name} is damaged or truncated; copy it anew, or leave it out"
    )
    assert capfd.readouterr() == ("", "")


def test_a_series_that_lost_a_slice_since(tmp_path):
    series(tmp_path / "a")
    cohort = open_cohort(tmp_path, ["x"])
    (tmp_path / "a" / "im1.dcm").unlink()
    with pytest.raises(CohortError, match="a changed since the cohort was opened: size 4 x 5 x 5"):
        cohort.read_image("a")


def test_what_is_no_single_series(tmp_path):
    series(tmp_path / "two", uid="1.2.3.21", prefix="a")
    series(tmp_path / "two", uid="1.2.3.22", prefix="b")
    with pytest.raises(CohortError, match="two: holds 2 DICOM series of images; expected one"):
        read_image_file(tmp_path / "two")
    array, _ = read_image_file(tmp_path / "two" / "b1.dcm")
    assert np.array_equal(array, stored() - 1024.0)
