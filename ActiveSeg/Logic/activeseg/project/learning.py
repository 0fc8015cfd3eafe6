"""The verb ``train``: a model from everything that is annotated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from activeseg.errors import ProjectError
from activeseg.files import write_atomic
from activeseg.keys import SliceKey
from activeseg.model.foreign import ForeignModel
from activeseg.model.network import NetworkConfig, Weights, load, outdated, pick_device, save
from activeseg.model.training import Recipe, Trained, train
from activeseg.model.tuning import Tuning, tune
from activeseg.progress import Progress
from activeseg.project.beginning import check_fits, foreign_model
from activeseg.project.folder import Project
from activeseg.project.lessons import taught_volumes
from activeseg.project.model_name import BUILT_IN
from activeseg.project.records import Annotation
from activeseg.project.rounds import RoundFiles
from activeseg.project.scans import annotated_slices, cohort_network
from activeseg.project.start import Start

__all__ = ["learn", "start_weights"]


def learn(
    project: Project,
    recipe: Recipe,
    progress: Progress,
    tuning: Tuning | None = None,
    device: str = "auto",
) -> RoundFiles:
    """Train the round's model and keep it as ``model.pt``.

    Each round goes on from the model of the round before: in the same time it becomes much better
    than from fresh weights, or from those that a foreign network came with (docs/experiments.md).

    The caller holds `Project.working`.

    Args:
        project: The project.
        recipe: How to train the built-in network.
        progress: Told about reading and training.
        tuning: How to train a foreign one, and what part of any that exists; None: as usual.
        device: Where (`activeseg.model.network.DEVICES`).

    Returns:
        The round that the model belongs to.

    Raises:
        ProjectError: If nothing is annotated.
        CohortError, ModelError: If an image or the start weights cannot be used, or there is no
            such device.
    """
    tuning = tuning or Tuning()
    pick_device(device)
    annotations = project.annotations()
    if not annotations:
        raise ProjectError(
            "nothing is annotated yet; run 'activeseg suggest' and annotate what it asks for",
            str(project.folder),
        )
    config = cohort_network(project.cohort, project.plane_policy)
    files = project.round_for_training()
    seed = project.seed + 7919 * files.number
    start = project.start
    before = _model_before(project, files)
    if start is not None and start.foreign:
        trained = _tuned(project, start, annotations, before, tuning, seed, progress, device)
    else:
        recipe = recipe if before is None else recipe.going_on()
        trained = _trained(
            project, config, annotations, before, recipe, tuning, seed, progress, device
        )
    files.make()
    _drop_former_scores(files)
    facts = _facts(project, annotations, files.number, seed)
    if start is not None and start.foreign:
        facts |= {"source": str(start.path), "steps": tuning.steps, "part": tuning.part}
    else:
        facts |= {"steps": recipe.steps, "part": tuning.part}
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
    check_fits(Path(model), config)
    return load(Path(model))[0].state_dict()


def _trained(
    project: Project,
    config: NetworkConfig,
    annotations: Mapping[SliceKey, Annotation],
    before: RoundFiles | None,
    recipe: Recipe,
    tuning: Tuning,
    seed: int,
    progress: Progress,
    device: str,
) -> Trained:
    """The built-in network, from the model before, a checkpoint's weights, or fresh ones."""
    if project.start is not None:
        project.start.verify()
    start = start_weights(project.model if before is None else str(before.model), config)
    slices = annotated_slices(project, annotations, config, progress, recipe.propagation)
    training = [slices[key] for key in sorted(slices)]
    return train(training, config, recipe, seed, progress, start, tuning.part, device)


def _model_before(project: Project, files: RoundFiles) -> RoundFiles | None:
    """The latest earlier round with a model; None without, or if its network was another."""
    earlier = [each for each in project.rounds() if each.number < files.number]
    there = [each for each in earlier if each.model.is_file()]
    if not there:
        return None
    foreign = project.start is not None and project.start.foreign
    return there[-1] if foreign or not outdated(there[-1].model) else None


def _tuned(
    project: Project,
    start: Start,
    annotations: Mapping[SliceKey, Annotation],
    before: RoundFiles | None,
    tuning: Tuning,
    seed: int,
    progress: Progress,
    device: str,
) -> Trained:
    """The foreign network, from the model before, or from the weights that it came with."""
    model = foreign_model(project, start, device, before)
    taught = taught_volumes(project, annotations.values(), model, progress)
    training = [taught[volume] for volume in sorted(taught)]
    again = partial(_opened, project.folder, start, device, before)
    return tune(model, training, tuning, seed, progress, again)


def _opened(folder: Path, start: Start, device: str, before: RoundFiles | None) -> ForeignModel:
    """The foreign model in another process, which has no project."""
    return foreign_model(Project.open(folder), start, device, before)


def _drop_former_scores(files: RoundFiles) -> None:
    """A new model makes what an interrupted round had scored worthless; remove it first."""
    for stale in (files.former_scores, files.new_scores, files.estimate, files.proposals):
        stale.unlink(missing_ok=True)


def _facts(
    project: Project,
    annotations: Mapping[SliceKey, Annotation],
    round_number: int,
    seed: int,
) -> dict[str, Any]:
    """What is kept beside the weights, so that anyone can see what they learned from."""
    return {
        "round": round_number,
        "seed": seed,
        "annotations": {str(key): each.sha256 for key, each in annotations.items()},
    }
