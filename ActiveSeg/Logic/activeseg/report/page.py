"""The page: what was run, what came of it, and every slice that was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from activeseg.cost import STANDARD
from activeseg.errors import ProjectError
from activeseg.files import write_atomic
from activeseg.keys import SliceKey
from activeseg.progress import Progress
from activeseg.project import Project
from activeseg.report.asked import AskedRound, asked_rounds
from activeseg.report.cards import STRUCTURE_COLOURS, round_section
from activeseg.report.curve import curve_svg
from activeseg.report.document import cohort_name, document, facts_list, legend_key
from activeseg.report.results import ARM_COLOURS, Arm, main_arm, outcome, read_arms, verdict
from activeseg.report.tables import measures_table, rounds_table, structures_table
from activeseg.report.thumbnails import Thumbnail, draw_thumbnails

__all__ = ["write_report"]

_WIDE, _NARROW = (11.2, 4.3), (4.4, 3.8)
"""Inches of the two drawings of the curve; the style shows the one that fits."""

_Thumbnails = Mapping[tuple[str, int, SliceKey], Thumbnail]


def write_report(
    output: Path, result: Mapping[str, Any], projects: Mapping[str, Project], progress: Progress
) -> None:
    """Write the page of a simulated run: one file that needs no other and no network.

    Args:
        output: The page, usually ``report.html``; its folder must exist.
        result: What ``result.json`` holds: ``cohort``, ``full_minutes``, ``full_dice``, ``arms``,
            and, where known, ``pool``, ``test``, ``structures``, ``batch_minutes``, ``modality``.
        projects: The project of each arm whose slices are shown (of its first seed); the cohorts
            need reference labels.
        progress: Told of each volume that is read; each is read once.

    Raises:
        ProjectError: If a project is damaged or the disk refuses. CohortError: If an image or a
            reference label cannot be read. KeyError, TypeError: If `result` is not the result of
            a run.
    """
    arms = read_arms(result)
    rounds = asked_rounds(projects)
    shown = [each for found in rounds.values() for one in found for each in one.shown]
    thumbnails = draw_thumbnails(shown, progress)
    page = _page(result, arms, rounds, projects, thumbnails)
    try:
        write_atomic(output, page.encode())
    except OSError as error:
        raise ProjectError(f"the report cannot be written ({error})", str(output)) from error


def _page(
    result: Mapping[str, Any],
    arms: Sequence[Arm],
    rounds: Mapping[str, Sequence[AskedRound]],
    projects: Mapping[str, Project],
    thumbnails: _Thumbnails,
) -> str:
    """The whole document."""
    body = (
        _headline(result, arms)
        + _curve(result, arms)
        + '<section aria-labelledby="numbers"><h2 id="numbers">The numbers</h2>'
        + f'<div class="tables">{rounds_table(arms)}{structures_table(arms)}'
        + f"{measures_table(arms)}</div></section>"
        + _slices(rounds, projects, thumbnails)
    )
    title = f"ActiveSeg report: {cohort_name(str(result['cohort']))}"
    return document(title, "simulated run", ("slices", "the slices"), body, _footer())


def _headline(result: Mapping[str, Any], arms: Sequence[Arm]) -> str:
    """The outcome and what was run."""
    structures = ", ".join(result.get("structures") or ())
    seeds = [str(seed["seed"]) for data in result["arms"].values() for seed in data["seeds"]]
    volumes = " and ".join(
        f"{result[part]} in the {name}"
        for part, name in (("pool", "pool"), ("test", "test set"))
        if result.get(part) is not None
    )
    minutes = result.get("batch_minutes")
    facts = {
        "Cohort": cohort_name(str(result["cohort"])),
        "Modality": str(result.get("modality") or "").removesuffix("-offset").upper(),
        "Structures": structures,
        "Volumes": volumes,
        "Batch": "" if minutes is None else f"{minutes:g} minutes of annotation",
        "Seed" if len(set(seeds)) == 1 else "Seeds": ", ".join(dict.fromkeys(seeds)),
    }
    return (
        f'<section class="headline" aria-labelledby="outcome">'
        f'<h1 id="outcome">{escape(outcome(arms))}</h1>'
        f'<p class="lead">Mean true Dice on whole test volumes. {escape(verdict(arms))}</p>'
        f"{facts_list(facts)}</section>"
    )


def _curve(result: Mapping[str, Any], arms: Sequence[Arm]) -> str:
    """The learning curve, drawn for wide and for narrow screens."""
    dice, minutes = result.get("full_dice"), result.get("full_minutes")
    drawn = "".join(
        f'<div class="{name}">{curve_svg(arms, dice, minutes, inches, name)}</div>'
        for name, inches in (("wide", _WIDE), ("narrow", _NARROW))
    )
    legend = "".join(legend_key(place % ARM_COLOURS, arm.name) for place, arm in enumerate(arms))
    legend += (
        '<li><svg class="key" viewBox="0 0 28 12" aria-hidden="true">'
        '<path class="line dashed" d="M0 6H28"/></svg>what the model expects of itself</li>'
    )
    return (
        '<section aria-labelledby="curve"><h2 id="curve">Learning curve</h2>'
        f'<figure class="curve"><ul class="legend">{legend}</ul>{drawn}</figure></section>'
    )


def _slices(
    rounds: Mapping[str, Sequence[AskedRound]],
    projects: Mapping[str, Project],
    thumbnails: _Thumbnails,
) -> str:
    """Every round's cards; those of the other arms are folded."""
    if not any(rounds.values()):
        return ""
    main = main_arm(list(rounds))
    opened = "".join(round_section(each, thumbnails, 3) for each in rounds[main])
    folded = "".join(
        f"<details><summary><h3>What {escape(arm)} asked for instead</h3></summary>"
        + "".join(round_section(each, thumbnails, 4) for each in found)
        + "</details>"
        for arm, found in rounds.items()
        if arm != main
    )
    return (
        '<section aria-labelledby="slices">'
        f'<h2 id="slices">What {escape(main)} asked for, and why</h2>'
        f"{_toolbar(projects[main])}{opened}{folded}</section>"
    )


