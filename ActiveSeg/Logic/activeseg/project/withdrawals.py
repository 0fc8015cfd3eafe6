"""Acceptances that were taken back: nothing is overwritten or deleted, one more file says so.

``annotations/<volume>/<plane>_<index>/<utc>_<author>.withdrawn`` beside the record is there, or
it is not; what it holds is for people. The mask, the record and the seconds stay.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone

from activeseg.errors import AnnotationError
from activeseg.files import create_exclusive
from activeseg.project.names import timestamp
from activeseg.project.records import Annotation

__all__ = ["take_back"]


def take_back(annotation: Annotation, author: str) -> None:
    """Make an acceptance count no longer.

    Args:
        annotation: The acceptance.
        author: Who takes it back.

    Raises:
        AnnotationError: If it was taken back before, or if the disk refuses.
    """
    key = str(annotation.key)
    now = timestamp(datetime.now(timezone.utc))
    text = json.dumps({"key": key, "author": author, "time": now}, ensure_ascii=False)
    try:
        if not annotation.record.is_file():
            raise AnnotationError(
                f"the answer of {annotation.time} is not there any more; nothing to undo", key
            )
        created = create_exclusive(annotation.withdrawal, f"{text}\n".encode())
    except OSError as error:
        raise AnnotationError(
            f"nothing was undone: {error.strerror or error} ({error.filename})", key
        ) from error
    if not created:
        raise AnnotationError(f"the answer of {annotation.time} was undone already", key)
