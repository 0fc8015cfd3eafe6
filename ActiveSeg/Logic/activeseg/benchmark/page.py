"""``report.html``: the benchmark on one page that loads nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from activeseg.benchmark.collect import Ended
from activeseg.benchmark.figures import BANDS, calibration_svg, curves_svg, parts_svg
from activeseg.benchmark.statistics import TIE
from activeseg.benchmark.wording import (
    CLOCK_HEAD,
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
from activeseg.cost import TIME_MODELS
from activeseg.files import write_atomic
from activeseg.report.document import cohort_name, document, facts_list, legend_key
from activeseg.report.tables import table

__all__ = ["write_page"]


def write_page(file: Path, result: Mapping[str, Any], ended: Ended) -> None:
    """Write the page.

    Args:
        file: The page.
        result: What ``result.json`` holds (`activeseg.benchmark.result.result_of`).
        ended: What it was made from; the calibration is drawn from single answers.
    """
    body = _opening(result) + _curves(result) + _tables(result) + _details(result, ended)
    title = f"ActiveSeg benchmark: {cohort_name(result['cohort'])}"
    text = document(title, "benchmark", ("numbers", "the numbers"), body, _footer(result))
    write_atomic(file, text.encode())


def _opening(result: Mapping[str, Any]) -> str:
    minutes = ", ".join(f"{each:g}" for each in result["batch_minutes"])
    seeds = {len(arm["seeds"]) for arm in result["arms"].values()}
    counts = f"{min(seeds)}" if len(seeds) == 1 else f"{min(seeds)} to {max(seeds)} an arm"
    facts = {
        "Cohort": cohort_name(result["cohort"]),
        "Modality": result["modality"].upper(),
        "Structures": ", ".join(result["structures"]),
        "Volumes": f"{result['pool']} in the pool and {result['test']} in the test set",
        "Batches": f"{minutes} minutes",
        "Seeds": counts,
        "Whole pool": f"{result['full_minutes']:,.0f} minutes, Dice {result['full_dice']:.3f}",
    }
    lead = " ".join(part for part in (verdict(result), caution(result)) if part)
    return (
        '<section class="headline" aria-labelledby="outcome">'
        f'<h1 id="outcome">{escape(headline(result))}</h1><p class="lead">{escape(lead)}</p>'
        f"{facts_list(facts)}</section>"
    )


def _curves(result: Mapping[str, Any]) -> str:
    drawn = _both(lambda narrow, name: curves_svg(result, narrow, f"curve-{name}"))
    return (
        '<section aria-labelledby="curve"><h2 id="curve">Dice against minutes</h2>'
        f'<figure class="curve"><ul class="legend">{_legend(result)}</ul>{drawn}</figure>'
        f'<p class="note">Mean over the seeds; of the first {BANDS} arms with 95 % intervals.</p>'
        "</section>"
    )


def _both(draw: Callable[[bool, str], str]) -> str:
    """A drawing for wide and one for narrow screens; the style shows the one that fits."""
    return "".join(
        f'<div class="{name}">{draw(name == "narrow", name)}</div>' for name in ("wide", "narrow")
    )


def _legend(result: Mapping[str, Any]) -> str:
    names = arm_names(result)
    return "".join(legend_key(place, names[arm]) for place, arm in enumerate(result["mean_curves"]))


def _tables(result: Mapping[str, Any]) -> str:
    reference = escape(result["reference"])
    title = f"Standard clinician; above 1 {reference} needs fewer minutes"
    tables = _rows("Standard clinician", GOAL_HEAD, goal_rows(result))
    if result["comparisons"]:
        tables += _rows(title, RATIO_HEAD, ratio_rows(result))
        tables += _rows("What the seeds alone say", SEEDS_HEAD, seeds_rows(result))
        tables += _rows("A slow and a fast clinician", CLOCK_HEAD, clock_rows(result))
    return (
        '<section aria-labelledby="numbers"><h2 id="numbers">Minutes to a share of full Dice</h2>'
        f'<div class="tables">{tables}</div></section>'
    )


def _details(result: Mapping[str, Any], ended: Ended) -> str:
    arms = list(result["arms"])
    parts = _both(lambda narrow, name: parts_svg(result, narrow, f"parts-{name}"))
    judged = _both(lambda narrow, name: calibration_svg(ended, arms, narrow, f"judged-{name}"))
    title = "Means over the seeds, after the last batch"
    quality = _rows(title, QUALITY_HEAD, quality_rows(result))
    return (
        '<section aria-labelledby="went"><h2 id="went">Where the minutes went</h2>'
        f'<figure class="curve">{parts}</figure></section>'
        '<section aria-labelledby="expected"><h2 id="expected">What was expected, and what was '
        f'true</h2><figure class="curve"><ul class="legend">{_legend(result)}</ul>{judged}'
        '</figure></section><section aria-labelledby="further"><h2 id="further">Further measures'
        f'</h2><div class="tables">{quality}</div></section>'
    )


def _rows(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells; the first of each row is its name."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = [
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    ]
    return table(title, f"<tr>{top}</tr>", body)


def _footer(result: Mapping[str, Any]) -> str:
    """How to read the numbers."""
    clocks = "; ".join(
        f"{name}: {model.overhead_s:g} s a slice, {model.first_slice_s:g} s more for the first of "
        f"a volume, {model.speed_mm_s:g} mm of contour a second"
        for name, model in TIME_MODELS.items()
    )
    code = escape(", ".join(result["code"]))
    several = " The runs were made by several versions." if len(result["code"]) > 1 else ""
    return (
        "<footer><h2>How to read this</h2><p>A simulated clinician answers from reference labels, "
        f"in one of three speeds ({clocks}). Full Dice is what the same training gives on every "
        "slice of the pool; M95 is the minutes to 95 % of it. Minutes are geometric means over "
        "the seeds. Intervals come of a paired bootstrap that draws seeds, and patients within "
        f"each seed, {result['draws']:,} times; p is adjusted over the arms (Holm). "
        "By seeds: Student’s t interval of the seeds’ differences, as a bootstrap of few seeds is "
        "too narrow. ≥ and ≤ mark "
        "bounds: in some seed the goal was not reached, and the last minutes stand in, or the "
        "first batch reached it already; ~ marks what is not known in part, % unknown the share of "
        "the draws and seeds in which a ratio is a bound or counts as a tie. Lead in Dice "
        f"and wins are those of {escape(result['reference'])} over log minutes; a seed within "
        f"{TIE:g} is a tie. Area is the mean Dice over log minutes; slices and volumes are about "
        "the expected Dice of proposals that were judged, and of the pool’s volumes at the end, as "
        "is what lies in its 90 % interval. Errors are mean absolute ones, those of the minutes as "
        "a share of the true minutes.</p>"
        f"<p>Made by activeseg {code}.{several}</p></footer>"
    )
