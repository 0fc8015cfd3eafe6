"""`clue` and `energy` on pools where the right choice is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from activeseg.errors import ProjectError
from activeseg.keys import Plane
from activeseg.sampling import strategy
from small_pool import Slice, names, pool_of, rng


def choose(name, pool, budget_s, seed=0):
    return names(strategy(name).choose(pool, budget_s=budget_s, rng=rng(seed)))


def groups(certain=0.0, doubtful=1.0):
    """Volume a: ten alike that the model knows. b, c: two kinds that it does not know."""
    return [
        *(Slice("a", k, certain, features=(0.0, 0.01 * k)) for k in range(10)),
        *(Slice("b", 10 * k, doubtful, features=(5.0, 0.01 * k)) for k in range(4)),
        *(Slice("c", 10 * k, doubtful, features=(0.0, 5.0 + 0.01 * k)) for k in range(4)),
    ]


class TestClue:
    def test_one_of_each_kind_that_the_model_is_unsure_of(self):
        for seed in range(5):
            chosen = choose("clue", pool_of(groups()), 20.0, seed)
            assert {name[0] for name in chosen} == {"b", "c"}

    def test_what_it_is_sure_of_comes_when_nothing_else_is_left(self):
        chosen = choose("clue", pool_of(groups()), 90.0)
        assert {name for name in chosen if name[0] != "a"} >= {"b0", "b10", "b20", "b30", "c0"}
        assert sum(name[0] == "a" for name in chosen) == 1

    def test_of_a_kind_the_cheapest_doubt(self):
        """Equally near and unsure, one costs half; twice as unsure at the same price wins too."""
        slices = [Slice("a", 10 * k, 1.0, 20.0, features=(1.0, 1.0)) for k in range(6)]
        cheap = [*slices[:3], replace(slices[3], seconds=10.0), *slices[4:]]
        assert choose("clue", pool_of(cheap), 20.0)[0] == "a30"
        unsure = [*slices[:4], replace(slices[4], value=2.0), slices[5]]
        assert choose("clue", pool_of(unsure), 20.0) == ["a40"]

    def test_neighbours_of_answers_weigh_less(self):
        slices = groups(certain=0.0)
        pool = pool_of(slices, annotated=[("b", Plane.AXIAL, float(10 * k)) for k in range(4)])
        assert {name[0] for name in choose("clue", pool, 20.0)} == {"c"}

    def test_more_weight_comes_first(self):
        slices = [replace(each, value=3.0) if each.volume == "c" else each for each in groups()]
        batch = strategy("clue").choose(pool_of(slices), budget_s=20.0, rng=rng())
        assert [choice.candidate.key.volume for choice in batch.choices] == ["c", "b"]
        assert batch.choices[0].value == pytest.approx(12.0)
        assert "stands for 4 slices that the model is unsure of" in batch.choices[0].reason

    def test_it_needs_features(self):
        with pytest.raises(ValueError, match="needs the features"):
            choose("clue", pool_of([Slice("a", 0)]), 20.0)


class TestEnergy:
    def test_most_energy_for_the_seconds_first(self):
        slices = [
            Slice("a", 0, 1.0, 10.0),
            Slice("b", 0, 3.0, 10.0),
            Slice("c", 0, 4.0, 40.0),
            Slice("d", 0, 2.0, 10.0),
        ]
        assert choose("energy", pool_of(slices), 20.0) == ["b0", "d0"]

    def test_neighbours_of_answers_count_less(self):
        slices = [Slice("a", 0, 3.0), Slice("b", 0, 1.0)]
        pool = pool_of(slices, annotated=[("a", Plane.AXIAL, 1.0)])
        assert choose("energy", pool, 10.0) == ["b0"]

    def test_what_shows_no_structure_does_not_count(self):
        slices = [Slice("a", 0, 9.0, shown=(0.0,)), Slice("b", 0, 1.0, shown=(0.5,))]
        assert choose("energy", pool_of(slices), 10.0) == ["b0"]

    def test_a_model_without_is_told(self):
        pool = pool_of([Slice("a", 0)])
        pool = replace(pool, scored=replace(pool.model_scores(), energy=None))
        with pytest.raises(ProjectError, match="has no energy; choose with --strategy clue"):
            choose("energy", pool, 20.0)

    def test_energies_are_columns_like_the_others(self):
        pool = pool_of([Slice("a", 0)])
        for wrong in (np.array([-1.0]), np.array([1.0, 2.0]), np.array([np.nan])):
            with pytest.raises(ValueError, match="energy"):
                replace(pool, scored=replace(pool.model_scores(), energy=wrong))
