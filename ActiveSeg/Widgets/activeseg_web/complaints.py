"""What a desk complains of on standard error: all that goes wrong, less what a closed page is.

A page that is reloaded goes while answers to it are on their way. The web layer tells of each as
of an error; it is none, and people who look for the real ones must find them.
"""

from __future__ import annotations

import logging

__all__ = ["hear_complaints"]

_GONE = "closing transport"


def hear_complaints() -> None:
    """Write warnings and errors of this process to standard error."""
    handler = logging.StreamHandler()
    handler.addFilter(_is_complaint)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])


def _is_complaint(record: logging.LogRecord) -> bool:
    if record.name == "wslink.protocol" and record.getMessage() == "Exception raised":
        return False  # the next record says which
    happened = record.exc_info[1] if record.exc_info else None
    return not (isinstance(happened, ConnectionError) or _GONE in record.getMessage())
