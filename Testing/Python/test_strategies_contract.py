"""What every strategy of the registries keeps to, whatever it ranks by."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activeseg.errors import ProjectError
from activeseg.keys import Plane
from activeseg.sampling import (
    DEFAULT_STRATEGY,
    RESEARCH,
    STRATEGIES,
    Chosen,
    Pool,
    Scored,
    strategy,
)
from small_pool import Slice, pool_of, rng

NAMES = sorted(STRATEGIES) + sorted(RESEARCH)
EVERY = pytest.mark.parametrize("name", NAMES)
LESS = (
    *("auto-no-calibration", "auto-no-cost", "auto-no-coverage", "auto-no-noise", "auto-no-quota"),
    *("auto-no-audits", "auto-no-empties", "auto-no-visits"),
)
SEEDED = pytest.mark.parametrize(
    "name",
    [
        *("auto", "clasp", "clue", "foreground-random", "one-shot", "random", "strided"),
        *("badge", "clasp-pe", "coreset", "oracle-foreground-33", "oracle-foreground-66"),
        *("cscs", "farthest-first", "probcover", "representative", "typiclust"),
        *("stochastic-batches", *LESS),
    ],
)
BY_FEATURES = (
    *("coreset", "cscs", "density", "facility-location", "farthest-first", "probcover"),
    *("representative", "typiclust"),
)
"""These choose by features alone, and heed what is annotated by its features."""

ONLY_WITH_GAIN = ("coverage", "knapsack")
"""These ask for nothing that adds nothing."""

SCORES = st.sampled_from([0.0, 0.1, 0.5, 1.0]) | st.floats(0, 1)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Pools with equals, several planes, annotated slices, air and dear slices."""
    places = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(Plane), st.integers(0, 9)
            ),
            max_size=25,
            unique=True,
        )
    )
    numbers = rng(draw(st.integers(0, 99)))
    information = draw(st.booleans())
    slices = [
        Slice(
            volume,
            index,
            draw(SCORES),
            draw(st.sampled_from([5.0, 10.0, 12.3, 60.0])),
            plane,
            mm=2.5,
            dice=draw(SCORES),
            shown=(draw(SCORES), draw(SCORES)),
            class_entropy=(draw(SCORES), draw(SCORES)),
            features=tuple(numbers.normal(size=5)),
            information=float(numbers.random()) if information else None,
            blank_seconds=20.0,
            contour_mm=draw(st.sampled_from([0.0, 10.0, 80.0])),
            gradient=tuple(draw(SCORES) * numbers.random(9)),
            truth=(draw(st.booleans()), draw(st.booleans())),
        )
        for volume, plane, index in places
    ]
    annotated = draw(st.sampled_from([(), (("a", Plane.AXIAL, 3.0),)]))
    return pool_of(
        slices,
        first_slice_s=draw(st.sampled_from([0.0, 8.0, 15.0])),
        annotated=annotated,
        round_number=draw(st.integers(1, 6)),
        structures=2,
        annotated_features=[tuple(numbers.normal(size=5)) for _ in annotated] or None,
    )


def choose(name: str, pool: Pool, budget_s: float, seed: int = 0) -> Chosen:
    return strategy(name).choose(pool, budget_s=budget_s, rng=rng(seed))


@EVERY
@settings(deadline=None, max_examples=40)
@given(pool=pools(), budget=st.floats(0.5, 400) | st.just(1e7), seed=st.integers(0, 99))
def test_contract(name: str, pool: Pool, budget: float, seed: int) -> None:
    batch = choose(name, pool, budget, seed)
    chosen = batch.choices
    keys = [choice.candidate.key for choice in chosen]

    # Slices of the pool, each once; what is said of them is what the pool says.
    rows = {pool.key(row): row for row in range(len(pool))}
    assert len(set(keys)) == len(keys)
    for choice in chosen:
        candidate = pool.candidate(rows[choice.candidate.key])
        if choice.audit:
            candidate = replace(candidate, seconds=20.0, how="draw")
        assert choice.candidate == candidate

    # Slices of a volume follow each other by plane and index; the first pays for opening it.
    runs = [list(run) for _, run in groupby(chosen, key=lambda c: c.candidate.key.volume)]
    assert len(runs) == len({key.volume for key in keys})
    for run in runs:
        places = [rows[choice.candidate.key] for choice in run]
        assert places == sorted(places)
        assert run[0].seconds == run[0].candidate.seconds + pool.first_slice_s
        assert all(choice.seconds == choice.candidate.seconds for choice in run[1:])

    # Within the budget, and no other slice fits (the budget counts in whole milliseconds).
    left = budget - sum(choice.seconds for choice in chosen)
    assert left >= -1e-9
    opened = {key.volume for key in keys}
    for key, row in rows.items():
        worth = 1.0 if name not in ONLY_WITH_GAIN else pool.model_scores().gain[row]
        if key not in keys and worth > 0:
            opens = 0.0 if key.volume in opened else pool.first_slice_s
            assert float(pool.seconds[row]) + opens > left - 0.001

    # One sentence for a person, and the same batch for the same seed.
    assert all(choice.reason and "\n" not in choice.reason for choice in chosen)
    assert "\n" not in batch.note
    assert choose(name, pool, budget, seed) == batch


