"""The phantom cohort: repeatable, varied, the same body however it is stored, and hard."""

from __future__ import annotations

import gzip
from itertools import permutations, product

import numpy as np
import pytest
from scipy import ndimage

from activeseg.cohort import Geometry, open_cohort
from activeseg.errors import CohortError
from activeseg.keys import Plane
from activeseg.phantom import PHANTOM_STRUCTURES, make_volume, write_phantom
from activeseg.phantom.anatomy import Anatomy, Tissue
from activeseg.phantom.grid import body_points
from activeseg.phantom.waves import Waves

ORGAN, VESSEL, GLAND = 1, 2, 3


@pytest.fixture(scope="module")
def ct():
    return [make_volume(number, seed=0) for number in range(24)]


@pytest.fixture(scope="module")
def mr():
    return [make_volume(number, seed=0, modality="mr") for number in range(12)]


def directions(volume):
    return np.array(volume.geometry.direction).reshape(3, 3)


def centroid(volume, value):
    """Middle of a structure in LPS mm, worked out from the header alone."""
    k, j, i = np.nonzero(volume.label == value)
    index = np.array([i.mean(), j.mean(), k.mean()])
    return volume.geometry.origin + directions(volume) @ (volume.geometry.spacing * index)


def with_both(volumes, one, other):
    return [v for v in volumes if (v.label == one).any() and (v.label == other).any()]


def test_names_stand_for_the_label_values_in_order():
    assert PHANTOM_STRUCTURES == ("organ", "vessel", "gland")
    assert (Tissue.ORGAN, Tissue.VESSEL, Tissue.GLAND) == (ORGAN, VESSEL, GLAND)


@pytest.mark.parametrize("modality", ["ct", "mr"])
def test_same_arguments_give_the_same_voxels(modality):
    one, two = (make_volume(3, seed=5, modality=modality) for _ in range(2))
    assert one.id == two.id == "phantom_003"
    assert one.geometry == two.geometry
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.label, two.label)


def test_another_seed_or_number_gives_another_patient():
    first = make_volume(0, seed=0)
    for other in (make_volume(0, seed=1), make_volume(1, seed=0)):
        assert other.geometry != first.geometry
        assert np.sum(other.label == ORGAN) != np.sum(first.label == ORGAN)


def test_both_modalities_show_the_same_patient_on_the_same_grid(ct, mr):
    for one, two in zip(ct, mr, strict=False):
        assert one.geometry == two.geometry
        assert np.array_equal(one.label, two.label)
        assert one.modality == "ct"
        assert two.modality == "mr"


