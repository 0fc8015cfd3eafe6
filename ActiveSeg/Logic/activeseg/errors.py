"""What can go wrong for a reason that the user can mend.

::

    ActiveSegError
    ├── CohortError(volume)      an image, a label or their folder
    ├── ProjectError(folder)     the project folder or what is asked of it
    ├── AnnotationError(key)     a mask that cannot be accepted for a slice
    ├── ModelError               a checkpoint, a network, a device
    ├── WorkerError              the processes or machines that do the work
    └── Cancelled                the user (or a signal) ended the work

Each message is one line: what was found, what was expected, what to do. The command line
prints it and exits 2 (130 for `Cancelled`); every other exception is a bug and keeps its
traceback.
"""

from __future__ import annotations

__all__ = [
    "ActiveSegError",
    "AnnotationError",
    "Cancelled",
    "CohortError",
    "ModelError",
    "ProjectError",
    "WorkerError",
]


class ActiveSegError(Exception):
    """The root of every error that is told to the user in one line."""


class CohortError(ActiveSegError):
    """An image, a label or the folder that holds them cannot be used.

    Args:
        message: What was found, what was expected, what to do.
        volume: The volume's id, or the file or folder where no id is known yet.
    """

    def __init__(self, message: str, volume: str = "") -> None:
        super().__init__(f"{volume}: {message}" if volume else message)
        self.volume = volume


class ProjectError(ActiveSegError):
    """The project folder cannot be used as asked."""

    def __init__(self, message: str, folder: str = "") -> None:
        super().__init__(f"{folder}: {message}" if folder else message)
        self.folder = folder


class AnnotationError(ActiveSegError):
    """A mask cannot be accepted for a slice."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key = key


class ModelError(ActiveSegError):
    """A checkpoint, a network or a device cannot be used."""


class WorkerError(ActiveSegError):
    """Processes or machines that were to do the work are not there, or are lost."""


class Cancelled(ActiveSegError):
    """The work was ended on request; the project folder stays valid."""
