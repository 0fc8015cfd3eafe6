"""What is kept of an arm while it runs, so that a kill costs at most the running step.

::

    answers/<NNN>.json     the answers to the batch of that round
    points/<NNN>.json      the point of the curve after them
    computing.json         seconds of each step of each round
    made_by.json           by which version, and in which precision

Each file is written once, whole or not at all; what is there is done.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from activeseg.errors import ActiveSegError, ProjectError
from activeseg.files import make_folder, read_json, write_json
from activeseg.loop.answers import LoggedAnswer
from activeseg.project.damaged import damaged

__all__ = ["ArmLedger"]

_REMEDY = "remove the folder of this arm and seed to run it again"


class ArmLedger:
    """The files of one arm.

    Args:
        folder: Where they are; made when the first is written.
        maker: What takes the steps: its version, its precision. None for who only reads.
    """

    def __init__(self, folder: Path, maker: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._maker = dict(maker or {})

    def answers(self, number: int) -> list[LoggedAnswer] | None:
        """The answers to a round's batch; None before they are all given.

        Raises:
            ProjectError: If the file is damaged.
        """
        file = self._file("answers", number)
        data = _read(file)
        if data is None:
            return None
        try:
            return [LoggedAnswer.from_json(each) for each in data["answers"]]
        except (KeyError, TypeError, ValueError, ActiveSegError) as error:
            raise damaged(file, error, _REMEDY) from error

    def keep_answers(self, number: int, answers: Sequence[LoggedAnswer]) -> None:
        """Keep the answers to a round's batch."""
        _write(self._file("answers", number), {"answers": [each.to_json() for each in answers]})

    def point(self, number: int) -> dict[str, Any] | None:
        """The point of the curve after a round's answers; None before it was measured.

        Raises:
            ProjectError: If the file is damaged.
        """
        return _read(self._file("points", number))

    def keep_point(self, number: int, point: Mapping[str, Any]) -> None:
        """Keep the point of the curve after a round's answers."""
        _write(self._file("points", number), point)

    @contextmanager
    def timed(self, number: int, step: str) -> Iterator[None]:
        """Take down how long a step of a round takes, and what took it, when it ends well."""
        begun = time.perf_counter()
        yield
        every = _read(self._computing) or {}
        every.setdefault(str(number), {})[step] = time.perf_counter() - begun
        _write(self._computing, every)
        makers = _read(self._made_by) or {}
        if self._maker not in makers.setdefault(str(number), []):
            makers[str(number)].append(self._maker)
            _write(self._made_by, makers)

    def made_by(self, number: int) -> list[dict[str, str]]:
        """What took the steps of a round: more than one maker where it was gone on with."""
        makers: list[dict[str, str]] = (_read(self._made_by) or {}).get(str(number), [])
        return makers

    def computing(self, number: int) -> dict[str, float]:
        """Seconds of the steps of a round, as far as they were taken down."""
        seconds: dict[str, float] = (_read(self._computing) or {}).get(str(number), {})
        return seconds

    @property
    def _made_by(self) -> Path:
        return self._folder / "made_by.json"

    @property
    def _computing(self) -> Path:
        return self._folder / "computing.json"

    def _file(self, kind: str, number: int) -> Path:
        return self._folder / kind / f"{number:03d}.json"


def _read(file: Path) -> dict[str, Any] | None:
    """What a file holds; None when it is not there."""
    try:
        return read_json(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise damaged(file, error, _REMEDY) from error


def _write(file: Path, data: Mapping[str, Any]) -> None:
    """Make or replace a file and its folder."""
    try:
        make_folder(file.parent)
        write_json(file, data)
    except OSError as error:
        raise ProjectError(f"cannot be written ({error})", str(file)) from error
