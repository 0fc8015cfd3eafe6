"""Commands run in the test's own process."""

from __future__ import annotations

from typing import NamedTuple

from activeseg.cli import main


class Done(NamedTuple):
    """What came of a command."""

    code: object
    out: str
    err: str


def outcome(words: tuple[object, ...]) -> object:
    """The exit code of a command, whoever ended it."""
    try:
        return main([str(word) for word in words])
    except SystemExit as left:  # argparse
        return left.code
