"""How a file that this program did not leave like this is told to the user."""

from __future__ import annotations

import json
from pathlib import Path

from activeseg.errors import ProjectError

__all__ = ["damaged"]


def damaged(file: Path, error: Exception, remedy: str = "restore it or remove it") -> ProjectError:
    """The error for a project's file that cannot be understood, in one line.

    Args:
        file: The file.
        error: What reading it raised.
        remedy: What to do about it.
    """
    if isinstance(error, json.JSONDecodeError):
        what = f"not JSON at line {error.lineno}"
    elif isinstance(error, KeyError):
        what = f"{error} is missing"
    else:
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
    return ProjectError(f"damaged ({what}); {remedy}", str(file))
