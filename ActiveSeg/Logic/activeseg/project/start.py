"""Where a project's model starts from, as ``project.json`` keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from activeseg.errors import ModelError

__all__ = ["Kind", "Start"]

Kind: TypeAlias = Literal["checkpoint", "bundle", "torchscript"]

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Start:
    """A model that existed before the project.

    Attributes:
        kind: A checkpoint of ActiveSeg, a MONAI bundle, or a TorchScript file.
        path: The bundle's folder, or the file; absolute.
        files: SHA-256 of each file that is read, relative to the folder (or to the file's).
        channels: The model's output channel of each structure; empty for a checkpoint, whose
            channels are the structures.
        trusted: Whether the user lets its author's code run.
    """

    kind: Kind
    path: Path
    files: Mapping[str, str]
    channels: Mapping[str, int]
    trusted: bool

    @classmethod
    def of(
        cls,
        kind: Kind,
        path: Path,
        files: Sequence[str],
        channels: Mapping[str, int],
        trusted: bool,
    ) -> Start:
        """A start from files as they are now.

        Raises:
            ModelError: If a file cannot be read.
        """
        path = path.absolute()
        root = path if kind == "bundle" else path.parent
        return cls(kind, path, {name: _sha256(root / name) for name in files}, channels, trusted)

    @property
    def foreign(self) -> bool:
        """Whether it is somebody else's network."""
        return self.kind != "checkpoint"

    @property
    def checksum(self) -> str:
        """One for all files and the channels."""
        parts = [f"{name} {digest}" for name, digest in sorted(self.files.items())]
        parts += [f"{name}={channel}" for name, channel in sorted(self.channels.items())]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def verify(self) -> None:
        """Make sure that the files are those that the project was made with.

        Raises:
            ModelError: If one is gone or was changed: trust and channels were said of the others.
        """
        root = self.path if self.kind == "bundle" else self.path.parent
        for name, digest in self.files.items():
            if _sha256(root / name) != digest:
                raise ModelError(
                    f"{root / name}: was changed since the project was made; restore it, or make "
                    "a new project with 'activeseg init'"
                )

    def to_json(self) -> dict[str, Any]:
        """What ``project.json`` holds."""
        return {
            "kind": self.kind,
            "path": str(self.path),
            "files": dict(self.files),
            "channels": dict(self.channels),
            "trusted": self.trusted,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Start:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: If it is damaged.
        """
        kinds: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}
        return cls(
            kinds[data["kind"]],
            Path(data["path"]),
            {str(name): str(digest) for name, digest in data["files"].items()},
            {str(name): int(channel) for name, channel in data["channels"].items()},
            bool(data["trusted"]),
        )


def _sha256(file: Path) -> str:
    """Checksum of a file, which may be large."""
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise ModelError(
            f"{file}: cannot be read ({error.strerror}); the project's model starts from it, so "
            "restore it"
        ) from error
    return digest.hexdigest()
