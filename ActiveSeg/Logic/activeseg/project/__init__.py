"""The project folder: annotations, rounds and claims, and the only code that writes them.

Importing this package loads neither SimpleITK nor torch nor scikit-learn.
"""

from __future__ import annotations

from activeseg.project.accept import (
    annotate,
    load_ahead,
    record_of_shown,
    skip,
    undo,
    what_was_shown,
)
from activeseg.project.claims import CLAIM_MINUTES, Claim
from activeseg.project.drafts import Draft
from activeseg.project.folder import Project
from activeseg.project.names import author_name, timestamp
from activeseg.project.records import Annotation
from activeseg.project.rounds import Batch, RoundFiles, Suggestion
from activeseg.project.settings import FORMAT_VERSION
from activeseg.project.skips import Skip
from activeseg.project.status import project_status

__all__ = [
    "CLAIM_MINUTES",
    "FORMAT_VERSION",
    "Annotation",
    "Batch",
    "Claim",
    "Draft",
    "Project",
    "RoundFiles",
    "Skip",
    "Suggestion",
    "annotate",
    "author_name",
    "load_ahead",
    "project_status",
    "record_of_shown",
    "skip",
    "timestamp",
    "undo",
    "what_was_shown",
]
