"""Opening a cohort: layouts, structures, modality, refusals, and reading it back."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from activeseg.cohort import Cohort, Geometry, Structure, open_cohort, write_image, write_label
from activeseg.errors import CohortError
from activeseg.progress import Progress, Stage

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
GEO = Geometry((4, 5, 6), (0.5, 0.75, 2.5), (-10.0, 20.0, 3.5), IDENTITY)


def image(path: Path, array=None, geo=GEO):
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.arange(120, dtype=np.int16).reshape(geo.shape) if array is None else array
    write_image(path, grey, geo)
    return path


def label(path: Path, *values: int, geo=GEO):
    """A label that holds 0 and these values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.zeros(geo.shape, dtype=np.uint8)
    array.ravel()[: len(values)] = values
    write_label(path, array, geo)
    return path


def pairs(root: Path, *ids: str, suffix=".nii.gz", values=(1, 2)):
    for name in ids:
        image(root / "images" / f"{name}{suffix}")
        label(root / "labels" / f"{name}{suffix}", *values)
    return root


def summary(cohort):
    """Ids and, relative to the root, their files."""
    return {
        v.id: tuple(f and f.relative_to(cohort.root).as_posix() for f in (v.image, v.label))
        for v in cohort.volumes
    }


def refusal(root: Path, *args) -> str:
    with pytest.raises(CohortError) as caught:
        open_cohort(root, *args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# -- layouts ----------------------------------------------------------------------------------


def test_images_and_labels(tmp_path):
    pairs(tmp_path, "b", "a")
    image(tmp_path / "images" / "no label.nrrd")
    (tmp_path / "images" / "._a.nii.gz").write_bytes(b"macOS")
    (tmp_path / "images" / "README.txt").write_text("about")
    (tmp_path / "cases.csv").write_text("case,age\na,50\n")
    cohort = open_cohort(tmp_path)
    assert summary(cohort) == {
        "a": ("images/a.nii.gz", "labels/a.nii.gz"),
        "b": ("images/b.nii.gz", "labels/b.nii.gz"),
        "no label": ("images/no label.nrrd", None),
    }
    assert cohort.structures == (Structure("structure_1", 1), Structure("structure_2", 2))
    assert cohort.volume("a").geometry.mismatch(GEO) is None


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_every_format(tmp_path, suffix):
    pairs(tmp_path, "höhe 1", suffix=suffix)
    cohort = open_cohort(tmp_path)
    assert [volume.id for volume in cohort.volumes] == ["höhe 1"]
    assert cohort.read_image("höhe 1").ravel().tolist() == list(range(120))


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_formats_of_two_files(tmp_path, suffix):
    array = np.arange(120, dtype=np.int16).reshape(6, 5, 4)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(tmp_path / f"case{suffix}"))
    cohort = open_cohort(tmp_path, ["organ"])
    assert np.array_equal(cohort.read_image("case"), array)


@pytest.mark.parametrize("ending", ["_label", "_seg", "-label", "-seg", ".seg"])
def test_flat_folder_with_labels_beside(tmp_path, ending):
    image(tmp_path / "case 1.nii.gz")
    label(tmp_path / f"case 1{ending}.nrrd", 1)
    image(tmp_path / "case 2.mha")
    assert summary(open_cohort(tmp_path)) == {
        "case 1": ("case 1.nii.gz", f"case 1{ending}.nrrd"),
        "case 2": ("case 2.mha", None),
    }


def test_flat_folder_with_a_folder_of_labels(tmp_path):
    image(tmp_path / "a.nii.gz")
    label(tmp_path / "labels" / "a_seg.nii.gz", 1)
    assert summary(open_cohort(tmp_path)) == {"a": ("a.nii.gz", "labels/a_seg.nii.gz")}


