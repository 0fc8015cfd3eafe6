"""What commands print: results on stdout, everything else beside it."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from activeseg.progress import JsonProgress, LineProgress, Progress, RichProgress, Silent

__all__ = ["print_json", "progress_of", "slices_in_words"]


def print_json(value: Any) -> None:
    """Print a result for a program."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def slices_in_words(count: int) -> str:
    """``1 slice``, ``12 slices``."""
    return f"{count} slice{'' if count == 1 else 's'}"


def progress_of(arguments: Namespace) -> Progress:
    """Who listens to the work.

    JSON lines go to stdout, or, where ``--json`` puts a result there, to stderr; bars and plain
    lines always go to stderr.
    """
    chosen = arguments.progress
    if chosen == "json":
        return JsonProgress(sys.stderr if getattr(arguments, "json", False) else sys.stdout)
    if chosen == "none":
        return Silent()
    if chosen == "bar" or sys.stderr.isatty():
        return RichProgress(sys.stderr)
    return LineProgress(sys.stderr)
