"""The words of a MONAI bundle's configuration, followed without running anything.

A configuration refers to its other parts (``@spacing``, ``@network_def::in_channels``) and may
hold expressions of Python (``$…``). References are followed here; an expression is code, and is
only looked at where its author is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from activeseg.errors import ModelError

__all__ = ["Words"]

_REFERENCE = re.compile(r"\$?@([A-Za-z_][\w:#]*)")
_MOST_STEPS = 32
"""A longer chain of references runs in a circle."""


class Words:
    """A configuration by name.

    Args:
        content: The configuration as it is written.
        where: What it is called in messages.
        evaluate: Says what the expression at a place (``network_def::channels::0``) means; None
            where its author is not trusted.
    """

    def __init__(
        self, content: Mapping[str, Any], where: str, evaluate: Callable[[str], Any] | None = None
    ) -> None:
        self._content = content
        self._evaluate = evaluate
        self.where = where

    def __contains__(self, name: str) -> bool:
        return name in self._content

    def at(self, place: str) -> Any:
        """What stands at a place, references followed but its own parts left as written.

        Raises:
            ModelError: If there is no such place, or it is code of somebody not trusted.
        """
        return self._found(place)[1]

    def plain(self, place: str) -> Any:
        """What stands at a place, its parts too: numbers, names, lists and mappings alone.

        Raises:
            ModelError: As `at`.
        """
        place, value = self._found(place)
        if isinstance(value, Mapping):
            return {key: self.plain(f"{place}::{key}") for key in value}
        if isinstance(value, list | tuple):
            return [self.plain(f"{place}::{number}") for number in range(len(value))]
        return value

    def _found(self, place: str, steps: int = 0) -> tuple[str, Any]:
        """The place that references lead to, and what stands there."""
        if steps > _MOST_STEPS:
            raise ModelError(f"{self.where}: '{place}' refers to itself; repair the configuration")
        value: Any = self._content
        here = ""
        for key in place.split("::"):
            try:
                value = value[int(key)] if isinstance(value, list | tuple) else value[key]
            except (KeyError, IndexError, TypeError, ValueError):
                raise ModelError(
                    f"{self.where}: has no '{place}', which is needed; expected a configuration "
                    "in the words of a MONAI bundle"
                ) from None
            here = f"{here}::{key}" if here else key
            if isinstance(value, str):
                refers = _REFERENCE.fullmatch(value)
                if refers is not None:
                    here, value = self._found(refers.group(1).replace("#", "::"), steps + 1)
                else:
                    value = self._text(here, value)
        return here, value

    def _text(self, place: str, value: str) -> Any:
        """A text that is no reference: itself, or what an expression means."""
        if not value.startswith(("$", "@", "%")):
            return value
        if self._evaluate is None:
            raise ModelError(
                f"{self.where}: '{place}' is an expression ({value[:60]}), which is code; "
                "give --trust-code if you trust its author"
            )
        return self._evaluate(place)
