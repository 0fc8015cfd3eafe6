"""ProbCover, density and CSCS, on slices whose right choice is plain to see.

Slices are all in one volume and take 10 s each where nothing else is said.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from activeseg.keys import Plane
from activeseg.sampling import Chosen
from activeseg.sampling.cscs import cscs
from activeseg.sampling.density import density
from activeseg.sampling.probcover import probcover
from small_pool import chosen, line, names, pool_at, rng

# ProbCover

BALLS = line(0, 2, 4, 7, 9, 11)
"""Two kinds, 0 to 4 and 7 to 11; the distances to the other are 7, 5, 3, 3, 5, 7, so the balls go
to 3: those round 2 and 9 hold three slices, the others two."""


def test_probcover_takes_the_balls_that_hold_most() -> None:
    for seed in range(4):
        batch = probcover(pool_at(BALLS), 20.0, rng(seed))
        assert chosen(batch) == {"a1", "a4"}
        for each in batch.choices:
            assert each.value == 3
            assert each.reason.startswith("covers 3 slices that nothing else covers; ")


def test_probcover_counts_what_nothing_covers() -> None:
    # An annotated slice at 2 covers 0, 2 and 4; nothing lies near one at 50.
    assert names(probcover(pool_at(BALLS, (2.0, 7.0)), 10.0, rng())) == ["a4"]
    assert chosen(probcover(pool_at(BALLS, (50.0, 7.0)), 20.0, rng())) == {"a1", "a4"}


def test_probcover_begins_anew_where_all_is_covered() -> None:
    # The third slice covers nothing new: one of those that hold two, as 2 and 9 are taken.
    batch = probcover(pool_at(BALLS), 30.0, rng())
    assert chosen(batch) > {"a1", "a4"}
    (more,) = (each for each in batch.choices if each.candidate.key.index not in (1, 4))
    assert more.value == 0
    assert more.reason.startswith("one more, as all kinds of slices are represented; ")


def test_of_equals_the_volume_that_gave_less_gives() -> None:
    # The balls round 2 and 9 hold three each, in volumes a and b.
    pool = pool_at(BALLS, (50.0, 7.0), volumes="aaabbb")
    for volume, other in (("a", "b4"), ("b", "a1")):
        answered = replace(pool, annotated=[(volume, Plane.AXIAL, 99.0)])
        for seed in range(4):
            assert names(probcover(answered, 10.0, rng(seed))) == [other]
    both = {names(probcover(pool, 10.0, rng(seed)))[0] for seed in range(20)}
    assert both == {"a1", "b4"}
    # What is chosen counts as well. Here every ball goes to 10 and holds its own slice alone.
    apart = pool_at(line(0, 10, 20, 30, 40, 50), volumes="aaabbb")
    for seed in range(6):
        found = names(probcover(apart, 40.0, rng(seed)))
        assert sorted(name[0] for name in found) == ["a", "a", "b", "b"]


# Density


def crosses() -> np.ndarray:
    """Three kinds of 12 slices each, far apart: one place, a small cross and a large one.

    The crosses are the twelve ends of six axes, 1 and 3 long: ten of them are equally far from
    one, its neighbours, and the eleventh is opposite. The other features tell the kinds apart.
    """
    ends = np.concatenate([np.eye(6), -np.eye(6)])
    places = np.concatenate([0 * ends, ends, 3 * ends])
    return np.concatenate([places, np.repeat(np.arange(3.0), 12)[:, None].repeat(200, 1)], axis=1)


def kinds_and_ends(batch: Chosen) -> list[tuple[int, int]]:
    """Of each slice its kind, and the axis that it lies on."""
    found = [divmod(choice.candidate.key.index, 12) for choice in batch.choices]
    return sorted((kind, end % 6 if kind else 0) for kind, end in found)


def test_density_takes_the_densest_out_of_reach_of_each_other() -> None:
    # With ten neighbours a slice reaches all of its kind but the one opposite: of the place one
    # slice, then of the small cross two that are opposite, then of the large one.
    for seed in range(4):
        pool = pool_at(crosses())
        found = kinds_and_ends(density(pool, 50.0, rng(seed)))
        assert [kind for kind, _ in found] == [0, 1, 1, 2, 2]
        assert found[1] == found[2]
        assert found[3] == found[4]
        assert [kind for kind, _ in kinds_and_ends(density(pool, 40.0, rng(seed)))] == [0, 1, 1, 2]


def test_density_goes_on_by_density_where_all_is_in_reach() -> None:
    batch = density(pool_at(crosses()), 70.0, rng())
    assert [kind for kind, _ in kinds_and_ends(batch)] == [0, 0, 0, 1, 1, 2, 2]
    more = [each for each in batch.choices if each.value == 0]
    assert len(more) == 2
    assert all(each.reason.startswith("one more, as all kinds") for each in more)


def test_density_passes_over_what_annotated_slices_reach() -> None:
    place = tuple(crosses()[0])
    found = kinds_and_ends(density(pool_at(crosses(), place), 40.0, rng()))
    assert [kind for kind, _ in found] == [1, 1, 2, 2]


# CSCS

TYPICAL = line(0, 1, 2, 3.5, 6)
"""The two nearest are 1.5, 1, 1.25, 2 and 3.25 away on the average: 1 is most typical, then 2, 0,
3.5 and 6; as ranks 0.5, 1, 0.75, 0.25, 0."""


def test_cscs_weighs_typical_against_rich() -> None:
    # Ranks of information 0.75, 0, 0.5, 1, 0.25: with equal weights 0 and 2 would be level. Typical
    # slices show less here (Spearman -0.4), and one of five can be paid, so gamma is
    # 0.5 - 0.1 * 0.447 / 1.447 = 0.469: 0.5^0.531 * 0.75^0.469 = 0.605 < 0.75^0.531 * 0.5^0.469
    # = 0.620.
    pool = pool_at(TYPICAL, information=[0.9, 0.2, 0.6, 1.0, 0.5])
    for seed in range(8):
        batch = cscs(pool, 10.0, rng(seed))
        assert names(batch) == ["a2"]
    assert batch.choices[0].reason.startswith("typical and rich in detail among 5 similar slices;")
    # Where all show the same the most typical one is left.
    assert names(cscs(replace(pool, information=None), 10.0, rng())) == ["a1"]


def test_cscs_asks_no_cluster_of_two() -> None:
    # Two slices far away are a cluster, and rich, but the second choice is from the other seven.
    places = line(0, 1, 2, 3.5, 6, 8, 10, 100, 100.1)
    pool = pool_at(places, information=[1] * 7 + [1.2] * 2)
    for seed in range(4):
        batch = cscs(pool, 20.0, rng(seed))
        assert chosen(batch) < {f"a{k}" for k in range(7)}
        assert sorted(each.value for each in batch.choices) == [0, 7]
    # Three of them are asked for one.
    pool = pool_at([*places, (100.2, 7.0)], information=[1] * 7 + [1.2] * 3)
    assert sorted(each.value for each in cscs(pool, 20.0, rng()).choices) == [3, 7]
