"""CoreSet (farthest first), BADGE and TypiClust on points that can be seen at a glance."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.representativeness import typicality
from activeseg.sampling import Pool, looks
from activeseg.sampling.diverse import badge
from activeseg.sampling.farthest import farthest_first
from activeseg.sampling.typiclust import typiclust
from small_pool import ELSEWHERE, Slice, names, pool_of, rng


def on_a_line(count: int, *annotated: float) -> Pool:
    return pool_of(
        [Slice("a", k, features=(float(k), 7.0)) for k in range(count)],
        annotated=[ELSEWHERE] * len(annotated),
        annotated_features=[(x, 7.0) for x in annotated] or None,
    )


# CoreSet


def test_coreset_takes_what_is_farthest_from_the_annotated() -> None:
    pool = on_a_line(11, 0.0)
    found = [set(names(farthest_first(pool, 10.0 * count, rng()))) for count in (1, 2)]
    assert found == [{"a10"}, {"a10", "a5"}]
    # 3 is as far from 0 and 5 as 7 is from 5 and 10: 2.
    for seed in range(4):
        chosen = set(names(farthest_first(pool, 40.0, rng(seed)))) - {"a10", "a5"}
        assert chosen <= {"a2", "a3", "a7", "a8"}
        assert len(chosen) == 2
    # Annotated at both ends: the middle.
    assert names(farthest_first(on_a_line(11, 0.0, 10.0), 10.0, rng())) == ["a5"]


def test_coreset_begins_anywhere_where_nothing_is_annotated() -> None:
    first = {names(farthest_first(on_a_line(5), 10.0, rng(seed)))[0] for seed in range(40)}
    assert first == {f"a{k}" for k in range(5)}


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=3, max_size=8, unique=True
    ),
    st.integers(1, 3),
    st.integers(0, 9),
)
def test_coreset_covers_within_twice_the_best_radius(
    places: list[tuple[int, int]], count: int, seed: int
) -> None:
    """What k-centre greedy guarantees, against every choice of as many centres."""
    points = np.array(places, dtype=np.float64)
    pool = pool_of([Slice("a", k, features=tuple(each)) for k, each in enumerate(points)])
    chosen = farthest_first(pool, 10.0 * count, rng(seed)).choices
    varies = points.std(axis=0) > 0
    scaled = points[:, varies] / points.std(axis=0)[varies]
    apart = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)

    def radius(centres: list[int]) -> float:
        return float(apart[:, centres].min(axis=1).max())

    assert len(chosen) == count
    best = min(radius(list(each)) for each in combinations(range(len(points)), count))
    assert radius([choice.candidate.key.index for choice in chosen]) <= 2 * best + 1e-6


def test_features_of_annotated_slices_must_be_there() -> None:
    pool = pool_of([Slice("a", 0, features=(1.0, 2.0))], annotated=[ELSEWHERE])
    for sampler, name in ((farthest_first, "farthest-first"), (typiclust, "typiclust")):
        with pytest.raises(ValueError, match=f"{name} needs the features of the annotated slices"):
            sampler(pool, 60.0, rng())


# BADGE


def pulled(*slices: tuple[tuple[float, ...], tuple[float, ...]]) -> Pool:
    """Slices by gradient and features."""
    return pool_of([Slice("a", k, features=f, gradient=g) for k, (g, f) in enumerate(slices)])


def test_badge_begins_with_the_longest_and_never_takes_twins() -> None:
    unsure, sure, other = (0.4, 0.4, 0.1, 0.1), (0.1, 0.1, 0.0, 0.0), (0.0, 0.0, 0.2, 0.2)
    here, there = (0.0, 1.0), (1.0, 0.0)
    pool = pulled((unsure, here), (unsure, here), (sure, there), (other, there))
    for seed in range(20):
        assert names(badge(pool, 10.0, rng(seed)))[0] in ("a0", "a1")
        chosen = set(names(badge(pool, 30.0, rng(seed))))
        assert len(chosen & {"a0", "a1"}) == 1
        assert {"a2", "a3"} <= chosen


def test_badge_draws_the_second_by_squared_distance_of_the_gradients() -> None:
    # Unlike enough that neither plain distance nor a gradient without its bias draws alike.
    rows = [
        ((0.2, 0.4, 0.0, 0.5), (5.0, 3.0)),
        ((0.2, 0.0, 0.2, 0.2), (5.0, 3.0)),
        ((0.2, 0.1, 0.0, 0.1), (0.0, 0.0)),
        ((0.1, 0.1, 0.0, 0.5), (3.0, 3.0)),
    ]
    # Standardised features of mean squared length 1, a one for the bias, and the outer product.
    features = np.array([f for _, f in rows])
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    scaled /= np.sqrt(np.square(scaled).sum(axis=1).mean())
    given = np.concatenate([scaled, np.ones((4, 1))], axis=1)
    embedding = np.array([np.outer(g, h).ravel() for (g, _), h in zip(rows, given, strict=True)])
    first = int(np.argmax(np.linalg.norm(embedding, axis=1)))
    squared = np.square(embedding - embedding[first]).sum(axis=1)
    chance = squared / squared.sum()
    assert chance.round(2).tolist() == [0, 0.26, 0.56, 0.18]

    batches = [set(names(badge(pulled(*rows), 20.0, rng(seed)))) for seed in range(600)]
    assert all(f"a{first}" in batch for batch in batches)
    counts = Counter(name for batch in batches for name in batch - {f"a{first}"})
    for row in range(4):
        if row != first:
            deviation = np.sqrt(600 * chance[row] * (1 - chance[row]))
            assert abs(counts[f"a{row}"] - 600 * chance[row]) < 3.5 * deviation


def test_badge_goes_on_where_no_slice_pulls_at_anything() -> None:
    pool = pulled(*[((0.0,) * 4, (float(k), 0.0)) for k in range(5)])
    assert len(badge(pool, 50.0, rng()).choices) == 5


# TypiClust


def test_typicality_by_hand() -> None:
    # One neighbour each, as half of three points is one: 1, 1 and 2 away.
    line = np.array([[0.0], [1.0], [3.0]])
    assert typicality(line) == pytest.approx([1, 1, 0.5], rel=1e-4)
    assert typicality(line[:1]).tolist() == [1.0]
    # Twenty at the most: of 50 points on a line those in the middle have 10 on either side.
    found = typicality(np.arange(50.0)[:, None])
    assert found.max() == pytest.approx(1 / 5.5, rel=1e-4)
    assert found[0] == pytest.approx(1 / 10.5, rel=1e-4)


def ring(centre: tuple[float, float], count: int) -> list[tuple[float, float]]:
    """Three points in one place, the most typical, and others on a circle round them."""
    turn = 2 * np.pi * np.arange(count - 3) / (count - 3)
    round_it = np.stack([np.cos(turn), np.sin(turn)], axis=1) + np.array(centre)
    return [centre] * 3 + [tuple(each) for each in round_it.tolist()]


CENTRES = ((0.0, 0.0), (100.0, 0.0), (0.0, 100.0))


def ring_pool(
    *sizes: int, annotated: int = 0, near: int = 0, seconds: tuple[float, ...] = (10.0,) * 3
) -> Pool:
    """Rings in volumes a, b, c, far from each other; annotated slices in the middle of one."""
    return pool_of(
        [
            Slice("abc"[number], k, features=point, seconds=seconds[number])
            for number, size in enumerate(sizes)
            for k, point in enumerate(ring(CENTRES[number], size))
        ],
        annotated=[ELSEWHERE] * annotated,
        annotated_features=[CENTRES[near]] * annotated or None,
    )


def picked(pool: Pool, budget_s: float, seed: int = 0) -> list[tuple[str, bool]]:
    """Volume of each chosen slice, and whether it is in the middle of its ring."""
    chosen = typiclust(pool, budget_s, rng(seed)).choices
    return [(c.candidate.key.volume, c.candidate.key.index < 3) for c in chosen]


def test_typiclust_takes_the_most_typical_of_clusters_without_annotations() -> None:
    # One annotated slice and two to be paid: three clusters, of 12, 7 and 8 slices.
    for seed in range(3):
        found = picked(ring_pool(11, 7, 8, annotated=1), 20.0, seed)
        assert sorted(found) == [("b", True), ("c", True)]
        # Without annotations three can be paid, one of each.
        found = picked(ring_pool(11, 7, 8), 30.0, seed)
        assert sorted(found) == [("a", True), ("b", True), ("c", True)]


def test_typiclust_leaves_small_clusters_out_and_goes_round_again() -> None:
    # The third has five slices, too few; so the first, which has an annotated one, gives one.
    for seed in range(3):
        found = picked(ring_pool(9, 8, 5, annotated=1), 20.0, seed)
        assert sorted(found) == [("a", True), ("b", True)]


def test_typiclust_begins_with_the_largest() -> None:
    # Slices of a and b take 30 s, those of c, of which one is annotated, 1 s: by their mean two
    # can be paid with 50 s, so there are three clusters, but the largest leaves too little for the
    # next.
    pool = ring_pool(7, 12, 8, annotated=1, near=2, seconds=(30.0, 30.0, 1.0))
    assert [name for name, _ in picked(pool, 50.0) if name != "c"] == ["b"]
    (choice,) = (c for c in typiclust(pool, 50.0, rng()).choices if c.seconds == 30)
    assert choice.value == 12
    assert choice.reason.startswith("typical of 12 similar slices")


def test_typiclust_takes_everything_it_can_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ring_pool(9, 4, 5)
    assert len(typiclust(pool, 180.0, rng()).choices) == 18
    monkeypatch.setattr(looks, "MOST_ROWS", 6)
    assert len(typiclust(pool, 180.0, rng()).choices) == 18
