"""Coverage: what greedy promises, and that the printed share is never above the truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from activeseg.sampling.optimise import cover, coverage, greedy
from activeseg.sampling.optimise.facility import Facility, directions, product, standardise


def instance(seed, most=9):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, most + 1))
    features = rng.normal(size=(count, 3))
    if seed % 3 == 0:  # near-duplicates
        features = features[rng.integers(0, max(count // 2, 1), count)] + 0.01 * features
    values = rng.random(count) * rng.choice([0.0, 0.05, 1.0])
    seconds = rng.choice([rng.uniform(1, 40), 10.0], count) * rng.choice([1.0, 3.0], count)
    groups = rng.integers(0, 4, count)
    budget_s = float(rng.uniform(0.1, 0.9) * seconds.sum())
    return values, seconds, groups, budget_s, features


def similarity(features):
    """Written anew: max(0, cosine) of standardised columns."""
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    return np.maximum(z @ z.T, 0)


def worth(chosen, values, similar, weights, gain=1.0):
    if not len(chosen):
        return 0.0
    chosen = list(chosen)
    return values[chosen].sum() + gain * (weights @ similar[:, chosen].max(axis=1))


def cost(chosen, seconds, groups, first_s):
    chosen = list(chosen)
    return seconds[chosen].sum() + first_s * len(set(groups[chosen].tolist()))


def optimum(values, seconds, groups, first_s, budget_s, similar, weights):
    count = len(values)
    return max(
        worth(chosen, values, similar, weights)
        for size in range(count + 1)
        for chosen in itertools.combinations(range(count), size)
        if cost(chosen, seconds, groups, first_s) <= budget_s - 0.001 * (count + 4)
    )


@pytest.mark.parametrize("first_s", [0.0, 15.0])
@pytest.mark.parametrize("block", range(4))
def test_share_is_true_and_the_guarantee_holds(first_s, block):
    """The times are whole milliseconds here, so the brute force counts as the solver does."""
    rng = np.random.default_rng(0)
    for seed in range(30 * block, 30 * block + 30):
        values, seconds, groups, budget_s, features = instance(seed)
        seconds = np.ceil(seconds)
        budget_s = np.ceil(budget_s)
        weights = np.full(len(values), 1 / len(values))
        covered = cover(values, seconds, groups, first_s, budget_s, features, rng)
        similar = similarity(features)
        best = optimum(values, seconds, groups, first_s, budget_s + 0.02, similar, weights)
        assert covered.exact_problem
        assert covered.value == pytest.approx(worth(covered.rows, values, similar, weights))
        growth = [
            worth(covered.rows[:k], values, similar, weights) for k in range(len(covered.rows) + 1)
        ]
        np.testing.assert_allclose(covered.added, np.diff(growth), atol=1e-12)
        assert covered.bound >= best * (1 - 1e-9), seed
        assert covered.value <= best * (1 + 1e-9), seed
        assert len(set(covered.rows.tolist())) == covered.rows.size
        assert covered.seconds == pytest.approx(cost(covered.rows, seconds, groups, first_s))
        assert covered.seconds <= budget_s
        if best > 0:
            assert covered.share <= covered.value / best * (1 + 1e-9), seed
        if first_s == 0:
            assert covered.value >= 0.405 * best, seed


def plain_greedy(values, seconds, groups, first_s, budget_s, similar, weights):
    """Everyone is asked each time."""
    chosen: list[int] = []
    while True:
        here = worth(chosen, values, similar, weights)
        spent = cost(chosen, seconds, groups, first_s) if chosen else 0.0
        best, most = -1, 1e-12
        for row in range(len(values)):
            more = cost([*chosen, row], seconds, groups, first_s) - spent
            if row in chosen or spent + more > budget_s:
                continue
            rate = (worth([*chosen, row], values, similar, weights) - here) / more
            if rate > most * (1 + 1e-9):
                best, most = row, rate
        if best < 0:
            return chosen
        chosen.append(best)


@pytest.mark.parametrize("near", [8, 10_000])
@pytest.mark.parametrize("first_s", [0.0, 15.0])
def test_lazy_greedy_is_greedy(monkeypatch, near, first_s):
    """Also when only a few of the pool are looked at for each choice."""
    monkeypatch.setattr(greedy, "NEAR", near)
    monkeypatch.setattr(greedy, "ASKED", 2)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(70, 5))
        values = rng.random(70) * 0.02
        seconds = np.round(rng.uniform(5, 60, 70))
        groups = rng.integers(0, 8, 70)
        covered = cover(values, seconds, groups, first_s, 400.0, features, rng)
        expected = plain_greedy(
            values, seconds, groups, first_s, 400.0, similarity(features), np.full(70, 1 / 70)
        )
        assert covered.rows.tolist() == expected, seed


def test_a_single_slice_can_beat_greedy():
    """Greedy takes the better rate and has no time left for the great one."""
    covered = cover(
        np.array([2.0, 50.0]),
        np.array([1.0, 100.0]),
        np.array([0, 1]),
        0.0,
        100.0,
        np.eye(2),
        np.random.default_rng(0),
        gain=0.0,
    )
    assert covered.rows.tolist() == [1]
    assert covered.value == 50.0
    assert covered.bound == pytest.approx(2 + 50 * 0.99)


def test_coverage_avoids_what_is_alike():
    """Two clusters, equal values: the second choice comes from the other cluster."""
    features = np.array([[1.0, 0.1], [1.0, 0.0], [1.0, -0.1], [-1.0, 0.1], [-1.0, 0.0]])
    arguments = (np.full(5, 0.1), np.full(5, 10.0), np.arange(5), 0.0, 20.0, features)
    covered = cover(*arguments, np.random.default_rng(0))
    assert {row < 3 for row in covered.rows.tolist()} == {True, False}
    # What is annotated already covers its cluster, so the other one comes first.
    first = cover(*arguments, np.random.default_rng(0), already=features[:3]).rows[0]
    assert first >= 3


def test_what_is_annotated_counts_from_the_start():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(20, 4))
    arguments = (np.zeros(20), np.full(20, 10.0), np.arange(20), 0.0, 50.0, features)
    full = cover(*arguments, rng)
    annotated = features[full.rows]
    rest = cover(*arguments, rng, already=annotated)
    similar = similarity(features)
    before = similar[:, full.rows].max(axis=1)
    after = np.maximum(before, similar[:, rest.rows].max(axis=1))
    assert rest.value == pytest.approx((after - before).mean())
    assert not set(rest.rows.tolist()) & set(full.rows.tolist())
    nobody = cover(*arguments, rng, already=np.zeros((0, 4)))
    assert nobody.value == full.value
    everybody = cover(*arguments, rng, already=features)
    assert everybody.value == pytest.approx(0, abs=1e-12)


def test_gain_and_weights_change_the_value():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(15, 4))
    arguments = (np.zeros(15), np.full(15, 10.0), np.arange(15), 0.0, 30.0, features)
    once = cover(*arguments, rng)
    assert cover(*arguments, rng, gain=3.0).value == pytest.approx(3 * once.value)
    assert cover(*arguments, rng, gain=0.0).rows.size == 0
    only = np.zeros(15)
    only[7] = 1.0
    alone = cover(*arguments, rng, weights=only)
    assert alone.rows.tolist() == [7]
    assert alone.value == pytest.approx(1.0)


@pytest.mark.parametrize("first_s", [0.0, 15.0])
def test_landmarks_stand_for_the_pool(first_s):
    rng = np.random.default_rng(6)
    features = rng.normal(size=(400, 6)).astype(np.float32)
    values, seconds = rng.random(400) * 0.01, rng.uniform(10, 120, 400)
    arguments = (values, seconds, rng.integers(0, 10, 400), first_s, 900.0, features)
    exact = cover(*arguments, np.random.default_rng(1))
    fewer = cover(*arguments, np.random.default_rng(1), landmarks=50)
    again = cover(*arguments, np.random.default_rng(1), landmarks=50)
    other = cover(*arguments, np.random.default_rng(2), landmarks=50)
    assert exact.exact_problem
    assert cover(*arguments, np.random.default_rng(1), landmarks=400).exact_problem
    assert not fewer.exact_problem
    assert fewer.rows.tolist() == again.rows.tolist()
    assert (fewer.value, fewer.bound) == (again.value, again.bound)
    assert fewer.rows.tolist() != other.rows.tolist()
    for covered in (exact, fewer):
        assert covered.seconds <= 900.0
        assert covered.value <= covered.bound
        assert 0.4 < covered.share < 1.0


def test_few_steps_bound_as_truly_as_all(monkeypatch):
    """With less work the bound is looser, never below what is reached."""
    rng = np.random.default_rng(8)
    features = rng.normal(size=(60, 4))
    arguments = (rng.random(60) * 0.02, rng.uniform(5, 60, 60), np.arange(60), 0.0, 400.0, features)
    every = cover(*arguments, rng)
    monkeypatch.setattr(coverage, "BOUND_WORK", 3 * 60 * 60)
    few = cover(*arguments, rng)
    monkeypatch.setattr(coverage, "BOUND_WORK", 0)
    none = cover(*arguments, rng)
    assert few.rows.tolist() == none.rows.tolist() == every.rows.tolist()
    assert every.value < every.bound <= few.bound <= none.bound


@pytest.mark.parametrize("first_s", [0.0, 15.0])
def test_the_order_of_the_items_does_not_matter(first_s):
    rng = np.random.default_rng(9)
    features = rng.normal(size=(200, 5))
    values, seconds = rng.random(200) * 0.02, rng.uniform(10, 120, 200)
    groups = rng.integers(0, 10, 200)
    covered = cover(values, seconds, groups, first_s, 900.0, features, rng)
    order = rng.permutation(200)
    mixed = cover(
        values[order], seconds[order], groups[order], first_s, 900.0, features[order], rng
    )
    assert order[mixed.rows].tolist() == covered.rows.tolist()
    assert mixed.value == pytest.approx(covered.value)
    assert mixed.bound == pytest.approx(covered.bound)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_one_and_everything(dtype):
    rng = np.random.default_rng(0)
    empty = cover(*(np.zeros(0),) * 2, np.zeros(0, int), 15.0, 10.0, np.zeros((0, 3), dtype), rng)
    assert (empty.rows.size, empty.value, empty.share) == (0, 0.0, 1.0)
    features = rng.normal(size=(6, 3)).astype(dtype)
    values, seconds, groups = np.ones(6), np.full(6, 10.0), np.arange(6) // 2
    none = cover(values, seconds, groups, 15.0, 24.999, features, rng)
    assert (none.rows.size, none.value, none.seconds, none.share) == (0, 0.0, 0.0, 1.0)
    one = cover(values, seconds, groups, 15.0, 25.0, features, rng)
    assert one.rows.size == 1
    assert one.seconds == 25.0
    everything = cover(values, seconds, groups, 15.0, 105.0, features, rng)
    assert sorted(everything.rows.tolist()) == list(range(6))
    assert everything.value == pytest.approx(7.0, rel=1e-6)
    assert everything.share == pytest.approx(1.0, rel=1e-4)
    alone = cover(np.ones(1), np.ones(1), np.zeros(1, int), 0.0, 1.0, features[:1], rng)
    assert (alone.rows.tolist(), alone.value) == ([0], 1.0)


def test_directions_ignore_scale_and_constant_columns():
    features = np.array([[0.0, 10.0, 5.0], [2.0, 30.0, 5.0], [2.0, 10.0, 5.0], [0.0, 30.0, 5.0]])
    found = directions(features, standardise(features))
    root = np.sqrt(0.5)
    expected = np.array([[-root, -root, 0], [root, root, 0], [root, -root, 0], [-root, root, 0]])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_gains_by_hand():
    """Places on the axes, one half covered: a candidate between them adds to both."""
    root = np.sqrt(0.5)
    facility = Facility(
        np.array([[root, root], [-1.0, 0.0]]), np.eye(2), np.array([1.0, 2.0]), np.array([0.5, 0.0])
    )
    state = facility.reached[None]
    np.testing.assert_allclose(
        facility.gains(np.arange(2), state)[0], [(root - 0.5) + 2 * root, 0.0]
    )
    assert facility.worth(np.array([0, 1])) == pytest.approx(3 * root - 0.5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"features": np.zeros((3, 2))}, "features must be a matrix"),
        ({"features": np.array([[np.nan], [0.0]])}, "features must be finite"),
        ({"gain": -1.0}, "gain finite"),
        ({"weights": np.ones(3)}, "weights must be"),
        ({"weights": np.array([1.0, -1.0])}, "weights must be"),
        ({"landmarks": 0}, "landmarks must be"),
        ({"already": np.zeros((1, 5))}, "already must be a matrix"),
        ({"already": np.full((1, 2), np.inf)}, "already must be finite"),
        ({"seconds": np.zeros(2)}, "seconds must be"),
    ],
)
def test_nonsense_is_refused(change, says):
    arguments = {
        "values": np.ones(2),
        "seconds": np.ones(2),
        "groups": np.zeros(2, int),
        "first_s": 0.0,
        "budget_s": 1.0,
        "features": np.eye(2),
        "rng": np.random.default_rng(0),
    }
    with pytest.raises(ValueError, match=says):
        cover(**{**arguments, **change})


def test_a_product_does_not_read_the_processors_flags() -> None:
    """Kernels set "invalid" over finite numbers now and then; here it is set for certain."""
    left, right = np.array([[np.inf, 1.0]], np.float32), np.array([[0.0], [2.0]], np.float32)
    with np.errstate(invalid="raise"):
        assert np.isnan(product(left, right)).all()
        assert product(left[:, 1:], right[1:]).tolist() == [[2.0]]
