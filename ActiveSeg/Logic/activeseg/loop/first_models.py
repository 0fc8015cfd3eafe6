"""First models that several arms of a seed have in common.

Many strategies choose the first batch, before any model, in the same way. The same slices with the
same recipe and seed give the same weights, so whoever comes second need not train them again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from activeseg.errors import ProjectError
from activeseg.files import make_folder, write_atomic
from activeseg.model.training import Recipe
from activeseg.project import Project, RoundFiles
from activeseg.sources import code_version

__all__ = ["FirstModels"]


@dataclass(frozen=True)
class FirstModels:
    """First models by what they learned from.

    Attributes:
        folder: Where they are kept; made with the first one.
    """

    folder: Path

    def take(self, project: Project, recipe: Recipe, files: RoundFiles) -> bool:
        """Give a project the model that it would train; whether there is one.

        Args:
            project: A project without a model, its first batch answered.
            recipe: How it would be trained.
            files: The round that it would be of.

        Raises:
            ProjectError: If the disk refuses.
        """
        kept = self._kept(project, recipe)
        try:
            model, log = (kept / each.name for each in (files.model, files.log))
            if not model.is_file():
                return False
            files.make()
            write_atomic(files.log, log.read_bytes())
            write_atomic(files.model, model.read_bytes())  # last: with it the round is trained
        except OSError as error:
            raise ProjectError(f"cannot be copied ({error})", str(kept)) from error
        return True

    def keep(self, project: Project, recipe: Recipe, files: RoundFiles) -> None:
        """Keep a project's first model for others.

        Raises:
            ProjectError: If the disk refuses.
        """
        kept = self._kept(project, recipe)
        try:
            make_folder(kept)
            for each in (files.log, files.model):
                write_atomic(kept / each.name, each.read_bytes())
        except OSError as error:
            raise ProjectError(f"cannot be kept ({error})", str(kept)) from error

    def _kept(self, project: Project, recipe: Recipe) -> Path:
        """The folder of the model that learns from a project's answers."""
        learned = {str(key): each.sha256 for key, each in project.annotations().items()}
        facts = {
            "code": code_version(),
            "recipe": asdict(recipe),
            "seed": project.seed,
            "slices": learned,
        }
        text = json.dumps(facts, sort_keys=True)
        return self.folder / hashlib.sha256(text.encode()).hexdigest()[:32]
