"""``slices.csv``: what is asked, in the order of answering, and the seconds that come back."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Sequence
from pathlib import Path

from activeseg.errors import AnnotationError
from activeseg.files import write_atomic
from activeseg.offline.layout import Layout
from activeseg.project.handed_out import HandedSlice

__all__ = ["read_seconds", "write_table"]

_COLUMNS = (
    *("number", "key", "volume", "plane", "index"),
    *("minutes", "reason", "image", "mask", "seconds"),
)

# Spreadsheets part columns as their country does: with something else than a comma where numbers
# have a comma before their fraction.
_DELIMITERS = (",", ";", "\t")


def write_table(layout: Layout, slices: Sequence[HandedSlice]) -> None:
    """Write one row a slice, the seconds empty, in UTF-8.

    Raises:
        OSError: If the disk refuses.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for each in slices:
        asked, key = each.suggestion, each.suggestion.key
        rows.writerow(
            [
                *(asked.rank, key, key.volume, key.plane, key.index),
                *(f"{asked.minutes:.1f}", asked.reason),
                *(layout.shown(layout.image(each.name)), layout.shown(layout.mask(each.name))),
                "",
            ]
        )
    write_atomic(layout.table, text.getvalue().encode())


def read_seconds(file: Path, keys: Collection[str]) -> dict[str, float]:
    """The seconds that the annotator filled in, by key; a slice without is left out.

    Commas, semicolons and tabs part columns, as spreadsheets write them; a row may be missing.

    Args:
        file: The table.
        keys: The keys of the batch, as they are printed.

    Raises:
        AnnotationError: If the table cannot be read, has no such columns, names a slice that is
            not in the batch or one twice, or holds seconds that are no number from 0.
    """
    found: dict[str, float] = {}
    seen: set[str] = set()
    delimiter, rows = _rows(file)
    for line, row in rows:
        key = (row["key"] or "").strip()
        where = f"slices.csv line {line}"
        if not key and not any((value or "").strip() for value in row.values()):
            continue  # an empty line at the end
        if key not in keys:
            raise AnnotationError(
                f"{where} names '{key}', which is not in this batch; "
                "put the key back as it was or remove the row"
            )
        if key in seen:
            raise AnnotationError(f"{where} names {key} a second time; remove one of the rows")
        seen.add(key)
        text = (row["seconds"] or "").strip()
        if text:
            number = text if delimiter == "," else text.replace(",", ".")
            found[key] = _seconds(number, where)
    return found


def _rows(file: Path) -> tuple[str, list[tuple[int, dict[str, str | None]]]]:
    """What parts the columns, and the rows below the header, each with its line in the file."""
    try:
        text = file.read_text("utf-8-sig")  # spreadsheets put a mark of the encoding before it
    except FileNotFoundError:
        raise AnnotationError("slices.csv is missing; put it back into the folder") from None
    except OSError as error:
        raise AnnotationError(f"slices.csv cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise AnnotationError("slices.csv is not in UTF-8; save it as CSV UTF-8") from None
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey="")
    names = [name.strip() for name in reader.fieldnames or ()]
    lacking = [name for name in ("key", "seconds") if name not in names]
    if lacking:
        raise AnnotationError(
            f"slices.csv has no column '{lacking[0]}'; put the first line back: "
            f"{','.join(_COLUMNS)}"
        )
    reader.fieldnames = names
    try:
        rows = [(reader.line_num, {name: row[name] for name in names}) for row in reader]
    except csv.Error as error:
        raise AnnotationError(f"slices.csv is no table ({error}); save it as CSV") from error
    return delimiter, rows


def _seconds(text: str, where: str) -> float:
    """A number from 0."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise AnnotationError(
            f"{where} holds '{text}' as seconds; write a number from 0, or nothing"
        )
    return seconds
