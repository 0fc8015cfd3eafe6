"""Where this machine keeps for its user what can be had again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["VARIABLE", "user_cache_folder"]

VARIABLE = "ACTIVESEG_CACHE"
"""The environment variable that names another folder; ``off`` names none."""


def user_cache_folder() -> Path | None:
    """``$ACTIVESEG_CACHE``, or where the platform keeps such things.

    That is ``activeseg`` in ``$XDG_CACHE_HOME`` or ``~/.cache``, in ``~/Library/Caches``, or in
    ``%LOCALAPPDATA%``. The folder need not exist.

    Returns:
        None where nobody names a folder and the user has no home.
    """
    said = os.environ.get(VARIABLE)
    if said and said != "off":
        return Path(said).absolute()
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        base, usual = os.environ.get("LOCALAPPDATA"), home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base, usual = None, home / "Library" / "Caches"
    else:
        base, usual = os.environ.get("XDG_CACHE_HOME"), home / ".cache"
    # The XDG specification has relative paths ignored.
    above = Path(base) if base and Path(base).is_absolute() else usual
    return above / "activeseg"
