"""Models that exist already: what ``init --model`` makes of them, and reading them again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from activeseg.cohort import Cohort
from activeseg.errors import ModelError, ProjectError
from activeseg.model.bundle import bundle_files, is_bundle, open_bundle
from activeseg.model.foreign import ForeignModel
from activeseg.model.inference import SliceModel
from activeseg.model.network import NetworkConfig, load, load_tuned
from activeseg.model.opened import Opened, check_fit, output_channels, try_out
from activeseg.model.torchscript import is_torchscript, open_torchscript, torchscript_files
from activeseg.project.folder import Project
from activeseg.project.model_name import ANOTHER_MODEL, BUILT_IN
from activeseg.project.rounds import RoundFiles
from activeseg.project.scans import cohort_network
from activeseg.project.start import Start

__all__ = [
    "begin",
    "check_fits",
    "foreign_model",
    "foreign_start",
    "model_of",
    "open_start",
    "round_model",
]


def begin(
    model: str, cohort: Cohort, plane_policy: str, asked: Mapping[str, int], trusted: bool
) -> Start | None:
    """Look at the model that a project is to start from, and try it out.

    Args:
        model: As `activeseg.project.model_name.check_model` gives it.
        cohort: The project's cohort.
        plane_policy: In which planes slices are asked for.
        asked: The output channel of each structure, as the user says; empty: by the model's names.
        trusted: Whether its author's code may run.

    Returns:
        None for the built-in network.

    Raises:
        ModelError: If it cannot be read, is not trusted, or does not fit the cohort.
    """
    path = Path(model)
    start = None if model == BUILT_IN else foreign_start(path, trusted)
    if start is None:
        for given, name in ((asked, "--map"), (trusted, "--trust-code")):
            if given:
                raise ModelError(f"{name} is for a MONAI bundle or a TorchScript file, not {model}")
        if model == BUILT_IN:
            return None
        check_fits(path, cohort_network(cohort, plane_policy))
        return Start.of("checkpoint", path, [path.name], {}, trusted=False)
    names = [structure.name for structure in cohort.structures]
    opened = open_start(start)
    spacings = [volume.geometry.canonical_spacing for volume in cohort.volumes]
    check_fit(opened, cohort.volumes[0].modality, spacings)
    answers = try_out(opened)
    channels = dict(zip(names, output_channels(opened, answers, names, asked), strict=True))
    config = cohort_network(cohort, plane_policy)
    ForeignModel(opened, answers, list(channels.values()), config, "cpu")  # its preprocessing too
    return Start(start.kind, start.path, start.files, channels, trusted)


def foreign_start(path: Path, trusted: bool) -> Start | None:
    """A bundle or a TorchScript file by its checksums; None if it is neither.

    It is opened after that (`open_start`): what is looked at is what was trusted.

    Args:
        path: The folder or file.
        trusted: Whether its author's code may run.

    Raises:
        ModelError: If a folder is no bundle, a file is missing or needs trust that it has not.
    """
    if path.is_dir():
        if not is_bundle(path):
            raise ModelError(f"{path}: no MONAI bundle; it has no configs/metadata.json")
        return Start.of("bundle", path, bundle_files(path, trusted), {}, trusted)
    if not is_torchscript(path):
        return None
    if not trusted:
        raise ModelError(
            f"{path}: a TorchScript file, which is code; give --trust-code if you trust its author"
        )
    return Start.of("torchscript", path, torchscript_files(path), {}, trusted)


def foreign_model(
    project: Project, start: Start, device: str, files: RoundFiles | None = None
) -> ForeignModel:
    """The foreign model of a project, with the weights that it came with or those of a round.

    Raises:
        ModelError: If it was changed since, a round's weights do not fit it, or there is no such
            device.
    """
    weights = None if files is None else load_tuned(files.model)[0]
    start.verify()
    opened = open_start(start)
    channels = [start.channels[structure.name] for structure in project.structures]
    config = cohort_network(project.cohort, project.plane_policy)
    model = ForeignModel(opened, try_out(opened), channels, config, device)
    if files is None or weights is None:
        return model
    try:
        model.network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ModelError(
            f"{files.model}: its weights do not fit {start.path}; delete it and run "
            "'activeseg train' again"
        ) from error
    return model


def round_model(project: Project, files: RoundFiles, device: str) -> SliceModel | ForeignModel:
    """The model that a round trained.

    Raises:
        ModelError: If it cannot be read, or there is no such device.
    """
    start = project.start
    if start is None or not start.foreign:
        return SliceModel.from_checkpoint(files.model, device)
    return foreign_model(project, start, device, files)


def model_of(project: Project, device: str) -> tuple[RoundFiles, SliceModel | ForeignModel]:
    """The latest round's model, or before any the one that the project starts from.

    Returns:
        The round that the model belongs to, and the model.

    Raises:
        ProjectError: If there is neither. ModelError: As `round_model`, or if the checkpoint that
            the project starts from was made for something else.
    """
    trained = [files for files in project.rounds() if files.model.is_file()]
    if trained:
        return trained[-1], round_model(project, trained[-1], device)
    start = project.start
    if start is None:
        raise ProjectError(
            "no model yet; annotate slices and run 'activeseg train'", str(project.folder)
        )
    if start.foreign:
        return project.round(0), foreign_model(project, start, device)
    start.verify()
    check_fits(start.path, cohort_network(project.cohort, project.plane_policy))
    return project.round(0), SliceModel.from_checkpoint(start.path, device)


def check_fits(path: Path, config: NetworkConfig) -> None:
    """Refuse a checkpoint of ActiveSeg that was made for something else.

    Args:
        path: The checkpoint.
        config: What the project needs.

    Raises:
        ModelError: If it does not fit or cannot be read.
    """
    _, made_for, _ = load(path, ANOTHER_MODEL)
    for name in ("image_channels", "structures", "modality"):
        wanted, found = getattr(config, name), getattr(made_for, name)
        if wanted != found:
            raise ModelError(
                f"{path}: made for {name} {found}, this project has {wanted}; start from a "
                f"fitting checkpoint or from --model {BUILT_IN}"
            )


def open_start(start: Start) -> Opened:
    """Read the network that a start names, whoever it is that checks its files.

    Raises:
        ModelError: As `open_bundle` and `open_torchscript`.
    """
    if start.kind == "bundle":
        return open_bundle(start.path, start.trusted)
    return open_torchscript(start.path)
