"""The default less each of its parts: what is gone is gone, and the rest is as it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from activeseg.keys import Plane
from activeseg.sampling import RESEARCH, Chosen, Pool
from activeseg.sampling.auto import (
    EMPTY_WORTH,
    MISTAKEN,
    MOST_WEIGHT,
    POWER,
    WHOLE,
    Parts,
    auto,
    auto_value,
)
from small_pool import Slice, names, pool_of, rng


def drawn(chosen: Chosen) -> list[str]:
    """What was chosen for its value or anywhere: all but the audits."""
    return names([choice for choice in chosen.choices if not choice.audit])


def mixed_pool() -> Pool:
    draw = rng(5)
    return pool_of(
        [
            Slice(f"v{v:02d}", k, draw.random(), float(draw.integers(10, 40)), mm=3.0,
                  shown=(draw.random(), draw.random()))
            for v in range(20)
            for k in range(15)
        ],
        15.0,
    )  # fmt: skip


def test_each_ablation_is_auto_with_one_part_off() -> None:
    pool = mixed_pool()
    whole = auto(pool, 900.0, rng(1))
    assert whole == auto(pool, 900.0, rng(1), parts=Parts(*[True] * 7))
    for part in ("cost", "coverage", "quota", "noise"):
        less = RESEARCH[f"auto-no-{part}"].choose(pool, budget_s=900.0, rng=rng(1))
        assert less == auto(pool, 900.0, rng(1), parts=replace(WHOLE, **{part: False}))
        assert less != whole
        # About as many audits as ever: the check of the estimate is no part of the choice.
        assert sum(choice.audit for choice in less.choices) >= 1
    unchecked = RESEARCH["auto-no-audits"].choose(pool, budget_s=900.0, rng=rng(1)).choices
    assert any(choice.audit for choice in whole.choices)
    assert not any(choice.audit for choice in unchecked)
    # The choice without calibration is the same; only what is expected of a slice is not.
    bare = RESEARCH["auto-no-calibration"]
    assert bare.choose(pool, budget_s=900.0, rng=rng(1)) == whole
    assert not bare.calibrated


@pytest.mark.parametrize(
    ("parts", "chance"), [(WHOLE, 4**POWER / (4**POWER + 1)), (Parts(cost=False), 0.5)]
)
def test_without_cost_dear_and_cheap_slices_are_drawn_alike(parts: Parts, chance: float) -> None:
    # Four to one in seconds, as many of each. The classes' pot, 237 s (204 s where a cheap slice
    # was an audit), pays for one dear slice or for cheap ones alone: the first drawn decides.
    pool = pool_of([Slice(f"v{k}", 0, seconds=50.0 if k % 2 else 200.0) for k in range(400)])
    cheap = [
        all(choice.seconds == 50 for choice in auto(pool, 360.0, rng(seed), parts=parts).choices)
        for seed in range(300)
    ]
    assert np.mean(cheap) == pytest.approx(chance, abs=0.09)


def test_without_coverage_the_gain_alone_makes_the_value() -> None:
    annotated = [("a", Plane.AXIAL, 0.0), ("a", Plane.AXIAL, 9.0)]
    slices = [
        Slice("a", 0, 4.0, shown=(0.3, 0.01)),  # annotated itself, of a volume with answers
        Slice("b", 0, 4.0, shown=(1.0, 1.0)),
        Slice("b", 9, 1.0, shown=(0.06, 2.0)),
    ]
    pool = pool_of(slices, annotated=annotated)
    found = auto_value(pool, Parts(coverage=False))
    most = 4.0**MOST_WEIGHT
    # Where a structure is not expected a slice is worth nothing to it, as ever.
    assert found.tolist() == [pytest.approx([most, most, 1.0]), pytest.approx([0.0, most, 1.0])]
    assert auto_value(pool)[0, 0] == 0


def test_without_quotas_a_small_structure_gets_no_share() -> None:
    # 90 slices show the first structure, ten the second; all are worth as much.
    slices = [Slice(f"v{k}", 0, shown=(1.0, 0.0) if k < 90 else (0.0, 1.0)) for k in range(100)]
    pool = pool_of(slices)

    def share(parts: Parts) -> float:
        found = [
            int(name[1:-1]) >= 90
            for seed in range(40)
            for name in drawn(auto(pool, 150.0, rng(seed), parts=parts))
        ]
        return float(np.mean(found))

    assert share(WHOLE) > 0.3
    assert 0.05 < share(Parts(quota=False)) < 0.16


def test_without_quotas_a_slice_counts_for_all_that_it_shows() -> None:
    # Two structures each of a quarter of the typical size have the contour of one typical slice.
    slices = [Slice(f"v{k}", 0, shown=(0.25, 0.25) if k < 20 else (1.0, 0.0)) for k in range(40)]
    counts = Counter(
        int(name[1:-1]) < 20
        for seed in range(60)
        for name in drawn(auto(pool_of(slices), 100.0, rng(seed), parts=Parts(quota=False)))
    )
    assert counts[True] / counts.total() == pytest.approx(0.5, abs=0.08)


def test_without_noise_the_best_for_their_seconds_are_taken() -> None:
    # One structure, more of it the later the volume: the best of 100 slices, whatever the seed.
    slices = [Slice(f"v{k:02d}", 0, shown=((k + 1) / 100,)) for k in range(100)]
    pool = pool_of(slices)
    for seed in range(10):
        chosen = auto(pool, 100.0, rng(seed), parts=Parts(noise=False))
        audits = {c.candidate.key.volume for c in chosen.choices if c.audit}
        best = [f"v{k:02d}0" for k in range(99, -1, -1) if f"v{k:02d}" not in audits]
        assert sorted(drawn(chosen)) == sorted(best[: 10 - len(audits)])
    # With it they are drawn: by the square of the contour the mean is at two thirds.
    values = [int(name[1:-1]) for seed in range(20) for name in drawn(auto(pool, 100.0, rng(seed)))]
    assert 60 < np.mean(values) < 70


@pytest.mark.parametrize(
    ("seconds", "islands", "worth"),
    [(10.0, 2.5, EMPTY_WORTH), (5.0, MISTAKEN, EMPTY_WORTH), (5.0, 0.9 * MISTAKEN, 0.0)],
)
def test_a_slice_in_which_nothing_is_expected_is_drawn_by_its_worth(
    seconds: float, islands: float, worth: float
) -> None:
    # As many that show a mean structure, for 10 s. Of 300 s 30 go to audits and 170 to the
    # structure, which pays for no half slice; 100 are drawn by all that slices are worth.
    slices = [
        Slice(f"v{k:04d}", 0, seconds=seconds if k % 2 else 10.0, shown=(0.0 if k % 2 else 1.0,))
        for k in range(1200)
    ]
    pool = pool_of(slices, islands=islands)

    def empties(parts: Parts) -> float:
        found = [
            choice.candidate.seconds * (int(choice.candidate.key.volume[1:]) % 2)
            for seed in range(200)
            for choice in auto(pool, 300.0, rng(seed), parts=parts).choices
            if not choice.audit
        ]
        return float(np.sum(found)) / (200 * 270.0)

    odds = (worth * 10.0 / seconds) ** POWER
    share = odds * seconds / (odds * seconds + 10.0)
    assert empties(WHOLE) == pytest.approx(share * 100 / 270, rel=0.2, abs=0.005)
    assert empties(Parts(empties=False)) < 0.005  # where nothing else fits


@pytest.mark.parametrize("name", [name for name in RESEARCH if name.startswith("auto-no-")])
def test_where_no_structure_is_expected_there_is_still_a_batch(name: str) -> None:
    slices = [Slice(f"v{k}", 0, shown=(0.0, 0.0)) for k in range(30)]
    assert len(RESEARCH[name].choose(pool_of(slices), budget_s=100.0, rng=rng()).choices) == 10
    none = pool_of([], structures=0)
    assert RESEARCH[name].choose(none, budget_s=100.0, rng=rng()).choices == ()
