"""The first batch of a cohort as it comes: another scanner, a copy, noise, broken slices."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from activeseg.cohort import CohortVolume
from activeseg.cohort.images import read_image_file, write_image
from activeseg.keys import Plane, SliceKey
from activeseg.phantom import make_volume
from activeseg.progress import Silent
from activeseg.project import Project, annotate
from activeseg.project.offer import offered
from activeseg.project.screening import measured
from activeseg.project.verbs import run_suggest
from activeseg.sampling import Pool, Screened, strategy
from mixed_cohort import COPY, NOISE, ORIGINAL, SPOILT, Image, Mixed, write_mixed_cohort
from tiny_cohort import GEOMETRIES, body, copied, new_project

SILENT = Silent()
BUDGETS = (120.0, 300.0, 600.0, 1200.0, 3600.0)


def pool_for(project: Project) -> Pool:
    return offered(project, None, strategy("one-shot"), None, SILENT).pool


def chosen_keys(pool: Pool, seconds: float, seed: int) -> list[SliceKey]:
    rng = np.random.default_rng(seed)
    chosen = strategy("one-shot").choose(pool, budget_s=seconds, rng=rng)
    return [choice.candidate.key for choice in chosen.choices]


def screened(pool: Pool) -> Screened:
    assert pool.screened is not None
    return pool.screened


def check_choices(mixed: Mixed, pool: Pool) -> None:
    """What holds of each first batch, whatever the seed and the budget."""
    share = len(mixed.minority) / mixed.volumes
    assert share == 0.1
    for seconds in BUDGETS:
        for seed in range(3):
            keys = chosen_keys(pool, seconds, seed)
            assert len(keys) >= 3
            volumes = Counter(key.volume for key in keys)
            assert not volumes.keys() & {NOISE, COPY}
            others = sum(volumes[name] for name in mixed.minority)
            assert others >= share * len(keys)
            broken = [key for key in keys if key.volume == SPOILT and key.plane == Plane.AXIAL]
            assert not {key.index for key in broken} & mixed.spoilt


def check_screening(mixed: Mixed, pool: Pool) -> None:
    """What was found."""
    found = screened(pool)
    assert dict(found.volumes_out) == {COPY: f"same image as {ORIGINAL}", NOISE: "no structure"}
    kinds = {name: int(number) for name, number in zip(pool.volumes, found.group, strict=True)}
    assert {name for name, kind in kinds.items() if kind} == mixed.minority
    assert len(found.kinds) == 2
    assert found.kinds[1].startswith("spacing ")
    assert "grey values" in found.kinds[1]
    out = {str(pool.key(row)) for row in np.flatnonzero(found.excluded)}
    spoilt = {str(SliceKey(SPOILT, Plane.AXIAL, index)) for index in mixed.spoilt}
    assert spoilt <= out
    assert str(SliceKey(SPOILT, Plane.AXIAL, mixed.lined)) not in out
    assert dict(found.slices_out)["without an image"] == len(spoilt)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mixed, Project]:
    """Twenty scans of thick slices, as one scanner makes them, the last two of another one."""
    images: list[Image] = []
    for number in range(40):
        made = make_volume(number, seed=0)
        if not made.geometry.near_isotropic:
            images.append(Image(made.image, made.geometry))
    folder = tmp_path_factory.mktemp("phantom")
    mixed = write_mixed_cohort(folder / "cohort", images[:20], 2, "CT")
    return mixed, new_project(folder / "project", mixed.folder)


@pytest.fixture(scope="module")
def phantom_pool(phantom: tuple[Mixed, Project]) -> Pool:
    return pool_for(phantom[1])


def test_the_phantoms_are_screened(phantom: tuple[Mixed, Project], phantom_pool: Pool) -> None:
    check_screening(phantom[0], phantom_pool)


def test_the_phantoms_first_batch(phantom: tuple[Mixed, Project], phantom_pool: Pool) -> None:
    check_choices(phantom[0], phantom_pool)


def test_without_screening_noise_and_copies_are_asked_for(phantom_pool: Pool) -> None:
    """So that the tests above would fail if nobody looked."""
    keys = chosen_keys(replace(phantom_pool, screened=None), 3600.0, 0)
    assert {NOISE, COPY} <= {key.volume for key in keys}


def test_the_batch_says_what_was_left_out_and_why(phantom: tuple[Mixed, Project]) -> None:
    batch = run_suggest(phantom[1], 10.0, "one-shot", SILENT)
    assert batch.note.startswith(
        "left out: z_copy (same image as v01), z_noise (no structure), 3 slices without an image; "
        "slices by kind of volume: "
    )
    assert "from 2 volumes (spacing " in batch.note
    assert "\n" not in batch.note


def test_of_copies_the_annotated_one_is_kept(
    phantom: tuple[Mixed, Project], tmp_path: Path
) -> None:
    mixed, begun = phantom
    project = copied(begun, tmp_path / "project")
    key = SliceKey(COPY, Plane.AXIAL, 12)
    array, geometry = read_image_file(mixed.folder / "images" / f"{COPY}.nii.gz")
    mask = project.folder / "mask.nrrd"
    write_image(mask, np.zeros(array.shape, dtype=np.uint8), geometry)
    annotate(project, key, mask, 30.0, "ada")
    found = screened(pool_for(project))
    assert dict(found.volumes_out)[ORIGINAL] == f"same image as {COPY}"
    assert COPY not in dict(found.volumes_out)


@pytest.mark.parametrize("name", sorted(GEOMETRIES))
def test_a_volume_is_measured_in_its_own_axes_and_units(name: str) -> None:
    geometry = GEOMETRIES[name]
    image = geometry.from_canonical(body(geometry.canonical_shape, 1)[0]).astype(np.float32)
    texture = np.array([0.2, 0.3])
    ct, offset, mr = (
        measured(
            image + shift,
            CohortVolume("v", Path("v.nrrd"), None, geometry, modality),
            tuple(Plane),
            texture,
        )
        for modality, shift in (("ct", 0.0), ("ct-offset", 1024.0), ("mr", 0.0))
    )
    assert ct.look.spacing == (3.0, 1.0, 1.0)
    assert ct.look.extent == (24.0, 20.0, 18.0)
    assert ct.look.texture == (0.2, 0.3)
    assert ct.look.greys.hounsfield == pytest.approx((35, 45, 60), abs=20)
    assert offset.look.greys.hounsfield == pytest.approx(ct.look.greys.hounsfield, abs=1e-3)
    assert (ct.look.greys.air, offset.look.greys.air) == (-500.0, 524.0)
    assert mr.look.greys.hounsfield is None
    assert ct.fingerprint @ offset.fingerprint > 0.9999
    # The body reaches the front and the back of the image, and neither side of it.
    for found in (ct, offset, mr):
        sides = found.without_body[Plane.SAGITTAL]
        assert np.flatnonzero(sides).tolist() == [0, 17]
        assert not found.without_body[Plane.AXIAL].any()
        assert not any(broken.any() for broken in found.broken.values())


def test_a_cohort_of_noise_still_has_a_first_batch(tmp_path: Path) -> None:
    images = []
    for seed in range(3):
        made = make_volume(seed, seed=0)
        noise = np.random.default_rng(seed).normal(0, 300, made.image.shape)
        images.append(Image(noise, made.geometry))
    (tmp_path / "cohort" / "images").mkdir(parents=True)
    for number, image in enumerate(images):
        path = tmp_path / "cohort" / "images" / f"n{number}.nii.gz"
        write_image(path, np.rint(image.array).astype(np.int16), image.geometry)
    (tmp_path / "cohort" / "dataset.json").write_text(
        '{"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}}'
    )
    batch = run_suggest(new_project(tmp_path / "p", tmp_path / "cohort"), 4.0, None, SILENT)
    assert batch.suggestions
    assert batch.note == (
        "nothing else is left: these are slices that would be left out; "
        "left out: n0 (no structure), n1 (no structure), n2 (no structure)"
    )


def test_the_first_batch_of_real_scans(tmp_path: Path, real_data: Path) -> None:
    files = sorted((real_data / "msd_hippocampus" / "images").iterdir())[:30]
    images = [Image(*read_image_file(file)) for file in files]
    mixed = write_mixed_cohort(tmp_path / "cohort", images, 3, "MR")
    pool = pool_for(new_project(tmp_path / "project", mixed.folder))
    check_screening(mixed, pool)
    check_choices(mixed, pool)