def test_nnunet(tmp_path):
    for name in ("liver_1", "liver_2"):
        image(tmp_path / "imagesTr" / f"{name}_0000.nii.gz")
        label(tmp_path / "labelsTr" / f"{name}.nii.gz", 1, 3)
    image(tmp_path / "imagesTs" / "liver_9_0000.nii.gz")
    description = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "tumour": 3, "liver": 1},
        "numTraining": 2,
        "file_ending": ".nii.gz",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    cohort = open_cohort(tmp_path)
    assert summary(cohort) == {
        "liver_1": ("imagesTr/liver_1_0000.nii.gz", "labelsTr/liver_1.nii.gz"),
        "liver_2": ("imagesTr/liver_2_0000.nii.gz", "labelsTr/liver_2.nii.gz"),
    }
    assert cohort.structures == (Structure("liver", 1), Structure("tumour", 3))
    assert {volume.modality for volume in cohort.volumes} == {"ct"}


def test_nnunet_without_a_description(tmp_path):
    image(tmp_path / "imagesTr" / "a_0000.nii.gz")
    assert summary(open_cohort(tmp_path, ["x"])) == {"a": ("imagesTr/a_0000.nii.gz", None)}


def test_names_that_end_like_channels_are_names_where_labels_have_them_too(tmp_path):
    for name in ("case_0000", "case_0001"):
        image(tmp_path / "imagesTr" / f"{name}.nii.gz")
        label(tmp_path / "labelsTr" / f"{name}.nii.gz", 1)
    assert list(summary(open_cohort(tmp_path))) == ["case_0000", "case_0001"]


def test_nnunet_with_two_channels(tmp_path):
    for channel in ("0000", "0001"):
        image(tmp_path / "imagesTr" / f"brain_{channel}.nii.gz")
    assert refusal(tmp_path, ["x"]) == (
        "brain: has a second channel, brain_0001.nii.gz; expected one image for each volume"
    )


