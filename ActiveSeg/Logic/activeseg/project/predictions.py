"""What a model says of each volume, kept in the round's folder.

``rounds/<NNN>/predictions/<volume>.npz`` holds the proposal, the uncertainty and the scores of
one volume, so that scoring can go on after a kill and a face can show any slice at once.
`activeseg.project.score_file` joins the scores of all volumes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Geometry
from activeseg.errors import ProjectError
from activeseg.files import atomic_path, make_folder
from activeseg.keys import Plane
from activeseg.project.damaged import damaged
from activeseg.project.names import volume_name
from activeseg.project.rounds import RoundFiles

__all__ = [
    "Prediction",
    "Scores",
    "is_predicted",
    "read_prediction",
    "read_proposal",
    "read_volume_scores",
    "scores_in",
]

Archive: TypeAlias = Mapping[str, npt.NDArray[Any]]
Thing = TypeVar("Thing")

_ENTROPY_STEPS = 255

_LATER = ("energy", "foreground_entropy", "top_patches", "gradient")
"""Columns that came after the first files were written."""


@dataclass(frozen=True)
class Scores:
    """What a model says of slices; one row a slice, structures in the project's order.

    Attributes:
        plane: `[n]` the plane's name.
        index: `[n]` index of the slice (canonical in a fresh `Prediction`, native on disk).
        size: `[n, structures]` predicted plus expected pixels.
        shows: `[n, structures]` whether the structure is predicted or probable.
        evidence: `[n, structures, evidence]`, `activeseg.quality.EVIDENCE` without the trend.
        class_entropy: `[n, structures]` ClaSP's map, mean over the slice.
        uncertainty: `[n]` mean entropy in the band, weighed by how much is shown.
        band_entropy: `[n]` mean entropy in the band, nats.
        whole_entropy: `[n]` mean entropy of the whole slice, nats.
        epistemic: `[n]` mean BALD of the whole slice, nats.
        seconds: `[n]` seconds of the answer for the standard clinician, without the first-slice
            overhead.
        blank_seconds: `[n]` the same on a blank canvas, which is what an audit shows.
        contour_mm: `[n]` length of the contours that would be drawn.
        drawn: `[n]` whether the slice would be drawn anew.
        how: `[n]` `draw`, `correct` or `confirm`.
        doubt: `[n]` what the model is unsure of, in words; may be empty.
        energy: `[n]` mean free energy in the band; NaN where a slice has none or the model gives
            none.
        foreground_entropy: `[n]` mean over the slice of the foreground classes' part of the
            entropy, nats. This and what follows is NaN in files of before there was any.
        top_patches: `[n]` sum of the mean BALD of the most uncertain patches, nats.
        gradient: `[n, (1 + structures)^2]` sizes of the gradient at the last layer, mean over the
            slice (`activeseg.uncertainty.gradient_sizes`).
    """

    plane: npt.NDArray[np.str_]
    index: npt.NDArray[np.int64]
    size: npt.NDArray[np.float64]
    shows: npt.NDArray[np.bool_]
    evidence: npt.NDArray[np.float64]
    class_entropy: npt.NDArray[np.float64]
    uncertainty: npt.NDArray[np.float64]
    band_entropy: npt.NDArray[np.float64]
    whole_entropy: npt.NDArray[np.float64]
    epistemic: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    blank_seconds: npt.NDArray[np.float64]
    contour_mm: npt.NDArray[np.float64]
    drawn: npt.NDArray[np.bool_]
    how: npt.NDArray[np.str_]
    doubt: npt.NDArray[np.str_]
    energy: npt.NDArray[np.float64]
    foreground_entropy: npt.NDArray[np.float64]
    top_patches: npt.NDArray[np.float64]
    gradient: npt.NDArray[np.float64]

    @classmethod
    def join(cls, parts: Sequence[Scores]) -> Scores:
        """The rows of all parts, one after the other."""
        return cls(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            }
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Prediction:
    """What a model says of one volume.

    Attributes:
        labels: Proposal: output channels `[S, P, L]` when fresh, label values `[k, j, i]` after
            `native`.
        entropy: Predictive entropy in nats, in the same axes.
        scores: Scores of its slices.
    """

    labels: npt.NDArray[np.uint8]
    entropy: npt.NDArray[np.floating[Any]]
    scores: Scores

    def native(self, geometry: Geometry, structures: Sequence[int]) -> Prediction:
        """The same in the axes and label values of the volume's own files."""
        values = np.array([0, *structures], dtype=np.uint8)
        planes = [Plane(str(name)) for name in self.scores.plane]
        index = [
            geometry.native_index(plane, int(k))
            for plane, k in zip(planes, self.scores.index, strict=True)
        ]
        columns = self.scores.arrays() | {"index": np.array(index, dtype=np.int64)}
        return Prediction(
            labels=values[geometry.from_canonical(self.labels)],
            entropy=geometry.from_canonical(self.entropy),
            scores=Scores(**columns),  # type: ignore[arg-type]  # the columns of a Scores
        )

    def write(self, files: RoundFiles, volume: str, model: str) -> None:
        """Keep a native prediction; the entropy in 255 steps of its maximum.

        Args:
            files: The round.
            volume: The volume's id.
            model: Checksum of the model that made it.

        Raises:
            ProjectError: If the disk refuses.
        """
        top = max(float(self.entropy.max()), 1e-6)
        steps = np.empty(self.entropy.shape, dtype=np.uint8)
        for each, nats in zip(steps, self.entropy, strict=True):  # never all in more than bytes
            each[:] = np.rint(nats.astype(np.float32) * (_ENTROPY_STEPS / top))
        file = _file(files, volume)
        try:
            make_folder(file.parent)
            with atomic_path(file) as temporary:
                np.savez_compressed(
                    temporary,
                    allow_pickle=False,
                    model=np.array(model),
                    labels=self.labels,
                    entropy=steps,
                    entropy_max=np.array(top),
                    **self.scores.arrays(),
                )
        except OSError as error:
            raise ProjectError(f"cannot write a prediction ({error})", str(file)) from error


