"""What machines have to have in common before they work on one thing, looked at from both ends."""

from __future__ import annotations

import platform
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

from activeseg.errors import WorkerError
from activeseg.files import TEMPORARY, write_atomic
from activeseg.sources import code_version

__all__ = ["Seen", "Shared", "difference", "look", "marked", "until_seen"]

PATIENCE_S = 90.0
STEP_S = 1.0
"""How long, and how often, one machine looks for what another has written: NFS shows it after a
minute at the latest, if a folder was looked at shortly before."""

_T = TypeVar("_T")

_PACKAGES = ("numpy", "scipy", "torch", "monai", "SimpleITK", "scikit-learn", "dask", "distributed")
"""What a result, or its way back, depends on."""


@dataclass(frozen=True)
class Shared:
    """What all machines must see under the same path.

    Attributes:
        folder: Where results go, if they go to a folder; it exists.
        files: What is read, for example one image.
    """

    folder: Path | None = None
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What a machine has.

    Attributes:
        versions: Of Python, this package and `_PACKAGES`, by name.
        missing: The first path that it does not see; None if it sees all.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    missing: str | None = None


def look(paths: tuple[Path, ...]) -> Seen:
    """Look round here."""
    unseen = [str(path) for path in paths if not path.exists()]
    versions = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "activeseg": code_version(),
        **{name: _version(name) for name in _PACKAGES},
    }
    return Seen(versions, unseen[0] if unseen else None)


def difference(here: Seen, there: Seen) -> str | None:
    """What of another machine's versions is not as it is here; None if all is alike."""
    for name, number in here.versions.items():
        other = there.versions.get(name, "none")
        if other != number:
            return f"{name} {other}, and here it is {number}"
    return None


@contextmanager
def marked(shared: Shared) -> Iterator[tuple[Path, ...]]:
    """Paths that only a machine with the same disk sees, for as long as the block runs.

    A folder of the same name on another disk does not hold the file that is made here.

    Raises:
        WorkerError: If the folder cannot be written to.
    """
    if shared.folder is None:
        yield shared.files
        return
    mark = shared.folder / f"{TEMPORARY}shared-{secrets.token_hex(8)}"
    try:
        write_atomic(mark, b"")
    except OSError as error:
        raise WorkerError(f"{shared.folder}: cannot be written to ({error.strerror})") from error
    try:
        yield (mark, *shared.files)
    finally:
        mark.unlink(missing_ok=True)


def until_seen(look: Callable[[], _T | None]) -> _T | None:
    """Look for something that another machine wrote, until it is there or will not come.

    Args:
        look: Gives None as long as it is not there.
    """
    give_up = time.monotonic() + PATIENCE_S
    while (found := look()) is None and time.monotonic() < give_up:
        time.sleep(STEP_S)
    return found


def _version(name: str) -> str:
    # What follows a plus says for which device torch was built, which may differ.
    try:
        return version(name).partition("+")[0]
    except PackageNotFoundError:
        return "none"
