"""Which suggestion's turn it is, and which slices came before."""

from __future__ import annotations

from activeseg.keys import SliceKey
from activeseg.project import Project

__all__ = ["Turns"]


class Turns:
    """The way of one person through the batches.

    Args:
        project: The project.
        author: The person, as `author_name` returns it.
    """

    def __init__(self, project: Project, author: str) -> None:
        self._project = project
        self._author = author
        self._passed: list[SliceKey] = []  # left open, the last one last
        self._before: list[SliceKey] = []  # worked on, the last one last

    def waiting(self, current: SliceKey | None) -> list[SliceKey]:
        """The open suggestions of the latest batch, in the order in which to try them.

        What the person has claimed (before a crash) or drafted comes first, then the ranks; what
        was passed by comes last, the longest ago first.

        Args:
            current: The slice on the desk, which is left out.

        Raises:
            ProjectError: If a file of the project is damaged.
        """
        waiting = [each.key for each in self._project.open_suggestions() if each.key != current]
        drafts = self._project.drafts(self._author)
        holders = self._project.holders(waiting)

        def place(key: SliceKey) -> tuple[int, bool, bool]:
            claim = holders.get(key)
            mine = claim is not None and claim.author == self._author
            passed = self._passed.index(key) + 1 if key in self._passed else 0
            return passed, not mine, key not in drafts

        return sorted(waiting, key=place)

    def pass_by(self, key: SliceKey) -> None:
        """Come to a slice last."""
        self._passed = [*(each for each in self._passed if each != key), key]

    def worked_on(self, key: SliceKey) -> None:
        """Remember a slice that leaves the desk."""
        self._before.append(key)

    def has_former(self, current: SliceKey | None) -> bool:
        """Whether `former` would find one."""
        return any(key != current for key in self._before)

    def former(self, current: SliceKey | None) -> SliceKey | None:
        """The slice before the one on the desk, each time one further back; None at the end."""
        while self._before:
            key = self._before.pop()
            if key != current:
                return key
        return None
