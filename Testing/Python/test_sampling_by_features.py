"""The rules that choose by features alone, on slices whose right choice is plain to see.

Slices are all in one volume and take 10 s each where nothing else is said.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

from activeseg.sampling import STRATEGIES, looks, strategy
from activeseg.sampling.location import facility_location
from activeseg.sampling.representative import representative
from small_pool import chosen, line, names, pool_at, rng

RULES = [
    *("representative", "facility-location", "probcover", "farthest-first"),
    *("density", "cscs", "typiclust"),
]
EVERY = pytest.mark.parametrize("name", RULES)

# All of them


def test_people_are_offered_all_of_them() -> None:
    for name in RULES:
        found = STRATEGIES[name]
        assert (found.needs_model, found.needs_features, found.needs_truth) == (False, True, False)
        assert found.summary.startswith("before any annotation: ")
    assert strategy("coreset").sampling is strategy("farthest-first").sampling


@EVERY
def test_nearly_empty_slices_come_last_and_the_fuller_ones_first(name: str) -> None:
    # Nearly empty ones lie densest, are most like each other and unlike the others.
    points = [(0.01 * k, 50.0) for k in range(6)] + [(float(k), -float(k)) for k in range(6)]
    information = [0.01, 0.03, 0.02, 0.05, 0.04, 0.06] + [1.0] * 6
    pool = pool_at(points, information=information)
    full = {f"a{k}" for k in range(6, 12)}
    for count in (1, 3, 6):
        batch = strategy(name).choose(pool, budget_s=10.0 * count, rng=rng())
        assert chosen(batch) < full if count < 6 else chosen(batch) == full
    batch = strategy(name).choose(pool, budget_s=80.0, rng=rng())
    assert chosen(batch) == full | {"a3", "a5"}
    last = [each for each in batch.choices if each.candidate.key.index < 6]
    assert {each.value for each in last} == {0}
    assert all(each.reason.startswith("nearly empty, and nothing fuller fits") for each in last)


@EVERY
def test_a_large_pool_is_looked_at_by_samples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Four kinds of 12 slices each, far apart; a look shows 24.
    monkeypatch.setattr(looks, "MOST_ROWS", 24)
    points = np.repeat(np.eye(4) * 100, 12, axis=0) + rng(1).normal(size=(48, 4))
    pool = pool_at(points)
    for seed in range(3):
        batch = strategy(name).choose(pool, budget_s=40.0, rng=rng(seed))
        assert batch == strategy(name).choose(pool, budget_s=40.0, rng=rng(seed))
        kinds = [choice.candidate.key.index // 12 for choice in batch.choices]
        if name in ("representative", "facility-location", "farthest-first"):
            assert sorted(kinds) == [0, 1, 2, 3]  # the others promise less
    assert len(strategy(name).choose(pool, budget_s=480.0, rng=rng()).choices) == 48
    batch = strategy(name).choose(pool, budget_s=40.0, rng=rng())
    if name in ("representative", "probcover", "cscs", "typiclust"):
        assert any("about" in each.reason.split(";")[0] for each in batch.choices)
    sampled = "(judged on a sample of the 48 slices)"
    assert batch.note.endswith(sampled) == (name == "facility-location")


def test_what_an_earlier_look_chose_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first six are all that the first look shows; the seventh is farthest from them.
    monkeypatch.setattr(looks, "MOST_ROWS", 6)
    pool = pool_at(line(*range(0, 120, 10)))
    for seed in range(6):
        farthest = strategy("farthest-first")
        first = chosen(farthest.choose(pool, budget_s=60.0, rng=rng(seed)))
        (last,) = chosen(farthest.choose(pool, budget_s=70.0, rng=rng(seed))) - first
        places = {f"a{k}": k for k in range(12)}
        gap = {
            name: min(abs(place - places[other]) for other in first)
            for name, place in places.items()
        }
        assert gap[last] == max(gap.values())


@EVERY
def test_what_the_annotated_slices_cover_is_not_asked_for(name: str) -> None:
    # Two kinds of eight slices, the corners of a cube each; of one the middle is annotated.
    cube = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    points = np.concatenate([cube, cube + 40])
    for here, other in ((0, 1), (1, 0)):
        pool = pool_at(points, (0.5 + 40 * here,) * 3)
        batch = strategy(name).choose(pool, budget_s=10.0, rng=rng())
        (found,) = (choice.candidate.key.index // 8 for choice in batch.choices)
        assert found == other


# Representative annotation


def spokes(*kinds: tuple[float, ...]) -> list[tuple[float, ...]]:
    """Two kinds, right and left of the middle, by how high their slices lie.

    Three features tell the kinds apart and one says how high, so with heights of 1, 0 and -1 on
    both sides, standardised, a slice lies at (+-1, +-1, +-1, 1.22, 0 or -1.22).
    """
    return [
        (x, x, x, height) for x, heights in zip((10.0, -10.0), kinds, strict=True)
        for height in heights
    ]  # fmt: skip


EVEN = spokes((-1, 0, 1), (-1, 0, 1))


def test_representative_covers_each_kind_from_its_middle() -> None:
    # Cosines within a kind: 3 / sqrt(3 * 4.5) = 0.82 of the middle with either end, and
    # (3 - 1.5) / 4.5 = 0.33 of the ends; the middle covers 2.63 of 3, an end 2.15.
    for seed in range(4):
        batch = representative(pool_at(EVEN), 20.0, rng(seed))
        assert names(batch) == ["a1", "a4"]
        assert [each.value for each in batch.choices] == pytest.approx([2.633, 2.633], abs=1e-3)
        assert batch.choices[0].reason.startswith("adds most to covering 3 similar slices; ")


def test_representative_lets_kinds_give_by_their_size() -> None:
    # Of three slices two come from the kind of six, as 0.5 / 6 < 0.5 / 3 < 1.5 / 6 comes out
    # at 1.5 / 6 < 1.5 / 3.
    points = spokes((-1, -1, 0, 0, 1, 1), (-1, 0, 1))
    for seed in range(4):
        batch = representative(pool_at(points), 30.0, rng(seed))
        assert sorted(int(name[1:]) // 6 for name in names(batch)) == [0, 0, 1]


def test_representative_weighs_what_is_to_be_covered() -> None:
    # The upper end shows five times as much: covered from the middle the kind counts
    # 0.82 + 1 + 5 * 0.82 = 5.9, from the upper end 0.33 + 0.82 + 5 = 6.15.
    batch = representative(pool_at(EVEN, information=[1, 1, 5, 1, 1, 5]), 20.0, rng())
    assert names(batch) == ["a2", "a5"]


def test_representative_leaves_to_the_others_what_is_annotated() -> None:
    # One slice can be paid, so there is one cluster. The right has more to cover, but from its
    # annotated middle it is covered.
    middle, more = (10.0, 10.0, 10.0, 0.0), spokes((-1, -1, 0, 1, 1), (-1, 0, 1))
    assert names(representative(pool_at(more), 10.0, rng())) == ["a2"]
    assert names(representative(pool_at(more, middle), 10.0, rng())) == ["a6"]
    # The right has given two of its three already, so both slices are due to the left.
    assert chosen(representative(pool_at(EVEN, middle, middle), 20.0, rng())) < {"a3", "a4", "a5"}


# Facility location


def test_facility_location_is_nearly_what_trying_all_finds() -> None:
    for seed in range(10):
        draw = rng(seed)
        points, seconds = draw.normal(size=(9, 3)), np.round(draw.uniform(5, 40, 9))
        volumes = "".join("abc"[int(k)] for k in np.sort(draw.integers(0, 3, 9)))
        pool = pool_at(points, volumes=volumes, seconds=list(seconds), first_slice_s=15.0)
        batch = facility_location(pool, 100.0, rng())
        z = (points - points.mean(axis=0)) / points.std(axis=0)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        similar = np.maximum(z @ z.T, 0)

        def covered(rows: tuple[int, ...], similar: np.ndarray = similar) -> float:
            return float(similar[list(rows)].max(axis=0).mean()) if rows else 0.0

        best = max(
            covered(rows)
            for size in range(10)
            for rows in itertools.combinations(range(9), size)
            if seconds[list(rows)].sum() + 15 * len({volumes[k] for k in rows}) <= 100
        )
        found = covered(tuple(choice.candidate.key.index for choice in batch.choices))
        told = re.fullmatch(r"at least (\d+) % of the optimum", batch.note)
        assert told is not None
        assert int(told[1]) <= 100 * found / best + 1e-6
        assert sum(choice.value for choice in batch.choices) == pytest.approx(found, abs=1e-6)


def test_facility_location_pays_for_opening_volumes() -> None:
    # Both kinds have a slice in volume b; after one in a or c no other volume could be opened.
    points = [(1.0, 0.0), (1.0, 0.0), (-1.0, 0.0), (-1.0, 0.0)]
    pool = pool_at(points, volumes="abbc", first_slice_s=30.0, seconds=[10, 9.9, 9.9, 10])
    batch = facility_location(pool, 60.0, rng())
    assert names(batch) == ["b1", "b2"]
    # Each covers its half of the pool.
    for each in batch.choices:
        assert each.reason.startswith("adds 50.0 % to how well the pool is covered; ")
    # It is the optimum; the bound allows for features in single precision.
    assert batch.note == "at least 99 % of the optimum"


def test_facility_location_takes_a_dear_slice_that_covers_all() -> None:
    # The first is quick and covers itself alone, 1 of 6, and leaves too little for any other, of
    # which each covers five.
    pool = pool_at(line(-5, 1, 1, 1, 1, 1), seconds=[1.0] + [20.0] * 5)
    batch = facility_location(pool, 20.0, rng())
    assert names(batch) == ["a1"]


def test_facility_location_covers_what_shows_most() -> None:
    # Three slices on the left that show little, two on the right that show much.
    pool = pool_at(line(-1, -1, -1, 1.5, 1.5), information=[0.2, 0.2, 0.2, 1.0, 1.0])
    assert names(facility_location(pool, 10.0, rng()))[0] in ("a3", "a4")
    assert names(facility_location(replace(pool, information=None), 10.0, rng()))[0] < "a3"