def test_decathlon(tmp_path):
    image(tmp_path / "imagesTr" / "hippocampus_001.nii.gz")
    image(tmp_path / "imagesTr" / "not_listed.nii.gz")
    label(tmp_path / "labelsTr" / "hippocampus_001.nii.gz", 1, 2)
    description = {
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
        "training": [
            {
                "image": "./imagesTr/hippocampus_001.nii.gz",
                "label": "./labelsTr/hippocampus_001.nii.gz",
            }
        ],
        "test": ["./imagesTs/hippocampus_002.nii.gz"],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    cohort = open_cohort(tmp_path)
    assert summary(cohort) == {
        "hippocampus_001": (
            "imagesTr/hippocampus_001.nii.gz",
            "labelsTr/hippocampus_001.nii.gz",
        )
    }
    assert cohort.structures == (Structure("Anterior", 1), Structure("Posterior", 2))
    assert cohort.volumes[0].modality == "mr"
    assert open_cohort(tmp_path / "dataset.json") == cohort
    description["training"].append({"image": "./imagesTr/gone.nii.gz"})
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    assert refusal(tmp_path).startswith("gone: gone.nii.gz: no such file")


def test_nnunet_1_lists_images_without_their_channel(tmp_path):
    image(tmp_path / "imagesTr" / "la_003_0000.nii.gz")
    label(tmp_path / "labelsTr" / "la_003.nii.gz", 1)
    case = {"image": "./imagesTr/la_003.nii.gz", "label": "./labelsTr/la_003.nii.gz"}
    text = {"labels": {"0": "background", "1": "atrium"}, "training": [case]}
    (tmp_path / "dataset.json").write_text(json.dumps(text))
    cohort = open_cohort(tmp_path)
    assert list(summary(cohort)) == ["la_003"]
    assert cohort.structures == (Structure("atrium", 1),)


def write_list(path, rows, kind):
    if kind == "json":
        path.write_text(json.dumps(rows))
    else:
        lines = ["id,image,label", *(f"{r['id']},{r['image']},{r.get('label', '')}" for r in rows)]
        path.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_lists(tmp_path, kind):
    image(tmp_path / "scans" / "x1.nii.gz")
    image(tmp_path / "elsewhere" / "x2.mha")
    label(tmp_path / "truth" / "x1.nii.gz", 1)
    home = tmp_path / "scans"
    rows = [
        {"id": "patient one", "image": "x1.nii.gz", "label": "../truth/x1.nii.gz"},
        {"id": "patient two", "image": str(tmp_path / "elsewhere" / "x2.mha")},
    ]
    write_list(home / f"cohort.{kind}", rows, kind)
    shutil.copy(home / f"cohort.{kind}", home / f"mine.{kind}")
    cohort = open_cohort(home)
    assert open_cohort(home / f"mine.{kind}") == cohort
    assert [volume.id for volume in cohort.volumes] == ["patient one", "patient two"]
    assert cohort.volumes[0].label.samefile(tmp_path / "truth" / "x1.nii.gz")
    assert cohort.volumes[1].label is None
    assert cohort.root == home


def test_lists_that_cannot_be_used(tmp_path):
    image(tmp_path / "a.nii.gz")
    table = tmp_path / "cohort.csv"
    table.write_text("case,image\n1,a.nii.gz\n")
    assert "has no column id" in refusal(tmp_path)
    table.write_text("id,image\n,a.nii.gz\n")
    assert "volume 1 of the list has no 'id' or no 'image'" in refusal(tmp_path)
    table.write_text("id,image\n")
    assert "no image found" in refusal(tmp_path)
    table.write_text("id,image\na,b.nii.gz\n")
    assert refusal(tmp_path).startswith("a: b.nii.gz: no such file")
    table.write_bytes(b"id,image\n\xff\xfe,a\n")
    assert "cannot be read as CSV" in refusal(tmp_path)
    (tmp_path / "cohort.json").write_text("[]")
    assert "holds both cohort.csv and cohort.json; keep one" in refusal(tmp_path)
    table.unlink()
    (tmp_path / "cohort.json").write_text("{}")
    assert 'expected a list of {"id", "image", "label"}' in refusal(tmp_path)
    (tmp_path / "cohort.json").write_text("[")
    assert "cohort.json: is not JSON" in refusal(tmp_path)
    assert "is a file; expected a folder, or a list" in refusal(tmp_path / "a.nii.gz")


# -- structures -------------------------------------------------------------------------------


def test_names_count_from_one(tmp_path):
    cohort = open_cohort(pairs(tmp_path, "a"), ["liver ", "spleen", "both kidneys"])
    assert cohort.structures == (
        Structure("liver", 1),
        Structure("spleen", 2),
        Structure("both kidneys", 3),
    )


def test_without_names_the_values_of_all_labels_count(tmp_path):
    pairs(tmp_path, "a", values=(7,))
    pairs(tmp_path, "b", values=(2, 255))
    assert open_cohort(tmp_path).structures == tuple(
        Structure(f"structure_{value}", value) for value in (2, 7, 255)
    )


def test_no_labels_need_names(tmp_path):
    image(tmp_path / "a.nii.gz")
    assert "name what to segment with --structures" in refusal(tmp_path)
    assert open_cohort(tmp_path, ["liver"]).structures == (Structure("liver", 1),)
    label(tmp_path / "a_seg.nii.gz")  # empty
    assert "name what to segment with --structures" in refusal(tmp_path)


def described(root, labels, **more):
    (root / "dataset.json").write_text(json.dumps({"labels": labels, **more}))
    return root


def test_names_of_a_dataset_keep_its_values(tmp_path):
    described(pairs(tmp_path, "a"), {"background": 0, "liver": 2, "spleen": 1})
    named = (Structure("spleen", 1), Structure("liver", 2))
    assert open_cohort(tmp_path).structures == named
    # Counting from 1 in the order given would have called the spleen liver.
    assert open_cohort(tmp_path, ["liver", "spleen"]).structures == named
    assert open_cohort(tmp_path, ["one", "two"]).structures[0] == Structure("one", 1)
    assert "dataset.json knows no structure 'kidney'; it has liver, spleen" in refusal(
        tmp_path, ["liver", "kidney"]
    )


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"background": 0, "whole": [1, 2]}, "label 'whole' is a region of several values [1, 2]"),
        ({"background": 0, "liver": 300}, "label 'liver' has the value '300'"),
        ({"background": 0, "liver": 1, "ignore": 2}, "marks voxels to be ignored"),
        ({"background": 0, "a": 1, "b": 1}, "labels 'a' and 'b' have one value, 1"),
        (["liver"], "'labels' must be an object"),
    ],
)
def test_label_descriptions_that_cannot_be_used(tmp_path, labels, words):
    assert words in refusal(described(pairs(tmp_path, "a"), labels))


