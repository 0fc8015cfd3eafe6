"""A worklist as files: the list as CSV or JSON, and beside it what people look at."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activeseg.errors import ProjectError
from activeseg.files import write_atomic
from activeseg.progress import Progress

if TYPE_CHECKING:
    from activeseg.worklist.choice import Worklist

__all__ = ["check_worklist_output", "worklist_json", "write_worklist"]

FORMATS = (".csv", ".json")

COLUMNS = ("rank", "key", "volume", "plane", "index", "minutes", "reason", "image")


def check_worklist_output(path: Path) -> None:
    """Refuse what no worklist can be written to, before it is chosen.

    Raises:
        ProjectError: If the suffix is neither .csv nor .json, or the folder is not there.
    """
    if path.suffix.lower() not in FORMATS:
        raise ProjectError(
            f"cannot be written; expected a name in {' or '.join(FORMATS)}", path.name
        )
    if not path.parent.is_dir():
        raise ProjectError(
            f"cannot be written; there is no folder {path.parent}: make it first", path.name
        )


def write_worklist(worklist: Worklist, path: Path, progress: Progress) -> list[Path]:
    """Write the list and, beside it, its page and pictures.

    ``<name>.html`` is the contact sheet with the reason of each slice, ``<name>.png`` the same as
    one picture, ``<name>-map.png`` the cohort with the chosen slices marked.

    Args:
        worklist: The list.
        path: The list's file; .csv or .json.
        progress: Told of each volume that is read for its pictures.

    Returns:
        The files, the list first.

    Raises:
        ProjectError: As `check_worklist_output`, or if the disk refuses. CohortError: If an image
            cannot be read.
    """
    from activeseg.worklist.pictures import drawn_slices, map_png, sheet_png
    from activeseg.worklist.sheet import sheet_page

    check_worklist_output(path)
    slices = drawn_slices(worklist, progress)
    chart = map_png(worklist)
    text = _csv(worklist) if path.suffix.lower() == ".csv" else _json(worklist)
    contents = {
        path: text.encode(),
        path.with_suffix(".html"): sheet_page(worklist, slices, chart).encode(),
        path.with_suffix(".png"): sheet_png(worklist, slices),
        path.with_name(f"{path.stem}-map.png"): chart,
    }
    try:
        for file, content in contents.items():
            write_atomic(file, content)
    except OSError as error:
        raise ProjectError(
            f"cannot be written ({error.strerror}); name a file in a folder of your own", str(path)
        ) from error
    return list(contents)


def worklist_json(worklist: Worklist) -> dict[str, Any]:
    """The worklist for a program."""
    from activeseg.worklist.choice import MORE_MINUTES  # loads torch

    request = worklist.request
    return {
        "cohort": worklist.cohort.where,
        "strategy": request.strategy,
        "seed": request.seed,
        "features": worklist.source.facts(),
        "budget_minutes": request.minutes,
        "minutes": worklist.minutes,
        "covered": worklist.covered,
        "more_minutes": MORE_MINUTES,
        "covered_with_more": worklist.covered_with_more,
        "note": worklist.note,
        "suggestions": [
            each.to_json() | {"image": worklist.cohort.image_place(each.key.volume)}
            for each in worklist.suggestions
        ],
    }


def _json(worklist: Worklist) -> str:
    return json.dumps(worklist_json(worklist), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _csv(worklist: Worklist) -> str:
    """One row a slice, for spreadsheets too."""
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    rows.writeheader()
    for each in worklist_json(worklist)["suggestions"]:
        rows.writerow(each | {"minutes": f"{each['minutes']:.2f}"})
    return text.getvalue()
