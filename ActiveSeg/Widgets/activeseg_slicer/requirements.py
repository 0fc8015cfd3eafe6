"""Installs the engine's packages into Slicer's Python, when they are first needed, if allowed.

numpy and SimpleITK are Slicer's own and torch is the PyTorch extension's: the list that comes
with the module names none of them.
"""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import slicer.util
from slicer.i18n import tr as _

__all__ = ["ensure", "missing"]


def missing(listed: Path) -> list[str]:
    """The lines of a requirements file whose package is not installed, whatever its version."""
    lines = (line.partition("#")[0].strip() for line in listed.read_text("utf-8").splitlines())
    return [line for line in lines if line and not _installed(line)]


def ensure(listed: Path) -> bool:
    """Install what is missing of a requirements file, after asking.

    Returns:
        Whether everything is there now; False if the user declined.
    """
    if not missing(listed):
        return True
    try:
        import slicer.packaging as packaging  # Slicer 5.11 and later
    except ImportError:
        return _ask_and_install(missing(listed))
    try:
        packaging.pip_ensure(packaging.load_requirements(str(listed)), requester="ActiveSeg")
    except RuntimeError:  # how pip_ensure tells that the user declined
        return False
    return not missing(listed)


def _ask_and_install(lines: list[str]) -> bool:
    question = _("ActiveSeg needs these Python packages: {names}. Install them now?")
    if not slicer.util.confirmOkCancelDisplay(question.format(names=", ".join(lines))):
        return False
    slicer.util.pip_install(" ".join(lines))
    return True


def _installed(line: str) -> bool:
    name = re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0]
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
