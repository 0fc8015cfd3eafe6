"""ClaSP PE as published: shares in slices, chance by the round, no seconds in the ranking."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg.keys import Plane
from activeseg.sampling import Pool
from activeseg.sampling.batch import Batch
from activeseg.sampling.clasp import clasp, clasp_pe
from activeseg.sampling.turns import fill_in_turns
from small_pool import Slice, names, pool_of, rng

NEVER = -np.inf


def in_turns(pool: Pool, budget: float, ranks: list[list[float]], shares: list[float]) -> list[int]:
    batch = Batch(pool, budget)
    fill_in_turns(batch, np.array(ranks), shares, np.arange(len(pool)) * 1.0, rng())
    return sorted(batch.rows)


def test_each_ranking_gives_its_share_of_the_slices() -> None:
    # Ten slices: 3 and 3 of the classes and 4 of the rest, the highest of each.
    pool = pool_of([Slice("a", k) for k in range(60)])
    first = [float(k) if k < 20 else NEVER for k in range(60)]
    second = [float(k) if 20 <= k < 40 else NEVER for k in range(60)]
    rest = [float(k) if k >= 40 else -1.0 for k in range(60)]
    shares = [0.33, 0.33, 0.34]
    assert in_turns(pool, 100.0, [first, second, rest], shares) == [
        *(17, 18, 19),
        *(37, 38, 39),
        *(56, 57, 58, 59),
    ]
    # A class that is nowhere leaves its share to the others.
    found = in_turns(pool, 100.0, [first, [NEVER] * 60, rest], shares)
    assert Counter(row // 20 for row in found) == {0: 5, 2: 5}


def test_a_slice_that_leads_two_rankings_is_taken_once() -> None:
    pool = pool_of([Slice("a", k) for k in range(4)])
    assert in_turns(pool, 20.0, [[3, 2, 1, 0], [3, 2, 1, 0]], [0.5, 0.5]) == [0, 1]


@given(st.lists(st.floats(0.05, 1), min_size=1, max_size=5), st.integers(1, 60), st.integers(0, 9))
def test_shares_are_kept_at_every_length(shares: list[float], count: int, seed: int) -> None:
    """No ranking that has enough slices is ever a slice and a half away from its share."""
    pool = pool_of([Slice("a", k) for k in range(400)])
    owner = np.arange(400) % len(shares)
    ranks = rng(seed).random((len(shares), 400))
    ranks[owner[None] != np.arange(len(shares))[:, None]] = NEVER
    rows = in_turns(pool, 10.0 * count, ranks.tolist(), shares)
    given_by = np.bincount(owner[rows], minlength=len(shares))
    quota = count * np.array(shares) / sum(shares)
    if (quota < 60).all():
        assert np.abs(given_by - quota).max() < 1.5
    assert len(rows) == count


def two_classes() -> Pool:
    """Slices 0 to 49 are of the first class and dear, 50 to 99 of the second, cheap and sure."""
    both = (1.0, 1.0)
    dear = [
        Slice("a", k, 1 + k / 100, 30.0, class_entropy=(1 + k / 100, 0.0), shown=both)
        for k in range(50)
    ]
    cheap = [
        Slice("a", k, 0.01, 10.0, class_entropy=(0.0, 0.01 + k / 1e4), shown=both)
        for k in range(50, 100)
    ]
    return pool_of(dear + cheap, round_number=5)


def test_two_thirds_of_the_slices_are_shared_by_the_classes() -> None:
    # 3 + 3 by class and 4 by entropy, all of which is in the first class: 7 x 30 s + 3 x 10 s.
    for seed in range(5):
        chosen = clasp_pe(two_classes(), 240.0, rng(seed)).choices
        counts = Counter(choice.candidate.key.index < 50 for choice in chosen)
        assert counts == {True: 7, False: 3}


def test_neighbours_of_a_taken_slice_come_after_all_others() -> None:
    # By entropy alone it would be the six at the top, which lie side by side, 2 mm apart.
    slices = [Slice("a", k, 5.0 - k / 10 if k < 6 else 0.1, mm=2.0) for k in range(12)]
    pool = pool_of(slices, round_number=5)
    batch = clasp_pe(pool, 40.0, rng()).choices
    heights = np.array([choice.candidate.key.index for choice in batch])
    assert np.diff(np.sort(heights)).min() >= 3
    # Those beside an annotated slice wait, too; when nothing else is left they are taken.
    known = replace(pool, annotated=[("a", Plane.AXIAL, mm) for mm in (2.0, 8.0)])
    assert min(choice.candidate.key.index for choice in clasp_pe(known, 20.0, rng()).choices) >= 7
    assert len(clasp_pe(known, 120.0, rng()).choices) == 12
    # In another plane they are no neighbours.
    other = replace(pool, annotated=[("a", Plane.CORONAL, mm) for mm in (2.0, 8.0)])
    assert names(clasp_pe(other, 10.0, rng())) == names(clasp_pe(pool, 10.0, rng()))


def test_seconds_do_not_enter_the_ranking() -> None:
    slices = [
        Slice("a", k, 2.0 if k == 7 else 1.0, seconds=60.0 if k == 7 else 10.0) for k in range(20)
    ]
    pool = pool_of(slices, round_number=5)
    assert all("a7" in names(clasp_pe(pool, 100.0, rng(seed))) for seed in range(10))
    # The strategy for people divides by the seconds.
    assert not any("a7" in names(clasp(pool, 100.0, rng(seed))) for seed in range(10))


@pytest.mark.parametrize(
    ("round_number", "power"), [(1, 1.0), (2, 100**0.25), (3, 10.0), (5, 100.0)]
)
def test_a_slice_is_drawn_by_its_score_to_the_power_of_the_round(
    round_number: int, power: float
) -> None:
    """Gumbel(0, 1 / beta) on log scores: 1.2 against 1 is drawn with 1.2^beta against 1."""
    pool = pool_of(
        [Slice("a", 0, 1.2, seconds=50.0), Slice("a", 1, seconds=40.0)],
        round_number=round_number,
    )
    # One of both fits; that the dear one is the better does not count against it.
    first = [names(clasp_pe(pool, 50.0, rng(seed)))[0] == "a0" for seed in range(800)]
    chance = 1.2**power / (1.2**power + 1)
    assert np.mean(first) == pytest.approx(
        chance, abs=3.5 * np.sqrt(chance * (1 - chance) / 800) + 1e-9
    )
