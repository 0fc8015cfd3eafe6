"""Looking at volumes: once, as long as nothing changes that the features follow from."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from activeseg.cohort import Cohort, open_cohort, read_image_file, write_image
from activeseg.errors import CohortError
from activeseg.keys import Plane
from activeseg.progress import Silent
from activeseg.project import pool_features
from activeseg.project.feature_cache import FeatureCache
from activeseg.project.feature_source import FROZEN, FeatureSource
from activeseg.project.pool_features import Look, Looking, VolumeFeatures, features_of_volume
from activeseg.project.screening import Measured, reads_screening
from activeseg.sampling import STRATEGIES
from activeseg.worklist.choice import WorklistRequest, choose_worklist
from tiny_cohort import write_tiny_cohort


@pytest.fixture(params=[".nii.gz", ".nrrd"])
def cohort(tmp_path: Path, request: pytest.FixtureRequest) -> Cohort:
    """By the file's checksum, and by that of the pixels."""
    return open_cohort(write_tiny_cohort(tmp_path / "tiny", volumes=2, suffix=request.param))


@pytest.fixture
def looking(tmp_path: Path) -> Looking:
    return Looking(cache=FeatureCache(tmp_path / "cache"))


def look_at(cohort: Cohort, planes: str, looking: Looking, volume: str) -> VolumeFeatures:
    return features_of_volume(Look(cohort, planes, volume, looking))


def same(one: VolumeFeatures, other: VolumeFeatures) -> bool:
    """Whether all is equal to the last bit."""
    for mine, theirs in (
        (one.features, other.features),
        (one.information, other.information),
    ):
        assert mine.keys() == theirs.keys()
        if not all(np.array_equal(mine[plane], theirs[plane]) for plane in mine):
            return False
    return (one.measured is None) == (other.measured is None) and (
        one.measured is None
        or other.measured is None
        or measured_words(one.measured) == measured_words(other.measured)
    )


def measured_words(measured: Measured) -> dict[str, object]:
    return {name: each.tolist() for name, each in measured.to_arrays().items()} | {
        "look": measured.look
    }


def files(looking: Looking) -> list[str]:
    assert looking.cache is not None
    return sorted(file.name.partition("-")[0] for file in looking.cache.folder.iterdir())


def test_the_second_look_computes_nothing_and_finds_the_same(
    cohort: Cohort, looking: Looking
) -> None:
    bare = look_at(cohort, "all", Looking(), "v01")
    first = look_at(cohort, "all", looking, "v01")
    assert files(looking) == ["screening", "slices"]
    with (
        patch.object(FeatureSource, "of", side_effect=AssertionError),
        patch.object(pool_features, "measured", side_effect=AssertionError),
    ):
        second = look_at(cohort, "all", looking, "v01")
    assert same(bare, first)
    assert same(first, second)
    assert set(second.features) == set(Plane)
    assert second.features[Plane.AXIAL].shape[0] == 8


def test_of_a_known_nifti_not_even_the_image_is_read(tmp_path: Path, looking: Looking) -> None:
    cohort = open_cohort(write_tiny_cohort(tmp_path / "tiny", volumes=1, suffix=".nii.gz"))
    first = look_at(cohort, "auto", looking, "v00")
    with patch.object(Cohort, "read_image", side_effect=AssertionError):
        assert same(first, look_at(cohort, "auto", looking, "v00"))


def test_another_image_in_the_same_place_is_looked_at(cohort: Cohort, looking: Looking) -> None:
    before = look_at(cohort, "auto", looking, "v00")
    image = cohort.volume("v00").image
    pixels, geometry = read_image_file(image)
    write_image(image, pixels[::-1].copy(), geometry)
    after = look_at(cohort, "auto", looking, "v00")
    assert not same(before, after)
    assert same(after, look_at(cohort, "auto", Looking(), "v00"))
    image.unlink()
    with pytest.raises(CohortError):
        look_at(cohort, "auto", looking, "v00")


def test_the_same_image_elsewhere_is_known(
    cohort: Cohort, looking: Looking, tmp_path: Path
) -> None:
    first = look_at(cohort, "auto", looking, "v00")
    shutil.copytree(cohort.root, tmp_path / "moved")
    moved = open_cohort(tmp_path / "moved")
    with patch.object(FeatureSource, "of", side_effect=AssertionError):
        assert same(first, look_at(moved, "auto", looking, "v00"))


