"""Where the features of slices come from: the frozen filters, or a network of the user's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from activeseg.cohort import Cohort, CohortVolume
from activeseg.errors import ModelError
from activeseg.keys import Plane
from activeseg.model.bottleneck import SliceNetwork, check_bottleneck, volume_bottlenecks
from activeseg.model.features import RECIPE, slice_features
from activeseg.model.foreign import ForeignModel
from activeseg.model.network import NetworkConfig, load
from activeseg.model.opened import check_fit, try_out
from activeseg.model.scan import Scan, grey_scan
from activeseg.project.beginning import foreign_start, open_start
from activeseg.project.model_name import ANOTHER_MODEL, BUILT_IN
from activeseg.project.start import Start

__all__ = ["FROZEN", "FeatureSource", "network_features"]

Features: TypeAlias = npt.NDArray[np.float32]

BOTTLENECK_RECIPE = 1
"""Of a network's features; raise it whenever they change, or a cache gives the former ones."""


@dataclass(frozen=True)
class FeatureSource:
    """Who makes the features of slices; it can be sent to other processes.

    Attributes:
        start: The network; None for the frozen filters.
    """

    start: Start | None = None

    @property
    def identity(self) -> str:
        """Equal for equal features of equal images."""
        if self.start is None:
            return f"frozen {RECIPE}"
        return f"bottleneck {BOTTLENECK_RECIPE} {self.start.kind} {self.start.checksum}"

    def facts(self) -> dict[str, Any]:
        """What a list of slices keeps of where their features came from."""
        if self.start is None:
            return {"kind": "frozen", "recipe": RECIPE}
        known = self.start.to_json()
        return {name: known[name] for name in ("kind", "path", "files")} | {
            "recipe": BOTTLENECK_RECIPE
        }

    def of(
        self, image: npt.NDArray[Any], volume: CohortVolume, scan: Scan
    ) -> dict[Plane, Features]:
        """Features `[slices, D]` of each plane of a volume, in canonical order.

        Args:
            image: Its grey values as they are in the file, native array `[k, j, i]`.
            volume: What the cohort knows of it.
            scan: The same as the frozen filters see it, with the planes.

        Raises:
            ModelError: If the network cannot be read any more.
        """
        if self.start is None:
            return {plane: slice_features(scan, plane) for plane in scan.planes}
        path, files = str(self.start.path), json.dumps(dict(self.start.files))
        network = _network(self.start.kind, path, files, self.start.trusted)
        if isinstance(network, ForeignModel):
            grey = grey_scan(image, volume.geometry, volume.modality, scan.planes)
            return volume_bottlenecks(network, grey)
        return {plane: network.bottlenecks(scan, plane) for plane in scan.planes}


FROZEN = FeatureSource()
"""The frozen filters, which know nothing of anybody's data."""


def network_features(model: str, cohort: Cohort, trusted: bool) -> FeatureSource:
    """Features from a network of the user's own, which is tried out here.

    Args:
        model: A bundle's folder, a TorchScript file, or a checkpoint of a project.
        cohort: What it is for.
        trusted: Whether its author's code may run.

    Raises:
        ModelError: If it cannot be read, is not trusted, does not fit the cohort, or has no
            bottleneck.
    """
    if model == BUILT_IN:
        raise ModelError(
            f"--features {BUILT_IN}: fresh weights have learned nothing; name a bundle, a "
            "TorchScript file or a model.pt, or leave it out for the frozen features"
        )
    if not Path(model).exists():
        raise ModelError(f"no model '{model}'; {ANOTHER_MODEL}")
    path = Path(model).absolute()
    start = foreign_start(path, trusted)
    modality = cohort.volumes[0].modality
    if start is None:
        if trusted:
            raise ModelError(
                f"--trust-code is for a MONAI bundle or a TorchScript file, not {model}"
            )
        start = Start.of("checkpoint", path, [path.name], {}, trusted=False)
        made_for = load(path, ANOTHER_MODEL)[1].modality
        if made_for.partition("-")[0] != modality.partition("-")[0]:
            raise ModelError(
                f"{path}: made for {_kind(made_for)}, this cohort is {_kind(modality)}; choose "
                "another model"
            )
        return FeatureSource(start)
    opened = open_start(start)
    spacings = [volume.geometry.canonical_spacing for volume in cohort.volumes]
    check_fit(opened, modality, spacings)
    try_out(opened)
    check_bottleneck(opened)
    return FeatureSource(start)


def _kind(modality: str) -> str:
    return modality.partition("-")[0].upper()


@lru_cache(maxsize=1)
def _network(kind: str, path: str, files: str, trusted: bool) -> ForeignModel | SliceNetwork:
    """The network of a start, read once in each process; `files` are its checksums."""
    where = Path(path)
    if kind == "checkpoint":
        return SliceNetwork.read(where)
    start = foreign_start(where, trusted)
    if start is None or dict(start.files) != json.loads(files):
        raise ModelError(f"{path}: was changed while it was in use; run the command again")
    opened = open_start(start)
    # No structure is asked of it, so no output is mapped to one.
    config = NetworkConfig(1, (), 1.0, "")
    return ForeignModel(opened, try_out(opened), (), config)
