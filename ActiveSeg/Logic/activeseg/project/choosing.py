"""The verb ``suggest``: the next batch, from the scores or, before any annotation, without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt

from activeseg.cohort import take_slice
from activeseg.errors import ProjectError
from activeseg.keys import SliceKey
from activeseg.progress import Progress, Silent
from activeseg.project.folder import Project
from activeseg.project.names import timestamp
from activeseg.project.offer import Offer, offered
from activeseg.project.predictions import read_proposal
from activeseg.project.records import Annotation
from activeseg.project.rounds import Batch, RoundFiles, Suggestion
from activeseg.project.score_table import ScoreRows
from activeseg.project.timing import latest_author
from activeseg.sampling import Choice, Pool, Strategy, strategy

__all__ = ["choose", "choose_early", "suggestions_of"]

ONE_SHOT = "one-shot"


def choose(
    project: Project,
    minutes: float,
    strategy_name: str | None,
    progress: Progress,
    author: str | None = None,
) -> Batch:
    """Choose the next batch under a budget and keep it as the round's ``batch.json``.

    With no annotation yet, strategies that need a model give way to the one-shot choice. A
    second call in one round chooses anew from what is still not annotated.

    The caller holds `Project.working`.

    Args:
        project: The project.
        minutes: Budget of the batch.
        strategy_name: Another strategy than the project's; None for the project's.
        progress: Told about reading, where features are needed.
        author: For whom the minutes are predicted; None for who answered last.

    Raises:
        ProjectError: If slices are annotated but no model has scored the pool, if no slice is
            left or none fits the budget. CohortError: If an image cannot be read.
    """
    chosen_by = strategy(strategy_name or project.strategy)
    annotations = project.annotations()
    _refuse_unfinished(project)
    scored = [files for files in project.rounds() if files.scores.is_file()]
    if not scored:
        chosen_by = _without_model(project, chosen_by, annotations)
    elif chosen_by.needs_model:
        _refuse_stale(project, scored[-1])
    files = scored[-1] if scored else project.round(0)
    whom = author or latest_author(project)
    offer = offered(project, scored[-1] if scored else None, chosen_by, whom, progress)
    batch = _batch(project, files, offer, chosen_by, minutes, whom, _score_note(files))
    if batch is None:
        raise ProjectError(_why_none(offer.pool, minutes), str(project.folder))
    files.write_batch(batch)
    return batch


def choose_early(
    project: Project,
    files: RoundFiles,
    table: ScoreRows,
    minutes: float,
    strategy_name: str | None,
    author: str | None,
    note: str,
) -> Batch | None:
    """Choose a batch from what is scored so far and keep it as the round's ``early.json``.

    The caller holds `Project.working`, and will `choose` again when all is scored.

    Args:
        project: The project.
        files: The round.
        table: What is scored so far, each volume with its prediction on the disk.
        minutes: As in `choose`.
        strategy_name: As in `choose`.
        author: As in `choose`.
        note: What is said of the batch, besides what the strategy says.

    Returns:
        None where no slice is worth asking for or fits yet; then nothing is written.

    Raises:
        ProjectError, CohortError: As `choose`.
    """
    chosen_by = strategy(strategy_name or project.strategy)
    whom = author or latest_author(project)
    offer = offered(project, files, chosen_by, whom, Silent(), table)
    batch = _batch(project, files, offer, chosen_by, minutes, whom, note)
    if batch is not None:
        files.write_batch(batch, early=True)
    return batch


def _batch(
    project: Project,
    files: RoundFiles,
    offer: Offer,
    chosen_by: Strategy,
    minutes: float,
    whom: str | None,
    note: str,
) -> Batch | None:
    """Fill a budget, and write the proposals that go with it; None where nothing is chosen."""
    rng = np.random.default_rng([project.seed, files.number])
    chosen = chosen_by.choose(offer.pool, budget_s=60 * minutes, rng=rng)
    if not chosen.choices:
        return None
    former = _former(files, chosen.choices)
    keys = [*(choice.candidate.key for choice in chosen.choices), *(each.key for each in former)]
    files.make().write_proposals(_proposals(project, files, keys))
    return Batch(
        round=files.number,
        strategy=chosen_by.name,
        seed=project.seed,
        budget_minutes=minutes,
        time=timestamp(datetime.now(timezone.utc)),
        suggestions=suggestions_of(offer, chosen.choices),
        author=whom,
        note="; ".join(part for part in (chosen.note, note) if part),
        former=former,
    )


def _score_note(files: RoundFiles) -> str:
    """What there is to say of how the round's slices were scored."""
    return str(files.read_estimate().get("note", ""))


