"""The verb ``train``: a model from everything that is annotated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from activeseg.errors import ModelError, ProjectError
from activeseg.files import write_atomic
from activeseg.keys import SliceKey
from activeseg.model.network import NetworkConfig, Weights, load, save
from activeseg.model.training import Recipe, train
from activeseg.progress import Progress
from activeseg.project.folder import Project
from activeseg.project.model_name import BUILT_IN
from activeseg.project.records import Annotation
from activeseg.project.rounds import RoundFiles
from activeseg.project.scans import annotated_slices, cohort_network, validation_volumes

__all__ = ["learn", "start_weights"]


def learn(project: Project, recipe: Recipe, progress: Progress) -> RoundFiles:
    """Train the round's model and keep it as ``model.pt``.

    The caller holds `Project.working`.

    Args:
        project: The project.
        recipe: How to train.
        progress: Told about reading and training.

    Returns:
        The round that the model belongs to.

    Raises:
        ProjectError: If nothing is annotated, or only volumes kept for validation.
        CohortError, ModelError: If an image or the start weights cannot be used.
    """
    annotations = project.annotations()
    if not annotations:
        raise ProjectError(
            "nothing is annotated yet; run 'activeseg suggest' and annotate what it asks for",
            str(project.folder),
        )
    config = cohort_network(project.cohort, project.plane_policy)
    start = start_weights(project.model, config)
    slices = annotated_slices(project, annotations, config, progress)
    held_out = validation_volumes(project)
    validation = [slices[key] for key in sorted(slices) if key.volume in held_out]
    training = [slices[key] for key in sorted(slices) if key.volume not in held_out]
    if not training:
        raise ProjectError(
            f"the {len(validation)} annotated slices lie in volumes kept for validation "
            f"({', '.join(sorted(held_out))}); annotate a slice of another volume",
            str(project.folder),
        )
    files = project.round_for_training()
    seed = project.seed + 7919 * files.number
    trained = train(training, validation, config, recipe, seed, progress, start)
    files.make()
    _drop_former_scores(files)
    facts = _facts(project, annotations, files.number, seed, recipe)
    save(files.model, trained.network, config, facts, trained.members)
    lines = "".join(json.dumps(record) + "\n" for record in trained.log)
    write_atomic(files.log, lines.encode())
    return files


def start_weights(model: str, config: NetworkConfig) -> Weights | None:
    """Weights that training starts from: none for the built-in name, else a checkpoint's.

    Args:
        model: `unet25d` or the path of a checkpoint.
        config: What the project needs.

    Raises:
        ModelError: If the checkpoint cannot be read or was made for something else.
    """
    if model == BUILT_IN:
        return None
    network, made_for, _ = load(Path(model))
    for name in ("image_channels", "structures", "modality"):
        wanted, found = getattr(config, name), getattr(made_for, name)
        if wanted != found:
            raise ModelError(
                f"{model}: made for {name} {found}, this project has {wanted}; start from a "
                f"fitting checkpoint or from --model {BUILT_IN}"
            )
    return network.state_dict()


def _drop_former_scores(files: RoundFiles) -> None:
    """A new model makes what an interrupted round had scored worthless; remove it first."""
    for stale in (files.scores, files.estimate, files.proposals):
        stale.unlink(missing_ok=True)


def _facts(
    project: Project,
    annotations: Mapping[SliceKey, Annotation],
    round_number: int,
    seed: int,
    recipe: Recipe,
) -> dict[str, Any]:
    """What is kept beside the weights, so that anyone can see what they learned from."""
    return {
        "round": round_number,
        "seed": seed,
        "steps": recipe.steps,
        "annotations": {str(key): each.sha256 for key, each in annotations.items()},
        "validation_volumes": sorted(validation_volumes(project)),
    }
