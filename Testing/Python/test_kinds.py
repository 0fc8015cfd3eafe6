"""Kinds of volumes: none invented, none of two volumes missed, each said in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg.cohort.images import read_image_file
from activeseg.keys import Plane
from activeseg.model.features import slice_features, texture_energy
from activeseg.model.scan import make_scan
from activeseg.representativeness.appearance import Appearance, Greys, greys_of
from activeseg.representativeness.groups import Kinds, kinds_of

Triple = tuple[float, float, float]


def alike(count: int, seed: int = 0, hounsfield: bool = False) -> list[Appearance]:
    """Volumes of one kind: every number scatters."""
    rng = np.random.default_rng(seed)

    def triple(mean: float | Triple, deviation: float) -> Triple:
        first, second, third = rng.normal(mean, deviation, 3)
        return (float(first), float(second), float(third))

    return [
        Appearance(
            spacing=(3.0, 1.0, 1.0),
            extent=triple(200.0, 10.0),
            greys=Greys(
                air=0.0,
                levels=triple((0.3, 0.5, 0.7), 0.02),
                tissue=float(rng.normal(0.6, 0.02)),
                hounsfield=triple((-80.0, 30.0, 60.0), 6.0) if hounsfield else None,
            ),
            texture=tuple(rng.normal((0.2, 0.3), 0.01).tolist()),
        )
        for _ in range(count)
    ]


def sizes(kinds: Kinds) -> list[int]:
    return np.bincount(kinds.number).tolist()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 30, 200])
@pytest.mark.parametrize("hounsfield", [False, True])
def test_volumes_that_scatter_are_of_one_kind(count: int, seed: int, hounsfield: bool) -> None:
    found = kinds_of(alike(count, seed, hounsfield))
    assert found.number.tolist() == [0] * count
    assert found.words == ("",) * min(1, count)


def test_equal_volumes_are_of_one_kind() -> None:
    assert sizes(kinds_of(alike(1) * 12)) == [12]


def test_another_spacing_is_another_kind() -> None:
    looks = alike(20)
    looks[3], looks[11] = (replace(looks[k], spacing=(6.0, 1.0, 1.0)) for k in (3, 11))
    found = kinds_of(looks)
    assert np.flatnonzero(found.number).tolist() == [3, 11]
    assert found.words == ("", "spacing 6 mm instead of 3 mm")


def test_a_child_among_adults_is_another_kind() -> None:
    looks = alike(20)
    looks[:2] = [replace(look, extent=(110.0, 120.0, 100.0)) for look in looks[:2]]
    found = kinds_of(looks)
    assert np.flatnonzero(found.number).tolist() == [0, 1]
    words = found.words[1]
    assert words.startswith("field of view 1")
    assert " mm instead of 2" in words or " mm instead of 19" in words


def test_contrast_medium_is_another_kind() -> None:
    looks = alike(20, hounsfield=True)
    for k in (4, 5, 6):
        greys = replace(looks[k].greys, hounsfield=(-80.0, 45.0, 120.0 + k))
        looks[k] = replace(looks[k], greys=greys)
    found = kinds_of(looks)
    assert np.flatnonzero(found.number).tolist() == [4, 5, 6]
    assert found.words[1] == "grey values unlike the others"


def test_grey_values_and_texture_are_said_together() -> None:
    looks = alike(20)
    for k in (4, 5):
        greys = replace(looks[k].greys, levels=(0.5, 0.7, 0.85))
        looks[k] = replace(looks[k], greys=greys, texture=(0.5 + k / 100, 0.9))
    assert kinds_of(looks).words[1] == "grey values and texture unlike the others"


def test_a_wide_range_without_a_gap_is_one_kind() -> None:
    looks = [
        replace(look, spacing=(mm, 1.0, 1.0))
        for look, mm in zip(alike(30), np.geomspace(1.0, 8.0, 30), strict=True)
    ]
    assert sizes(kinds_of(looks)) == [30]


def test_differences_that_do_not_matter_are_none() -> None:
    """All but two have the same spacing to the last digit; two differ by a sixth."""
    looks = alike(20)
    looks[3:5] = [replace(look, spacing=(3.5, 1.0, 1.0)) for look in looks[3:5]]
    assert sizes(kinds_of(looks)) == [20]


@pytest.mark.parametrize(
    ("others", "odd", "expected"),
    [
        (19, 6.0, [19, 1]),  # one of twenty, far away
        (19, 4.0, [20]),  # not far enough for one alone
        (60, 6.0, [61]),  # one of sixty-one is no kind
    ],
)
def test_one_volume_is_a_kind_where_cohorts_are_small_and_gaps_wide(
    others: int, odd: float, expected: list[int]
) -> None:
    looks = alike(others + 1)
    looks[-1] = replace(looks[-1], spacing=(odd, 1.0, 1.0))
    assert sizes(kinds_of(looks)) == expected


def test_two_odd_volumes_on_one_side_are_of_one_kind() -> None:
    looks = alike(20)
    looks[0] = replace(looks[0], spacing=(6.0, 1.0, 1.0))
    looks[1] = replace(looks[1], spacing=(12.0, 1.0, 1.0))
    assert sizes(kinds_of(looks)) == [18, 2]


def test_two_of_a_thousand_are_a_kind() -> None:
    looks = alike(1000)
    looks[10:12] = [replace(look, spacing=(6.0, 1.0, 1.0)) for look in looks[10:12]]
    assert sizes(kinds_of(looks)) == [998, 2]


def test_a_volume_unlike_in_two_ways_joins_the_smaller_kind_it_is_near_to() -> None:
    """Wide fields of view among both scanners; one volume of the other scanner has one."""
    looks = alike(30)
    looks[:4] = [replace(look, spacing=(6.0, 1.0, 1.0)) for look in looks[:4]]
    looks[3:9] = [replace(look, extent=(200.0, 200.0, 420.0)) for look in looks[3:9]]
    found = kinds_of(looks)
    assert sizes(found) == [21, 5, 4]
    assert found.number[:4].tolist() == [2, 2, 2, 2]


def test_the_largest_kind_is_number_0_and_equals_come_in_their_order() -> None:
    looks = alike(13)
    looks[:3] = [replace(look, spacing=(6.0, 1.0, 1.0)) for look in looks[:3]]
    looks[10:] = [replace(look, spacing=(1.0, 1.0, 1.0)) for look in looks[10:]]
    found = kinds_of(looks)
    assert found.number.tolist() == [1] * 3 + [0] * 7 + [2] * 3
    assert found.words[1:] == ("spacing 6 mm instead of 3 mm", "spacing 1 mm instead of 3 mm")


@given(st.permutations(range(20)))
def test_the_order_of_the_volumes_does_not_matter(order: list[int]) -> None:
    looks = alike(20)
    looks[:2] = [replace(look, spacing=(6.0, 1.0, 1.0)) for look in looks[:2]]
    found = kinds_of([looks[k] for k in order])
    assert [k for k, number in zip(order, found.number, strict=True) if number] == [
        k for k in order if k < 2
    ]


# What is measured


def test_greys_by_hand() -> None:
    """Air at 0, then 1 to 100: quartiles of what is above a tenth of the range."""
    values = np.concatenate([np.zeros(100), np.arange(1.0, 101.0)]).reshape(2, 10, 10)
    found = greys_of(values, air=0.0)
    assert found.tissue == 0.5
    # The quartiles are 25.75, 50.5 and 75.25, the 95 % quantile is 95.05, the darkest is 0.
    assert found.levels == pytest.approx((25.75 / 95.05, 50.5 / 95.05, 75.25 / 95.05))
    assert found.hounsfield is None
    shifted = greys_of(values + 1000, air=1000.0, zero_hu=1024.0)
    assert shifted.hounsfield == pytest.approx((1.75, 26.5, 51.25))


def test_where_air_has_no_value_it_is_the_lowest_tenth_of_the_range() -> None:
    values = np.linspace(50, 150, 1000).reshape(10, 10, 10)
    assert greys_of(values, None).air == pytest.approx(60, abs=0.5)


@given(st.floats(0.01, 100), st.floats(-1000, 1000))
def test_scale_and_offset_do_not_change_the_levels(scale: float, offset: float) -> None:
    values = np.random.default_rng(0).gamma(2.0, size=(12, 12, 12))
    one, other = greys_of(values, None), greys_of(scale * values + offset, None)
    assert other.levels == pytest.approx(one.levels, abs=1e-6)
    assert other.tissue == one.tissue
    curved = greys_of(values**0.6, None)
    assert abs(curved.levels[0] - one.levels[0]) > 0.05


def test_a_volume_of_one_value_has_greys() -> None:
    assert greys_of(np.full((4, 4, 4), -1000.0), -500.0, 0.0) == Greys(
        -500.0, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0)
    )
    assert greys_of(np.full((4, 4, 4), 5.0), None).tissue == 0.0


# The hippocampus cohort is of one kind


@pytest.fixture(scope="module")
def hippocampus(real_data: Path) -> list[Appearance]:
    files = sorted((real_data / "msd_hippocampus" / "images").iterdir())[:40]
    return [look_of(*read_image_file(file)) for file in files]


def look_of(array: np.ndarray, geometry: object) -> Appearance:
    scan = make_scan(array.astype(np.float32), geometry, "mr", tuple(Plane))  # type: ignore[arg-type]
    texture = np.concatenate([texture_energy(slice_features(scan, p)) for p in Plane]).mean(axis=0)
    s, p, left = (count * mm for count, mm in zip(scan.shape, scan.spacing, strict=True))
    greys = greys_of(array, None)
    return Appearance(scan.spacing, (s, p, left), greys, (float(texture[0]), float(texture[1])))


def test_a_homogeneous_cohort_has_no_minority(hippocampus: list[Appearance]) -> None:
    assert sizes(kinds_of(hippocampus)) == [40]
    assert sizes(kinds_of(hippocampus[:20])) == [20]


def test_a_scanner_of_another_spacing_is_found_in_it(hippocampus: list[Appearance]) -> None:
    looks = list(hippocampus)
    looks[:4] = [replace(look, spacing=(2.0, 1.0, 1.0)) for look in looks[:4]]
    found = kinds_of(looks)
    assert np.flatnonzero(found.number).tolist() == [0, 1, 2, 3]
    assert found.words[1] == "spacing 2 mm instead of 1 mm"
