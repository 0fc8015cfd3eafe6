"""A first batch before all is scored, and the order of scoring that makes it a good one."""

from __future__ import annotations

import numpy as np

from activeseg.cost import STANDARD
from activeseg.progress import Silent
from activeseg.project.choosing import choose_early
from activeseg.project.folder import Project
from activeseg.project.offer import offered
from activeseg.project.predictions import Scores, read_volume_scores
from activeseg.project.rounds import RoundFiles
from activeseg.project.score_file import open_scores
from activeseg.project.score_table import ScoreTable
from activeseg.sampling import DEFAULT_STRATEGY, strategy
from activeseg.sampling.auto import auto_value

__all__ = ["FILLS", "EarlyChoice", "one_answer_s", "scoring_order", "unfinished"]

FILLS = 3.0
"""The scored volumes must fill the budget so many times, with one slice of each."""

MOST_SCORED = 0.5
"""Once more of the cohort is scored, the rest is waited for: the list would change soon."""


class EarlyChoice:
    """Told of each scored volume, it chooses one early batch as soon as that makes sense.

    That is when one slice of each volume that shows anything would fill the budget `FILLS` times
    over. Nearly every slice of a batch opens a volume of its own, so whole stacks of few volumes
    would be no choice. A round has one early batch at most.

    Args:
        project: The project.
        files: The round that is being scored.
        minutes: Budget of the batch.
        strategy_name: Another strategy than the project's; None for the project's.
        author: For whom the minutes are predicted; None for who answered last.
    """

    def __init__(
        self,
        project: Project,
        files: RoundFiles,
        minutes: float,
        strategy_name: str | None,
        author: str | None,
    ) -> None:
        self._project = project
        self._files = files
        self._minutes = minutes
        self._strategy = strategy_name
        self._author = author
        self._scored: list[str] = []
        self._seconds = 0.0
        self._over = files.early.is_file() or files.batch.is_file()

    def __call__(self, volume: str, scores: Scores) -> None:
        """A volume is scored, and its prediction is on the disk."""
        of = len(self._project.cohort.volumes)
        self._scored.append(volume)
        self._seconds += one_answer_s(scores)
        self._over |= len(self._scored) > MOST_SCORED * of
        if self._over or self._seconds < FILLS * 60 * self._minutes:
            return
        self._over = True
        files = self._files
        parts = {name: read_volume_scores(files, name) for name in self._scored}
        note = f"chosen from {len(parts)} of {of} volumes; the list may change once"
        choose_early(
            self._project,
            files,
            ScoreTable.join(parts),
            self._minutes,
            self._strategy,
            self._author,
            note,
        )


def one_answer_s(scores: Scores) -> float:
    """What one slice of a volume takes the standard clinician, opening it included.

    The mean over the slices that show something; 0 where none does.
    """
    shows = scores.shows.any(axis=1)
    if not shows.any():
        return 0.0
    return STANDARD.first_slice_s + float(scores.seconds[shows].mean())


def unfinished(project: Project) -> RoundFiles | None:
    """The latest round, if it has asked early and was interrupted before its last choice.

    Its model is what was shown to whoever answers the early batch, so it is not trained again.
    """
    latest = project.latest_round()
    if latest is None or latest.batch.is_file() or not latest.early.is_file():
        return None
    return latest if latest.model.is_file() else None


def scoring_order(project: Project, files: RoundFiles) -> list[str]:
    """The volumes in the order in which they are to be scored: what can win, first.

    New volumes first, as nobody knows what they hold. Then by the most value per second that the
    round before expects of a slice that may still be asked for (`activeseg.sampling.auto`), and
    last those of which nothing is left. Before any round has scored, at random, so that an early
    batch is not of the first names.

    Args:
        project: The project.
        files: The round that will be scored.

    Raises:
        ProjectError: If a file of the project is damaged.
    """
    rng = np.random.default_rng([project.seed, files.number, 1])
    every = [
        project.cohort.volumes[each].id for each in rng.permutation(len(project.cohort.volumes))
    ]
    before = [each for each in project.rounds() if each.number < files.number]
    scored = [each for each in before if each.scores.is_file()]
    if not scored:
        return every
    parts = open_scores(scored[-1]).parts("volume")
    known = {name for part in parts for name in part.words("volume").words}
    pool = offered(project, scored[-1], strategy(DEFAULT_STRATEGY), None, Silent()).pool
    worth = dict.fromkeys(known, -1.0) | dict.fromkeys(set(every) - known, np.inf)
    if len(pool):
        rate = auto_value(pool).sum(axis=0) / (pool.seconds + pool.first_slice_s)
        best = np.maximum.reduceat(rate, np.flatnonzero(np.diff(pool.volume, prepend=-1)))
        worth |= dict(zip(pool.volumes, best.tolist(), strict=True))
    return sorted(every, key=lambda name: -worth[name])
