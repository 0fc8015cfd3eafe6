"""A project's state, as ``status --json`` prints it, in lines for a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from activeseg_slicer.worker import Outcome

__all__ = ["describe", "describe_outcome"]

SHOWN = 10
"""Entries of a list that are shown; a project may have thousands of annotations."""


def describe(status: Mapping[str, object]) -> str:
    """Show every field: values as they are, lists by their count and their first entries.

    No field's name is known here, so the panel keeps working when the engine tells more.

    Args:
        status: The object that ``activeseg status PROJECT --json`` prints.
    """
    return "\n".join(_lines(status, ""))


def describe_outcome(outcome: Outcome) -> str:
    """What to show when ``status`` has ended: the state, or why there is none."""
    if outcome.cancelled:
        return "Cancelled."
    if outcome.code == 2:  # the user's reason, told in one line
        return outcome.messages
    if outcome.code != 0:
        return f"activeseg ended with code {outcome.code}.\n{outcome.messages}"
    try:
        status = json.loads(outcome.output)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return f"activeseg printed no project state:\n{outcome.output}"
    return describe(status)


def _lines(fields: Mapping[str, object], indent: str) -> Iterator[str]:
    for name, value in fields.items():
        label = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, dict):
            yield label
            yield from _lines(value, indent + "    ")
        elif isinstance(value, list):
            yield f"{label} {len(value)}"
            yield from (f"{indent}    {_entry(item)}" for item in value[:SHOWN])
            if len(value) > SHOWN:
                yield f"{indent}    … and {len(value) - SHOWN} more"
        else:
            yield f"{label} {_plain(value)}"


def _entry(item: object) -> str:
    """A list's entry in one line: a slice by its key, a structure by its name."""
    if isinstance(item, dict):
        for name in ("key", "name", "id"):
            if name in item:
                return _plain(item[name])
        return ", ".join(f"{name} {_plain(value)}" for name, value in item.items())
    return _plain(item)


def _plain(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
