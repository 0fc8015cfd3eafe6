"""The figures of a benchmark in words: what is claimed, how sure, and in which cells."""

from __future__ import annotations

import pytest

from activeseg.benchmark.figures import write_picture
from activeseg.benchmark.tidy import table_text
from activeseg.benchmark.wording import (
    GOAL_HEAD,
    QUALITY_HEAD,
    RATIO_HEAD,
    SEEDS_HEAD,
    arm_names,
    caution,
    clock_rows,
    goal_rows,
    headline,
    quality_rows,
    ratio_rows,
    seeds_rows,
    verdict,
)


def spread(name, value, low, high, **more):
    return {name: value, "low": low, "high": high, **more}


def primary(**changes):
    found = {"goal": "m95", "rivals": ["strided", "clasp-pe"], "best": "clasp-pe", "seeds": 5}
    alone = {"low": 1.1, "high": 2.1, "p": 0.02}
    found |= spread("ratio", 1.523, 1.2, 1.9, bound="", p=0.001, by_seeds=alone)
    return found | changes


def ratios(value, bound="", unknown=0.0):
    alone = {"low": value / 4, "high": value * 4, "p": 0.1}
    more = {"bound": bound, "p": 0.01, "unknown": unknown, "by_seeds": alone}
    each = {
        clock: spread("ratio", value, value / 2, value * 2, **more)
        for clock in ("standard", "slow", "fast")
    }
    each["standard"] |= {"p_holm": 0.02, "by_seeds": alone | {"p_holm": 0.3}}
    return each


def result(**changes):
    seed = dict.fromkeys(
        ("dice_p5", "hd95", "aubc", "slice_spearman", "slice_mae", "volume_spearman"), 0.5
    )
    seed |= {"volume_mae": 0.02, "coverage90": 0.9, "minutes_mape": 0.3}
    goal = spread("minutes", 23.44, 18.01, 30.0, reached=2, at_once=0, seeds=2)
    reached = {"m90": goal, "m95": goal, "m98": goal | {"reached": 1, "high": 140.2}}
    quick = {"m90": goal | {"at_once": 1}, "m95": goal, "m98": goal | {"at_once": 1, "reached": 1}}
    plain = {
        "cohort": "/home/someone/scans",
        "reference": "activeseg",
        "quick": False,
        "pool": 6,
        "test": 4,
        "batch_minutes": [4.0, 8.5],
        "full_minutes": 1000.0,
        "full_dice": 0.8765,
        "primary": primary(),
        "minutes_to_goals": {"activeseg": reached, "strided": quick},
        "comparisons": {
            "strided": {
                "m95": ratios(1.5),
                "m98": ratios(2.0, ">=", 0.314),
                "aubc": spread(
                    "difference",
                    0.0123,
                    -0.001,
                    0.02,
                    p=0.1,
                    p_holm=0.1,
                    by_seeds={"low": -0.004, "high": 0.03, "p": 0.2, "p_holm": 0.4},
                ),
                "aubc_later": spread(
                    "difference", 0.002, -0.001, 0.005, p=0.1, p_holm=0.1, by_seeds=None
                ),
                "wins": 1,
                "ties": 1,
                "losses": 0,
            }
        },
        "arms": {
            "activeseg": {"seeds": [seed, seed | {"volume_mae": 0.04, "slice_spearman": None}]},
            "strided": {"seeds": [seed, seed]},
        },
    }
    return plain | changes


@pytest.mark.parametrize(
    ("changes", "said", "found"),
    [
        ({}, "clasp-pe takes 1.52 × the minutes", "1.20 to 1.90: activeseg needs fewer minutes."),
        ({"low": 0.9}, "1.52 ×", "0.90 to 1.90: no difference is shown."),
        (
            {"by_seeds": {"low": 0.95, "high": 2.4, "p": 0.07}},
            "1.52 ×",
            "no difference is shown, as by the 5 seeds alone it is 0.95 to 2.40.",
        ),
        (
            {"ratio": 0.7, "low": 0.5, "high": 0.9, "by_seeds": {"low": 0.4, "high": 0.95}},
            "0.70 ×",
            "activeseg needs more minutes.",
        ),
        ({"bound": ">="}, "takes ≥ 1.52 ×", "fewer minutes. The true ratio may be larger"),
        ({"bound": "<="}, "takes ≤ 1.52 ×", "fewer minutes. The true ratio may be smaller"),
        ({"bound": "?"}, "takes ~ 1.52 ×", "in both directions."),
        ({"seeds": 2}, "1.52 ×", "1.20 to 1.90: too few seeds to tell."),
    ],
)
def test_the_claim_is_no_stronger_than_the_interval(changes, said, found):
    shown = result(primary=primary(**changes))
    assert said in headline(shown)
    assert "to 95 % of full Dice." in headline(shown)
    assert verdict(shown).startswith("M95 of the best of strided, clasp-pe against activeseg")
    assert found in verdict(shown)


