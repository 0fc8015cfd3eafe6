"""The tidy files, one row a point or an answer, and the tables for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from activeseg.benchmark.collect import Ended
from activeseg.benchmark.wording import (
    GOAL_HEAD,
    RATIO_HEAD,
    SEEDS_HEAD,
    caution,
    goal_rows,
    headline,
    ratio_rows,
    seeds_rows,
    verdict,
)
from activeseg.files import atomic_path, write_atomic
from activeseg.report.document import cohort_name
from activeseg.report.results import number

__all__ = ["table_text", "write_answers", "write_points", "write_table"]


def write_points(file: Path, ended: Ended) -> None:
    """``points.csv`` and ``.parquet``: what a point says, maps spread over columns.

    The patients stay out, and who made it.
    """
    rows = [
        {"arm": name, "seed": seed, **_flat(point)}
        for name, runs in ended.arms.items()
        for seed, run in runs.items()
        for point in run.curve
    ]
    _write(file, rows)


def write_answers(file: Path, ended: Ended) -> None:
    """``answers.csv`` and ``.parquet``: what is kept of an answer, maps spread over columns."""
    rows = [
        {"arm": name, "seed": seed, **_flat(answer.to_json())}
        for name, runs in ended.arms.items()
        for seed, run in runs.items()
        for answer in run.answered
    ]
    _write(file, rows)


def table_text(result: Mapping[str, Any]) -> str:
    """The tables, as Markdown: minutes and ratios, and what the seeds alone say."""
    head = (*GOAL_HEAD, *RATIO_HEAD[1:])
    against = {name: cells for name, *cells in ratio_rows(result)}
    empty = [number(None)] * (len(RATIO_HEAD) - 1)
    rows = [[*row, *against.get(row[0], empty)] for row in goal_rows(result)]
    rows = [list(head), ["---", *(["---:"] * (len(head) - 1))], *rows]
    said = [headline(result), verdict(result), caution(result)]
    minutes = ", ".join(f"{each:g}" for each in result["batch_minutes"])
    facts = (
        f"Cohort {cohort_name(result['cohort'])}: {result['pool']} volumes in the pool, "
        f"{result['test']} in the test set; batches of {minutes} minutes. The whole pool takes "
        f"{result['full_minutes']:.0f} minutes and gives a Dice of {result['full_dice']:.3f}."
    )
    note = (
        "Standard time model. Minutes: geometric mean over the seeds, 95 % interval, share of the "
        "whole pool's, in how many seeds the goal was reached if not in all. Ratio: the arm's "
        f"minutes over those of {result['reference']}, with the 95 % interval of a paired "
        "bootstrap over seeds and patients and p adjusted over the arms (Holm). ≥ and ≤: a bound, "
        "as the goal was not reached in every seed, or by the first batch already; ~: not known in "
        "part; % unknown: the share of draws and seeds in which the ratio is a bound or counts as "
        "a tie. Lead and wins are those of "
        f"{result['reference']}. By seeds: Student's t interval of the seeds' differences, as a "
        "bootstrap of few seeds is too narrow; a difference is shown where both leave it out."
    )
    parts = [" ".join(each for each in said if each), facts, _table(rows)]
    if alone := seeds_rows(result):
        parts.append(_table([SEEDS_HEAD, ["---", *(["---:"] * (len(SEEDS_HEAD) - 1))], *alone]))
    return "\n\n".join([*parts, note]) + "\n"


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def write_table(file: Path, result: Mapping[str, Any]) -> None:
    """``table.md``."""
    write_atomic(file, table_text(result).encode())


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """One level: ``parts: {draw: 1}`` becomes ``parts_draw: 1``."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        if key in ("patients", "made_by"):
            continue
        if isinstance(value, Mapping):
            found |= {f"{key}_{inner}": each for inner, each in value.items()}
        else:
            found[key] = value
    return found


def _write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as CSV, and as Parquet beside it; what a row lacks is empty."""
    import pyarrow
    from pyarrow import parquet

    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    lines = csv.DictWriter(text, columns, lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    write_atomic(file, text.getvalue().encode())
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in columns})
    with atomic_path(file.with_suffix(".parquet")) as temporary:
        parquet.write_table(table, temporary)
