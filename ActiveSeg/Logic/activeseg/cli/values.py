"""How words of the command line become values; each refusal says what was expected."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = [
    "channels",
    "cohort",
    "count",
    "minutes",
    "minutes_list",
    "names",
    "port",
    "positive",
    "sizes",
]


def names(text: str) -> tuple[str, ...]:
    """``liver,spleen``: different names."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"'{text}': expected different names such as liver,spleen")
    return found


def channels(text: str) -> dict[str, int]:
    """``liver=1,spleen=3``: different names, each with an output channel."""
    pairs = [part.rpartition("=") for part in text.split(",")]
    found = [name.strip() for name, _, _ in pairs]
    if not all(found) or len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"'{text}': expected channels such as liver=1,spleen=3")
    return {
        name: _whole(number.strip(), 0) for name, (_, _, number) in zip(found, pairs, strict=True)
    }


def sizes(text: str) -> dict[str, float]:
    """``liver=150,spleen=80``: different names, each with millimetres."""
    expected = f"'{text}': expected millimetres such as liver=150,spleen=80"
    pairs = [part.rpartition("=") for part in text.split(",")]
    found = [name.strip() for name, _, _ in pairs]
    try:
        numbers = [float(number) for _, _, number in pairs]
    except ValueError as error:
        raise argparse.ArgumentTypeError(expected) from error
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"'{text}': expected each structure once")
    if not all(found) or not all(0 < n < 1e4 for n in numbers):
        raise argparse.ArgumentTypeError(expected)
    return dict(zip(found, numbers, strict=True))


def cohort(text: str) -> Path | str:
    """A path; an address stays the word that it is, as a path has no //."""
    from activeseg.cohort.remote import is_address

    return text if is_address(text) else Path(text)


def count(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0)


def positive(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def port(text: str) -> int:
    """A port; 0 for any."""
    found = _whole(text, 0)
    if found > 65535:
        raise argparse.ArgumentTypeError(f"'{text}': expected a port from 0 to 65535")
    return found


def minutes(text: str) -> float:
    """Minutes, more than 0."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise argparse.ArgumentTypeError(
            f"'{text}': expected minutes, more than 0 and less than a million, such as 30"
        )
    return found


def minutes_list(text: str) -> tuple[float, ...]:
    """``6,8,12``: minutes, one or more."""
    return tuple(minutes(part.strip()) for part in text.split(","))


def _whole(text: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"'{text}': expected a whole number from {least}")
    return int(text)