def test_other_descriptions_that_cannot_be_used(tmp_path):
    pairs(tmp_path, "a")
    channels = {"0": "T1", "1": "FLAIR"}
    assert "describes 2 channels (T1, FLAIR)" in refusal(
        described(tmp_path, {}, channel_names=channels)
    )
    assert "does not name one image" in refusal(described(tmp_path, {}, training=[{"label": "x"}]))
    (tmp_path / "dataset.json").write_text("[]")
    assert "dataset.json: expected a JSON object" in refusal(tmp_path)


@pytest.mark.parametrize("names", [["liver", "liver"], ["liver", " "]])
def test_names_must_be_names(tmp_path, names):
    assert "is named twice or has no name" in refusal(pairs(tmp_path, "a"), names)


def test_more_names_than_bytes_can_tell(tmp_path):
    many = [str(n) for n in range(256)]
    assert "256 structures are named; expected at most 255" in refusal(pairs(tmp_path, "a"), many)


# -- refusals ---------------------------------------------------------------------------------


def test_no_folder_and_empty_folder(tmp_path):
    assert refusal(tmp_path / "gone").endswith(
        "gone: no such folder; expected a folder of images or a list"
    )
    assert "no image found; expected .nii.gz, .nii, .nrrd" in refusal(tmp_path)
    (tmp_path / "README.txt").write_text("soon")
    (tmp_path / "images").mkdir()
    assert "no image found" in refusal(tmp_path)


def test_two_volumes_with_one_id(tmp_path):
    image(tmp_path / "a.nii.gz")
    image(tmp_path / "a.nrrd")
    said = refusal(tmp_path, ["x"])
    assert said.startswith("a: two volumes have this id, ")
    assert str(tmp_path / "a.nii.gz") in said
    assert str(tmp_path / "a.nrrd") in said
    rows = [{"id": "Case", "image": "a.nii.gz"}, {"id": "case", "image": "a.nrrd"}]
    (tmp_path / "cohort.json").write_text(json.dumps(rows))
    assert "two volumes have this id" in refusal(tmp_path, ["x"])


@pytest.mark.parametrize("name", ["a/b", "a\\b", ".a", " a", "a\tb", "a\nb"])
def test_names_that_cannot_stand_in_a_path(tmp_path, name):
    image(tmp_path / "x.nii.gz")
    rows = [{"id": f"{name}", "image": "x.nii.gz"}]
    (tmp_path / "cohort.json").write_text(json.dumps(rows))
    if name == " a":  # spaces at the ends are not part of a name in a list
        assert open_cohort(tmp_path, ["x"]).volumes[0].id == "a"
    else:
        assert "cannot be a volume's name; expected no slash" in refusal(tmp_path, ["x"])


def test_a_name_with_a_space_at_its_end(tmp_path):
    image(tmp_path / "a .nii.gz")
    assert "no space at either end" in refusal(tmp_path, ["x"])


def test_label_without_image(tmp_path):
    pairs(tmp_path, "a")
    label(tmp_path / "labels" / "b.nii.gz", 1)
    assert refusal(tmp_path).startswith("b: the label b.nii.gz has no image")


def test_flat_label_without_image(tmp_path):
    image(tmp_path / "a.nii.gz")
    label(tmp_path / "b_seg.nii.gz", 1)
    assert refusal(tmp_path).startswith("b: the label b_seg.nii.gz has no image")