def _toolbar(project: Project) -> str:
    """What is drawn on the slices, switched for all of them at once."""
    truth = "".join(
        f'<span class="swatch s{place % STRUCTURE_COLOURS + 1}">{escape(structure.name)}</span>'
        for place, structure in enumerate(project.structures)
    )
    layers = {
        "entropy": '<span class="swatch uncertain">uncertainty</span>',
        "proposal": '<span class="swatch proposed">proposal</span>',
        "truth": f'truth <span class="truths">{truth}</span>',
    }
    boxes = "".join(
        f'<label><input type="checkbox" data-layer="{layer}" checked> {text}</label>'
        for layer, text in layers.items()
    )
    return (
        '<fieldset class="toolbar"><legend>Drawn on the slices</legend>'
        f'{boxes}<label class="size">size <input type="range" id="size" min="150" max="520" '
        'step="10" value="220"></label></fieldset>'
    )


def _footer() -> str:
    """How to read the numbers."""
    return (
        "<footer><h2>How to read this</h2><p>A simulated clinician answers from reference labels. "
        f"A slice costs {STANDARD.overhead_s:g} s, the first of a volume "
        f"{STANDARD.first_slice_s:g} s more; then the cheaper of drawing it "
        f"({STANDARD.draw_component_s:g} s a piece, {STANDARD.speed_mm_s:g} mm of contour a "
        f"second) and correcting what is shown ({STANDARD.correct_component_s:g} s a mistake, "
        "twice that speed). True Dice is measured against reference labels, estimated Dice is "
        "what the model says without them. On a card, expected was said before the answer and "
        "actual came out of it. Uncertainty is predictive entropy, at full strength from a coin "
        "toss between two labels on. Pictures are turned as radiologists look: the patient’s "
        "right is at the left of axial and coronal slices.</p></footer>"
    )