@pytest.mark.parametrize("what", ["planes", "modality", "features", "screening"])
def test_whatever_they_follow_from_counts(
    cohort: Cohort, looking: Looking, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at(cohort, "axial", looking, "v00")
    planes = "axial"
    if what == "planes":
        planes = "coronal"
    elif what == "modality":
        others = tuple(replace(each, modality="mr") for each in cohort.volumes)
        cohort = Cohort(cohort.root, others, cohort.structures)
    elif what == "features":
        monkeypatch.setattr("activeseg.project.feature_source.RECIPE", 99)
    else:
        monkeypatch.setattr(pool_features, "RECIPE", 99)
    again = look_at(cohort, planes, looking, "v00")
    both = {"features": ["slices"], "screening": ["screening"]}.get(what, ["screening", "slices"])
    assert files(looking) == sorted(["screening", "slices", *both])
    assert same(again, look_at(cohort, planes, Looking(), "v00"))


def test_damage_is_made_anew(cohort: Cohort, looking: Looking) -> None:
    assert looking.cache is not None
    first = look_at(cohort, "auto", looking, "v00")
    contents = {file: file.read_bytes() for file in looking.cache.folder.iterdir()}
    for file, content in contents.items():
        file.write_bytes(content[: len(content) // 2])
    assert same(first, look_at(cohort, "auto", looking, "v00"))
    assert {file: file.read_bytes() for file in contents} == contents


def test_it_can_be_sent_between_processes(cohort: Cohort, looking: Looking) -> None:
    sent = pickle.loads(pickle.dumps(Look(cohort, "auto", "v01", looking)))
    found = pickle.loads(pickle.dumps(features_of_volume(sent)))
    assert same(found, look_at(cohort, "auto", Looking(), "v01"))


def test_a_volume_is_measured_only_where_that_is_asked_for(
    cohort: Cohort, looking: Looking
) -> None:
    blind = replace(looking, screening=False)
    with patch.object(pool_features, "measured", side_effect=AssertionError):
        found = look_at(cohort, "auto", blind, "v00")
    assert found.measured is None
    assert files(looking) == ["slices"]
    # What is known of its slices is enough for the rest, as long as it is the frozen features.
    with patch.object(FeatureSource, "of", side_effect=AssertionError):
        seen = look_at(cohort, "auto", looking, "v00")
    assert same(seen, look_at(cohort, "auto", Looking(FROZEN), "v00"))


def test_one_shot_alone_reads_it() -> None:
    assert {name for name, each in STRATEGIES.items() if reads_screening(each)} == {"one-shot"}


@pytest.mark.parametrize("strategy", ["one-shot", "farthest-first", "strided"])
def test_a_worklist_measures_and_keeps_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    folder = write_tiny_cohort(tmp_path / "tiny", volumes=3)
    request = WorklistRequest(folder, 4.0, strategy=strategy)
    bare = choose_worklist(request, Silent())
    monkeypatch.setenv("ACTIVESEG_CACHE", str(tmp_path / "mine"))
    first = choose_worklist(request, Silent())
    kinds = {file.name.partition("-")[0] for file in (tmp_path / "mine").iterdir()}
    assert kinds == ({"slices", "screening"} if strategy == "one-shot" else {"slices"})
    with patch.object(FeatureSource, "of", side_effect=AssertionError):
        second = choose_worklist(request, Silent())
    for found in (first, second):
        assert found.suggestions == bare.suggestions
        assert found.note == bare.note
        assert found.covered == bare.covered


@pytest.mark.parametrize("modality", ["ct", "mr"])
def test_what_was_measured_comes_back(cohort: Cohort, modality: str) -> None:
    others = tuple(replace(each, modality=modality) for each in cohort.volumes)
    found = look_at(Cohort(cohort.root, others, cohort.structures), "all", Looking(), "v00")
    assert found.measured is not None
    again = Measured.from_arrays(found.measured.to_arrays())
    assert again.look == found.measured.look
    assert (again.look.greys.hounsfield is None) == (modality == "mr")
    assert again.autocorrelation == found.measured.autocorrelation
    assert np.array_equal(again.fingerprint, found.measured.fingerprint)
    for name in ("without_body", "broken"):
        mine, theirs = getattr(again, name), getattr(found.measured, name)
        assert mine.keys() == theirs.keys() == set(Plane)
        assert all(np.array_equal(mine[plane], theirs[plane]) for plane in mine)
