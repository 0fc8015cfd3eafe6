"""The heavy work beside the annotating: choosing and training in the worker's process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from activeseg.project import Project
from activeseg_slicer.worker import Outcome, ProgressLine, Worker

__all__ = ["Meanwhile", "Order"]

_SUCCESS = 0
_REFUSED = 2


@dataclass(frozen=True)
class Order:
    """What the next batch is to be like; empty texts leave it to the project.

    Attributes:
        minutes: Minutes of annotation to choose for.
        strategy: Who chooses.
        author: Whose minutes to expect.
        steps: Training steps of a round; None for the recipe's.
        device: Where the model runs (`activeseg suggest --device`).
        tune: What of a model that the project starts from is trained (`activeseg train --tune`).
    """

    minutes: float
    strategy: str = ""
    author: str = ""
    steps: int | None = None
    device: str = ""
    tune: str = ""

    def words(self, verb: str) -> list[str]:
        """The options of the command line for a verb, ``suggest`` or ``round``."""
        options = {"--minutes": str(self.minutes), "--strategy": self.strategy}
        options |= {"--author": self.author, "--device": self.device}
        if verb == "round":
            steps = "" if self.steps is None else str(self.steps)
            options |= {"--tune": self.tune, "--steps": steps}
        return [word for name, text in options.items() if text for word in (name, text)]


class Meanwhile:
    """Starts ``suggest`` and ``round``, and says how they are getting on.

    Annotating goes on meanwhile: an answer that is given while a round runs is left out of its
    batch, and the next round learns from it. Nothing here waits; `poll` makes everything move.

    Args:
        worker: Runs the commands; nobody else starts any with it.
        folder: The project.
        changed: Called after each change of what the properties say, on `poll`'s thread.

    Raises:
        ProjectError: If the folder is no project.
    """

    def __init__(
        self, worker: Worker, folder: Path, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._worker = worker
        self._project = Project.open(folder)
        self._changed = changed
        self._line: ProgressLine | None = None
        self._error = ""
        self._tried: _Stamp | None = None
        self._seen = self._stamp()
        self.automatic = True
        """Whether `follow` starts the next round by itself."""

    @property
    def running(self) -> bool:
        """Whether a command runs, or has ended and `poll` has not told yet."""
        return self._worker.running

    @property
    def stage(self) -> str:
        """What is being done, in the engine's words; empty while nothing runs."""
        return self._line.stage if self._line else ""

    @property
    def done(self) -> int:
        """Parts of the stage that are done."""
        return self._line.done if self._line else 0

    @property
    def total(self) -> int:
        """Parts of the stage; 0 while not known."""
        return self._line.total if self._line else 0

    @property
    def eta_s(self) -> float | None:
        """Seconds left of the stage; None while not known."""
        return self._line.eta_s if self._line else None

    @property
    def error(self) -> str:
        """Why the last command failed, in one line; empty if it did not, or was cancelled."""
        return self._error

    def suggest(self, order: Order) -> None:
        """Choose the next batch with what is known.

        Raises:
            RuntimeError: If a command is running.
        """
        self._start("suggest", order)

    def round(self, order: Order) -> None:
        """Train, score and choose.

        Raises:
            RuntimeError: If a command is running.
        """
        self._start("round", order)

    def follow(self, answered: bool, order: Order) -> bool:
        """Start the next round by itself once the batch is answered; called after each answer.

        For each batch it does so once, so that a round that failed, was cancelled or was refused
        because another person's is under way is not started again and again.

        Args:
            answered: Whether nothing of the latest batch is open (`Look.answered`).
            order: What the next batch is to be like.

        Returns:
            Whether it was started.
        """
        batch = self._stamp()
        if not (self.automatic and answered) or self.running or batch in (None, self._tried):
            return False
        self.round(order)
        return True

    def cancel(self) -> None:
        """End the command; the project stays as it was before it, less what is begun anew."""
        self._worker.cancel()

    def poll(self) -> None:
        """Take in what the worker has told; a timer's slot."""
        self._worker.poll()

    def new_batch(self) -> bool:
        """Whether a batch has come since the last call (or the beginning), whoever made it."""
        latest = self._stamp()
        came = latest is not None and latest != self._seen
        self._seen = latest
        return came

    def _start(self, verb: str, order: Order) -> None:
        self._worker.start(
            verb,
            str(self._project.folder),
            *order.words(verb),
            "--progress",
            "json",
            on_progress=self._on_progress,
            on_end=self._on_end,
        )
        self._error, self._line = "", None
        self._tried = self._stamp()
        self._changed()

    def _on_progress(self, line: ProgressLine) -> None:
        self._line = line
        self._changed()

    def _on_end(self, outcome: Outcome) -> None:
        self._line = None
        self._error = "" if outcome.cancelled else _reason(outcome)
        self._changed()

    def _stamp(self) -> _Stamp | None:
        """What tells the latest batch from every other; None without one."""
        for files in reversed(self._project.rounds()):
            for file in (files.batch, files.early):  # while the rest is scored, the early one
                try:
                    found = file.stat()
                except FileNotFoundError:
                    continue
                # A batch is renamed into place: one chosen within the same tick has another node.
                return (files.number, found.st_mtime_ns, found.st_ino)
        return None


_Stamp = tuple[int, int, int]


def _reason(outcome: Outcome) -> str:
    """Why a command failed; empty if it did not."""
    if outcome.code == _SUCCESS:
        return ""
    lines = [line for line in outcome.messages.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "it said nothing"
    return last if outcome.code == _REFUSED else f"activeseg ended with {outcome.code}: {last}"
