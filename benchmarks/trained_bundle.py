"""A MONAI bundle made on the spot: a small 3-D U-Net that learned from labelled volumes.

For `benchmarks/bundle.py`; it stands for a model that somebody else has trained and published.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.losses import DiceCELoss
from monai.networks.nets import UNet

from activeseg.cohort import Cohort
from activeseg.files import atomic_path, make_folder, write_json
from activeseg.model.bundle import open_bundle
from activeseg.model.foreign import ForeignModel
from activeseg.model.network import seeded
from activeseg.model.opened import output_channels, try_out
from activeseg.project.scans import channel_table, cohort_network, scan_for

__all__ = ["opened", "trained_bundle"]

WINDOW = (40, 56, 40)
"""Voxels that the bundle's network sees at once, along R, A and S."""

BATCH, RATE = 2, 2e-3
"""Of the bundle's training: windows a step, and the peak of its one-cycle schedule."""


def trained_bundle(folder: Path, source: Cohort, steps: int, seed: int) -> Path:
    """Train a bundle, unless it is there already.

    Args:
        folder: Its folder; the weights are written last.
        source: Labelled volumes, all of which it learns from.
        steps: Of its training.
        seed: Of its weights and windows.

    Returns:
        The folder.
    """
    weights = folder / "models" / "model.pt"
    if weights.is_file():
        return folder
    names = [structure.name for structure in source.structures]
    for name in ("configs", "models"):
        make_folder(folder / name)
    metadata, inference = _described(names)
    write_json(folder / "configs" / "metadata.json", metadata)
    write_json(folder / "configs" / "inference.json", inference)
    with seeded(seed):
        fresh = UNet(**{name: value for name, value in _network(names).items() if name[0] != "_"})
        draft = folder.with_name("draft")
        shutil.copytree(folder, draft, dirs_exist_ok=True)
        torch.save(fresh.state_dict(), draft / "models" / "model.pt")
        model = opened(draft, source)
        begun = time.perf_counter()
        _train(model, source, steps, seed)
    print(f"{folder}: trained in {time.perf_counter() - begun:.0f} s", flush=True)
    shutil.rmtree(draft)
    with atomic_path(weights) as temporary:
        torch.save(model.network.state_dict(), temporary)
    return folder


def opened(folder: Path, cohort: Cohort) -> ForeignModel:
    """A bundle as the engine opens it."""
    found = open_bundle(folder, trusted=False)
    answers = try_out(found)
    names = [structure.name for structure in cohort.structures]
    channels = output_channels(found, answers, names, {})
    return ForeignModel(found, answers, channels, cohort_network(cohort, "auto"), "cpu")


def _network(names: list[str]) -> dict[str, Any]:
    """`network_def` of the bundle."""
    return {
        "_target_": "UNet",
        "spatial_dims": 3,
        "in_channels": 1,
        "out_channels": 1 + len(names),
        "channels": [16, 32, 64, 128],
        "strides": [2, 2, 2],
        "num_res_units": 2,
        "norm": "batch",
        "dropout": 0.1,
    }


def _described(names: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata and inference configuration of the bundle."""
    outputs = {str(k): name for k, name in enumerate(["background", *names])}
    metadata = {
        "network_data_format": {
            "inputs": {
                "image": {"num_channels": 1, "modality": "MR", "spatial_shape": list(WINDOW)}
            },
            "outputs": {"pred": {"num_channels": len(outputs), "channel_def": outputs}},
        }
    }
    before = [
        {"_target_": "LoadImaged", "keys": "image"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
        {"_target_": "NormalizeIntensityd", "keys": "image"},
    ]
    inferer = {"_target_": "SlidingWindowInferer", "roi_size": list(WINDOW), "overlap": 0.5}
    after = [{"_target_": "Activationsd", "keys": "pred", "softmax": True}]
    inference = {
        "network_def": _network(names),
        "preprocessing": {"_target_": "Compose", "transforms": before},
        "inferer": inferer,
        "postprocessing": {"_target_": "Compose", "transforms": after},
    }
    return metadata, inference


def _train(model: ForeignModel, source: Cohort, steps: int, seed: int) -> None:
    """Train the network of a fresh bundle on whole labelled volumes, window by window."""
    volumes = [_shown(model, source, volume.id) for volume in source.volumes]
    rng = np.random.default_rng(seed)
    network = model.network
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True, include_background=False)
    optimiser = torch.optim.AdamW(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=max(20, steps + 1), pct_start=0.1
    )
    for _ in range(steps):
        drawn = [_window(*volumes[k], rng) for k in rng.integers(len(volumes), size=BATCH)]
        network.train()
        loss = loss_of(
            network(torch.stack([image for image, _ in drawn])),
            torch.stack([label for _, label in drawn]),
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


def _shown(model: ForeignModel, cohort: Cohort, volume: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Image and classes `[1, ...]` of a volume as the network is shown it."""
    shown = model.show(scan_for(model, cohort, volume, "auto"))
    label = cohort.volume(volume).geometry.to_canonical(cohort.read_label(volume))
    classes = channel_table(model.config.structures)[label].astype(np.int64)
    return shown.image, shown.frame.turned(torch.from_numpy(classes[None]))


def _window(
    image: torch.Tensor, label: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """A window anywhere in a volume, padded where it is smaller, of other grey values."""
    sides: list[slice] = [slice(None)]
    pads: list[int] = []
    for size, count in zip(WINDOW, image.shape[1:], strict=True):
        start = int(rng.integers(max(0, count - size) + 1))
        sides.append(slice(start, start + size))
        before = int(rng.integers(max(0, size - count) + 1))
        pads = [before, max(0, size - count) - before, *pads]
    changed = image[tuple(sides)] * rng.uniform(0.8, 1.2) + rng.uniform(-0.2, 0.2)
    return tuple(torch.nn.functional.pad(each, pads) for each in (changed, label[tuple(sides)]))