def _without_model(
    project: Project, wanted: Strategy, annotations: Mapping[SliceKey, Annotation]
) -> Strategy:
    """What can choose before any model has scored the pool."""
    if not wanted.needs_model:
        return wanted
    if annotations:
        raise ProjectError(
            f"{len(annotations)} slices are annotated but no model has scored the others yet; "
            "run 'activeseg round' instead",
            str(project.folder),
        )
    return strategy(ONE_SHOT)


def _refuse_stale(project: Project, scored: RoundFiles) -> None:
    """Refuse to choose by the scores of a model that was followed by another."""
    latest = project.latest_round()
    if latest is not None and latest.number > scored.number and latest.model.is_file():
        raise ProjectError(
            f"the model of round {latest.number} has not scored the pool yet; "
            "run 'activeseg score' first",
            str(project.folder),
        )


def _refuse_unfinished(project: Project) -> None:
    """Refuse to choose beside an early batch whose round was interrupted: that one is shown."""
    latest = project.latest_round()
    if latest is not None and latest.early.is_file() and not latest.scores.is_file():
        raise ProjectError(
            f"round {latest.number} was interrupted after its early batch; "
            "run 'activeseg round' to finish it",
            str(project.folder),
        )


def _former(files: RoundFiles, choices: Sequence[Choice]) -> tuple[Suggestion, ...]:
    """What the batch to be replaced, and those before it, asked for and this one does not."""
    batch = files.read_batch()
    if batch is None:
        return ()
    chosen = {choice.candidate.key for choice in choices}
    return tuple(each for each in (*batch.suggestions, *batch.former) if each.key not in chosen)


def _proposals(
    project: Project, files: RoundFiles, keys: Sequence[SliceKey]
) -> dict[SliceKey, npt.NDArray[np.uint8]]:
    """What the round's model proposes for slices; nothing where it has no model."""
    found: dict[SliceKey, npt.NDArray[np.uint8]] = {}
    volume, labels = "", None
    for key in sorted(keys):  # grouped by volume
        if key.volume != volume:
            volume, labels = key.volume, read_proposal(files, key.volume)
        if labels is not None:
            geometry = project.cohort.volume(volume).geometry
            found[key] = take_slice(labels, geometry, key.plane, key.index)
    return found


def suggestions_of(offer: Offer, choices: Sequence[Choice]) -> tuple[Suggestion, ...]:
    """The choices as the batch keeps them, with the interval of their minutes."""
    work = offer.work(choices)
    minutes = offer.minutes.predict(work)
    return tuple(
        Suggestion(
            key=choice.candidate.key,
            rank=row + 1,
            value=choice.value,
            minutes=choice.seconds / 60,
            expected_dice=choice.candidate.expected_dice,
            entropy=choice.candidate.entropy,
            reason=choice.reason,
            how="draw" if choice.audit else choice.candidate.how,
            minutes_low=float(minutes.low[row]) / 60,
            minutes_high=float(minutes.high[row]) / 60,
            dice_low=choice.candidate.dice_low,
            dice_high=choice.candidate.dice_high,
            audit=choice.audit,
            work=work.row(row),
        )
        for row, choice in enumerate(choices)
    )


def _why_none(pool: Pool, minutes: float) -> str:
    """Why a batch would be empty, and what to do."""
    if not len(pool):
        return "every slice is annotated, skipped or claimed; there is nothing left to ask for"
    least = float(pool.seconds.min()) + pool.first_slice_s
    if least <= 60 * minutes:
        return "the model expects no gain from any slice; choose with another --strategy"
    return (
        f"no slice fits {minutes:g} minutes; the cheapest takes about {least / 60:.1f}: "
        "give at least that much"
    )