def test_two_labels(tmp_path):
    pairs(tmp_path, "a")
    label(tmp_path / "labels" / "a.nrrd", 1)
    assert refusal(tmp_path) == "a: has two labels, a.nii.gz and a.nrrd; keep one"


def test_damaged_image_and_damaged_label(tmp_path):
    pairs(tmp_path, "a", "b")
    for path in (tmp_path / "labels" / "b.nii.gz", tmp_path / "images" / "a.nii.gz"):
        path.write_bytes(path.read_bytes()[:-20])
        assert refusal(tmp_path).startswith(f"{path.name[0]}: {path.name}: the file is truncated")


def test_four_dimensions_name_the_volume(tmp_path):
    pairs(tmp_path, "a")
    joined = SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(np.zeros((6, 5, 4)))] * 2)
    SimpleITK.WriteImage(joined, str(tmp_path / "images" / "b.nii.gz"))
    assert refusal(tmp_path).startswith("b: b.nii.gz: is a 4-D image")


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(tmp_path, bad, suffix, kind):
    array = np.zeros(GEO.shape, dtype=kind)
    array[1, 2, 3] = array[5, 4, 3] = bad
    image(tmp_path / f"a{suffix}", array)
    assert refusal(tmp_path, ["x"]) == (
        f"a: a{suffix}: 2 of 120 voxels are NaN or infinite; expected numbers"
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": (4, 5, 5)}, "size 4 x 5 x 5 instead of 4 x 5 x 6 voxels"),
        ({"spacing": (0.5, 0.75, 2.6)}, "spacing 0.5 x 0.75 x 2.6 instead of 0.5 x 0.75 x 2.5 mm"),
        ({"origin": (-10.0, 20.0, 4.0)}, "origin (-10, 20, 4) instead of (-10, 20, 3.5) mm"),
        ({"direction": (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)}, "direction (-1, 0, 0, 0, -1, 0"),
    ],
)
def test_labels_that_lie_elsewhere(tmp_path, change, words):
    image(tmp_path / "a.nrrd")
    label(tmp_path / "a_seg.nrrd", 1, geo=replace(GEO, **change))
    said = refusal(tmp_path)
    assert said.startswith(f"a: a_seg.nrrd: the label does not lie on its image: {words}")


def test_values_outside_the_structures(tmp_path):
    pairs(tmp_path, "a", values=(1,))
    pairs(tmp_path, "b", values=(1, 3, 9))
    assert refusal(tmp_path, ["liver", "spleen"]) == (
        "b: the label holds the values 3, 9; expected 0 and 1 (liver), 2 (spleen); "
        "name a structure for each value, with --structures or in dataset.json"
    )
    described(tmp_path, {"background": 0, "liver": 1})
    assert "expected 0 and 1 (liver); name" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        (0.5, np.float32, "the label holds 0.5, which is not a whole number"),
        (np.nan, np.float32, "the label holds nan, which is not a whole number"),
        (np.inf, np.float32, "the label holds the value inf; expected 0"),
        (-1, np.int16, "the label holds the value -1; expected 0"),
        (256, np.int16, "the label holds the value 256; expected 0"),
    ],
)
def test_labels_that_are_not_bytes(tmp_path, value, kind, words):
    image(tmp_path / "a.nii.gz")
    array = np.zeros(GEO.shape, dtype=kind)
    array[3, 2, 1] = value
    write_image(tmp_path / "a_label.nrrd", array, GEO)
    assert refusal(tmp_path).startswith(f"a: a_label.nrrd: {words}")


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32, np.uint16, np.int8])
def test_whole_numbers_of_any_type_are_labels(tmp_path, kind):
    image(tmp_path / "a.nrrd")
    array = (np.arange(120) % 3).reshape(GEO.shape).astype(kind)
    write_image(tmp_path / "a_label.nrrd", array, GEO)
    cohort = open_cohort(tmp_path)
    assert [s.value for s in cohort.structures] == [1, 2]
    read = cohort.read_label("a")
    assert read.dtype == np.uint8
    assert np.array_equal(read, array)


