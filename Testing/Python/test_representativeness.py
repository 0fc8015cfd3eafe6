"""Representatives of a cohort whose structure is known."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.representativeness import spread

ALIKE = np.ones(40, dtype=np.float32)


def four_kinds(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four well separated kinds of 16, 12, 8 and 4 rows; ten volumes, each with four rows."""
    kind = np.repeat([0, 1, 2, 3], [16, 12, 8, 4])
    centres = np.array([[0, 0], [50, 0], [0, 50], [50, 50]])
    noise = np.random.default_rng(seed).normal(size=(40, 2))
    volumes = np.array([f"v{row % 10}" for row in range(40)])
    return (centres[kind] + noise).astype(np.float32), volumes


def test_one_of_each_kind_the_largest_first() -> None:
    features, volumes = four_kinds()
    found = spread(features, volumes, ALIKE, 4, np.random.default_rng(0))
    assert [each.stands_for for each in found] == [16, 12, 8, 4]
    assert [(row.row >= 16) + (row.row >= 28) + (row.row >= 36) for row in found] == [0, 1, 2, 3]


def test_every_volume_gives_one_before_any_gives_two() -> None:
    # Every volume has every kind, so each cluster can choose among all of them.
    kind = np.tile(np.arange(5), 5)
    features = np.eye(5)[kind] * 100 + np.random.default_rng(0).normal(size=(25, 5))
    volumes = np.repeat([f"v{k}" for k in range(5)], 5)
    found = spread(features.astype(np.float32), volumes, ALIKE[:25], 5, np.random.default_rng(0))
    assert sorted(volumes[each.row] for each in found) == ["v0", "v1", "v2", "v3", "v4"]


def test_volumes_that_gave_already_wait() -> None:
    features = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    volumes = np.array(["old", "new"] * 20)
    found = spread(features, volumes, ALIKE, 2, np.random.default_rng(0), taken=["old", "old"])
    assert [volumes[each.row] for each in found] == ["new", "new"]


def test_the_central_row_stands_for_its_cluster() -> None:
    features = np.array([[-3.0], [-1.0], [0.1], [1.0], [3.0]], dtype=np.float32)
    volumes = np.array(["a", "b", "c", "d", "e"])
    found = spread(features, volumes, ALIKE[:5], 1, np.random.default_rng(0))
    assert [(each.row, each.stands_for) for each in found] == [(2, 5)]


def test_information_outweighs_a_little_distance_but_not_much() -> None:
    # The weights are symmetric, so the centre is the middle row.
    features = np.array([[-2.0], [-0.3], [0.0], [0.3], [2.0]], dtype=np.float32)
    volumes = np.array(["a", "b", "c", "d", "e"])
    for information, row in [([1, 1, 0.5, 1, 1], (1, 3)), ([1, 0.5, 0.5, 0.5, 1], (2,))]:
        weight = np.array(information, dtype=np.float32)
        found = spread(features, volumes, weight, 1, np.random.default_rng(0))
        assert found[0].row in row


def test_information_pulls_the_centre() -> None:
    # Of the new rows, equal in information: weights 1, 1, 1, 6 have their centre at 2.24, nearer
    # to row 2, equal weights at -0.2, next to row 1.
    features = np.array([[-9.0], [0.0], [4.0], [4.2]], dtype=np.float32)
    volumes = np.array(["old", "new", "new", "old"])
    rich = np.array([1, 1, 1.0, 6], dtype=np.float32)
    for information, row in [(rich, 2), (ALIKE[:4], 1)]:
        found = spread(features, volumes, information, 1, np.random.default_rng(0), taken=["old"])
        assert found[0].row == row


def test_air_is_taken_last() -> None:
    features, volumes = four_kinds()
    information = ALIKE.copy()
    information[:16] = 0.01
    found = spread(features, volumes, information, 40, np.random.default_rng(0))
    assert sorted(each.row for each in found) == list(range(40))
    assert all(each.row >= 16 for each in found[:24])
    assert [each.stands_for for each in found[24:]] == [0] * 16


def test_equal_rows_are_one_cluster_and_the_rest_fills_up() -> None:
    features = np.zeros((6, 3), dtype=np.float32)
    volumes = np.array(list("abcdef"))
    found = spread(features, volumes, ALIKE[:6], 3, np.random.default_rng(0))
    assert [each.stands_for for each in found] == [6, 0, 0]
    assert len({each.row for each in found}) == 3


def test_scale_of_a_column_does_not_matter() -> None:
    features, volumes = four_kinds()
    scaled = features * np.array([1000.0, 0.001], dtype=np.float32)
    plain = spread(features, volumes, ALIKE, 4, np.random.default_rng(0))
    assert spread(scaled, volumes, ALIKE, 4, np.random.default_rng(0)) == plain


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 50), st.integers(0, 5))
def test_as_many_as_asked_each_once_and_reproducible(count: int, seed: int) -> None:
    features, volumes = four_kinds(seed)
    found = spread(features, volumes, ALIKE, count, np.random.default_rng(seed))
    assert len({each.row for each in found}) == len(found) == min(count, 40)
    assert sum(each.stands_for for each in found) == 40
    assert spread(features, volumes, ALIKE, count, np.random.default_rng(seed)) == found


def test_another_seed_chooses_otherwise() -> None:
    features = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    volumes = np.array([f"v{row % 10}" for row in range(40)])
    chosen = {
        tuple(each.row for each in spread(features, volumes, ALIKE, 5, np.random.default_rng(s)))
        for s in range(3)
    }
    assert len(chosen) > 1
