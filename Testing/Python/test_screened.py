"""What a one-shot choice does with what was found of the images: leaves out, shares, says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg.sampling import Chosen, Pool, Screened
from activeseg.sampling.one_shot import NOTHING_ELSE, one_shot
from activeseg.sampling.screened import kinds_note, left_out_note, shares
from small_pool import Slice, names, pool_of, rng, stacks

# Shares


@pytest.mark.parametrize(
    ("volumes", "count", "expected"),
    [
        ([9, 1], 20, [18, 2]),
        ([9, 1], 21, [18, 3]),  # what is left goes to the rare one
        ([9, 1], 3, [2, 1]),
        ([9, 1], 0, [0, 0]),
        ([99, 1], 10, [9, 1]),
        ([34, 33, 33], 10, [3, 4, 3]),
        ([1000, 1, 1], 9, [8, 1, 0]),  # below ten slices not every kind has one
        ([1000, 1, 1], 10, [8, 1, 1]),
        ([5, 0, 5], 4, [2, 0, 2]),
        ([0, 0], 4, [0, 0]),
    ],
)
def test_shares_by_hand(volumes: list[int], count: int, expected: list[int]) -> None:
    assert shares(np.array(volumes), count).tolist() == expected


@given(st.lists(st.integers(0, 300), min_size=1, max_size=12), st.integers(0, 80))
def test_shares_are_whole_fair_and_forget_nobody(volumes: list[int], count: int) -> None:
    sizes = np.array(volumes)
    given_ = shares(sizes, count)
    assert given_.sum() == (count if sizes.any() else 0)
    assert (given_ >= 0).all()
    assert not given_[sizes == 0].any()
    present = sizes > 0
    if count >= max(10, present.sum()):
        assert (given_[present] >= 1).all()
    # Who has more than one may have to give, only so that nobody has nothing.
    floors = sizes * count // max(1, sizes.sum())
    assert (given_ >= (floors if count < 10 else np.minimum(floors, 1))).all()
    assert (floors - given_).clip(0).sum() <= (floors[present] == 0).sum()
    if len(sizes) == 2 and present.all():
        rare = int(np.argmin(sizes))
        assert given_[rare] * sizes.sum() >= sizes[rare] * count


# The choice


def screened(pool: Pool, out: str = "", group: str = "", kinds: tuple[str, ...] = ("",)) -> Pool:
    """A pool without the slices named, e.g. ``"a1 a2 b"``, and volumes of other kinds."""
    excluded = np.zeros(len(pool), dtype=bool)
    for row in range(len(pool)):
        key = pool.key(row)
        excluded[row] = bool({key.volume, f"{key.volume}{key.index}"} & set(out.split()))
    number = np.array([int(each) for each in group] or [0] * len(pool.volumes), dtype=np.intp)
    return replace(pool, screened=Screened(excluded, number, kinds))


def kinds_of_slices(volumes: int, slices: int = 4) -> list[Slice]:
    """Volumes of so many slices each, each slice of another kind."""
    features = np.eye(slices)[np.tile(np.arange(slices), volumes)] * 100
    features += rng().normal(size=features.shape)
    return [
        replace(each, features=tuple(row), information=1.0)
        for each, row in zip(stacks(volumes, slices), features, strict=True)
    ]


def by_volume(chosen: Chosen) -> Counter[str]:
    return Counter(choice.candidate.key.volume for choice in chosen.choices)


def test_what_is_left_out_is_not_chosen_however_long_the_budget() -> None:
    pool = screened(pool_of(kinds_of_slices(4), scored=False), "v1 v20 v33")
    chosen = one_shot(pool, 1e6, rng())
    assert sorted(names(chosen)) == [
        *("v00", "v01", "v02", "v03", "v21", "v22", "v23", "v30", "v31", "v32")
    ]


def test_screening_that_finds_nothing_changes_nothing() -> None:
    pool = pool_of(kinds_of_slices(5), 15.0, scored=False)
    for budget in (40.0, 100.0, 1000.0):
        assert one_shot(screened(pool), budget, rng(3)) == one_shot(pool, budget, rng(3))


@pytest.mark.parametrize("seed", range(5))
def test_each_kind_of_volumes_has_its_share(seed: int) -> None:
    # One volume of ten, and no slice of it that k-means would miss.
    pool = pool_of(kinds_of_slices(10, 8), scored=False)
    words = ("", "spacing 2 mm instead of 1 mm")
    other = screened(pool, group="0000000100", kinds=words)
    chosen = one_shot(other, 200.0, rng(seed))
    assert len(chosen.choices) == 20
    assert by_volume(chosen)["v7"] == 2
    assert chosen.note == (
        "slices by kind of volume: 18 from 9 volumes (like most), "
        "2 from 1 volume (spacing 2 mm instead of 1 mm)"
    )


def test_ten_slices_are_enough_for_the_rarest_kind() -> None:
    pool = screened(
        pool_of(kinds_of_slices(60), scored=False), group="0" * 59 + "1", kinds=("", "odd")
    )
    for seed in range(5):
        assert by_volume(one_shot(pool, 100.0, rng(seed)))["v9"] == 1


def test_copies_and_noise_have_no_share() -> None:
    """Of three volumes of the other kind two are left out: a tenth is left of a fourth."""
    pool = screened(pool_of(kinds_of_slices(10), scored=False), "v8 v9", "0000000111", ("", "odd"))
    chosen = one_shot(pool, 160.0, rng())
    assert len(chosen.choices) == 16
    assert by_volume(chosen)["v7"] == 2
    assert chosen.note.endswith("2 from 1 volume (odd)")


def test_a_kind_that_has_too_few_slices_leaves_its_share_to_the_others() -> None:
    slices = [each for each in kinds_of_slices(4) if each.volume != "v3" or each.index == 0]
    pool = screened(pool_of(slices, scored=False), group="0011", kinds=("", "odd"))
    chosen = one_shot(pool, 120.0, rng())
    assert len(chosen.choices) == 12
    chosen = one_shot(screened(pool, "v2", "0011", ("", "odd")), 1e6, rng())
    assert by_volume(chosen) == {"v0": 4, "v1": 4, "v3": 1}


@pytest.mark.parametrize("budget", [25.0, 60.0, 1e6])
def test_a_batch_is_never_empty_because_of_it(budget: float) -> None:
    pool = pool_of(kinds_of_slices(2), 15.0, scored=False)
    chosen = one_shot(screened(pool, "v0 v1"), budget, rng())
    assert len(names(chosen)) == len(names(one_shot(pool, budget, rng()))) > 0
    assert chosen.note == NOTHING_ELSE
    # But it is not filled up with them either.
    assert names(one_shot(screened(pool, "v0 v11 v12 v13"), budget, rng())) == ["v10"]


def test_nothing_is_said_where_nothing_fits() -> None:
    pool = screened(pool_of(kinds_of_slices(2), 15.0, scored=False), "v0")
    assert one_shot(pool, 20.0, rng()) == Chosen(())


def test_the_note_says_what_was_left_out() -> None:
    pool = screened(pool_of(kinds_of_slices(3), scored=False), "v1 v00")
    assert pool.screened is not None
    told = replace(
        pool.screened,
        volumes_out=(("v1", "same image as v0"),),
        slices_out=(("without body", 1),),
    )
    note = "left out: v1 (same image as v0), 1 slice without body"
    assert one_shot(replace(pool, screened=told), 30.0, rng()).note == note
    everything = replace(told, excluded=np.ones(len(pool), dtype=bool))
    chosen = one_shot(replace(pool, screened=everything), 30.0, rng())
    assert chosen.note == f"{NOTHING_ELSE}; {note}"


@given(
    st.lists(st.booleans(), min_size=24, max_size=24),
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    st.sampled_from([12.0, 55.0, 140.0, 1e5]),
    st.integers(0, 9),
)
def test_any_screening_gives_a_batch_within_the_budget(
    out: list[bool], group: list[int], budget: float, seed: int
) -> None:
    plain = pool_of(kinds_of_slices(6), 2.0, scored=False)
    found = Screened(np.array(out), np.array(group), ("", "odd", "odder"))
    pool = replace(plain, screened=found)
    chosen = one_shot(pool, budget, rng(seed))
    rows = {str(pool.key(row)): row for row in range(len(pool))}
    chosen_rows = [rows[str(choice.candidate.key)] for choice in chosen.choices]
    assert len(set(chosen_rows)) == len(chosen_rows) > 0
    assert sum(choice.seconds for choice in chosen.choices) <= budget
    if not all(out):
        assert not found.excluded[chosen_rows].any()
        allowed = np.flatnonzero(~found.excluded)
        volumes = np.bincount(found.group[np.unique(pool.volume[allowed])], minlength=3)
        slices = np.bincount(found.group[pool.volume[chosen_rows]], minlength=3)
        there = np.bincount(found.group[pool.volume[allowed]], minlength=3)
        fair = volumes * len(chosen_rows) // volumes.sum()
        if len(chosen_rows) < 10:
            assert (slices >= np.minimum(fair, there)).all()
        else:
            assert (slices >= np.minimum(np.minimum(fair, 1), there)).all()


# Notes


def test_many_volumes_are_counted() -> None:
    out = tuple((f"v{k}", "no structure") for k in range(8))
    found = Screened(np.zeros(0, dtype=bool), np.zeros(0, dtype=int), volumes_out=out)
    assert left_out_note(found).endswith("v5 (no structure), 2 more volumes")
    assert left_out_note(replace(found, volumes_out=out[:6])).endswith("v5 (no structure)")
    assert left_out_note(replace(found, volumes_out=())) == ""


def test_many_kinds_are_counted() -> None:
    found = Screened(
        np.zeros(0, dtype=bool), np.zeros(0, dtype=int), ("", *(f"odd {k}" for k in range(5)))
    )
    volumes = np.array([9, 1, 0, 1, 1, 2])
    assert kinds_note(found, volumes, np.array([0, 0, 1, 5, 5])) == (
        "slices by kind of volume: 2 from 9 volumes (like most), 1 from 1 volume (odd 0), "
        "0 from 1 volume (odd 2), 0 from 1 volume (odd 3), 2 from 2 volumes of other kinds"
    )
    assert kinds_note(found, np.array([9, 0, 0, 0, 0, 0]), np.array([0])) == ""


# What a pool is given is checked


def test_a_pool_refuses_what_does_not_fit() -> None:
    pool = pool_of(kinds_of_slices(3), scored=False)
    found = Screened(np.zeros(len(pool), dtype=bool), np.zeros(3, dtype=int))
    assert replace(pool, screened=found).screened is found
    with pytest.raises(ValueError, match="excluded has 3 rows for 12 slices"):
        replace(pool, screened=replace(found, excluded=np.zeros(3, dtype=bool)))
    with pytest.raises(ValueError, match="group has 2 entries for 3 volumes"):
        replace(pool, screened=replace(found, group=np.zeros(2, dtype=int)))
    for number in (-1, 1):
        with pytest.raises(ValueError, match="a kind that is none of the 1"):
            replace(found, group=np.array([0, number, 0]))
