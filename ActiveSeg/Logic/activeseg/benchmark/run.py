"""Run a benchmark: whatever has not ended yet, and the results after each run that ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from activeseg.benchmark.bootstrap import DRAWS
from activeseg.benchmark.collect import collect
from activeseg.benchmark.figures import write_picture
from activeseg.benchmark.folders import Folders
from activeseg.benchmark.jobs import waiting_jobs
from activeseg.benchmark.page import write_page
from activeseg.benchmark.plan import BenchmarkPlan, agree
from activeseg.benchmark.result import result_of
from activeseg.benchmark.tidy import write_answers, write_points, write_table
from activeseg.cohort import Cohort
from activeseg.errors import ProjectError
from activeseg.executors import far_away, until_seen
from activeseg.files import make_folder, read_json, write_json
from activeseg.loop.full import minutes_by_volume
from activeseg.loop.processes import side_by_side
from activeseg.progress import Progress
from activeseg.project.damaged import damaged
from activeseg.project.lock import hold

__all__ = ["EARLY_DRAWS", "run_benchmark", "volume_minutes", "write_results"]

EARLY_DRAWS = 1_000
"""Draws of the bootstrap while runs go on, which may take no time from them."""


def volume_minutes(out: Path, cohort: Cohort, progress: Progress) -> dict[str, float]:
    """Full minutes of each labelled volume, kept beside the results as they take a while.

    Raises:
        CohortError: If a label cannot be read. ProjectError: If the kept file is damaged.
    """
    file = Folders(out).volumes
    ids = sorted(volume.id for volume in cohort.volumes if volume.label is not None)
    try:
        kept = read_json(file)
    except FileNotFoundError:
        kept = {}
    except (OSError, ValueError) as error:
        raise damaged(file, error, "remove it to have it made again") from error
    if sorted(kept) == ids:
        return kept
    found = minutes_by_volume(cohort, ids, progress)
    make_folder(out)
    write_json(file, found)
    return found


def run_benchmark(
    plan: BenchmarkPlan, progress: Progress, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run what has not ended yet; several processes at once, seed by seed.

    Args:
        plan: What to do; `volume_minutes` of its cohort are in its folder.
        progress: Told about all runs together.
        say: Told a line as each run ends.

    Returns:
        What ``result.json`` holds.

    Raises:
        ProjectError: If the folder was begun with other settings or is in use, if something in
            it is damaged, or, when all others have ended, if a run could not go on.
    """
    make_folder(plan.out)
    with hold(plan.out, "benchmark"):
        agree(plan)
        jobs = waiting_jobs(plan)
        refused: dict[str, str] = {}
        ended = 0

        def finished(name: str, line: str | None, left_s: float | None) -> None:
            nonlocal ended
            ended += 1
            if line is not None:
                refused[name] = line
            write_results(plan, EARLY_DRAWS)
            outcome = "ended" if line is None else f"could not go on: {line}"
            say(f"{name} {outcome} ({ended} of {len(jobs)}{_left(left_s)})")

        if jobs:
            side_by_side(jobs, plan.processes, "Running the benchmark", progress, finished)
        if far_away():
            # Runs of other machines are perhaps not all seen here yet.
            until_seen(lambda: set(waiting_jobs(plan)) <= set(refused) or None)
        shutil.rmtree(Folders(plan.out).first_models.folder, ignore_errors=True)
        result = write_results(plan, DRAWS)
    if refused or result is None:
        raise ProjectError(_failed(refused), str(plan.out))
    return result


def write_results(plan: BenchmarkPlan, draws: int) -> dict[str, Any] | None:
    """Write every output from what has ended so far.

    Returns:
        What ``result.json`` holds; None, and nothing is written, before an arm and the full model
        of the same seed have ended.
    """
    ended = collect(plan.out, len(plan.minutes))
    if not any(seed in ended.full for runs in ended.arms.values() for seed in runs):
        return None
    result = result_of(plan, ended, draws)
    write_points(plan.out / "points.csv", ended)
    write_answers(plan.out / "answers.csv", ended)
    write_table(plan.out / "table.md", result)
    write_picture(plan.out / "figure.png", result)
    write_page(plan.out / "report.html", result, ended)
    write_json(plan.out / "result.json", result)
    return result


def _failed(refused: dict[str, str]) -> str:
    """What could not go on, in one line."""
    listed: Sequence[str] = [f"{name}: {line}" for name, line in refused.items()]
    count = len(listed)
    return (
        f"{count} {'run' if count == 1 else 'runs'} could not go on ({'; '.join(listed)}); the "
        "others are kept: mend that and run the same command again"
    )


def _left(seconds: float | None) -> str:
    """About how long the others take."""
    if not seconds:
        return ""
    minutes = seconds / 60
    if minutes < 90:
        return f"; about {max(1, round(minutes))} min left"
    return f"; about {minutes / 60:.1f} h left"
