"""What a model says of each volume, kept in the round's folder.

``rounds/<NNN>/predictions/<volume>.npz`` holds the proposal, the uncertainty and the scores of
one volume, so that scoring can go on after a kill and a face can show any slice at once.
``scores.npz`` joins the scores of all volumes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Geometry
from activeseg.cost import How
from activeseg.errors import ProjectError
from activeseg.files import atomic_path, make_folder
from activeseg.keys import Plane, SliceKey
from activeseg.project.damaged import damaged
from activeseg.project.names import volume_name
from activeseg.project.rounds import RoundFiles

__all__ = ["Prediction", "ScoredSlice", "Scores", "read_prediction", "read_scores", "write_scores"]

_ENTROPY_STEPS = 255.0


@dataclass(frozen=True)
class Scores:
    """One row a slice; all arrays `[slices]`.

    Attributes:
        plane: The plane's name.
        index: Index of the slice (canonical in a fresh `Prediction`, native on disk).
        value: What an answer is worth.
        band_entropy: Mean entropy in the band, nats.
        whole_entropy: Mean entropy of the whole slice, nats.
        expected_dice: Soft Dice Confidence of the proposal.
        seconds: Expected seconds of the answer, without the first-slice overhead.
        how: `draw`, `correct` or `confirm`.
    """

    plane: npt.NDArray[np.str_]
    index: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    band_entropy: npt.NDArray[np.float64]
    whole_entropy: npt.NDArray[np.float64]
    expected_dice: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    how: npt.NDArray[np.str_]

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
class ScoredSlice:
    """One row of `Scores` with the slice that it is about; see there."""

    key: SliceKey
    value: float
    band_entropy: float
    whole_entropy: float
    expected_dice: float
    seconds: float
    how: How


@dataclass(frozen=True)
class Prediction:
    """What a model says of one volume.

    Attributes:
        labels: Proposal: output channels `[S, P, L]` when fresh, label values `[k, j, i]` after
            `native`.
        entropy: Predictive entropy in nats, in the same axes.
        scores: Scores of its slices.
        confidence: Soft Dice Confidence of each structure in the whole volume; None where there
            is nothing to judge.
    """

    labels: npt.NDArray[np.uint8]
    entropy: npt.NDArray[np.float32]
    scores: Scores
    confidence: list[float | None]

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
            confidence=self.confidence,
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
        file = _file(files, volume)
        try:
            make_folder(file.parent)
            with atomic_path(file) as temporary:
                np.savez_compressed(
                    temporary,
                    allow_pickle=False,
                    model=np.array(model),
                    labels=self.labels,
                    entropy=np.rint(self.entropy * (_ENTROPY_STEPS / top)).astype(np.uint8),
                    entropy_max=np.array(top),
                    confidence=np.array(
                        [np.nan if v is None else v for v in self.confidence], dtype=np.float64
                    ),
                    **self.scores.arrays(),
                )
        except OSError as error:
            raise ProjectError(f"cannot write a prediction ({error})", str(file)) from error


def read_prediction(files: RoundFiles, volume: str, model: str | None = None) -> Prediction | None:
    """One volume's native prediction.

    Args:
        files: The round.
        volume: The volume's id.
        model: Checksum that the prediction must carry; None takes any.

    Returns:
        None when there is none, or none of that model.

    Raises:
        ProjectError: If the file is damaged.
    """
    file = _file(files, volume)
    try:
        # Opened here, since numpy leaves a damaged archive open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            if model is not None and str(archive["model"]) != model:
                return None
            steps = archive["entropy"].astype(np.float32)
            return Prediction(
                labels=archive["labels"],
                entropy=steps * (float(archive["entropy_max"]) / np.float32(_ENTROPY_STEPS)),
                scores=Scores(**{field.name: archive[field.name] for field in fields(Scores)}),
                confidence=[None if np.isnan(v) else float(v) for v in archive["confidence"]],
            )
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise damaged(file, error) from error


def write_scores(files: RoundFiles, parts: Mapping[str, Scores]) -> None:
    """Join the scores of all volumes as ``scores.npz``.

    Raises:
        ProjectError: If the disk refuses.
    """
    joined = Scores.join(list(parts.values()))
    volumes = np.concatenate([np.full(len(part.index), name) for name, part in parts.items()])
    try:
        with atomic_path(files.scores) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, volumes=volumes, **joined.arrays())
    except OSError as error:
        raise ProjectError(f"cannot write the scores ({error})", str(files.scores)) from error


def read_scores(files: RoundFiles) -> Iterator[ScoredSlice]:
    """Each row of ``scores.npz``.

    Raises:
        ProjectError: If the file is damaged.
    """
    try:
        with files.scores.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            volumes = archive["volumes"].tolist()
            columns = {field.name: archive[field.name].tolist() for field in fields(Scores)}
    except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise damaged(files.scores, error) from error
    for number, volume in enumerate(volumes):
        row = {name: column[number] for name, column in columns.items()}
        key = SliceKey(volume, Plane(row.pop("plane")), row.pop("index"))
        yield ScoredSlice(key=key, **row)


def _file(files: RoundFiles, volume: str) -> Path:
    return files.folder / "predictions" / f"{volume_name(volume)}.npz"