def test_folders_that_the_system_refuses(tmp_path):
    assert "cannot be read: " in refusal(tmp_path / ("long" * 200))


# -- modality ---------------------------------------------------------------------------------


def grey(kind, seed=0):
    """Grey values of a body in air, 20 x 20 x 20."""
    rng = np.random.default_rng(seed)
    body = np.zeros((20, 20, 20), dtype=bool)
    body[4:16, 4:16, 4:16] = True
    hounsfield = np.where(body, rng.normal(40, 30, body.shape), -1000).round()
    return {
        "ct": hounsfield.astype(np.int16),
        "ct as float": hounsfield.astype(np.float32),
        "offset": np.clip(hounsfield + 1024, 0, 4095).astype(np.uint16),
        "mr": np.where(body, rng.normal(400, 80, body.shape), 5).clip(0).astype(np.uint16),
        "mr of 12 bits": np.where(body, rng.normal(1800, 500, body.shape), 9)
        .clip(0, 4095)
        .astype(np.uint16),
        "mr as float": np.where(body, rng.normal(1000, 60, body.shape), 0).astype(np.float32),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "modality"),
    [
        ("ct", "ct"),
        ("ct as float", "ct"),
        ("offset", "ct-offset"),
        ("mr", "mr"),
        ("mr of 12 bits", "mr"),
        ("mr as float", "mr"),
    ],
)
def test_modality_from_grey_values(tmp_path, kind, modality):
    geo = replace(GEO, size=(20, 20, 20))
    image(tmp_path / "a.nrrd", grey(kind), geo)
    assert open_cohort(tmp_path, ["x"]).volumes[0].modality == modality


def test_modality_is_one_by_majority(tmp_path):
    geo = replace(GEO, size=(20, 20, 20))
    for n, kind in enumerate(["ct", "mr", "ct", "offset", "ct"]):
        image(tmp_path / f"{n}.nrrd", grey(kind, seed=n), geo)
    assert [v.modality for v in open_cohort(tmp_path, ["x"]).volumes] == ["ct"] * 5


@pytest.mark.parametrize(
    ("declared", "kind", "modality"),
    [
        ("MRI", "offset", "mr"),
        ("T1w", "offset", "mr"),
        ("FLAIR", "ct", "mr"),
        ("CT", "mr", "ct"),
        ("CT", "offset", "ct-offset"),
        ("noNorm", "offset", "ct-offset"),
    ],
)
def test_what_a_description_says_of_the_modality(tmp_path, declared, kind, modality):
    geo = replace(GEO, size=(20, 20, 20))
    image(tmp_path / "a.nrrd", grey(kind), geo)
    described(tmp_path, {"background": 0, "x": 1}, modality={"0": declared})
    assert open_cohort(tmp_path).volumes[0].modality == modality


# -- the cohort afterwards --------------------------------------------------------------------


def test_reading_back(tmp_path):
    pairs(tmp_path, "a")
    cohort = open_cohort(tmp_path)
    grey_values, truth = cohort.read_image("a"), cohort.read_label("a")
    assert grey_values.dtype == np.float32
    assert grey_values.shape == truth.shape == (6, 5, 4)
    assert grey_values.ravel().tolist() == list(range(120))
    assert truth.dtype == np.uint8
    assert truth.ravel()[:3].tolist() == [1, 2, 0]


def test_reading_what_is_not_there(tmp_path):
    image(tmp_path / "a.nii.gz")
    cohort = open_cohort(tmp_path, ["x"])
    with pytest.raises(CohortError, match="z: no such volume among the 1 of the cohort"):
        cohort.read_image("z")
    with pytest.raises(CohortError, match="a: has no reference label"):
        cohort.read_label("a")
    (tmp_path / "a.nii.gz").unlink()
    with pytest.raises(CohortError, match=r"a: a\.nii\.gz: no such file"):
        cohort.read_image("a")