def test_without_a_rival_nothing_is_claimed():
    bare = result(primary=None)
    assert headline(bare) == "No rival has run beside activeseg yet."
    assert verdict(bare) == ""
    assert caution(bare) == "A first look, not evidence: 0 seeds so far."


def test_few_seeds_and_small_pools_are_no_evidence():
    assert caution(result()) == ""
    assert (
        caution(result(primary=primary(seeds=2))) == "A first look, not evidence: 2 seeds so far."
    )
    quick = result(quick=True, primary=primary(seeds=1))
    assert caution(quick) == "A first look, not evidence: a small pool and 1 seed."


def test_minutes_say_what_they_are():
    rows = {row[0]: row for row in goal_rows(result())}
    usual = "23.4 (18.0 to 30.0), 2.3 %"
    assert rows["activeseg"] == [
        "activeseg",
        "2",
        usual,
        usual,
        "≥ 23 (18 to 140), 2.3 %; in 1 of 2",
    ]
    assert rows["strided"][2:] == [f"≤ {usual}", usual, f"~ {usual}; in 1 of 2"]


def test_ratios_have_their_interval_and_adjusted_p():
    (row,) = ratio_rows(result())
    assert row == [
        "strided",
        "1.50 (0.75 to 3.00), p 0.020",
        "≥ 2.00 (1.00 to 4.00), p 0.020; 31 % unknown",
        "+0.012 (-0.001 to +0.020)",
        "1/1/0",
    ]
    (row,) = clock_rows(result())
    assert row == [
        "strided",
        *["1.50 (0.75 to 3.00)"] * 2,
        *["≥ 2.00 (1.00 to 4.00); 31 % unknown"] * 2,
    ]


def test_what_the_seeds_alone_say():
    (row,) = seeds_rows(result())
    assert len(row) == len(SEEDS_HEAD)
    assert row == [
        "strided",
        "0.38 to 6.00, p 0.300",
        "0.50 to 8.00, p 0.300",
        "-0.004 to +0.030, p 0.400",
        "+0.002 (-0.001 to +0.005)",
        "–",
    ]


def test_means_are_over_the_seeds_that_say_something():
    rows = {row[0]: dict(zip(QUALITY_HEAD, row, strict=True)) for row in quality_rows(result())}
    assert rows["activeseg"]["volumes: error"] == "0.030"
    assert rows["activeseg"]["slices: Spearman"] == "0.50"
    nobody = result()
    nobody["arms"]["strided"]["seeds"] = [dict.fromkeys(nobody["arms"]["strided"]["seeds"][0])]
    assert set(quality_rows(nobody)[1][1:]) == {"–"}


def test_a_mean_of_fewer_seeds_says_so_in_the_legend():
    assert arm_names(result()) == {"activeseg": "activeseg", "strided": "strided"}
    fewer = result()
    fewer["arms"]["strided"]["seeds"].pop()
    assert arm_names(fewer)["strided"] == "strided, 1 of 2 seeds"


def test_the_tables_are_tables():
    text = table_text(result())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    every = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    cells, alone = every[:4], every[4:]
    assert [alone[0], alone[2]] == [list(SEEDS_HEAD), *seeds_rows(result())]
    assert {len(row) for row in alone} == {len(SEEDS_HEAD)}
    assert cells[0] == [*GOAL_HEAD, *RATIO_HEAD[1:]]
    assert {len(row) for row in cells} == {len(cells[0])}
    assert cells[2][0] == "activeseg"
    assert cells[2][5:] == ["–"] * 4
    assert cells[3][5] == "1.50 (0.75 to 3.00), p 0.020"
    assert "Cohort scans: 6 volumes in the pool, 4 in the test set; batches of 4, 8.5" in text
    assert "someone" not in text


def test_the_figure_holds_both_levels_where_every_arm_is_above_them(tmp_path):
    """Names beside lines far outside the axes left no room for them: a warning, so an error."""
    points = [{"minutes": m, "dice": 0.81, "low": 0.809, "high": 0.811} for m in (5.0, 9.0)]
    curves = {"mean_curves": {"activeseg": points}, "full_dice": 0.8}
    write_picture(tmp_path / "f.png", result(**curves))
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
