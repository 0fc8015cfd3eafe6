"""What every strategy of the registry keeps to, whatever it ranks by."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.sampling import DEFAULT_STRATEGY, STRATEGIES, Candidate, Choice, Pool, strategy

EVERY = pytest.mark.parametrize("name", sorted(STRATEGIES))
SEEDED = pytest.mark.parametrize("name", ["random", "strided", "one-shot"])


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Pools with equals, several planes, annotated slices, air and dear slices."""
    keys = draw(
        st.lists(
            st.builds(
                SliceKey,
                st.sampled_from(["a", "b", "c", "d"]),
                st.sampled_from(Plane),
                st.integers(0, 9),
            ),
            max_size=25,
            unique=True,
        )
    )
    score, seconds = st.floats(0, 1), st.sampled_from([5.0, 10.0, 12.3, 60.0])
    candidates = [
        Candidate(key, draw(score), draw(seconds), key.index * 2.5, 0.5, 0.3, "draw", draw(score))
        for key in keys
    ]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return Pool(
        candidates,
        first_slice_s=draw(st.sampled_from([0.0, 8.0, 15.0])),
        annotated=draw(st.sampled_from([(), (("a", Plane.AXIAL, 3.0),)])),
        features=rng.normal(size=(len(keys), 5)).astype(np.float32),
        information=draw(st.sampled_from([None, rng.random(len(keys)).astype(np.float32)])),
    )


def choose(name: str, pool: Pool, budget_s: float, seed: int = 0) -> list[Choice]:
    return strategy(name).choose(pool, budget_s=budget_s, rng=np.random.default_rng(seed))


@EVERY
@settings(deadline=None, max_examples=40)
@given(pool=pools(), budget=st.floats(0.5, 400), seed=st.integers(0, 99))
def test_contract(name: str, pool: Pool, budget: float, seed: int) -> None:
    chosen = choose(name, pool, budget, seed)
    keys = [choice.candidate.key for choice in chosen]

    # Slices of the pool, each once.
    assert len(set(keys)) == len(keys)
    assert all(choice.candidate in pool.candidates for choice in chosen)

    # Slices of a volume follow each other; the first of them pays for opening it.
    runs = [list(run) for _, run in groupby(chosen, key=lambda c: c.candidate.key.volume)]
    assert len(runs) == len({key.volume for key in keys})
    for first, *rest in runs:
        assert first.seconds == first.candidate.seconds + pool.first_slice_s
        assert all(choice.seconds == choice.candidate.seconds for choice in rest)

    # Within the budget, and no other slice fits.
    left = budget - sum(choice.seconds for choice in chosen)
    assert left >= -1e-9
    opened = {key.volume for key in keys}
    for other in pool.candidates:
        if other.key not in keys:
            opens = 0.0 if other.key.volume in opened else pool.first_slice_s
            assert other.seconds + opens > left - 1e-9

    # One sentence for a person, and the same batch for the same seed.
    assert all(choice.reason and "\n" not in choice.reason for choice in chosen)
    assert choose(name, pool, budget, seed) == chosen


def plain_pool(volumes: int = 6, slices: int = 8) -> Pool:
    rng = np.random.default_rng(0)
    candidates = [
        Candidate(
            SliceKey(f"v{v}", Plane.AXIAL, k), score, 10.0, k * 2.0, 0.5, score, "draw", score
        )
        for v in range(volumes)
        for k in range(slices)
        for score in [float(rng.random())]
    ]
    features = rng.normal(size=(len(candidates), 5)).astype(np.float32)
    return Pool(candidates, 15.0, features=features)


def chosen_keys(name: str, pool: Pool, budget_s: float = 120.0, seed: int = 0) -> set[str]:
    return {str(choice.candidate.key) for choice in choose(name, pool, budget_s, seed)}


@EVERY
def test_order_of_the_pool_does_not_matter(name: str) -> None:
    pool = plain_pool()
    assert pool.features is not None
    turned = replace(pool, candidates=pool.candidates[::-1], features=pool.features[::-1])
    assert chosen_keys(name, turned) == chosen_keys(name, pool)


@EVERY
def test_budget_and_first_slice_overhead_change_the_batch(name: str) -> None:
    pool = plain_pool()
    batch = choose(name, pool, 120.0)
    assert len(choose(name, pool, 240.0)) > len(batch)
    assert len(choose(name, replace(pool, first_slice_s=0.0), 120.0)) > len(batch)


@SEEDED
def test_another_seed_gives_another_batch(name: str) -> None:
    pool = plain_pool()
    assert chosen_keys(name, pool, seed=1) != chosen_keys(name, pool, seed=2)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("entropy-band", {"redundancy_mm": 0.1}),
        ("entropy-band", {"annotated": [("v1", Plane.AXIAL, mm) for mm in (0.0, 6.0, 12.0)]}),
        ("strided", {"annotated": [(f"v{k}", Plane.AXIAL, 0.0) for k in (0, 1, 4)]}),
        ("one-shot", {"annotated": [(f"v{k}", Plane.AXIAL, 0.0) for k in (0, 1, 4)]}),
        ("one-shot", {"information": np.array([0.01, 1] * 24, dtype=np.float32)}),
        ("one-shot", {"features": np.arange(144, dtype=np.float32).reshape(48, 3) % 7}),
    ],
)
def test_what_a_strategy_reads_changes_its_batch(name: str, changed: dict[str, object]) -> None:
    pool = plain_pool()
    assert chosen_keys(name, replace(pool, **changed)) != chosen_keys(name, pool)  # type: ignore[arg-type]


@EVERY
def test_nothing_to_choose_from_or_nothing_that_fits(name: str) -> None:
    empty = Pool([], 15.0, features=np.zeros((0, 5), dtype=np.float32))
    assert choose(name, empty, 600.0) == []
    assert choose(name, plain_pool(), 24.0) == []


@EVERY
@pytest.mark.parametrize("budget", [0.0, -60.0, float("nan"), float("inf")])
def test_a_budget_must_be_above_nothing(name: str, budget: float) -> None:
    with pytest.raises(ProjectError, match="minutes; give more than 0"):
        choose(name, plain_pool(), budget)


@EVERY
def test_registry_says_what_a_strategy_needs(name: str) -> None:
    found = strategy(name)
    assert found.name == name
    assert found.summary
    assert found.needs_model == (found.acquisition != "none")
    pool = plain_pool()
    if not found.needs_features:
        assert chosen_keys(name, replace(pool, features=None)) == chosen_keys(name, pool)
    if not found.needs_model:
        bare = [
            replace(c, value=0.0, expected_dice=None, entropy=None, whole_entropy=None)
            for c in pool.candidates
        ]
        assert chosen_keys(name, replace(pool, candidates=bare)) == chosen_keys(name, pool)


def test_lookup() -> None:
    assert strategy(DEFAULT_STRATEGY).per_minute
    with pytest.raises(ProjectError, match="no strategy 'entropie'; choose one of entropy-band, "):
        strategy("entropie")