@pytest.mark.parametrize("which", ["images", "labels"])
def test_files_that_changed_since(tmp_path, which):
    cohort = open_cohort(pairs(tmp_path, "a"))
    label(tmp_path / which / "a.nii.gz", 1, geo=replace(GEO, spacing=(1.0, 1.0, 1.0)))
    read = cohort.read_image if which == "images" else cohort.read_label
    with pytest.raises(CohortError, match=r"a\.nii\.gz changed since the cohort was opened: spa"):
        read("a")


def test_json_and_moving(tmp_path):
    before = tmp_path / "before"
    pairs(before, "a", "b")
    image(tmp_path / "far" / "c.nii.gz")
    rows = [
        {"id": "a", "image": "images/a.nii.gz", "label": "labels/a.nii.gz"},
        {"id": "c", "image": str(tmp_path / "far" / "c.nii.gz")},
    ]
    (before / "cohort.json").write_text(json.dumps(rows))
    cohort = open_cohort(before)
    record = json.loads(json.dumps(cohort.to_json()))
    assert record["volumes"][0]["image"] == "images/a.nii.gz"
    assert record["volumes"][1]["image"] == str(tmp_path / "far" / "c.nii.gz")
    assert Cohort.from_json(record) == cohort
    after = tmp_path / "after"
    before.rename(after)
    moved = Cohort.from_json(record, root=after)
    assert np.array_equal(moved.read_label("a").ravel()[:3], [1, 2, 0])
    assert moved.read_image("c").shape == (6, 5, 4)


@pytest.mark.parametrize(
    "damage", [{"volumes": []}, {"structures": None}, {"root": 3}, {"volumes": [{"id": "a"}]}]
)
def test_damaged_records(tmp_path, damage):
    record = open_cohort(pairs(tmp_path, "a")).to_json()
    with pytest.raises(CohortError, match="the recorded cohort is damaged"):
        Cohort.from_json(record | damage)


def test_relative_roots_become_absolute(tmp_path, monkeypatch):
    pairs(tmp_path, "a")
    monkeypatch.chdir(tmp_path / "images")
    assert open_cohort(Path("..")).root == tmp_path
    assert open_cohort(Path("."), ["x"]).volumes[0].image == tmp_path / "images" / "a.nii.gz"


class Listener(Progress):
    def __init__(self):
        self.stages = []

    @contextmanager
    def stage(self, name, total):
        stage = Stage(name, total, lambda _: None)
        self.stages.append(stage)
        yield stage


def test_progress_counts_volumes(tmp_path):
    listener = Listener()
    open_cohort(pairs(tmp_path, "a", "b", "c"), (), listener)
    (stage,) = listener.stages
    assert (stage.name, stage.total, stage.done) == ("Checking the cohort", 3, 3)


# -- the real cohorts -------------------------------------------------------------------------


def real(name):
    """A cohort of the shared data, or a skip that says where it was looked for."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    data = Path(os.environ.get("ACTIVESEG_DATA", beside))
    if not (data / name).is_dir():
        pytest.skip(f"{name} is not in {data} (set ACTIVESEG_DATA)")
    return data / name


@pytest.mark.parametrize(
    ("name", "volumes", "structures", "modality"),
    [
        ("msd_hippocampus", 200, ["Anterior", "Posterior"], "mr"),
        (
            "openkbp_hn_ct",
            112,
            ["Brainstem", "SpinalCord", "RightParotid", "LeftParotid", "Mandible"],
            "ct-offset",
        ),
    ],
)
def test_real_cohorts(name, volumes, structures, modality, capfd):
    cohort = open_cohort(real(name), structures)
    assert len(cohort.volumes) == volumes
    assert [structure.name for structure in cohort.structures] == structures
    assert {volume.modality for volume in cohort.volumes} == {modality}
    assert all(volume.label is not None for volume in cohort.volumes)
    first = cohort.volumes[0]
    assert cohort.read_image(first.id).shape == first.geometry.shape
    assert set(np.unique(cohort.read_label(first.id))) == set(range(len(structures) + 1))
    assert capfd.readouterr() == ("", "")
