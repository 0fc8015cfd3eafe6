"""The project folder: annotations, rounds and claims, and the only code that writes them.

Importing this package loads neither SimpleITK nor torch nor scikit-learn.
"""

from __future__ import annotations

from activeseg.project.accept import annotate, skip, what_was_shown
from activeseg.project.claims import CLAIM_MINUTES, Claim
from activeseg.project.folder import Project
from activeseg.project.names import timestamp
from activeseg.project.records import Annotation
from activeseg.project.rounds import Batch, RoundFiles, Suggestion
from activeseg.project.settings import FORMAT_VERSION
from activeseg.project.status import project_status

__all__ = [
    "CLAIM_MINUTES",
    "FORMAT_VERSION",
    "Annotation",
    "Batch",
    "Claim",
    "Project",
    "RoundFiles",
    "Suggestion",
    "annotate",
    "project_status",
    "skip",
    "timestamp",
    "what_was_shown",
]