def plain_pool(volumes: int = 6, slices: int = 8) -> Pool:
    numbers = rng(0)
    return pool_of(
        [
            Slice(
                f"v{v}",
                k,
                float(numbers.random()),
                mm=2.0,
                dice=float(numbers.random()),
                shown=tuple(numbers.random(2)),
                class_entropy=tuple(numbers.random(2)),
                features=tuple(numbers.normal(size=5)),
                contour_mm=float(numbers.uniform(10, 90)),
                gradient=tuple(numbers.random(9)),
                truth=tuple(numbers.random(2) < 0.5),
            )
            for v in range(volumes)
            for k in range(slices)
        ],
        first_slice_s=15.0,
        round_number=2,
    )


def chosen_keys(name: str, pool: Pool, budget_s: float = 120.0, seed: int = 0) -> set[str]:
    return {str(choice.candidate.key) for choice in choose(name, pool, budget_s, seed).choices}


@EVERY
def test_budget_and_first_slice_overhead_change_the_batch(name: str) -> None:
    pool = plain_pool()
    batch = chosen_keys(name, pool)
    assert len(chosen_keys(name, pool, 240.0)) > len(batch)
    assert len(chosen_keys(name, replace(pool, first_slice_s=0.0))) > len(batch)


@EVERY
@pytest.mark.parametrize(("minutes", "fewest", "most"), [(10, 14, 50), (180, 350, 960)])
def test_ten_minutes_and_three_hours_are_both_good_plans(
    name: str, minutes: int, fewest: int, most: int
) -> None:
    pool = plain_pool(volumes=30, slices=32)
    pool = replace(pool, seconds=rng(3).uniform(8.0, 40.0, len(pool)))
    chosen = choose(name, pool, 60.0 * minutes).choices
    spent = sum(choice.seconds for choice in chosen)
    assert 0.97 * 60 * minutes <= spent <= 60 * minutes
    assert fewest <= len(chosen) <= most
    # Most of a session is spent on slices, not on opening volumes; as good as half where no chance
    # keeps an ablation from the cheapest slices, which take half as long as opening a volume.
    opening = 15.0 * len({choice.candidate.key.volume for choice in chosen})
    assert opening <= (0.55 if name == "auto-no-noise" else 0.5) * spent


@SEEDED
def test_another_seed_gives_another_batch(name: str) -> None:
    pool = plain_pool()
    assert len({frozenset(chosen_keys(name, pool, 300.0, seed)) for seed in range(6)}) > 1


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SEEDED.args[1]])
def test_no_chance_where_nothing_is_equal(name: str) -> None:
    pool = plain_pool()
    assert len({frozenset(chosen_keys(name, pool, 300.0, seed)) for seed in range(6)}) == 1


BEGUN = [(f"v{k}", Plane.AXIAL, 4.0) for k in range(6)]


def begun_pool() -> Pool:
    """Some of it is annotated, and the expected Dice trusted: before, `auto` ignores the gain."""
    pool = replace(plain_pool(), annotated=BEGUN)
    return replace(pool, scored=replace(pool.model_scores(), trust=0.8))


RANKED_BY = {
    "auto": ("gain", "shown", "trust", "islands"),
    "knapsack": ("gain",),
    "coverage": ("gain",),
    "clasp": ("class_entropy", "whole_entropy", "round"),
    "entropy-band": ("uncertainty",),
    "clue": ("whole_entropy",),
    "energy": ("energy", "shown"),
    "foreground-random": ("shown",),
    "entropy-mean": ("whole_entropy",),
    "volume-epistemic": ("foreground_entropy",),
    "worst-dice": ("expected_dice", "shown"),
    "atzeni": ("gain", "contour_mm", "shown"),
    "badge": ("gradient",),
    "bald": ("epistemic",),
    "clasp-pe": ("class_entropy", "whole_entropy", "round"),
    "kuo": ("top_patches",),
    "stochastic-batches": ("whole_entropy",),
    **dict.fromkeys(LESS, ("gain", "shown", "trust", "islands")),
    "auto-no-empties": ("gain", "shown", "trust"),
    "auto-no-coverage": ("gain", "shown", "islands"),  # the gain has its full weight from the start
}


def other_scores(scores: Scored, field: str) -> object:
    """Other values of a column, or of a number."""
    single = {"round": 5, "trust": 0.1, "islands": 0.5}
    return single.get(field) or getattr(scores, field)[..., ::-1] ** 3


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, fields in RANKED_BY.items() for field in fields]
)
def test_what_a_strategy_ranks_by_changes_its_batch(name: str, field: str) -> None:
    pool = begun_pool()
    scores = pool.model_scores()
    emptier = replace(scores, shown=np.where(np.arange(len(pool)) % 3, 0.0, 1.0) * scores.shown)
    if field == "shown":
        changed = emptier
    elif field == "islands":  # they say something of slices that show nothing
        pool = replace(pool, scored=emptier)
        changed = replace(emptier, islands=0.5)
    else:
        changed = replace(scores, **{field: other_scores(scores, field)})
    other = replace(pool, scored=changed)
    assert chosen_keys(name, other, 300.0) != chosen_keys(name, pool, 300.0)


