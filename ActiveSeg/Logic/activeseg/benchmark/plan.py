"""What a benchmark does, and the file that keeps one folder to one set of settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from activeseg.benchmark.arms import Arm
from activeseg.cohort import Cohort
from activeseg.errors import ProjectError
from activeseg.files import make_folder, read_json, write_json
from activeseg.model.training import Recipe
from activeseg.project.damaged import damaged
from activeseg.project.lock import LOCK_FILES

__all__ = ["BenchmarkPlan", "agree", "refuse_strangers"]

_NAME = "plan.json"
_VOLUMES = "volumes.json"


@dataclass(frozen=True)
class BenchmarkPlan:
    """What a benchmark does.

    Attributes:
        out: Where everything goes; another run with more seeds or arms adds to it.
        cohort: The cohort, labelled.
        arms: Who chooses.
        seeds: Seeds 0 to this number, itself left out; each fixes a split, and first weights.
        minutes: Budget of each batch, the first one before any model.
        pool: Volumes to choose from.
        test: Volumes held out.
        plane_policy: In which planes slices are asked for.
        recipe: How models are trained, the same for all.
        processes: How many runs at once.
        keep: Whether predictions, scores and models stay when a run has ended.
        quick: Whether it is a first look, which the outputs say.
    """

    out: Path
    cohort: Cohort
    arms: tuple[Arm, ...]
    seeds: int
    minutes: tuple[float, ...]
    pool: int
    test: int
    plane_policy: str
    recipe: Recipe
    processes: int
    keep: bool
    quick: bool

    def settings(self) -> dict[str, Any]:
        """What may not differ between runs into one folder."""
        return {
            "structures": [structure.name for structure in self.cohort.structures],
            "volumes": _fingerprint(self.cohort),
            "pool": self.pool,
            "test": self.test,
            "minutes": list(self.minutes),
            "plane_policy": self.plane_policy,
            "recipe": asdict(self.recipe),
            "quick": self.quick,
        }

    def arm_settings(self) -> dict[str, Any]:
        """What may not differ between runs of one arm."""
        return {
            each.name: {
                "strategy": each.strategy,
                "scoring": asdict(each.scoring),
                "proposals": each.proposals,
                "propagation": each.propagation,
            }
            for each in self.arms
        }


def refuse_strangers(out: Path) -> None:
    """Let nobody run a benchmark into a folder of other things.

    Raises:
        ProjectError: If it holds anything and is no benchmark's.
    """
    own = LOCK_FILES | {_VOLUMES}  # what a killed beginning leaves
    others = [e.name for e in sorted(out.iterdir()) if e.name not in own] if out.is_dir() else []
    if others and not (out / _NAME).is_file():
        raise ProjectError(
            f"not empty (it holds '{others[0]}') and no benchmark; choose another folder with "
            "--out",
            str(out),
        )


def agree(plan: BenchmarkPlan) -> None:
    """Keep the settings in ``plan.json``, or see that they are those it was begun with.

    Arms may be added. The cohort may have moved: its volumes count, not its path.

    Raises:
        ProjectError: If a setting differs, or the file is damaged.
    """
    file = plan.out / _NAME
    wanted = {"settings": plan.settings(), "arms": plan.arm_settings()}
    try:
        kept = read_json(file)
    except FileNotFoundError:
        kept = wanted
    except (OSError, ValueError) as error:
        raise damaged(file, error) from error
    # JSON knows no tuples: compared as they would be read back.
    asked = json.loads(json.dumps(wanted))
    _same(plan.out, kept["settings"], asked["settings"])
    for name in set(asked["arms"]) & set(kept["arms"]):
        _same(plan.out, kept["arms"][name], asked["arms"][name], f"arm {name}: ")
    make_folder(plan.out)
    write_json(file, {"settings": asked["settings"], "arms": kept["arms"] | asked["arms"]})


def _same(out: Path, kept: Mapping[str, Any], asked: Mapping[str, Any], where: str = "") -> None:
    """Refuse the first difference."""
    for name in [*kept, *(each for each in asked if each not in kept)]:
        before, now = kept.get(name), asked.get(name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            _same(out, before, now, f"{where}{name}: ")
        elif before != now:
            if name == "volumes":
                raise ProjectError(
                    "begun with other volumes than this cohort's; choose another folder with "
                    "--out, or give the same cohort",
                    str(out),
                )
            raise ProjectError(
                f"begun with {where}{name} {json.dumps(before)}, now {json.dumps(now)}; choose "
                "another folder with --out, or give the same settings",
                str(out),
            )


def _fingerprint(cohort: Cohort) -> str:
    """Of the labelled volumes' ids, geometries and modality, wherever they lie."""
    volumes = [
        [volume.id, volume.geometry.to_json(), volume.modality]
        for volume in cohort.volumes
        if volume.label is not None
    ]
    return hashlib.sha256(json.dumps(volumes).encode()).hexdigest()[:16]
