"""How the programs of the workbench end: 0, or 2 with one line if the user must mend something."""

from __future__ import annotations

import sys
from collections.abc import Callable

from activeseg.errors import ActiveSegError

__all__ = ["USER_ERROR", "exit_code"]

USER_ERROR = 2


def exit_code(work: Callable[[], object]) -> int:
    """Do a program's work.

    Returns:
        0, or `USER_ERROR` if the work raised an `ActiveSegError`, which is told on standard error.
    """
    try:
        work()
    except ActiveSegError as error:
        sys.stderr.write(f"activeseg: {error}\n")
        return USER_ERROR
    return 0
