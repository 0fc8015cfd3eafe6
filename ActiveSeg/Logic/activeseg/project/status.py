"""Where a project stands, and what to type next."""

from __future__ import annotations

import shlex
from typing import Any

from activeseg.project.folder import Project
from activeseg.project.settings import FORMAT_VERSION

__all__ = ["project_status"]


def project_status(project: Project) -> dict[str, Any]:
    """What ``status --json`` prints, read from the folder's files alone.

    Returns:
        JSON-able. ``accepted`` are the keys of all annotated slices, ``open`` those that the
        latest batch still waits for, ``working`` who works on which of them; ``slices`` counts
        the cohort's slices in the project's planes; ``minutes_spent`` adds up every acceptance,
        replaced and withdrawn ones too; ``skipped`` are the keys that were put aside; ``round``
        is the latest batch's; ``early`` whether that was chosen before all was scored, so that it
        may change once; ``estimated_dice`` is the latest estimate (0 to 1) or null, with
        its 90 % interval, and ``estimated_round`` the round of the model that it is of;
        ``next_gain`` is what ten more minutes are expected to bring (dice, low, high) or null;
        ``trust`` is how far the expected Dice has earned to decide what is asked for (0 to 1) or
        null; ``start`` is what is known of a model that the project starts from, or null; ``next``
        is what to type next.

    Raises:
        ProjectError: If a file of the project is damaged.
    """
    acceptances = project.acceptances()
    accepted = sorted({each.key for each in acceptances if not each.withdrawn})
    waiting = [str(suggestion.key) for suggestion in project.open_suggestions()]
    batch = project.latest_batch()
    trained = [files.number for files in project.rounds() if files.model.is_file()]
    geometries = [volume.geometry for volume in project.cohort.volumes]
    return {
        "project": str(project.folder),
        "format_version": FORMAT_VERSION,
        "cohort": project.cohort.where,
        "volumes": [volume.id for volume in project.cohort.volumes],
        "structures": [{"name": s.name, "value": s.value} for s in project.structures],
        "plane_policy": project.plane_policy,
        "slices": sum(
            geometry.slice_count(plane)
            for geometry in geometries
            for plane in geometry.planes(project.plane_policy)
        ),
        "strategy": project.strategy,
        "seed": project.seed,
        "model": project.model,
        "start": None if project.start is None else project.start.to_json(),
        "round": None if batch is None else batch.round,
        "early": batch is not None and not project.round(batch.round).batch.is_file(),
        "last_trained_round": max(trained, default=None),
        "accepted": [str(key) for key in accepted],
        "annotated_slices": len(accepted),
        "open": waiting,
        "skipped": [str(key) for key in sorted(project.skipped())],
        "working": {str(key): claim.author for key, claim in project.working_on().items()},
        "minutes_spent": sum(annotation.seconds for annotation in acceptances) / 60,
        "authors": sorted({annotation.author for annotation in acceptances}),
        **_estimate(project),
        "next": _next_step(project, annotated=bool(accepted), waiting=bool(waiting)),
    }


def _estimate(project: Project) -> dict[str, Any]:
    """The latest round's estimate that there is."""
    found: dict[str, Any] = {}
    round_number = None
    for files in reversed(project.rounds()):
        if files.estimate.is_file():
            found, round_number = files.read_estimate(), files.number
            break
    known = found.get("estimated_dice") is not None
    return {
        "estimated_dice": found["estimated_dice"] if known else None,
        "estimated_round": round_number if known else None,
        "estimated_dice_interval": [found["low"], found["high"]] if known else None,
        "next_gain": found.get("next_gain"),
        "trust": found.get("trust"),
    }


def _next_step(project: Project, annotated: bool, waiting: bool) -> str:
    """The command that carries the loop on."""
    folder = shlex.quote(str(project.folder))
    if waiting:
        return f"activeseg next {folder}"
    verb = "round" if annotated else "suggest"
    return f"activeseg {verb} {folder} --minutes 30"