@pytest.mark.parametrize("name", sorted(RANKED_BY))
def test_other_scores_do_not_matter(name: str) -> None:
    pool = begun_pool()
    scores = pool.model_scores()
    others = ("gain", "uncertainty", "whole_entropy", "epistemic", "class_entropy", "band_entropy",
              "expected_dice", "shown", "round", "energy", "foreground_entropy", "top_patches",
              "contour_mm", "gradient", "trust", "islands")  # fmt: skip
    changes = {
        field: other_scores(scores, field) for field in others if field not in RANKED_BY[name]
    }
    other = replace(pool, scored=replace(scores, **changes))
    assert chosen_keys(name, other, 300.0) == chosen_keys(name, pool, 300.0)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("entropy-band", {"redundancy_mm": 0.1}),
        *(
            (name, {"annotated": [("v1", Plane.AXIAL, mm) for mm in (0.0, 6.0, 12.0)]})
            for name in ("auto", "clue", "coverage", "energy", "entropy-band")
        ),
        ("auto", {"blank_seconds": np.full(48, 35.0)}),
        ("strided", {"annotated": [(f"v{k}", Plane.AXIAL, 0.0) for k in (0, 1, 4)]}),
        ("one-shot", {"annotated": [(f"v{k}", Plane.AXIAL, 0.0) for k in (0, 1, 4)]}),
        ("one-shot", {"information": np.array([0.01, 1] * 24, dtype=np.float32)}),
        *(
            (name, {"features": np.arange(144, dtype=np.float32).reshape(48, 3) % 7})
            for name in ("badge", "clue", "coverage", "one-shot", *BY_FEATURES)
        ),
        *(
            (name, {"annotated": BEGUN, "annotated_features": np.eye(6, 5, dtype=np.float32)})
            for name in BY_FEATURES
        ),
        *(
            (name, {"information": np.array([0.01, 1] * 24, dtype=np.float32)})
            for name in BY_FEATURES
        ),
        *(
            (f"oracle-foreground-{share}", {"truth_shown": np.arange(96).reshape(2, 48) % 7 < 1})
            for share in (33, 66)
        ),
    ],
)
def test_what_a_strategy_reads_changes_its_batch(name: str, changed: dict[str, object]) -> None:
    pool = plain_pool()
    other = replace(pool, **changed)  # type: ignore[arg-type]
    budgets = (120.0, 300.0)
    batches = [[chosen_keys(name, each, s) for s in budgets] for each in (other, pool)]
    assert batches[0] != batches[1]


@EVERY
def test_nothing_one_and_everything(name: str) -> None:
    empty = pool_of([], 15.0, structures=2)
    assert choose(name, empty, 600.0).choices == ()
    assert choose(name, plain_pool(), 24.0).choices == ()
    one = pool_of([Slice("a", 3, features=(1.0, 2.0), truth=(True,))], 15.0)
    assert chosen_keys(name, one, 25.0) == {"a/axial/003"}
    assert len(chosen_keys(name, plain_pool(), 1e6)) == 48


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
    assert "\n" not in found.summary
    assert found.needs_model == (name in RANKED_BY)
    pool = plain_pool()
    without_features, bare = replace(pool, features=None), replace(pool, scored=None)
    if found.needs_features:
        with pytest.raises(ValueError, match="needs the features of the pool"):
            choose(name, without_features, 60.0)
    else:
        assert chosen_keys(name, without_features) == chosen_keys(name, pool)
    if found.needs_model:
        with pytest.raises(ValueError, match="needs the scores of a model"):
            choose(name, bare, 60.0)
    else:
        assert chosen_keys(name, bare) == chosen_keys(name, pool)
    blind = replace(pool, truth_shown=None)
    if found.needs_truth:
        with pytest.raises(ValueError, match="needs the truth of the pool"):
            choose(name, blind, 60.0)
    else:
        assert chosen_keys(name, blind) == chosen_keys(name, pool)


def test_lookup() -> None:
    assert strategy(DEFAULT_STRATEGY).name == "auto"
    with pytest.raises(ProjectError, match="no strategy 'entropie'; choose one of auto, ") as no:
        strategy("entropie")
    # A benchmark's arms are found by name, and nobody is offered them.
    assert not STRATEGIES.keys() & RESEARCH.keys()
    assert strategy("kuo") is RESEARCH["kuo"]
    assert not any(name in str(no.value) for name in RESEARCH)


def test_only_arms_for_research_know_the_truth_or_forget_the_answers() -> None:
    assert not any(each.needs_truth or not each.calibrated for each in STRATEGIES.values())
    assert [name for name, each in RESEARCH.items() if each.needs_truth] == [
        "oracle-foreground-33",
        "oracle-foreground-66",
    ]
    assert [name for name, each in RESEARCH.items() if not each.calibrated] == [
        "auto-no-calibration"
    ]
