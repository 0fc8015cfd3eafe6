"""``project.json``: what a project was told when it was made. It never changes afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activeseg.cohort import Cohort
from activeseg.errors import ActiveSegError, ProjectError
from activeseg.files import TEMPORARY, read_json, write_json
from activeseg.keys import PLANE_POLICIES
from activeseg.project.damaged import damaged
from activeseg.project.lock import LOCK_FILES
from activeseg.project.start import Start

__all__ = ["FOLDERS", "FORMAT_VERSION", "Settings", "read_settings", "refuse_used"]

FORMAT_VERSION = 1
"""Of the whole folder; a newer one is refused rather than half understood."""

FOLDERS = ("annotations", "claims", "drafts", "rounds", "skips")
"""The folders of a project."""

_NAME = "project.json"


@dataclass(frozen=True)
class Settings:
    """What a project was told when it was made.

    Attributes:
        cohort: The cohort, as it was then.
        plane_policy: In which planes slices are asked for (`activeseg.keys.PLANE_POLICIES`).
        strategy: Name of the strategy that chooses.
        seed: Seed of everything random.
        model: Name or path of the network to start from.
        start: What is known of that network; None for the built-in one.
    """

    cohort: Cohort
    plane_policy: str
    strategy: str
    seed: int
    model: str
    start: Start | None = None

    def check(self) -> None:
        """Refuse what no project can work with.

        Raises:
            ProjectError: If the plane policy is unknown or the seed is negative.
        """
        if self.plane_policy not in PLANE_POLICIES:
            raise ProjectError(
                f"no plane '{self.plane_policy}'; expected {', '.join(PLANE_POLICIES)}"
            )
        if self.seed < 0:
            raise ProjectError(f"the seed is {self.seed}; expected 0 or more")

    def write(self, folder: Path) -> None:
        """Write ``project.json``; it makes the folder a project.

        Raises:
            OSError: If the disk refuses.
        """
        cohort = self.cohort.to_json()
        if not self.cohort.source:
            cohort["root"] = str(self.cohort.root.absolute())
        data = {
            "format_version": FORMAT_VERSION,
            "structures": cohort.pop("structures"),
            "plane_policy": self.plane_policy,
            "strategy": self.strategy,
            "seed": self.seed,
            "model": self.model,
            "start": None if self.start is None else self.start.to_json(),
            "cohort": cohort,
        }
        write_json(folder / _NAME, data)


def read_settings(folder: Path) -> Settings:
    """Read ``project.json``.

    Raises:
        ProjectError: If the folder is no project, was made by a newer version, or the file is
            damaged.
    """
    file = folder / _NAME
    remedy = "restore it from a copy"
    try:
        data = read_json(file)
        _check_version(folder, int(data["format_version"]))
        return _from_json(data)
    except (FileNotFoundError, NotADirectoryError):
        raise ProjectError(
            "not a project folder; make one with 'activeseg init PROJECT --cohort DIR'",
            str(folder),
        ) from None
    except ProjectError:
        raise
    except (OSError, KeyError, TypeError, ValueError, ActiveSegError) as error:
        raise damaged(file, error, remedy) from error


def refuse_used(folder: Path) -> None:
    """Let nobody make a project over a project or over other files.

    Raises:
        ProjectError: If the folder holds anything but what a killed `init` leaves: its lock,
            empty folders and temporary files.
    """
    if (folder / _NAME).exists():
        raise ProjectError("is a project already; use it, or choose another folder", str(folder))
    for entry in sorted(folder.iterdir()):
        empty = entry.name in FOLDERS and entry.is_dir() and not any(entry.iterdir())
        if not (empty or entry.name in LOCK_FILES or entry.name.startswith(TEMPORARY)):
            raise ProjectError(
                f"not empty (it holds '{entry.name}'); choose a new folder", str(folder)
            )


def _check_version(folder: Path, version: int) -> None:
    """Refuse a folder of a version that is not known yet."""
    if version > FORMAT_VERSION:
        raise ProjectError(
            f"made by a newer activeseg (format {version}, this one reads {FORMAT_VERSION}); "
            "update activeseg",
            str(folder),
        )


def _from_json(data: Mapping[str, Any]) -> Settings:
    """The settings in what `Settings.write` wrote; at first it knew nothing of starts."""
    start = data.get("start")
    return Settings(
        Cohort.from_json({**data["cohort"], "structures": data["structures"]}),
        str(data["plane_policy"]),
        str(data["strategy"]),
        int(data["seed"]),
        str(data["model"]),
        None if start is None else Start.from_json(start),
    )
