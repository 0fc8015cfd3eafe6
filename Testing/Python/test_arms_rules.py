"""Peers that rank each slice for itself, and the random groups, on pools chosen by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.errors import ProjectError
from activeseg.sampling import RESEARCH, Pool, strategy
from activeseg.sampling.optimise.goods import counted_ms
from activeseg.sampling.peers import atzeni, bald, kuo, oracle_foreground
from activeseg.sampling.random_groups import random_groups, stochastic_batches
from small_pool import Slice, names, pool_of, rng, stacks


def scored(pool: Pool, **columns: list[float]) -> Pool:
    """The pool with other scores."""
    new = {name: np.array(column, dtype=np.float64) for name, column in columns.items()}
    return replace(pool, scored=replace(pool.model_scores(), **new))


def test_bald_takes_the_highest_at_any_price() -> None:
    pool = pool_of([Slice("a", 0, seconds=5), Slice("b", 1, seconds=90), Slice("b", 2)])
    ranked = scored(pool, epistemic=[0.3, 0.9, 0.8])
    assert set(names(bald(ranked, 105.0, rng()))) == {"b1", "b2", "a0"}
    assert set(names(bald(ranked, 96.0, rng()))) == {"b1", "a0"}  # b2 fits no more
    # The entropy, high where passes agree that they do not know, does not matter.
    assert bald(scored(ranked, whole_entropy=[9, 0, 0]), 96.0, rng()) == bald(ranked, 96.0, rng())


def test_kuo_packs_what_a_greedy_choice_does_not() -> None:
    # 7 for 6 s is the best rate; both others for 5 s each are worth 10.
    pool = pool_of([Slice("a", k, seconds=each) for k, each in enumerate([6.0, 5.0, 5.0])])
    assert set(names(kuo(scored(pool, top_patches=[7, 5, 5]), 10.0, rng()))) == {"a1", "a2"}
    # Worth 6, 5 and 5 instead, a volume of their own each and 3 s to open it: no two fit 13 s.
    three = {"volumes": ("a", "b", "c"), "volume": np.arange(3), "acquired": np.zeros(3, dtype=int)}
    spread = replace(pool, **three, first_slice_s=3.0)
    assert names(kuo(scored(spread, top_patches=[6, 5, 5]), 13.0, rng())) == ["a0"]


def test_kuo_spends_what_is_left_on_slices_that_add_nothing() -> None:
    pool = scored(pool_of([Slice("a", k) for k in range(4)]), top_patches=[0, 1, 0, 0])
    chosen = kuo(pool, 30.0, rng()).choices
    assert len(chosen) == 3
    assert sum(choice.value for choice in chosen) == 1


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 12), st.integers(0, 9)), max_size=8),
    st.integers(1, 40),
    st.sampled_from([0, 3]),
)
def test_kuo_is_the_optimum_of_all_choices(
    rows: list[tuple[str, int, int]], budget: int, first: int
) -> None:
    slices = [Slice(v, k, float(value), float(s)) for k, (v, s, value) in enumerate(rows)]
    pool = pool_of(slices, float(first))
    found = kuo(pool, float(budget), rng()).choices
    best = max(
        sum(each.value for each in some)
        for count in range(len(slices) + 1)
        for some in combinations(slices, count)
        if sum(each.seconds for each in some) + first * len({e.volume for e in some}) <= budget
    )
    assert sum(choice.value for choice in found) == best


def test_atzeni_divides_the_gain_by_the_contour() -> None:
    # All show as much for their contour: 10 mm for each square root of what is shown.
    shown = [(100.0,), (4.0,), (0.0,), (0.25,)]
    pool = scored(
        pool_of([Slice("a", k, shown=each) for k, each in enumerate(shown)]),
        gain=[1.0, 0.5, 9.0, 0.1],
        contour_mm=[100.0, 20.0, 0.0, 5.0],
    )
    # 0.01, 0.025, nothing to trace, 0.02 a millimetre.
    order = [set(names(atzeni(pool, 10.0 * count, rng()))) for count in range(1, 5)]
    assert order == [{"a1"}, {"a1", "a3"}, {"a0", "a1", "a3"}, {"a0", "a1", "a2", "a3"}]
    assert atzeni(pool, 10.0, rng()).choices[0].value == pytest.approx(0.025)
    # The seconds do not matter, only what there is to trace.
    dear = replace(pool, seconds=np.array([1.0, 10.0, 1.0, 1.0]))
    assert set(names(atzeni(dear, 10.0, rng()))) == {"a1"}


def test_atzeni_is_not_taken_in_by_a_sliver_of_what_is_expected() -> None:
    """One pixel is proposed where a quarter of a mean slice is expected: 5 mm, not 2."""
    shown = [(1.0,), (1.0,), (0.25,)]
    pool = scored(
        pool_of([Slice("a", k, shown=each) for k, each in enumerate(shown)]),
        gain=[0.6, 0.5, 0.25],
        contour_mm=[10.0, 10.0, 2.0],
    )
    assert atzeni(pool, 20.0, rng()).choices[1].value == pytest.approx(0.05)
    assert set(names(atzeni(pool, 10.0, rng()))) == {"a0"}
    nothing = scored(pool, contour_mm=[0.0, 0.0, 0.0])
    assert len(atzeni(nothing, 20.0, rng()).choices) == 2


@pytest.mark.parametrize("name", ["atzeni", "badge", "kuo", "volume-epistemic"])
def test_scores_of_an_earlier_version_are_refused_in_one_line(name: str) -> None:
    pool = pool_of([Slice("a", 0, features=(1.0, 2.0))])
    old = replace(
        pool.model_scores(),
        foreground_entropy=None,
        top_patches=None,
        contour_mm=None,
        gradient=None,
    )
    with pytest.raises(ProjectError, match=r"earlier version .* 'activeseg round'") as refused:
        strategy(name).choose(replace(pool, scored=old), budget_s=60, rng=rng())
    assert "\n" not in str(refused.value)


# Who knows the truth


def true_pool(others: int = 180) -> Pool:
    """Slices 0 to 9 show the first structure, 10 to 19 the second; nobody has scored them."""
    truth = [(k < 10, 10 <= k < 20) for k in range(20 + others)]
    return pool_of([Slice("a", k, truth=each) for k, each in enumerate(truth)], scored=False)


@pytest.mark.parametrize(("share", "each"), [(0.33, (2, 1)), (0.66, (3, 3))])
def test_oracle_foreground_spends_its_share_where_structures_are(
    share: float, each: tuple[int, int]
) -> None:
    """Of 100 s 33 pay for three slices, 66 for six; the others are of the 180 without any."""
    pool = true_pool()
    for seed in range(10):
        chosen = oracle_foreground(pool, 100.0, rng(seed), share=share).choices
        indices = [choice.candidate.key.index for choice in chosen]
        assert len(indices) == 10
        assert sum(k < 10 for k in indices) >= each[0]
        assert sum(10 <= k < 20 for k in indices) >= each[1]
    # Slices at random would show a structure once in ten.
    true = [
        sum(choice.candidate.key.index < 20 for choice in chosen.choices)
        for chosen in (oracle_foreground(pool, 100.0, rng(s), share=share) for s in range(50))
    ]
    assert sum(each) <= np.mean(true) <= sum(each) + 1


def test_the_two_oracle_arms_are_a_third_and_two_thirds() -> None:
    pool = true_pool()
    for name, share in (("oracle-foreground-33", 0.33), ("oracle-foreground-66", 0.66)):
        found = RESEARCH[name].choose(pool, budget_s=100.0, rng=rng(3))
        assert found == oracle_foreground(pool, 100.0, rng(3), share=share)


def test_oracle_foreground_draws_each_true_slice_alike() -> None:
    counts = Counter(
        name
        for seed in range(400)
        for name in names(oracle_foreground(true_pool(0), 40.0, rng(seed), share=0.66))
    )
    # Two of each structure's ten in 400 batches: 80 each with a standard deviation of 8.
    assert set(counts) == {f"a{k}" for k in range(20)}
    assert all(52 <= count <= 108 for count in counts.values())


# Groups by chance


def test_groups_by_hand() -> None:
    # Each slice takes 10 s and opening a volume 5 s; a group may cost 25 s. Rows: a0 to a2, b0 to
    # b2, and one that is too dear for any group.
    slices = [Slice(v, k) for v in "ab" for k in range(3)] + [Slice("c", 0, seconds=21.0)]
    pool = pool_of(slices, 5.0)
    order = np.array([0, 1, 6, 3, 2, 4, 5])
    # a0 a1 | b0 | a2 | b1 b2, of which the last was ended by the order's end.
    assert [g.tolist() for g in random_groups(pool, 25.0, order)] == [[0, 1], [3], [2]]
    assert [g.tolist() for g in random_groups(pool, 1e3, order)] == [[0, 1, 6, 3, 2, 4, 5]]
    assert random_groups(pool, 14.0, order) == []


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.5, 40)), max_size=20),
    st.floats(1, 120),
    st.integers(0, 9),
)
def test_groups_are_parts_of_the_order_that_fit(
    rows: list[tuple[str, float]], budget: float, seed: int
) -> None:
    pool = pool_of([Slice(v, k, seconds=s) for k, (v, s) in enumerate(rows)], 8.0)
    order = rng(seed).permutation(len(pool))
    groups = random_groups(pool, budget, order)
    ms = counted_ms(pool.seconds)
    able = [row for row in order.tolist() if ms[row] + 8000 <= int(budget * 1000)]
    joined = [int(row) for group in groups for row in group]
    assert joined == able[: len(joined)]

    def cost(some: np.ndarray) -> int:
        return int(ms[some].sum() + 8000 * np.unique(pool.volume[some]).size)

    for group, following in zip(groups, able_after(able, groups), strict=True):
        assert 0 < cost(group) <= int(budget * 1000)
        if following is not None:
            assert cost(np.append(group, following)) > int(budget * 1000)


def able_after(able: list[int], groups: list[np.ndarray]) -> list[int | None]:
    """The slice that follows each group; None at the order's end."""
    ends = np.cumsum([len(group) for group in groups]).tolist()
    return [able[end] if end < len(able) else None for end in ends]


def test_the_group_of_the_highest_mean_entropy_is_asked_for() -> None:
    pool = pool_of(stacks(10, 20), 5.0)
    entropy = rng(1).random(200)
    pool = scored(pool, whole_entropy=entropy.tolist())
    for seed in range(5):
        groups = random_groups(pool, 100.0, rng(seed).permutation(200))
        assert len(groups) > 20
        best = max(groups, key=lambda group: entropy[group].mean())
        chosen = names(stochastic_batches(pool, 100.0, rng(seed)))
        assert {f"v{row // 20}{row % 20}" for row in best} <= set(chosen)
        assert len(chosen) <= len(best) + 1
        # Neither the most uncertain slices nor those of any one group among many.
        assert 0.55 < np.mean(entropy[best]) < 0.9
