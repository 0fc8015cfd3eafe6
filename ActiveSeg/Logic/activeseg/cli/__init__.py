"""The command line: one verb a command, heavy imports inside the commands.

A mistake of the user's prints one line and exits 2, a cancel exits 130; any other exception is
a bug and shows its traceback.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from activeseg.errors import ActiveSegError, Cancelled

__all__ = ["main"]

USER_ERROR = 2
CANCELLED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    # Small networks: a second thread on two cores costs more than it brings (docs/experiments.md).
    # torch and numpy read this when they are loaded, which is inside the command.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // 2)))
    from activeseg.cli.parser import build_parser

    arguments = build_parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _cancel)
    try:
        code: int = arguments.run(arguments)
    except (KeyboardInterrupt, Cancelled):
        print("activeseg: cancelled; what was finished before is kept", file=sys.stderr)
        return CANCELLED
    except ActiveSegError as error:
        print(f"activeseg: {error}", file=sys.stderr)
        return USER_ERROR
    return code


def _cancel(number: int, frame: FrameType | None) -> None:
    """A request to end from another program: from here on as Ctrl-C from a person.

    No `Cancelled`: MONAI's transforms turn every `Exception` into a RuntimeError of their own.
    """
    raise KeyboardInterrupt
