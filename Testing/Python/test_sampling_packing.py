"""The strategies that solve an optimisation problem, against brute force and by hand."""

from __future__ import annotations

from itertools import combinations

import pytest

from activeseg.keys import Plane
from activeseg.sampling import Chosen
from activeseg.sampling.packing import coverage, knapsack
from activeseg.sampling.per_minute import by_uncertainty
from small_pool import Slice, names, pool_of, rng, stacks


def test_knapsack_takes_the_dearer_pair_that_greedy_would_miss() -> None:
    # Per second a0 is best, but it blocks b0 and b1, which are worth more together.
    pool = pool_of([Slice("a", 0, 6.0, 30), Slice("b", 0, 5.0, 30), Slice("b", 1, 5.0, 30)], 15.0)
    chosen = knapsack(pool, 84.0, rng())
    assert names(chosen) == ["b0", "b1"]
    assert chosen.note == "budget used 1.2 of 1.4 minutes, gap 0 %"
    assert names(by_uncertainty(pool, 84.0, rng())) == ["a0"]


def test_knapsack_asks_for_nothing_that_gains_nothing() -> None:
    pool = pool_of([Slice("a", 0, 1.0), Slice("a", 1, 0.0)])
    assert names(knapsack(pool, 600.0, rng())) == ["a0"]
    assert knapsack(pool_of([Slice("a", 0, 0.0)]), 600.0, rng()).choices == ()


@pytest.mark.parametrize("seed", range(8))
def test_knapsack_is_what_trying_all_finds(seed: int) -> None:
    draw = rng(seed)
    slices = [Slice("abc"[k % 3], k, draw.random(), float(draw.integers(5, 40))) for k in range(10)]
    best = 0.0
    for size in range(11):
        for some in combinations(slices, size):
            opening = 15.0 * len({each.volume for each in some})
            if sum(each.seconds for each in some) + opening <= 120:
                best = max(best, sum(each.value for each in some))
    assert sum(
        c.value for c in knapsack(pool_of(slices, 15.0), 120.0, rng()).choices
    ) == pytest.approx(best)


def kinds(gain: float = 1.0) -> list[Slice]:
    """Two kinds of slices, alike within a kind; the first kind gains somewhat more."""
    first = [Slice(f"a{k}", 0, 1.1 * gain, features=(5.0, 0.1 * k)) for k in range(4)]
    return first + [Slice(f"b{k}", 0, gain, features=(-5.0, 0.1 * k)) for k in range(4)]


def volumes(chosen: Chosen) -> set[str]:
    return {choice.candidate.key.volume[0] for choice in chosen.choices}


def test_coverage_takes_one_of_each_kind() -> None:
    pool = pool_of(kinds())
    chosen = coverage(pool, 20.0, rng())
    assert volumes(chosen) == {"a", "b"}
    assert volumes(knapsack(pool, 20.0, rng())) == {"a"}
    assert chosen.note.startswith("at least ")
    share = int(chosen.note.split()[2])
    assert 41 <= share <= 100


def test_coverage_does_not_care_in_which_unit_gain_is() -> None:
    small, large = pool_of(kinds(1e-3)), pool_of(kinds(1e3))
    assert names(coverage(small, 30.0, rng())) == names(coverage(large, 30.0, rng()))


def test_coverage_heeds_gain_where_slices_cover_alike() -> None:
    slices = [Slice(f"v{k}", 0, 1.0 + (k == 2), features=(float(k % 2), 0.0)) for k in range(4)]
    assert names(coverage(pool_of(slices), 10.0, rng())) == ["v20"]


@pytest.mark.parametrize(("gain", "apart"), [(1.0, 0.0), (0.0, 1.0)])
def test_coverage_leaves_annotated_places_alone(gain: float, apart: float) -> None:
    # Next to an annotated slice there is less to gain (all cover alike), and less to be covered.
    slices = [Slice("a", 3, gain, features=(apart, 0.0)), Slice("b", 3, gain, features=(0.0, 0.0))]
    for annotated, other in ("ab", "ba"):
        pool = pool_of(slices, annotated=[(annotated, Plane.AXIAL, 2.0)])
        assert volumes(coverage(pool, 10.0, rng())) == {other}


def test_coverage_says_when_it_looked_at_a_sample_only() -> None:
    draw = rng()
    slices = [Slice("a", k, features=tuple(draw.normal(size=2))) for k in range(5000)]
    note = coverage(pool_of(slices), 30.0, rng()).note
    assert note.endswith("% of the optimum (covering judged on a sample of the 5000 slices)")


def test_coverage_needs_features() -> None:
    with pytest.raises(ValueError, match="needs the features"):
        coverage(pool_of(stacks(1, 3)), 60.0, rng())