def test_arrays_have_the_types_and_values_of_their_kind(ct, mr):
    for volume in (*ct, *mr):
        assert volume.image.dtype == np.int16
        assert volume.label.dtype == np.uint8
        assert volume.image.shape == volume.label.shape == volume.geometry.shape
        assert set(np.unique(volume.label)) <= {0, 1, 2, 3}
    for volume in ct:
        outside = np.sort(volume.image.ravel())[: volume.image.size // 10]
        assert outside.min() >= -1024
        assert -1024 <= np.median(outside) < -950
    assert all(volume.image.min() >= 0 for volume in mr)


def test_mr_grey_values_have_an_arbitrary_scale(mr):
    scales = [np.percentile(volume.image, 99) for volume in mr]
    assert max(scales) > 3 * min(scales)


def test_sizes_spacings_and_fields_of_view_vary(ct):
    for volume in ct:
        slices, rows, columns = volume.geometry.canonical_shape
        thickness, pixel, same = volume.geometry.canonical_spacing
        assert 24 <= slices <= 40
        assert rows == columns
        assert 56 <= rows <= 72
        assert pixel == same
        assert 2 <= pixel <= 3
        assert 2 <= thickness <= 8
    assert len({volume.geometry.size for volume in ct}) > 12
    fields = [v.geometry.canonical_shape[1] * v.geometry.canonical_spacing[1] for v in ct]
    assert max(fields) > 1.25 * min(fields)


def test_one_volume_of_four_is_near_isotropic_and_the_others_are_thick_axial(ct):
    assert sum(volume.geometry.near_isotropic for volume in ct) == 6
    for volume in ct:
        thickness, pixel, _ = volume.geometry.canonical_spacing
        assert volume.geometry.near_isotropic == (thickness < 2 * pixel)
        assert volume.geometry.acquisition_plane == Plane.AXIAL


def test_orientations_vary_in_order_sign_and_tilt(ct):
    axes = [directions(volume) for volume in ct]
    for matrix in axes:
        assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert {np.sign(np.linalg.det(matrix)) for matrix in axes} == {-1, 1}
    orders = [tuple(np.argmax(np.abs(matrix), axis=0)) for matrix in axes]
    assert len(set(orders)) >= 3
    assert orders.count((0, 1, 2)) >= 16
    oblique = [matrix for matrix in axes if np.max(np.abs(matrix), axis=0).min() < 0.9999]
    assert len(oblique) == 4
    for matrix in oblique:
        turned = (np.trace(np.abs(matrix[:, np.argmax(np.abs(matrix), axis=1)])) - 1) / 2
        assert 4.9 < np.degrees(np.arccos(turned)) < 15.1


def test_one_volume_of_six_lacks_a_structure(ct):
    lacking = [{ORGAN, VESSEL, GLAND} - set(np.unique(volume.label)) for volume in ct]
    assert sorted(map(len, lacking)) == [0] * 20 + [1] * 4
    assert set().union(*lacking) == {ORGAN, VESSEL, GLAND}


def test_structures_lie_the_same_way_in_the_body_however_stored(ct):
    for volume in with_both(ct, ORGAN, GLAND):
        assert centroid(volume, GLAND)[0] - centroid(volume, ORGAN)[0] > 10  # to the left
    for volume in with_both(ct, ORGAN, VESSEL):
        assert centroid(volume, VESSEL)[0] - centroid(volume, ORGAN)[0] > 5
    behind = [
        centroid(volume, VESSEL)[1] - centroid(volume, GLAND)[1]
        for volume in with_both(ct, GLAND, VESSEL)
    ]
    assert min(behind) > -5  # at most beside, mostly behind
    assert np.mean(behind) > 10


def test_lungs_are_toward_the_head_and_the_spine_toward_the_back(ct):
    for volume in ct:
        upright = volume.geometry.to_canonical(volume.image)
        _, rows, columns = upright.shape
        across = slice(columns // 4, 3 * columns // 4)
        body = upright[:, rows // 4 : 3 * rows // 4, across]
        if not volume.geometry.near_isotropic:  # thin stacks end below the lungs
            assert np.mean(body[-3:] < -600) > np.mean(body[:3] < -600) + 0.05
        bone = upright[:, :, across] > 250
        assert bone[:, rows // 2 :].sum() > 3 * bone[:, : rows // 2].sum()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_anatomy_does_not_depend_on_the_stored_order_and_signs(order):
    """Every way of storing one grid shows the same tissue at the same place in the body."""
    anatomy = Anatomy.draw(np.random.default_rng(4), missing=None)
    size, spacing = np.array([30, 28, 12]), np.array([5.0, 5.0, 10.0])
    expected = None
    for signs in product((1.0, -1.0), repeat=3):
        axes = np.diag(signs)[:, order]
        shape, steps = size[list(order)], spacing[list(order)]
        origin = np.array([7.0, -30.0, 400.0]) - axes @ (steps * (shape - 1) / 2)
        geometry = Geometry(
            tuple(map(int, shape)), tuple(steps), tuple(origin), tuple(axes.ravel())
        )
        points = body_points(geometry, np.array([7.0, -30.0, 400.0]))
        tissue = geometry.to_canonical(anatomy.tissues(points))
        assert tissue.shape == (12, 28, 30)
        expected = tissue if expected is None else expected
        assert np.array_equal(tissue, expected)
    assert {ORGAN, VESSEL, GLAND} <= set(np.unique(expected))


def test_voxel_centres_of_a_hand_made_grid():
    # i runs to the head, j to the right, k to the front; 2, 3 and 4 mm apart.
    axes = (0.0, -1.0, 0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0)
    geometry = Geometry((3, 4, 5), (2.0, 3.0, 4.0), (100.0, 200.0, 300.0), axes)
    x, y, z = body_points(geometry, np.array([90.0, 180.0, 270.0]))
    assert x.shape == (5, 4, 3)
    assert (x[4, 3, 2], y[4, 3, 2], z[4, 3, 2]) == (10 - 9, 20 - 16, 30 + 4)
    deeper = body_points(geometry, np.array([90.0, 180.0, 270.0]), shift=0.5)
    assert np.array_equal(deeper[0], x)
    assert np.array_equal(deeper[1], y)
    assert np.allclose(deeper[2], z + 1)  # half a step of 2 mm toward the head


def test_a_patient_without_a_structure_is_otherwise_the_same():
    z, y, x = (np.arange(-60, 61, 4, dtype=np.float32) for _ in range(3))
    points = tuple(np.meshgrid(z, y, x, indexing="ij")[::-1])
    whole = Anatomy.draw(np.random.default_rng(1), None).tissues(points)
    for gone in (Tissue.ORGAN, Tissue.VESSEL, Tissue.GLAND):
        without = Anatomy.draw(np.random.default_rng(1), gone).tissues(points)
        assert (whole == gone).any()
        assert not (without == gone).any()
        changed = whole != without
        allowed = {gone, Tissue.SEAM} if gone == Tissue.GLAND else {gone}
        assert set(np.unique(whole[changed])) <= allowed


def test_waves_have_the_spread_that_was_asked_for():
    rng = np.random.default_rng(2)
    waves = Waves.draw(rng, 20, (10, 20), 3.0)
    x, y, z = rng.uniform(-500, 500, size=(3, 20000)).astype(np.float32)
    values = waves.at((x, y, z))
    assert abs(values.mean()) < 0.1
    assert values.std() == pytest.approx(3.0, rel=0.03)


def interiors(volume):
    """Grey values of organ and gland away from their borders."""
    return [volume.image[ndimage.binary_erosion(volume.label == v)] for v in (ORGAN, GLAND)]


def test_ct_gland_has_the_organs_grey_value(ct):
    pairs = [interiors(volume) for volume in with_both(ct, ORGAN, GLAND)]
    differences = [np.median(gland) - np.median(organ) for organ, gland in pairs]
    spread = np.median([organ.std() for organ, _ in pairs])
    assert abs(np.mean(differences)) < spread / 2
    assert np.max(np.abs(differences)) < spread


def test_mr_gland_has_the_organs_grey_value(mr):
    pairs = [interiors(volume) for volume in with_both(mr, ORGAN, GLAND)]
    ratios = [np.median(gland) / np.median(organ) for organ, gland in pairs]
    assert np.mean(ratios) == pytest.approx(1, abs=0.08)


def test_gland_is_told_from_the_organ_by_its_texture(mr):
    for volume in with_both(mr, ORGAN, GLAND):
        organ, gland = interiors(volume)
        assert gland.std() > 1.2 * organ.std()


def test_gland_touches_the_organ(ct):
    for volume in with_both(ct, ORGAN, GLAND):
        beside = ndimage.binary_dilation(volume.label == ORGAN) & (volume.label == GLAND)
        assert beside.sum() >= 10


def test_vessel_runs_through_most_slices_and_is_thin(ct):
    for volume in ct:
        vessel = volume.geometry.to_canonical(volume.label) == VESSEL
        if vessel.any():
            areas = vessel.sum(axis=(1, 2))
            pixel = volume.geometry.canonical_spacing[1]
            assert np.count_nonzero(areas) * volume.geometry.canonical_spacing[0] > 70
            assert np.median(areas[areas > 0]) * pixel**2 < 400


def test_one_volume_of_five_has_the_other_contrast(ct):
    brighter = [
        np.median(v.image[v.label == VESSEL]) > np.median(v.image[v.label == ORGAN])
        for v in with_both(ct, ORGAN, VESSEL)
    ]
    assert 2 <= brighter.count(False) <= 5
    assert brighter.count(True) >= 12


@pytest.mark.parametrize("modality", ["ct", "mr"])
def test_written_cohort_reads_back(tmp_path, modality):
    write_phantom(tmp_path / "new", volumes=3, seed=1, modality=modality)
    cohort = open_cohort(tmp_path / "new")
    assert [(s.name, s.value) for s in cohort.structures] == [
        ("organ", 1),
        ("vessel", 2),
        ("gland", 3),
    ]
    assert [volume.id for volume in cohort.volumes] == ["phantom_000", "phantom_001", "phantom_002"]
    for number, volume in enumerate(cohort.volumes):
        made = make_volume(number, seed=1, modality=modality)
        assert volume.modality == modality
        assert volume.geometry.mismatch(made.geometry) is None
        assert np.array_equal(cohort.read_image(volume.id), made.image)
        assert np.array_equal(cohort.read_label(volume.id), made.label)


def test_a_longer_cohort_starts_with_the_shorter_one(tmp_path):
    for volumes in (1, 2):
        write_phantom(tmp_path / str(volumes), volumes=volumes)
    name = "images/phantom_000.nii.gz"
    one, two = (gzip.decompress((tmp_path / folder / name).read_bytes()) for folder in "12")
    assert one == two


def test_folder_that_holds_files_is_left_alone(tmp_path):
    (tmp_path / "patient.nii").write_bytes(b"precious")
    with pytest.raises(CohortError, match="already holds files; give a new or empty folder"):
        write_phantom(tmp_path, volumes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["patient.nii"]
    with pytest.raises(CohortError, match="is a file"):
        write_phantom(tmp_path / "patient.nii", volumes=1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"volumes": 0}, "0 phantom volumes"),
        ({"seed": -1}, "seed -1"),
        ({"modality": "us"}, "modality 'us'; choose ct or mr"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, wrong, message):
    with pytest.raises(CohortError, match=message):
        write_phantom(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()