def read_prediction(files: RoundFiles, volume: str) -> Prediction | None:
    """One volume's native prediction; None when there is none.

    Raises:
        ProjectError: If the file is damaged.
    """
    return _read(files, volume, _whole)


def read_proposal(files: RoundFiles, volume: str) -> npt.NDArray[np.uint8] | None:
    """The label values `[k, j, i]` of one volume's prediction; None when there is none.

    Raises:
        ProjectError: If the file is damaged.
    """
    return _read(files, volume, itemgetter("labels"))


def is_predicted(files: RoundFiles, volume: str, model: str) -> bool:
    """Whether a volume has a prediction of a model, by its checksum; its maps are not read.

    Raises:
        ProjectError: If the file is damaged.
    """
    return _read(files, volume, lambda archive: str(archive["model"])) == model


def read_volume_scores(files: RoundFiles, volume: str) -> Scores:
    """The scores of a volume that has a prediction; its maps are not read.

    Raises:
        ProjectError: If the file is missing or damaged.
    """
    found = _read(files, volume, scores_in)
    if found is None:
        raise ProjectError("is missing", str(_file(files, volume)))
    return found


def _whole(archive: Archive) -> Prediction:
    nats = np.arange(_ENTROPY_STEPS + 1) * (float(archive["entropy_max"]) / _ENTROPY_STEPS)
    return Prediction(
        labels=archive["labels"],
        entropy=nats.astype(np.float32)[archive["entropy"]],
        scores=scores_in(archive),
    )


def _read(files: RoundFiles, volume: str, what: Callable[[Archive], Thing]) -> Thing | None:
    """Something of one volume's file; None when there is no file."""
    file = _file(files, volume)
    try:
        # Opened here, since numpy leaves a damaged archive open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return what(archive)
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise damaged(file, error) from error


def scores_in(archive: Archive) -> Scores:
    """The columns of an archive; what there was not yet when it was written is NaN."""
    names = {field.name for field in fields(Scores)}
    columns = {name: archive[name] for name in names if name in archive or name not in _LATER}
    count, structures = columns["class_entropy"].shape
    for name in names - set(columns):
        shape = (count, (1 + structures) ** 2) if name == "gradient" else (count,)
        columns[name] = np.full(shape, np.nan)
    return Scores(**columns)


def _file(files: RoundFiles, volume: str) -> Path:
    return files.folder / "predictions" / f"{volume_name(volume)}.npz"
