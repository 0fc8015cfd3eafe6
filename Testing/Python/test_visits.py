"""What is taken along where a volume is open."""

from __future__ import annotations

from collections import Counter

import numpy as np

from activeseg.keys import Plane
from activeseg.sampling import Pool
from activeseg.sampling.auto import Parts, auto, auto_value
from activeseg.sampling.batch import Batch
from activeseg.sampling.visits import ALONG, Visits, planes_of
from small_pool import Slice, names, pool_of, rng

AXIAL, CORONAL, SAGITTAL = Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL


def crossing(volumes: int = 12, first_slice_s: float = 15.0, seconds: float = 10.0) -> Pool:
    """Volumes with ten slices in each of three planes, all alike."""
    return pool_of(
        [
            Slice(f"v{v:02d}", k, seconds=seconds, plane=plane, mm=3.0)
            for v in range(volumes)
            for plane in Plane
            for k in range(10)
        ],
        first_slice_s,
    )


def planes(batch: Batch) -> list[tuple[int, int]]:
    """Volume and plane of each row."""
    pool = batch.pool
    return sorted((int(pool.volume[row]), int(pool.plane[row])) for row in batch.rows)


def test_the_best_of_each_other_plane_is_taken_along() -> None:
    pool = crossing(2)
    ranks = np.arange(len(pool), dtype=np.float64)
    batch = Batch(pool, 1000.0)
    batch.take(33, 1.0)  # of the second volume's axial slices the fourth
    Visits(batch, ranks, ranks).complete(33)
    assert sorted(batch.rows) == [33, 49, 59]
    values = {choice.candidate.key.plane: choice.value for choice in batch.choices()}
    assert values == {AXIAL: 1.0, CORONAL: 49.0, SAGITTAL: 59.0}
    told = [choice.reason.startswith(f"{ALONG}: ") for choice in batch.choices()]
    assert told == [False, True, True]


def test_nothing_is_taken_along_twice_or_for_nothing() -> None:
    pool = crossing(1)
    ranks = np.where(pool.plane == 1, -np.inf, 1.0)
    batch = Batch(pool, 1000.0)
    batch.take(0, 1.0)
    visits = Visits(batch, ranks, ranks)
    visits.complete(0)
    visits.complete(0)
    assert planes(batch) == [(0, 0), (0, 2)]


def test_of_a_plane_without_anything_worth_asking_nothing_is_taken() -> None:
    # Row 0 is worth something and is in the batch already, or of another plane.
    pool = crossing(1)
    for taken in (0, 5):
        ranks = np.where(pool.plane == 0, 1.0, -np.inf)
        batch = Batch(pool, 1000.0)
        batch.take(taken, 1.0)
        Visits(batch, ranks, ranks).complete(taken)
        assert batch.rows == [taken]


def test_what_does_not_fit_is_left() -> None:
    batch = Batch(crossing(1), 36.0)  # 15 s for opening, 10 s a slice
    batch.take(0, 1.0)
    Visits(batch, np.ones(30), np.ones(30)).complete(0)
    assert len(batch) == 2


def test_auto_asks_for_a_slice_of_every_plane_of_a_volume() -> None:
    for seed in range(5):
        chosen = auto(crossing(), 300.0, rng(seed)).choices
        seen = {(c.candidate.key.volume, c.candidate.key.plane) for c in chosen}
        volumes = Counter(volume for volume, _ in seen)
        assert len(volumes) > 4
        # The budget may end within the last one.
        assert sorted(volumes.values(), reverse=True)[:-1] == [3] * (len(volumes) - 1)


def test_without_visits_nearly_every_slice_opens_a_volume() -> None:
    volumes = [
        len({name[:3] for name in names(auto(crossing(90), 300.0, rng(s), parts=parts).choices)})
        for s in range(5)
        for parts in (Parts(), Parts(visits=False))
    ]
    assert max(volumes[::2]) <= 7 < min(volumes[1::2])


def test_a_volume_counts_less_by_its_visits_not_by_its_slices() -> None:
    annotated = [("v00", plane, 500.0) for plane in Plane]
    pool = pool_of(
        [Slice(v, 0, plane=plane) for v in ("v00", "v01") for plane in Plane], annotated=annotated
    )
    assert auto_value(pool)[0].tolist() == [0.5] * 3 + [1.0] * 3
    assert auto_value(pool, Parts(visits=False))[0].tolist() == [0.25] * 3 + [1.0] * 3


def test_in_a_single_plane_a_slice_stands_for_itself() -> None:
    pool = pool_of([Slice(f"v{v:02d}", k) for v in range(9) for k in range(5)], 15.0)
    assert planes_of(pool) == 1
    for seed in range(5):
        both = [auto(pool, 200.0, rng(seed), parts=Parts(visits=each)) for each in (True, False)]
        assert both[0] == both[1]
